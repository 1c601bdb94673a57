// The i386 processor's state: registers, segment caches, control registers, counters. Data only; the instruction
// engine (interp/) executes on it, and mmu.ts, segments.ts, gates.ts, tasks.ts act on it.
import { CPU_STATE, type Memory } from "../machine/memory.ts";
import { raise, UD, XM } from "./fault.ts";
import { ARITH, arithFromLazy, EXISTING, lazyAux, lazyResult } from "./flags.ts";
import { FPU_BLOCK, FPU_WORDS } from "./fpu/layout.ts";
import { createQuick, type Quick } from "./fpu/quick/kernel.ts";
import { Fpu } from "./fpu/state.ts";
import { KnownGates } from "./known-gates.ts";
import { CR4_OSFXSR, CR4_OSXMMEXCPT } from "./mmu.ts";
import { type CpuModel, DEFAULT_MODEL } from "./models.ts";
import { Simd } from "./simd/state.ts";
import {
  DEFAULT_TIER,
  FS,
  MIX_CLASSES,
  STATE_ATTR,
  STATE_AUX,
  STATE_BASE,
  STATE_EFLAGS,
  STATE_EIP,
  STATE_GPR,
  STATE_LEFT,
  STATE_LIMIT,
  STATE_RESULT,
  STATE_SEL,
  STATE_SSE,
  STATE_WORDS,
  TALLY_WORDS,
  type Tier,
} from "./state.ts";
import { engineOf } from "./tiers.ts";

export * from "./state.ts";

/** CR0.EM and CR0.TS: x87 instructions raise #NM, SSE instructions #UD or #NM. */
const CR0_EM_TS = 0xc;

/** What the CPU asks of the machine around it. */
export interface CpuHost {
  /** The reserved instruction, executed in a kernel-text frame; eip points behind it; may change any CPU state. */
  kcall(n: number): void;
  inPort(port: number, size: 1 | 2 | 4): number;
  outPort(port: number, size: 1 | 2 | 4, value: number): void;
  /** 8259 acknowledge: returns the vector. */
  intAck(): number;
  /** The virtual clock, as an integer. */
  tsc(): number;
}

/** Counts of retired instructions per class. */
export interface Mix {
  enabled: boolean;
  /** Per class, in the order of MIX_CLASSES: what retired between the last two flushes. */
  readonly counts: Float64Array;
  /** Set counts to what has retired since the last flush. */
  flush(): void;
}

/** What executes instructions; made by interp/. */
export interface Engine {
  run(untilIcount: number): void;
  invalidateFrame(pfn: number): void;
  codeWritten(pfn: number, offset: number): void;
  /** Add what has retired since the last call, per class, into `counts`. */
  flushMix(counts: Float64Array): void;
}

export class Cpu {
  readonly memory: Memory;
  readonly host: CpuHost;
  readonly model: CpuModel;
  /** The CPU state block as int32 words, see STATE_*. */
  readonly state: Int32Array;
  /** The 8 general registers. */
  readonly r: Int32Array;
  /** Per segment register (ES CS SS DS FS GS): selector, base, limit in bytes, attributes (descriptor bits 8-23 of dword 1, shifted to 0; 0 = unusable). */
  readonly sel: Int32Array;
  readonly base: Int32Array;
  readonly limit: Uint32Array;
  readonly attr: Int32Array;

  cpl = 0;
  private control = 0x11;
  cr2 = 0;
  cr3 = 0;
  private control4 = 0;
  readonly dr = new Int32Array(8);
  readonly fpu: Fpu;
  /** XMM registers and MXCSR. */
  readonly simd: Simd;
  /** NEEDS_* features of the instruction table that CPUID admits; the rest is #UD. */
  readonly features: number;
  gdtBase = 0;
  gdtLimit = 0;
  idtBase = 0;
  idtLimit = 0;
  ldtSel = 0;
  ldtBase = 0;
  ldtLimit = 0;
  ldtAttr = 0;
  trSel = 0;
  trBase = 0;
  trLimit = 0;
  trAttr = 0;
  sysenterCs = 0;
  sysenterEsp = 0;
  sysenterEip = 0;

  halted = false;
  /** Why the processor stopped for good (triple fault), or null. */
  shutdown: string | null = null;
  /** Level of the INTR pin, set by the 8259. */
  intr = false;
  /** Edge on the NMI pin; cleared when taken. */
  nmi = false;
  /** Interrupt shadow after STI and MOV SS: the next instruction completes first. */
  inhibit = false;
  stopRequested = false;

  faultVector = 0;
  faultCode = -1;
  /** Linear address of the last #PF, kept here until delivery copies it to cr2. */
  faultCr2 = 0;
  /** A data breakpoint or other watch is armed (debug.ts). */
  watching = false;
  /** The two descriptor words that each segment register was loaded from; 0 where it was set otherwise. */
  readonly descriptors = new Int32Array(12);
  /** Raised when the hidden part of CS, SS, DS or ES changes: what the engine knows of the mode is stale. */
  segmentEpoch = 0;
  /** EXT bit for error codes raised while an external event or an exception is being delivered: 0 or 1 (gates.ts). */
  ext = 0;
  /** Non-maskable interrupts wait for the next IRET. */
  nmiBlocked = false;
  /** DR6 bits of debug traps to report after the current instruction, 0 = none (debug.ts). */
  pendingDebug = 0;
  /** Called when a page-array entry is filled; null when nobody records page touches. */
  onTlbFill: ((la: number, pfn: number, write: boolean, user: boolean) => void) | null = null;

