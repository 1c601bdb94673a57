// A machine in which any engine runs any stream of instructions to its end: exceptions are logged and the stream goes on
// behind the instruction that raised one; the timer ticks, and the run is cut, at given instruction counts.
import { Cpu, type CpuHost, CS, DS, ES, ESP, FS, GS, MIX_CLASSES, SS, type Tier } from "../../../../src/emu/cpu/cpu.ts";
import { writeDr } from "../../../../src/emu/cpu/debug.ts";
import { cpuModel } from "../../../../src/emu/cpu/models.ts";
import { loadSegment, ltr, setFlatSegment } from "../../../../src/emu/cpu/segments.ts";
import { MXCSR_INIT } from "../../../../src/emu/cpu/simd/state.ts";
import { STATE_XMM } from "../../../../src/emu/cpu/state.ts";
import { Memory, RAM_BASE } from "../../../../src/emu/machine/memory.ts";
import { CODE, DATA, GDT, HANDLERS, HOLE, IDT, READ_ONLY, TLS } from "./bench-machine.ts";

export const RAM = 0x3_0000;
const DIRECTORY = 0x4000;
const TABLE = 0x5000;
const TSS = 0x6000;
const KERNEL_STACK = 0x9000;
/** Two linear pages that are the first two frames of the code once more. */
export const ALIAS = 0x4_0000;
/** Most instructions of a run, its handlers' included. */
export const LIMIT = 160;
const TICK = 0x20;
const VECTORS = 64;
/** Faults that leave EIP at the instruction, and exceptions that push an error code. */
const FAULTS = [0, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 19];
const WITH_CODE = [8, 10, 11, 12, 13, 14, 17];
const IRQ_FLAG = 0x200;
const RESUME = 0x1_0000;

/** Everything that a run starts from. */
export interface Setup {
  readonly ring: 0 | 3;
  readonly segments: "flat" | "small data" | "16-bit code";
  /** Physical and linear address of the code. */
  readonly start: number;
  readonly code: Uint8Array;
  /** Addresses where the stream may go on after a fault, ascending; the last is its final HLT. */
  readonly resume: readonly number[];
  readonly registers: readonly number[];
  readonly flags: number;
  readonly fill: number;
  /** Debug registers DR0-DR3 and DR7. */
  readonly dr: readonly number[];
}

export interface Plan {
  /** Instruction counts at which the timer's interrupt is raised, and at which the run is only cut. */
  readonly ticks: readonly number[];
  readonly cuts: readonly number[];
}

/** How a run went. */
export interface Outcome {
  /** Every exception and interrupt: vector, error code, where, count. */
  readonly log: readonly string[];
  /** Registers at each cut. */
  readonly cuts: readonly string[];
  readonly state: ReadonlyMap<string, unknown>;
  readonly mix: readonly string[];
  readonly memory: Uint8Array;
}

const FILLS = [1, 2, 3, 4].map((seed) => {
  let s = seed;
  return Uint8Array.from({ length: 0x4000 }, () => {
    s = (Math.imul(s, 1103515245) + 12345) | 0;
    return s >>> 16;
  });
});

/** Guest memory at the start of a stream. */
export function imageOf(setup: Setup): Uint8Array {
  const ram = new Uint8Array(RAM);
  const view = new DataView(ram.buffer);
  const descriptor = (index: number, base: number, limit: number, attr: number) => {
    view.setUint32(GDT + 8 * index, ((base & 0xffff) << 16) | (limit & 0xffff), true);
    const high = (base & 0xff00_0000) | ((base >>> 16) & 0xff) | (attr << 8) | (limit & 0xf_0000);
    view.setUint32(GDT + 8 * index + 4, high, true);
  };
  descriptor(1, 0, 0xf_ffff, 0xc09b);
  descriptor(2, 0, 0xf_ffff, 0xc093);
  descriptor(3, TLS, 0xf_ffff, 0xc0f3);
  descriptor(4, DATA, 0x1fff, 0x40f3);
  descriptor(5, 0, 0xf_ffff, setup.ring === 3 ? 0x80fb : 0x809b);
  descriptor(6, 0, 0xf_ffff, 0xc0fb);
  descriptor(7, 0, 0xf_ffff, 0xc0f3);
  descriptor(8, TSS, 0x67, 0x0089);
  view.setUint32(TSS + 4, KERNEL_STACK, true);
  view.setUint32(TSS + 8, 0x10, true);
  view.setUint32(TSS + 0x64, 0x68_0000, true);
  for (let vector = 0; vector < VECTORS; vector++) {
    const handler = HANDLERS + 16 * vector;
    // Programs may raise breakpoint, overflow and every fourth vector behind the timer's.
    const open = vector === 3 || vector === 4 || (vector > TICK && vector % 4 === 0);
    view.setUint32(IDT + 8 * vector, (8 << 16) | (handler & 0xffff), true);
    view.setUint32(IDT + 8 * vector + 4, open ? 0xee00 : 0x8e00, true);
    ram.set([0x0f, 0x0a, vector], handler);
    ram.set(WITH_CODE.includes(vector) ? [0x83, 0xc4, 4, 0xcf] : [0xcf], handler + 3);
  }
  view.setUint32(DIRECTORY, TABLE | 7, true);
  for (let page = 0; page < RAM >> 12; page++) {
    const pa = page << 12;
    view.setUint32(TABLE + 4 * page, pa | (pa === HOLE ? 0 : pa === READ_ONLY ? 5 : 7), true);
  }
  for (let page = 0; page < 2; page++)
    view.setUint32(TABLE + 4 * ((ALIAS >> 12) + page), (CODE + (page << 12)) | 7, true);
  ram.set(FILLS[setup.fill & 3], DATA);
  ram.set(setup.code, setup.start);
  return ram;
}

