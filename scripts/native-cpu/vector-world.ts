// The ring-3 world of vector-runner.c inside the emulator: the same addresses and segments, and handlers that halt, so
// that a fault shows its vector, error code and frame.
import { Cpu, CS, DS, type Engine, ES, FS, GS, SS } from "../../src/emu/cpu/cpu.ts";
import { fxrstor, fxsave } from "../../src/emu/cpu/fpu/save.ts";
import { CR0_ET, CR0_NE, CR0_PE, CR0_PG, CR0_WP, CR4_OSFXSR, CR4_OSXMMEXCPT } from "../../src/emu/cpu/mmu.ts";
import { cpuModel } from "../../src/emu/cpu/models.ts";
import { setSegment } from "../../src/emu/cpu/segments.ts";
import { STATE_MXCSR, STATE_XMM, type Tier } from "../../src/emu/cpu/state.ts";
import { Memory, RAM_BASE } from "../../src/emu/machine/memory.ts";
import { silentHost } from "./silent-host.ts";
import {
  DATA,
  FX_BYTES,
  INSTRUCTION,
  LOW,
  READ_ONLY,
  SELECTORS,
  type Vector,
  WINDOW,
  WINDOW_BYTES,
} from "./vector-cases.ts";

/** What one instruction left behind. */
export interface Outcome {
  /** -1: it completed; else the vector of the fault. */
  readonly trap: number;
  readonly error: number;
  readonly cr2: number;
  readonly regs: Uint32Array;
  readonly eip: number;
  readonly eflags: number;
  /** ES CS SS DS FS GS. */
  readonly segs: readonly number[];
  readonly window: Uint8Array;
  readonly fx: Uint8Array;
}

const KERNEL = 0xc000_0000;
const DIRECTORY = 0x1000;
const KERNEL_TABLE = 0x2000;
const CODE_TABLE = 0x3000;
const DATA_TABLE = 0x4000;
const LOW_TABLE = 0x5000;
const GDT = 0x6000;
const IDT = 0x7000;
const TSS = 0x8000;
const HANDLERS = 0x9000;
const STACK_TOP = 0xb000;
const CODE_FRAME = 0x1_0000;
const DATA_FRAME = 0x1_1000;
const READ_ONLY_FRAME = 0x1_3000;
const SCRATCH = 0x2_0000;
/** In an FXSAVE image. */
const MXCSR_AT = 24;
const XMM_AT = 160;
const XMM_BYTES = 128;
const KERNEL_CS = 0x08;
const KERNEL_SS = 0x18;
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);

/** Descriptors by selector, low and high word: what a 64-bit Linux gives a 32-bit program, and the runner's two. */
const DESCRIPTORS: readonly (readonly [number, number, number])[] = [
  [KERNEL_CS, 0x0000_ffff, 0x00cf_9b00],
  [KERNEL_SS, 0x0000_ffff, 0x00cf_9300],
  [0x10, 0x0000_ffff, 0x00cf_9b00],
  [0x23, 0x0000_ffff, 0x00cf_fb00],
  [0x2b, 0x0000_ffff, 0x00cf_f300],
  [0x6b, 0x0000_1fff, 0x2050_f300],
  [0x73, 0x1000_0000, 0x20d0_f100],
];

/** One processor, reused for every vector. */
export class VectorWorld {
  readonly memory = new Memory(0x10_0000);
  readonly cpu: Cpu;
  /** The XMM registers. */
  private readonly xmm: Uint8Array;

