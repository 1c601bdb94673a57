// Hardware task switching, and the I/O permission bitmap. Source: Intel SDM vol. 3, "Task management", in the order of its
// list of steps.
import { type Cpu, CS, DS, ES, ESP, FS, GS, SS } from "./cpu.ts";
import { clearLocalBreakpoints, DR6_BT } from "./debug.ts";
import { GP, guestFault, NP, raise, TS } from "./fault.ts";
import { IOPL, NT, VM } from "./flags.ts";
import { deliverException } from "./gates.ts";
import {
  CR0_PG,
  CR0_TS,
  checkRead,
  flushTlb,
  readSlow8,
  readSlow16,
  readSlow32,
  translateForWrite,
  writeSlow8,
  writeSlow16,
} from "./mmu.ts";
import {
  ATTR_CODE,
  ATTR_DC,
  ATTR_P,
  ATTR_S,
  attrOf,
  baseOf,
  dplOf,
  limitOf,
  loadDataSegment,
  loadLdt,
  loadStackSegment,
  markAccessed,
  mustFindDescriptor,
  selectorError,
  setNullSegment,
  setSegment,
  TYPE_TSS16_AVAILABLE,
  TYPE_TSS16_BUSY,
  TYPE_TSS32_AVAILABLE,
  TYPE_TSS32_BUSY,
  typeOf,
} from "./segments.ts";
import { checkStackRoom, pushAt, stackMask } from "./stack.ts";
import { TALLY } from "./state.ts";
import { readTask, saveTask, TSS_EFLAGS, TSS_IOMAP, TSS_LIMIT, TSS_LINK, TSS16, TSS32, type TssFormat } from "./tss.ts";

/** What asked for a task switch; "gate" is an interrupt or exception through the IDT. */
export type TaskSource = "call" | "jmp" | "iret" | "gate";

/** The format of a TSS by its descriptor's type; null for other types, and for a TSS that is not as busy as asked. */
function formatOf(type: number, busy: boolean): TssFormat | null {
  if (type === (busy ? TYPE_TSS32_BUSY : TYPE_TSS32_AVAILABLE)) return TSS32;
  return type === (busy ? TYPE_TSS16_BUSY : TYPE_TSS16_AVAILABLE) ? TSS16 : null;
}

/**
 * Switch tasks. eip is what the old task resumes at. Before the commit point a fault is raised with nothing changed; after
 * it the fault belongs to the new task and is delivered there, unless a delivery is under way that will combine it.
 * @param code error code to push on the new task's stack, or -1
 * @param flags the EFLAGS image to save in the old TSS
 */
export function taskSwitch(
  cpu: Cpu,
  selector: number,
  source: TaskSource,
  code = -1,
  flags: number = cpu.getEflags(),
): void {
  // Steps 1-4: the new TSS descriptor. A call, jump or gate needs an available TSS, IRET a busy one.
  const sel = selector & 0xffff;
  const vector = source === "iret" ? TS : GP;
  if (sel & 4) raise(cpu, vector, selectorError(cpu, sel));
  const at = mustFindDescriptor(cpu, sel, vector);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  const format = formatOf(typeOf(attr), source === "iret");
  if (format === null) raise(cpu, vector, selectorError(cpu, sel));
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, sel));
  const low = readSlow32(cpu, at, false);
  const tss = baseOf(low, high);
  const limit = limitOf(low, high);
  if (limit < format.limit) raise(cpu, TS, selectorError(cpu, sel));

  // Step 5: everything the switch touches must be there: old TSS, new TSS, both descriptors.
  const oldTss = cpu.trBase;
  const old = formatOf(typeOf(cpu.trAttr), true);
  if (old === null || cpu.trLimit < old.ldt - 1) raise(cpu, TS, selectorError(cpu, cpu.trSel));
  const nests = source === "call" || source === "gate";
  const oldAt = nests ? 0 : mustFindDescriptor(cpu, cpu.trSel, TS);
  translateForWrite(cpu, (oldTss + old.eip) | 0, old.ldt - old.eip, false);
  checkRead(cpu, tss, format.limit + 1, false);
  // Virtual-8086 mode is not emulated: a TSS that asks for it is as invalid as a short one.
  if (format === TSS32 && readSlow32(cpu, (tss + TSS_EFLAGS) | 0, false) & VM) raise(cpu, TS, selectorError(cpu, sel));
  if (nests) translateForWrite(cpu, tss, 2, false);
  if (source !== "iret") translateForWrite(cpu, at + 5, 1, false);
  if (!nests) translateForWrite(cpu, oldAt + 5, 1, false);

  // Steps 6-9: save the old task.
  if (!nests) writeSlow8(cpu, oldAt + 5, readSlow8(cpu, oldAt + 5, false) & ~2, false);
  saveTask(cpu, old, oldTss, source === "iret" ? flags & ~NT : flags);

  // Read the new task (after the save: a task may return to itself).
  const task = readTask(cpu, format, tss);
  const { segments } = task;

  // Steps 10-12: link, NT, busy, TR, CR0.TS. This is the commit point.
  if (nests) writeSlow16(cpu, (tss + TSS_LINK) | 0, cpu.trSel, false);
  if (source !== "iret") writeSlow8(cpu, at + 5, ((high >>> 8) & 0xff) | 2, false);
  cpu.trSel = sel;
  cpu.trBase = tss;
  cpu.trLimit = limit;
  cpu.trAttr = attr | 2;
  cpu.cr0 |= CR0_TS;
  const { tally } = cpu;
  tally[TALLY.tasks]++;
  tally[TALLY.descriptors]++;
  if ((segments[CS] & 3) !== cpu.cpl) tally[TALLY.levels]++;

  // Step 13: load the new state, selectors first as unusable segments.
  if (cpu.cr0 & CR0_PG && task.cr3 !== -1) {
    cpu.cr3 = task.cr3;
    flushTlb(cpu);
  }
  cpu.eip = task.eip;
  cpu.setEflags(nests ? task.eflags | NT : task.eflags);
  for (let i = 0; i < 8; i++) cpu.r[i] = task.gpr[i];
  for (let i = 0; i < 6; i++) setNullSegment(cpu, i, segments[i]);
  cpu.cpl = segments[CS] & 3;
  clearLocalBreakpoints(cpu);
  if (task.trap) cpu.pendingDebug |= DR6_BT;
  try {
    loadTaskSegments(cpu, segments, task.ldt);
    if (code >= 0) pushErrorCode(cpu, code, format.bytes);
    if (task.eip >>> 0 > cpu.limit[CS]) raise(cpu, GP, cpu.ext);
  } catch (error) {
    if (error !== guestFault || cpu.ext === 1) throw error;
    deliverException(cpu, cpu.faultVector, cpu.faultCode);
  }
}