/** Fields that are no state of the processor, that engines keep for themselves, or that are compared by their meaning. */
const NOT_STATE =
  /^(?:memory|host|model|features|engine|known|mix|probes|state|fpu|simd|quickRoutines|onTlbFill|\w*Epoch|countTarget|runLimit|fault\w+|stopRequested|watching)$/;
const XMM_WORDS = 32;

type Visit = (path: string, owner: Record<string, unknown>, key: string) => void;

/** Every number, flag and word below an object. */
function walk(value: object, path: string, visit: Visit): void {
  for (const [key, inner] of Object.entries(value)) {
    if (NOT_STATE.test(key) && path === "") continue;
    const at = path === "" ? key : `${path}.${key}`;
    if (typeof inner === "object" && inner !== null) walk(inner, at, visit);
    else if (typeof inner !== "function") visit(at, value as Record<string, unknown>, key);
  }
}

export class OneWorld implements CpuHost {
  readonly memory = new Memory(RAM);
  readonly cpu: Cpu;
  private readonly powerOn: { owner: Record<string, unknown>; key: string; value: unknown }[] = [];
  private resume: readonly number[] = [];
  private log: string[] = [];

  constructor(tier: Tier) {
    this.cpu = new Cpu(this.memory, this, cpuModel("core2"), tier);
    this.memory.kernelText[HANDLERS >> 12] = 1;
    walk(this.cpu, "", (_, owner, key) => {
      this.powerOn.push({ owner, key, value: owner[key] });
    });
  }

  inPort(port: number): number {
    return (port * 0x1111) & 0xff;
  }
  outPort(port: number, size: number, value: number): void {
    this.log.push(`out ${port} ${size} ${value} at ${this.cpu.icount}`);
  }
  intAck(): number {
    this.cpu.intr = false;
    return TICK;
  }
  tsc(): number {
    return this.cpu.icount * 3;
  }

  /** A handler has begun: log what happened, and return behind a faulting instruction. */
  kcall(vector: number): void {
    const { cpu } = this;
    const top = (cpu.base[SS] + cpu.r[ESP]) >>> 0;
    const word = (n: number) => this.memory.readPhys32(top + 4 * n) >>> 0;
    const n = WITH_CODE.includes(vector) ? 1 : 0;
    const eip = word(n);
    const code = n ? word(0).toString(16) : "";
    const words = [word(n + 1), word(n + 2)].map((v) => v.toString(16)).join(" ");
    this.log.push(
      `${vector} ${code} eip ${eip.toString(16)} ${words} cr2 ${cpu.cr2} dr6 ${cpu.dr[6]} at ${cpu.icount}`,
    );
    if (FAULTS.includes(vector)) {
      const next = this.resume.find((at) => at > eip) ?? (this.resume.at(-1) as number);
      this.poke(top + 4 * n, next);
      // The 16-bit program's stream goes on in 16-bit code, whatever it was.
    } else if (vector === 1) {
      if (cpu.dr[6] & 15) this.poke(top + 4 * (n + 2), word(n + 2) | RESUME);
      cpu.dr[6] = 0xffff_0ff0 | 0;
    }
  }

  private poke(pa: number, value: number): void {
    for (const at of [pa, pa + 3]) if (at < RAM) this.cpu.invalidateFrame(at >>> 12);
    this.memory.writePhys32(pa, value);
  }

