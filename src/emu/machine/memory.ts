// The one linear memory of a machine: CPU state, page arrays, capture ring and guest RAM, seen by TypeScript and by
// WebAssembly as the same bytes. Nothing here knows what a page table is (see emu/cpu/mmu.ts).
import { InputError } from "../../errors.ts";

/** Bytes in a page, and its logarithm. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

/** Host address of the CPU state block (64 KiB). */
export const CPU_STATE = 0;
/** Host addresses of the page arrays: one int32 per linear page, 4 MiB each. */
export const TLB_USER_READ = 0x0010_0000;
export const TLB_USER_WRITE = 0x0050_0000;
export const TLB_SUPER_READ = 0x0090_0000;
export const TLB_SUPER_WRITE = 0x00d0_0000;
/** Host address and size of the capture ring. */
export const CAPTURE_RING = 0x0110_0000;
export const CAPTURE_RING_BYTES = 0x0010_0000;
/** What a read of a physical address behind the RAM sees: a page of ones. */
export const HOLE_READ = 0x0130_0000;
/** Where a write to a physical address behind the RAM goes. */
export const HOLE_WRITE = 0x0130_1000;
/** Host address of physical address 0. */
export const RAM_BASE = 0x0200_0000;

/** Indices into `Memory.tlb`. */
export const USER_READ = 0;
export const USER_WRITE = 1;
export const SUPER_READ = 2;
export const SUPER_WRITE = 3;

/**
 * The page-array entry that says "leave the fast path". Any other entry has its low 12 bits clear and is
 * hostAddress - linearAddress of its page, as int32.
 */
export const LEAVE = 0xfff;

const PAGES = 1 << 20;
const MAX_RAM_BYTES = 0x7000_0000;

export class Memory {
  readonly wasm: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly view: DataView;
  /** Host address of physical address 0. */
  readonly ramBase: number = RAM_BASE;
  /** RAM size in bytes, a multiple of PAGE_SIZE. */
  readonly ramBytes: number;
  /** The four page arrays, indexed USER_READ, USER_WRITE, SUPER_READ, SUPER_WRITE, then by linear page number. */
  readonly tlb: readonly Int32Array[];
  /** Per physical frame: 1 = decoded code lies here, so no page array may hold a write entry for it. */
  readonly codeFrames: Uint8Array;
  /** Per physical frame: 1 = kernel text, recorded at boot; only here does KCALL reach the host. */
  readonly kernelText: Uint8Array;

  /** @param ramBytes guest RAM in bytes (rounded up to whole pages) */
  constructor(ramBytes: number) {
    if (!(ramBytes >= PAGE_SIZE && ramBytes <= MAX_RAM_BYTES)) {
      throw new InputError(`memory of ${ramBytes} bytes: give between 4096 and ${MAX_RAM_BYTES} bytes`);
    }
    this.ramBytes = Math.ceil(ramBytes / PAGE_SIZE) * PAGE_SIZE;
    const pages = Math.ceil((RAM_BASE + this.ramBytes) / 0x1_0000);
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.buffer = this.wasm.buffer as ArrayBuffer;
    this.u8 = new Uint8Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.u32 = new Uint32Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.tlb = [TLB_USER_READ, TLB_USER_WRITE, TLB_SUPER_READ, TLB_SUPER_WRITE].map(
      (at) => new Int32Array(this.buffer, at, PAGES),
    );
    for (const array of this.tlb) array.fill(LEAVE);
    this.u8.fill(0xff, HOLE_READ, HOLE_READ + PAGE_SIZE);
    const frames = this.ramBytes >>> PAGE_SHIFT;
    this.codeFrames = new Uint8Array(frames);
    this.kernelText = new Uint8Array(frames);
  }

  /** Little-endian 32-bit word at a physical address (unsigned); addresses behind the RAM read as all ones. */
  readPhys32(pa: number): number {
    const at = pa >>> 0;
    return at <= this.ramBytes - 4 ? this.view.getUint32(RAM_BASE + at, true) : 0xffff_ffff;
  }

  /** Store a 32-bit word at a physical address; ignored behind the RAM. Does not look at codeFrames. */
  writePhys32(pa: number, value: number): void {
    const at = pa >>> 0;
    if (at <= this.ramBytes - 4) this.view.setUint32(RAM_BASE + at, value, true);
  }
}
