// Page faults: what a missing or forbidden page of user space means, and how it is made present (mm/memory.c,
// arch/x86/mm/fault.c). Nothing here knows how the fault reached the kernel.
import { CAUSE, EDGE, FLAG, KIND } from "../../../traces/schema/enums.ts";
import { TASK_SIZE } from "../constants.ts";
import { EFAULT, ENOMEM, SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { SigInfo, Task } from "../task.ts";
import { Retry, type Wait } from "../wait.ts";
import { type Mm, PAGE, pageDown } from "./mm.ts";
import { outOfMemory } from "./oom.ts";
import { PTE_A, PTE_D, PTE_FILE, PTE_P, PTE_RW, PTE_SPECIAL, PTE_SWAP } from "./pagetable.ts";
import { swapIn } from "./swapin.ts";
import { VM_ACCESS, VM_EXEC, VM_GROWSDOWN, VM_READ, VM_WRITE, type Vma } from "./vma.ts";

/** Pages mapped around a faulting file page if they are cached (fault_around_bytes = 64 KiB). */
const FAULT_AROUND_PAGES = 16;
const SIGKILL = 9;
const SIGBUS = 7;
const SIGSEGV = 11;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
const BUS_ADRERR = 2;
const SI_KERNEL = 0x80;
const PF_VECTOR = 14;
const PF_PROTECTION = 1;
const PF_WRITE = 2;
const PF_USER = 4;

export type FaultCause = "anon" | "file" | "cow" | "stack_grow" | "swap" | "major" | "prot" | "bad";

/** What became of a fault: the page is there; a signal is due; or its contents must be waited for, then ask again. */
export type FaultResult =
  | { readonly kind: "ok"; readonly cause: FaultCause; readonly obj: number; readonly off: number }
  | { readonly kind: "signal"; readonly cause: FaultCause; readonly info: SigInfo }
  | { readonly kind: "wait"; readonly wait: Wait };

function segv(addr: number, code: number, errorCode: number): FaultResult {
  const info = { signo: SIGSEGV, code, errno: 0, addr, trapno: PF_VECTOR, errorCode };
  return { kind: "signal", cause: code === SEGV_MAPERR ? "bad" : "prot", info };
}

/**
 * Makes the page of a user address present for an access.
 * @param addr the faulting linear address
 * @param write the access writes
 * @param user it was made by the program (or, for a KML program, counts as the program's)
 */
export function handle_mm_fault(k: Kernel, t: Task, addr: number, write: boolean, user: boolean): FaultResult {
  const la = addr >>> 0;
  const { mm } = t;
  const code = (write ? PF_WRITE : 0) | (user ? PF_USER : 0);
  if (mm === undefined || la >= TASK_SIZE) return segv(la, SEGV_MAPERR, code | PF_PROTECTION);
  const present = k.pageTables.get(mm.pgd, la) !== 0 ? PF_PROTECTION : 0;
  let grown = false;
  const vma = mm.vmas.find(la);
  if (vma === undefined) return segv(la, SEGV_MAPERR, code);
  if (vma.start > la) {
    if (!(vma.flags & VM_GROWSDOWN) || !mm.growStack(t, vma, la)) return segv(la, SEGV_MAPERR, code);
    grown = true;
  }
  const needed = write ? VM_WRITE : VM_READ | VM_EXEC | VM_WRITE;
  if ((vma.flags & needed) === 0) return segv(la, SEGV_ACCERR, code | present);
  // A page that was waited for is taken before it is gone again.
  const short = user && !t.faultWaited ? k.reclaim.shortage(t) : undefined;
  if (short !== undefined) return { kind: "wait", wait: short };
  try {
    return fill(k, t, mm, vma, pageDown(la), write, grown);
  } catch (e) {
    if (!(e instanceof SysError) || e.errno !== ENOMEM) throw e;
    return noMemory(k, t);
  }
}

function done(k: Kernel, t: Task, cause: FaultCause, vma: Vma, la: number): FaultResult {
  const major = t.faultWaited;
  t.faultWaited = false;
  k.vm.pgfault++;
  if (major) {
    t.usage.majorFaults++;
    k.vm.pgmajfault++;
  } else t.usage.minorFaults++;
  const obj = k.objectOf(vma);
  const name = !major ? cause : cause === "swap" ? cause : "major";
  return { kind: "ok", cause: name, obj, off: obj < 0 ? -1 : vma.indexOf(la) * PAGE };
}

function fill(k: Kernel, t: Task, mm: Mm, vma: Vma, la: number, write: boolean, grown: boolean): FaultResult {
  const pte = k.pageTables.get(mm.pgd, la);
  if (pte & PTE_SWAP) return swapFault(k, t, mm, vma, la, pte, write);
  if (pte !== 0) return done(k, t, refill(k, mm, vma, la, pte, write), vma, la);
  if (vma.mapping !== undefined) return fileFault(k, t, mm, vma, la, write);
  if (vma.special !== undefined) {
    const pfn = vma.special.pfns[vma.indexOf(la)];
    if (pfn === undefined) return bus(la);
    mm.mapFrame(vma, la, pfn, PTE_SPECIAL);
    return done(k, t, "file", vma, la);
  }
  if (write) mm.mapFrame(vma, la, k.pageTables.takeZeroed(), PTE_RW | PTE_A | PTE_D);
  else mm.mapFrame(vma, la, k.pageTables.zeroPfn, PTE_SPECIAL | PTE_A);
  return done(k, t, grown ? "stack_grow" : "anon", vma, la);
}

/** The page is in swap: waited for if it must be read, mapped, and made writable if it is to be written. */
function swapFault(k: Kernel, t: Task, mm: Mm, vma: Vma, la: number, pte: number, write: boolean): FaultResult {
  const wait = swapIn(k, mm, vma, la, pte);
  if (wait !== undefined) {
    t.faultWaited = true;
    return { kind: "wait", wait };
  }
  if (write) refill(k, mm, vma, la, k.pageTables.get(mm.pgd, la), true);
  return done(k, t, t.faultWaited ? "swap" : "anon", vma, la);
}

/** A frame is there, but the access may not use it as it is: copy on write, first write to a shared page, or a stale entry. */
function refill(k: Kernel, mm: Mm, vma: Vma, la: number, pte: number, write: boolean): FaultCause {
  const tables = k.pageTables;
  const pfn = pte >>> 12;
  if (!write || (pte & (PTE_P | PTE_RW)) === (PTE_P | PTE_RW)) {
    // Another access brought it, or the guest changed its own page tables: what we know is put back.
    tables.set(mm.pgd, la, pte | tables.accessed(mm.pgd, la) | PTE_A);
    return "prot";
  }
  if (vma.shared) {
    vma.mapping?.markDirty(vma.indexOf(la));
    tables.set(mm.pgd, la, pte | PTE_RW | PTE_A | PTE_D);
    return "file";
  }
  const own = (pte & (PTE_FILE | PTE_SPECIAL)) === 0;
  if (own && k.isOnlyUser(pfn)) {
    tables.set(mm.pgd, la, pte | PTE_RW | PTE_A | PTE_D);
    // What is in its slot is old from here on.
    k.lists.dirty[pfn] = 1;
    if (k.lists.writeback[pfn] === 0) k.swap.uncache(pfn);
  } else {
    const copy = pfn === tables.zeroPfn ? tables.takeZeroed() : tables.takeCopy(pfn);
    mm.mapFrame(vma, la, copy, PTE_RW | PTE_A | PTE_D);
  }
  return pfn === tables.zeroPfn ? "anon" : "cow";
}

function bus(la: number): FaultResult {
  const info = { signo: SIGBUS, code: BUS_ADRERR, errno: 0, addr: la, trapno: PF_VECTOR };
  return { kind: "signal", cause: "bad", info };
}

function fileFault(k: Kernel, t: Task, mm: Mm, vma: Vma, la: number, write: boolean): FaultResult {
  const mapping = vma.mapping!;
  const index = vma.indexOf(la);
  if (index >= mapping.pageCount) return bus(la);
  const got = mapping.getPage(index);
  if (typeof got !== "number") {
    t.faultWaited = true;
    return { kind: "wait", wait: got };
  }
  if (write && !vma.shared) {
    // Held while the copy is made: making room for it may drop cached pages.
    k.frames.get(got);
    try {
      mm.mapFrame(vma, la, k.pageTables.takeCopy(got), PTE_RW | PTE_A | PTE_D);
    } finally {
      k.frames.put(got);
    }
    return done(k, t, "cow", vma, la);
  }
  k.frames.get(got);
  if (write) {
    mapping.markDirty(index);
    mm.mapFrame(vma, la, got, PTE_FILE | PTE_RW | PTE_A | PTE_D);
  } else {
    mm.mapFrame(vma, la, got, PTE_FILE | PTE_A);
    mapAround(k, mm, vma, la);
  }
  return done(k, t, "file", vma, la);
}

/** Maps the cached neighbours of a page that was read (do_fault_around). */
function mapAround(k: Kernel, mm: Mm, vma: Vma, la: number): void {
  const mapping = vma.mapping!;
  const span = FAULT_AROUND_PAGES * PAGE;
  const from = Math.max(la - (la % span), vma.start);
  const to = Math.min(la - (la % span) + span, vma.end);
  for (let at = from; at < to; at += PAGE) {
    if (at === la || k.pageTables.get(mm.pgd, at) !== 0) continue;
    const index = vma.indexOf(at);
    if (index >= mapping.pageCount) break;
    const page = mapping.atHand(index);
    if (page === null) continue;
    k.frames.get(page.pfn);
    mm.mapFrame(vma, at, page.pfn, PTE_FILE);
  }
}

/** No frame is left: who holds most goes; others wait a tick for what it frees. */
function noMemory(k: Kernel, t: Task): FaultResult {
  if (outOfMemory(k, t) === t)
    return { kind: "signal", cause: "anon", info: { signo: SIGKILL, code: SI_KERNEL, errno: 0 } };
  const deadline = k.clock.now() + k.units(1e9 / k.options.hz);
  return { kind: "wait", wait: { queues: [], deadline, interruptible: false, killable: true } };
}

/**
 * The kernel's own access to a user page on behalf of a call: as a program's fault, inline, and recorded as an event inside
 * the call.
 * @returns physical address
 * @throws SysError(EFAULT); Retry if the contents must be waited for
 */
export function kernelFault(k: Kernel, t: Task, la: number, write: boolean): number {
  if (la >= TASK_SIZE) return kernelAddress(k, la, write);
  const { mm } = t;
  if (mm === undefined) throw new SysError(EFAULT);
  let pte = k.pageTables.get(mm.pgd, la);
  if ((pte & PTE_P) === 0 || (write && (pte & PTE_RW) === 0)) {
    const at = k.clock.now();
    let blocked = 0;
    let result = handle_mm_fault(k, t, la, write, false);
    while (result.kind === "wait") {
      const { now } = result.wait;
      if (now === undefined) throw new Retry(result.wait);
      blocked += waitNow(k, t, now);
      result = handle_mm_fault(k, t, la, write, false);
    }
    if (result.kind === "signal") {
      if (result.info.signo === SIGKILL) k.signals.sendGroup(t, result.info);
      throw new SysError(EFAULT);
    }
    k.clock.charge(k.charges.fault);
    if (k.recorder.enabled) record(k, t, la, write, result, at, blocked);
    pte = k.pageTables.get(mm.pgd, la);
  }
  const pfn = pte >>> 12;
  k.pageTables.markAccessed(mm.pgd, la, write);
  if (write) k.cpu.invalidateFrame(pfn);
  k.onKernelTouch?.(t, la, pfn, write);
  return pfn * PAGE + (la % PAGE);
}

/** What KML's KERNEL_DS lets a ring-0 program name: the direct map of RAM. */
function kernelAddress(k: Kernel, la: number, write: boolean): number {
  const pa = la - TASK_SIZE;
  if (pa >= k.memory.ramBytes) throw new SysError(EFAULT);
  if (write) k.cpu.invalidateFrame(Math.floor(pa / PAGE));
  return pa;
}

function record(
  k: Kernel,
  t: Task,
  la: number,
  write: boolean,
  result: Extract<FaultResult, { kind: "ok" }>,
  tIn: number,
  blocked: number,
): void {
  const seq = k.recorder.enter({
    task: t.id,
    kind: KIND.fault,
    nr: PF_VECTOR,
    tIn,
    parent: t.seq,
    user: 0,
    addr: la,
    access: write ? 2 : 1,
    cause: CAUSE[result.cause],
    flags: FLAG.in_kernel,
  });
  const fields = { charge: k.charges.fault, ...(result.obj >= 0 ? { obj: result.obj, off: result.off } : {}) };
  k.recorder.set(seq, fields);
  if (blocked > 0) k.recorder.edge(seq, undefined, EDGE.device, blocked);
  k.recorder.leave(seq, { tOut: k.clock.now(), kinstr: 0, blocked });
}

/** Waits for the disk with the processor: a body that has begun cannot always begin again. @returns how long */
function waitNow(k: Kernel, t: Task, now: () => void): number {
  const before = k.clock.now();
  now();
  const waited = k.clock.now() - before;
  t.blockedUnits += waited;
  return waited;
}

/** Makes a range's pages present (mlock, MAP_POPULATE); stops quietly where that would wait or fail. */
export function populate(k: Kernel, t: Task, start: number, end: number): void {
  const { mm } = t;
  if (mm === undefined) return;
  for (let la = start; la < end; la += PAGE) {
    const vma = mm.vmas.at(la);
    if (vma === undefined || (vma.flags & VM_ACCESS) === 0) continue;
    const pte = k.pageTables.get(mm.pgd, la);
    const write = (vma.flags & VM_WRITE) !== 0 && !vma.shared;
    if (pte & PTE_P && (!write || pte & PTE_RW)) continue;
    let result = handle_mm_fault(k, t, la, write, false);
    while (result.kind === "wait" && result.wait.now !== undefined) {
      waitNow(k, t, result.wait.now);
      result = handle_mm_fault(k, t, la, write, false);
    }
    if (result.kind !== "ok") return;
  }
}
