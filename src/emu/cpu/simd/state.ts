// The vector registers and MXCSR: views of the CPU state block in linear memory. Source: Intel SDM vol. 1, "Programming
// with Intel SSE".
import { CPU_STATE } from "../../machine/memory.ts";
import { STATE_MXCSR, STATE_VECTOR_RESULT, STATE_XMM } from "../state.ts";

/** MXCSR after power-on and for a new program: all exceptions masked, round to nearest. */
export const MXCSR_INIT = 0x1f80;
/** Exception flags of MXCSR; the masks are the same bits seven places up. */
export const MXCSR_FLAGS = 0x3f;
export const MXCSR_DAZ = 1 << 6;
export const MXCSR_MASK_SHIFT = 7;
export const MXCSR_RC_SHIFT = 13;
export const MXCSR_FTZ = 1 << 15;

/** Byte offset, in the state block, of XMM register 0, and of the place where results are built. */
export const XMM_BYTES = 4 * STATE_XMM;
export const RESULT_BYTES = 4 * STATE_VECTOR_RESULT;

/** Bytes of the state block that hold vector registers, the x87's (MMX) included. */
const VIEW_BYTES = 0x1000;

/** Words of what a context switch saves: eight XMM registers and MXCSR. */
const SAVED_WORDS = 33;

/** The state block of one processor as lanes of every kind. Offsets are in elements from the block's start. */
export class Simd {
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  /** Bits that LDMXCSR and FXRSTOR may set: DAZ is not everywhere. */
  readonly mxcsrMask: number;
  /** Raise #XM, or #UD when the kernel has not asked for #XM (CR4.OSXMMEXCPT). Never returns. */
  readonly floatFault: () => never;
  /** Exceptions of the operation under way: those found before computing (IE, DE, ZE), and those of its result. */
  before = 0;
  after = 0;

  constructor(buffer: ArrayBuffer, mxcsrMask: number, floatFault: () => never) {
    const bytes = VIEW_BYTES;
    this.i8 = new Int8Array(buffer, CPU_STATE, bytes);
    this.u8 = new Uint8Array(buffer, CPU_STATE, bytes);
    this.i16 = new Int16Array(buffer, CPU_STATE, bytes >> 1);
    this.u16 = new Uint16Array(buffer, CPU_STATE, bytes >> 1);
    this.i32 = new Int32Array(buffer, CPU_STATE, bytes >> 2);
    this.u32 = new Uint32Array(buffer, CPU_STATE, bytes >> 2);
    this.f32 = new Float32Array(buffer, CPU_STATE, bytes >> 2);
    this.f64 = new Float64Array(buffer, CPU_STATE, bytes >> 3);
    this.mxcsrMask = mxcsrMask;
    this.floatFault = floatFault;
    this.mxcsr = MXCSR_INIT;
  }

  get mxcsr(): number {
    return this.i32[STATE_MXCSR];
  }
  set mxcsr(value: number) {
    this.i32[STATE_MXCSR] = value;
  }

  /** All registers zero, MXCSR as a new program finds it. */
  init(): void {
    this.i32.fill(0, STATE_XMM, STATE_XMM + 32);
    this.mxcsr = MXCSR_INIT;
  }

  /** A copy of registers and MXCSR, into `into` if given. */
  save(into: Int32Array = new Int32Array(SAVED_WORDS)): Int32Array {
    for (let i = 0; i < SAVED_WORDS; i++) into[i] = this.i32[STATE_XMM + i];
    return into;
  }

  /** Put a copy back. */
  load(from: Int32Array): void {
    this.i32.set(from, STATE_XMM);
  }

  /** Copy `bytes` (a multiple of 4) of the result place to byte offset `d`. */
  take(d: number, bytes: number): void {
    const to = d >> 2;
    for (let i = 0; i < bytes >> 2; i++) this.i32[to + i] = this.i32[STATE_VECTOR_RESULT + i];
  }

  /** Begin an operation that may raise floating-point exceptions. */
  begin(): void {
    this.before = 0;
    this.after = 0;
  }

  /**
   * Record the exceptions of the operation; nothing of its result may have reached a register yet. When one found before
   * computing is unmasked, nothing was computed: the others stay unset.
   */
  finish(): void {
    if ((this.before | this.after) === 0) return;
    const csr = this.mxcsr;
    const unmasked = ~(csr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS;
    if (this.before & unmasked) {
      this.mxcsr = csr | this.before;
      this.floatFault();
    }
    this.mxcsr = csr | this.before | this.after;
    if (this.after & unmasked) this.floatFault();
  }
}
