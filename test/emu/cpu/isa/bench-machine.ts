// A bare processor for tests of the instruction set: ring 0, paging on, flat segments, an IDT whose handlers halt.
import { Cpu, type CpuHost, CS, DS, ES, ESP, FS, GS, SS, type Tier } from "../../../../src/emu/cpu/cpu.ts";
import { cpuModel } from "../../../../src/emu/cpu/models.ts";
import { loadSegment, setFlatSegment } from "../../../../src/emu/cpu/segments.ts";
import { Memory, RAM_BASE } from "../../../../src/emu/machine/memory.ts";

export const RAM = 0x3_0000;
export const IDT = 0x1000;
export const GDT = 0x2000;
export const HANDLERS = 0x3000;
const DIRECTORY = 0x4000;
const TABLE = 0x5000;
export const CODE = 0x1_0000;
export const DATA = 0x2_0000;
/** Not present; then read-only. */
export const HOLE = 0x2_4000;
export const READ_ONLY = 0x2_5000;
export const STACK = 0x2_a000;
/** Base of FS and GS. */
export const TLS = 0x2_1000;

export const quietHost: CpuHost = {
  kcall() {},
  inPort: () => 0x5a,
  outPort() {},
  intAck: () => 0x20,
  tsc: () => 123456789,
};

/** A processor with its own memory. */
export function bareCpu(host: CpuHost = quietHost, tier?: Tier): Cpu {
  const memory = new Memory(RAM);
  const cpu = new Cpu(memory, host, cpuModel("core2"), tier);
  reset(cpu);
  return cpu;
}

function descriptor(cpu: Cpu, index: number, base: number, limit: number, type: number, flags: number): void {
  const { view } = cpu.memory;
  const at = RAM_BASE + GDT + 8 * index;
  view.setUint32(at, ((base & 0xffff) << 16) | (limit & 0xffff), true);
  const high = (base & 0xff00_0000) | (flags << 20) | (limit & 0xf_0000) | (type << 8) | ((base >> 16) & 0xff);
  view.setUint32(at + 4, high, true);
}

/** Everything as at power-on of these tests: memory, tables, registers. */
export function reset(cpu: Cpu): void {
  const { memory } = cpu;
  const { u8, view } = memory;
  memory.dropEntries(true);
  for (let frame = 0; frame < RAM >> 12; frame++) cpu.invalidateFrame(frame);
  u8.fill(0, RAM_BASE, RAM_BASE + RAM);
  // Any selector in the GDT may be loaded: 1 code, 2 data, 3 data with a base (FS, GS), 4 a small data segment.
  descriptor(cpu, 1, 0, 0xf_ffff, 0x9b, 0xc);
  descriptor(cpu, 2, 0, 0xf_ffff, 0x93, 0xc);
  descriptor(cpu, 3, TLS, 0xf_ffff, 0x93, 0xc);
  descriptor(cpu, 4, DATA, 0x0_0fff, 0x93, 0x4);
  descriptor(cpu, 5, 0, 0xf_ffff, 0x9b, 0x8);
  for (let vector = 0; vector < 64; vector++) {
    const at = RAM_BASE + IDT + 8 * vector;
    const handler = HANDLERS + 16 * vector;
    view.setUint32(at, (8 << 16) | (handler & 0xffff), true);
    view.setUint32(at + 4, (handler & 0xffff_0000) | 0x8e00, true);
    u8[RAM_BASE + handler] = 0xf4;
  }
  view.setUint32(RAM_BASE + DIRECTORY, TABLE | 7, true);
  for (let page = 0; page < RAM >> 12; page++) {
    const pa = page << 12;
    const bits = pa === HOLE ? 0 : pa === READ_ONLY ? 5 : 7;
    view.setUint32(RAM_BASE + TABLE + 4 * page, pa | bits, true);
  }
  cpu.cr0 = 0x8001_0011 | 0;
  cpu.cr3 = DIRECTORY;
  // CR4.OSFXSR and CR4.OSXMMEXCPT.
  cpu.cr4 = 0x600;
  cpu.fpu.init();
  cpu.simd.init();
  cpu.gdtBase = GDT;
  cpu.gdtLimit = 0x7f;
  cpu.idtBase = IDT;
  cpu.idtLimit = 0x1ff;
  cpu.cpl = 0;
  setFlatSegment(cpu, CS, 8, 0);
  for (const seg of [SS, DS, ES]) setFlatSegment(cpu, seg, 16, 0);
  for (const seg of [FS, GS]) loadSegment(cpu, seg, 24);
  cpu.r.fill(0);
  cpu.r[ESP] = STACK;
  cpu.setEflags(2);
  cpu.eip = CODE;
  cpu.icount = 0;
  cpu.halted = false;
  cpu.shutdown = null;
  cpu.inhibit = false;
}

/** Put bytes at a physical address. */
export function place(cpu: Cpu, at: number, bytes: Uint8Array): void {
  cpu.memory.u8.set(bytes, RAM_BASE + at);
}

/** A reproducible stream of 32-bit numbers. */
export class Random {
  private s: number;
  constructor(seed: number) {
    this.s = seed | 0;
  }
  next(): number {
    this.s = (this.s + 0x9e37_79b9) | 0;
    let t = this.s ^ (this.s >>> 16);
    t = Math.imul(t, 0x21f0_aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a_2d97);
    return (t ^ (t >>> 15)) | 0;
  }
  below(n: number): number {
    return (this.next() >>> 0) % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

/** What an instruction can change, as text, for comparison. */
export function stateOf(cpu: Cpu): string {
  const regs = [...cpu.r].map((v) => (v >>> 0).toString(16)).join(" ");
  const seg = [...cpu.sel].map((v, i) => `${v.toString(16)}:${cpu.base[i].toString(16)}`).join(" ");
  const { simd, fpu } = cpu;
  const xmm = [...simd.save()].map((v) => (v >>> 0).toString(16)).join(" ");
  const mmx = fpu.regs.map((x) => `${x.exp.toString(16)}:${x.hi.toString(16)}:${x.lo.toString(16)}`).join(" ");
  return `xmm ${xmm} mmx ${mmx} top ${fpu.top} used ${fpu.used} ${regs} eip ${(cpu.eip >>> 0).toString(16)} fl ${cpu.getEflags().toString(16)} seg ${seg} n ${cpu.icount}`;
}

/** First physical address at which two memories differ, or -1. */
export function firstDifference(a: Cpu, b: Cpu): number {
  const x = a.memory.i32;
  const y = b.memory.i32;
  for (let i = RAM_BASE >> 2; i < (RAM_BASE + RAM) >> 2; i++) if (x[i] !== y[i]) return i * 4 - RAM_BASE;
  return -1;
}