  /** @param tier what executes; for "compile" every block becomes a region before its first run */
  constructor(tier: Tier = "interpret") {
    this.cpu = new Cpu(this.memory, silentHost, cpuModel("core2"), tier);
    if (tier === "compile") (this.cpu.engine as Engine & { regionHot: number }).regionHot = 0;
    this.xmm = new Uint8Array(this.cpu.state.buffer, this.cpu.state.byteOffset + 4 * STATE_XMM, XMM_BYTES);
    const put = (pa: number, value: number) => this.memory.writePhys32(pa, value);
    const table = (la: number, pa: number) => put(DIRECTORY + (la >>> 22) * 4, pa | 7);
    const page = (tableAt: number, la: number, entry: number) => put(tableAt + ((la >>> 12) & 0x3ff) * 4, entry);
    table(KERNEL, KERNEL_TABLE);
    table(INSTRUCTION, CODE_TABLE);
    table(DATA, DATA_TABLE);
    table(LOW, LOW_TABLE);
    for (let n = 0; n < 256; n++) put(KERNEL_TABLE + 4 * n, (n << 12) | 3);
    page(CODE_TABLE, INSTRUCTION, CODE_FRAME | 7);
    for (const at of [0, 0x1000]) {
      page(DATA_TABLE, DATA + at, (DATA_FRAME + at) | 7);
      page(LOW_TABLE, LOW + at, (DATA_FRAME + at) | 7);
    }
    page(DATA_TABLE, READ_ONLY, READ_ONLY_FRAME | 5);
    for (const [selector, low, high] of DESCRIPTORS) {
      put(GDT + (selector & ~7), low);
      put(GDT + (selector & ~7) + 4, high);
    }
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + 16 * (vector & 31);
      put(IDT + 8 * vector, (KERNEL_CS << 16) | handler);
      put(IDT + 8 * vector + 4, (KERNEL & 0xffff_0000) | (vector === 3 || vector === 4 ? 0xee00 : 0x8e00));
      put(handler, 0xf4f4_f4f4);
    }
    put(TSS + 4, KERNEL + STACK_TOP);
    put(TSS + 8, KERNEL_SS);
    // No I/O permission bitmap.
    put(TSS + 100, 0x68_0000);
    for (let i = 0; i < 4096; i++) this.memory.u8[RAM_BASE + READ_ONLY_FRAME + i] = i * 37;
  }

  /** Put the processor at the vector's instruction. */
  load(vector: Vector): void {
    const { cpu } = this;
    const { u8 } = this.memory;
    cpu.memory.dropEntries(true);
    cpu.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    cpu.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu.cr3 = DIRECTORY;
    cpu.gdtBase = KERNEL + GDT;
    cpu.gdtLimit = 0x7f;
    cpu.idtBase = KERNEL + IDT;
    cpu.idtLimit = 0x7ff;
    cpu.trBase = KERNEL + TSS;
    cpu.trLimit = 103;
    cpu.trAttr = 0x8b;
    cpu.halted = false;
    cpu.shutdown = null;
    cpu.inhibit = false;
    cpu.pendingDebug = 0;
    cpu.dr[6] = 0xffff_0ff0;
    cpu.cpl = 3;
    for (const seg of [ES, CS, SS, DS, FS, GS]) {
      const found = DESCRIPTORS.find(([selector]) => selector === SELECTORS[seg]);
      if (found) setSegment(cpu, seg, found[0], found[1], found[2]);
    }
    cpu.invalidateFrame(CODE_FRAME >>> 12);
    const code = RAM_BASE + CODE_FRAME + (INSTRUCTION & 0xfff);
    u8.fill(0xcc, code, code + 32);
    u8.set(vector.code, code);
    u8.set(vector.window, RAM_BASE + DATA_FRAME + (WINDOW - DATA));
    for (let i = 0; i < 8; i++) cpu.r[i] = vector.regs[i];
    cpu.setEflags(vector.eflags);
    cpu.eip = INSTRUCTION;
    if (vector.group.fp) {
      u8.set(vector.fx, RAM_BASE + SCRATCH);
      this.asKernel(() => fxrstor(cpu, KERNEL + SCRATCH));
      this.xmm.set(vector.fx.subarray(XMM_AT, XMM_AT + XMM_BYTES));
      cpu.state[STATE_MXCSR] = new DataView(vector.fx.buffer).getUint32(MXCSR_AT, true);
    }
  }

  private asKernel(act: () => void): void {
    const { cpl } = this.cpu;
    this.cpu.cpl = 0;
    act();
    this.cpu.cpl = cpl;
  }

  /** Execute one instruction by `step` and say what it did. */
  outcome(step: (cpu: Cpu) => void, vector: Vector): Outcome {
    const { cpu } = this;
    const { u8 } = this.memory;
    step(cpu);
    const regs = Uint32Array.from(cpu.r);
    const segs = Array.from(cpu.sel, (s) => s & 0xffff);
    let eip = cpu.eip >>> 0;
    let eflags = cpu.getEflags();
    let trap = -1;
    let error = 0;
    if (cpu.shutdown !== null) trap = 99;
    else if (cpu.cpl === 0) {
      trap = (eip - KERNEL - HANDLERS) >>> 4;
      const word = (n: number) => this.memory.readPhys32((cpu.r[4] >>> 0) - KERNEL + 4 * n);
      const frame = WITH_ERROR.has(trap) ? 1 : 0;
      if (frame) error = word(0);
      eip = word(frame);
      segs[CS] = word(frame + 1) & 0xffff;
      eflags = word(frame + 2);
      regs[4] = word(frame + 3);
      segs[SS] = word(frame + 4) & 0xffff;
    }
    const fx = new Uint8Array(FX_BYTES);
    if (vector.group.fp) {
      u8.fill(0, RAM_BASE + SCRATCH, RAM_BASE + SCRATCH + FX_BYTES);
      this.asKernel(() => fxsave(cpu, KERNEL + SCRATCH));
      fx.set(u8.subarray(RAM_BASE + SCRATCH, RAM_BASE + SCRATCH + FX_BYTES));
      fx.set(this.xmm, XMM_AT);
      new DataView(fx.buffer).setUint32(MXCSR_AT, cpu.state[STATE_MXCSR], true);
    }
    const at = RAM_BASE + DATA_FRAME + (WINDOW - DATA);
    const window = u8.slice(at, at + WINDOW_BYTES);
    return { trap, error, cr2: trap === 14 ? cpu.cr2 >>> 0 : 0, regs, eip, eflags, segs, window, fx };
  }
}