  private load(setup: Setup, image: Uint8Array): void {
    const { cpu, memory } = this;
    const now = Buffer.from(memory.buffer, RAM_BASE, RAM);
    for (let at = 0; at < RAM; at += 4096) {
      const page = image.subarray(at, at + 4096);
      if (now.compare(page, 0, 4096, at, at + 4096) === 0) continue;
      cpu.invalidateFrame(at >> 12);
      now.set(page, at);
    }
    for (const { owner, key, value } of this.powerOn) owner[key] = value;
    memory.dropEntries(true);
    memory.largeRegions.fill(0);
    cpu.watching = false;
    cpu.cr0 = 0x8001_0031 | 0;
    cpu.cr3 = DIRECTORY;
    // OSFXSR, OSXMMEXCPT.
    cpu.cr4 = 0x600;
    cpu.segmentEpoch++;
    cpu.fpu.init();
    for (const register of cpu.fpu.regs) register.set(0, 0, 0, 0);
    cpu.simd.mxcsr = MXCSR_INIT;
    cpu.state.fill(0, STATE_XMM, STATE_XMM + XMM_WORDS);
    cpu.gdtBase = GDT;
    cpu.gdtLimit = 0x7f;
    cpu.idtBase = IDT;
    cpu.idtLimit = 8 * VECTORS - 1;
    const user = setup.ring === 3;
    ltr(cpu, 0x40);
    cpu.dr[7] = 0x400;
    setup.dr.forEach((value, n) => {
      writeDr(cpu, n === 4 ? 7 : n, value);
    });
    setFlatSegment(cpu, CS, user ? 0x33 : 8, setup.ring);
    for (const seg of [SS, DS, ES]) setFlatSegment(cpu, seg, user ? 0x3b : 0x10, setup.ring);
    cpu.cpl = setup.ring;
    for (const seg of [FS, GS]) loadSegment(cpu, seg, 0x1b);
    if (setup.segments === "small data") loadSegment(cpu, DS, 0x23);
    if (setup.segments === "16-bit code") {
      cpu.sel[CS] = user ? 0x2b : 0x28;
      cpu.attr[CS] &= ~0x4000;
    }
    cpu.r.set(setup.registers);
    cpu.setEflags(setup.flags);
    cpu.eip = setup.start;
    cpu.icount = 0;
    this.resume = setup.resume;
    this.log = [];
    cpu.mix.flush();
  }

  /** Run a stream to its end, HLT in ring 0 or LIMIT. */
  run(setup: Setup, image: Uint8Array, plan: Plan): Outcome {
    const { cpu } = this;
    this.load(setup, image);
    const stops = [...new Set([...plan.cuts, ...plan.ticks])].filter((n) => n < LIMIT).sort((a, b) => a - b);
    const cuts: string[] = [];
    for (const stop of [...stops, LIMIT]) {
      cpu.run(stop);
      const early = cpu.halted || cpu.shutdown !== null;
      if (!early && cpu.icount !== stop) throw new Error(`stopped at ${cpu.icount}, not at ${stop}`);
      if (plan.cuts.includes(stop)) cuts.push(`${cpu.icount}: ${registersOf(cpu)}`);
      if (cpu.shutdown !== null || (cpu.halted && !(cpu.getEflags() & IRQ_FLAG))) break;
      if (plan.ticks.includes(stop)) cpu.intr = true;
    }
    cpu.mix.flush();
    const mix = MIX_CLASSES.map((name, i) => `${name} ${cpu.mix.counts[i]}`);
    return { log: this.log, cuts, state: this.state(), mix, memory: this.memory.u8.slice(RAM_BASE, RAM_BASE + RAM) };
  }

  private state(): Map<string, unknown> {
    const { cpu } = this;
    const { fpu } = cpu;
    const state = new Map<string, unknown>([
      ["eip", cpu.eip],
      ["cr0", cpu.cr0],
      ["eflags", cpu.getEflags().toString(16)],
      ["icount", cpu.icount],
      ["fpu", [fpu.cw, fpu.status, fpu.tagWord, fpu.fip, fpu.fcs, fpu.fop, fpu.fdp, fpu.fds].join(" ")],
      ["fpu.regs", fpu.regs.map((r) => `${r.sign} ${r.exp} ${r.hi} ${r.lo}`).join(", ")],
      ["mxcsr", cpu.simd.mxcsr],
      ["xmm", cpu.state.slice(STATE_XMM, STATE_XMM + XMM_WORDS).join(" ")],
    ]);
    walk(cpu, "", (path, owner, key) => {
      state.set(path, owner[key]);
    });
    return state;
  }
}

/** The general registers, EIP and the flags, as text. */
export function registersOf(cpu: Cpu): string {
  const hex = (v: number) => (v >>> 0).toString(16);
  return `${[...cpu.r].map(hex).join(" ")} eip ${hex(cpu.eip)} fl ${hex(cpu.getEflags())} cpl ${cpu.cpl}`;
}

/**
 * Has a run changed its page tables, but for accessed and dirty bits? Without INVLPG the manual leaves it open whether the
 * old or the new ones are used, and engines that keep code decoded walk them more often.
 */
export function changedTables(image: Uint8Array, { memory }: Outcome): boolean {
  for (let at = DIRECTORY; at < TABLE + 4096; at++) if ((image[at] ^ memory[at]) & (at & 3 ? 0xff : 0x9f)) return true;
  return false;
}

/** The first thing in which two runs differ, or "". */
export function difference(a: Outcome, b: Outcome): string {
  const lists = ["log", "mix"] as const;
  for (const name of lists) {
    const n = Math.max(a[name].length, b[name].length);
    for (let i = 0; i < n; i++) if (a[name][i] !== b[name][i]) return `${name} ${i}: ${a[name][i]} | ${b[name][i]}`;
  }
  for (const [key, value] of a.state) {
    if (!Object.is(value, b.state.get(key))) return `${key}: ${String(value)} | ${String(b.state.get(key))}`;
  }
  if (Buffer.compare(a.memory, b.memory) !== 0) {
    const at = a.memory.findIndex((byte, i) => byte !== b.memory[i]);
    return `memory ${at.toString(16)}: ${a.memory[at]} | ${b.memory[at]}`;
  }
  return "";
}