/** Steps 14-15: check and load LDTR and the segment registers of the new task. */
function loadTaskSegments(cpu: Cpu, segments: readonly number[], ldt: number): void {
  cpu.ldtAttr = 0;
  cpu.ldtSel = ldt;
  loadLdt(cpu, ldt, TS, TS);
  const cs = segments[CS];
  if ((cs & 0xfffc) === 0) raise(cpu, TS, cpu.ext);
  const at = mustFindDescriptor(cpu, cs, TS);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  const rpl = cs & 3;
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE)) raise(cpu, TS, selectorError(cpu, cs));
  if (attr & ATTR_DC ? dplOf(attr) > rpl : dplOf(attr) !== rpl) raise(cpu, TS, selectorError(cpu, cs));
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, cs));
  setSegment(cpu, CS, cs, readSlow32(cpu, at, false), markAccessed(cpu, at, high));
  cpu.tally[TALLY.descriptors]++;
  loadStackSegment(cpu, segments[SS], cpu.cpl, TS);
  for (const seg of [DS, ES, FS, GS]) {
    if ((segments[seg] & 0xfffc) !== 0) loadDataSegment(cpu, seg, segments[seg], TS);
  }
}

/** The error code of an exception goes on the new task's stack. */
function pushErrorCode(cpu: Cpu, code: number, bytes: 4 | 2): void {
  checkStackRoom(cpu, cpu.r[ESP], bytes);
  cpu.r[ESP] = pushAt(cpu, cpu.base[SS], stackMask(cpu.attr[SS]), cpu.r[ESP], bytes, code, cpu.cpl === 3);
  cpu.tally[TALLY.pushes]++;
}

/** An interrupt or exception met a task gate in the IDT. */
export function switchThroughGate(cpu: Cpu, tssSelector: number, flags: number, code: number): void {
  taskSwitch(cpu, tssSelector, "gate", code, flags);
}

/** IRET with NT set: back to the task in the link field of the current TSS. */
export function taskReturn(cpu: Cpu): void {
  taskSwitch(cpu, readSlow16(cpu, (cpu.trBase + TSS_LINK) | 0, false), "iret");
}

/** IN, OUT, INS, OUTS: may this port be used? Raises #GP(0) unless CPL <= IOPL or the TSS's bitmap allows all its bytes. */
export function checkIoPermission(cpu: Cpu, port: number, size: 1 | 2 | 4): void {
  if (cpu.cpl <= (cpu.getEflags() & IOPL) >>> 12) return;
  const is32 = typeOf(cpu.trAttr) === TYPE_TSS32_BUSY && cpu.trLimit >= TSS_LIMIT;
  if (!is32) raise(cpu, GP, 0);
  const byte = readSlow16(cpu, (cpu.trBase + TSS_IOMAP) | 0, false) + (port >>> 3);
  if (byte + 1 > cpu.trLimit) raise(cpu, GP, 0);
  const bits = readSlow16(cpu, (cpu.trBase + byte) | 0, false);
  if ((bits >>> (port & 7)) & ((1 << size) - 1)) raise(cpu, GP, 0);
}