  /**
   * Called just before the instruction at a physical address executes; must not change CPU state. Set before the code there
   * is first executed.
   */
  readonly probes = new Map<number, () => void>();
  /** Counts of TALLY since the start; words pushed by instructions only of the kernel's text, and only while counting. */
  readonly tally = new Int32Array(TALLY_WORDS);
  /** Set before any code is executed: somebody reads the tally. */
  counting = false;
  readonly known = new KnownGates();
  readonly mix: Mix;
  readonly engine: Engine;
  private quickRoutines: Quick | null = null;
  /** The instruction count at which STATE_LEFT reaches 0. */
  countTarget = 0;
  /** The instruction count at which run() returns. */
  runLimit = 0;

  /**
   * @param memory guest memory; the CPU state lives in its first 64 KiB
   * @param host the machine around the processor
   * @param tier the engine that executes
   */
  constructor(memory: Memory, host: CpuHost, model: CpuModel = DEFAULT_MODEL, tier: Tier = DEFAULT_TIER) {
    this.memory = memory;
    this.host = host;
    this.model = model;
    const words = (at: number, n: number) => new Int32Array(memory.buffer, CPU_STATE + at * 4, n);
    this.state = words(0, STATE_WORDS);
    this.r = words(STATE_GPR, 8);
    this.base = words(STATE_BASE, 6);
    this.limit = new Uint32Array(memory.buffer, CPU_STATE + STATE_LIMIT * 4, 6);
    this.attr = words(STATE_ATTR, 6);
    this.sel = words(STATE_SEL, 6);
    this.fpu = new Fpu(new Int32Array(memory.buffer, CPU_STATE + FPU_BLOCK, FPU_WORDS));
    this.dr[6] = 0xffff_0ff0;
    this.dr[7] = 0x400;
    this.state[STATE_RESULT] = 1;
    this.features = model.features;
    this.simd = new Simd(memory.buffer, model.mxcsrMask, () => raise(this, this.cr4 & CR4_OSXMMEXCPT ? XM : UD));
    const counts = new Float64Array(MIX_CLASSES.length);
    this.engine = engineOf(this, tier);
    this.mix = {
      enabled: false,
      counts,
      flush: () => {
        counts.fill(0);
        this.engine.flushMix(counts);
      },
    };
  }

  get cr0(): number {
    return this.control;
  }
  set cr0(value: number) {
    this.control = value;
    this.fpu.available = (value & CR0_EM_TS) === 0;
    this.refreshSse();
  }

  get cr4(): number {
    return this.control4;
  }
  set cr4(value: number) {
    this.control4 = value;
    this.refreshSse();
  }

  private refreshSse(): void {
    this.state[STATE_SSE] = (this.control & CR0_EM_TS) === 0 && this.control4 & CR4_OSFXSR ? 1 : 0;
  }

  /** The x87's quick routines; made at their first use. */
  get quick(): Quick {
    this.quickRoutines ??= createQuick(this.memory.wasm);
    return this.quickRoutines;
  }

  /** Instruction pointer, int32. Start of the instruction when fault code runs, behind it when kcall runs. */
  get eip(): number {
    return this.state[STATE_EIP];
  }
  set eip(value: number) {
    this.state[STATE_EIP] = value;
  }

  /** Retired instructions; one REP iteration counts as one. */
  get icount(): number {
    return this.countTarget - this.state[STATE_LEFT];
  }
  set icount(value: number) {
    this.countTarget = value + this.state[STATE_LEFT];
  }

  /** Execute until icount >= untilIcount (exactly there), or halted, shut down, or stopRequested (which it clears). */
  run(untilIcount: number): void {
    this.engine.run(untilIcount);
  }

  /** From host code inside run(): return after at most so many more instructions, the current one not counted. */
  shorten(instructions: number): void {
    const surplus = this.state[STATE_LEFT] - instructions;
    this.runLimit = Math.min(this.runLimit, this.icount + instructions);
    if (surplus <= 0) return;
    this.state[STATE_LEFT] -= surplus;
    this.countTarget -= surplus;
  }

  /** All bits of EFLAGS. */
  getEflags(): number {
    const s = this.state;
    return s[STATE_EFLAGS] | arithFromLazy(s[STATE_RESULT], s[STATE_AUX]) | 2;
  }

  /** Set all bits of EFLAGS; bits that do not exist are dropped. */
  setEflags(value: number): void {
    const s = this.state;
    s[STATE_RESULT] = lazyResult(value);
    s[STATE_AUX] = lazyAux(value);
    s[STATE_EFLAGS] = value & EXISTING & ~ARITH;
  }

  /** Clear bits of EFLAGS that are not arithmetic flags. */
  clearFlags(bits: number): void {
    this.state[STATE_EFLAGS] &= ~bits;
  }

  /** A segment register's hidden part was set otherwise than from a descriptor: whoever writes base, limit or attr says so. */
  segmentSet(seg: number): void {
    this.descriptors[2 * seg + 1] = 0;
    if (seg < FS) this.segmentEpoch++;
  }

  /** Host code wrote to a physical frame: drop decoded code there. Cheap when there is none. */
  invalidateFrame(pfn: number): void {
    if (this.memory.codeFrames[pfn] !== 0) this.engine.invalidateFrame(pfn);
  }

  /**
   * A store of up to 4 bytes at `offset` is about to reach a frame that holds decoded code: drop the code it hits. When
   * none is left the frame's codeFrames mark is cleared; until then every store there must come by this way.
   */
  codeWritten(pfn: number, offset: number): void {
    this.engine.codeWritten(pfn, offset);
  }
}
