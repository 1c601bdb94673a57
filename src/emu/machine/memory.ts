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
/** Host address of what compiled code keeps beside the processor's state (cpu/compile/layout.ts). */
export const COMPILED = 0x0140_0000;
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
const LOCAL_ENTRIES = 1 << 16;
const GLOBAL_ENTRIES = 1 << 14;
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
  /**
   * Per physical frame, recorded at boot: 1 = kernel text, only here does KCALL reach the host; 2 = the kernel's code for
   * programs (the vsyscall page). Neither counts in the instruction mix.
   */
  readonly kernelText: Uint8Array;
  /** Per physical frame: 1 = some write entry may lead here (never 0 when one does). */
  readonly writeMapped: Uint8Array;

  /** Per 4 MiB of linear space: 1 = entries there were filled from a 4 MB page. */
  readonly largeRegions = new Uint8Array(1024);

  /** Goes up whenever entries are dropped: what was found through the page arrays may be kept while it stays the same. */
  epoch = 0;

  // Filled entries as array << 20 | page, so that dropping them needs no sweep; entries dropped one by one may linger.
  private readonly local = new Int32Array(LOCAL_ENTRIES);
  private localCount = 0;
  private readonly global = new Int32Array(GLOBAL_ENTRIES);
  private globalCount = 0;

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
    this.writeMapped = new Uint8Array(frames);
  }

  /**
   * Fill one page-array entry: accesses to linear page `page` through `array` go to the host page at `hostPage`.
   * @param isGlobal the entry survives dropEntries(false), as a TLB entry with G does
   */
  fillEntry(array: number, page: number, hostPage: number, isGlobal: boolean): void {
    const entries = this.tlb[array];
    const entry = (hostPage - (page << PAGE_SHIFT)) | 0;
    if (entries[page] === entry) return;
    if (this.localCount === LOCAL_ENTRIES || this.globalCount === GLOBAL_ENTRIES) this.dropEntries(true);
    if (isGlobal) this.global[this.globalCount++] = (array << 20) | page;
    else this.local[this.localCount++] = (array << 20) | page;
    if (array & 1) this.writeMapped[(hostPage - RAM_BASE) >>> PAGE_SHIFT] = 1;
    entries[page] = entry;
  }

  /** Drop the filled entries; with `globals` false those filled as global stay. */
  dropEntries(globals: boolean): void {
    this.epoch++;
    this.dropListed(this.local, this.localCount);
    this.localCount = 0;
    if (!globals) return;
    this.dropListed(this.global, this.globalCount);
    this.globalCount = 0;
    this.writeMapped.fill(0);
  }

  /** Drop the entries of one linear page in all four arrays. */
  dropPage(page: number): void {
    this.epoch++;
    for (let array = 0; array < 4; array++) this.tlb[array][page] = LEAVE;
  }

  /** Drop every write entry that leads to a physical frame (before code there is decoded). */
  dropWriteEntries(frame: number): void {
    if (this.writeMapped[frame] !== 1) return;
    const hostPage = RAM_BASE + (frame << PAGE_SHIFT);
    this.dropWritesListed(this.local, this.localCount, hostPage);
    this.dropWritesListed(this.global, this.globalCount, hostPage);
    this.writeMapped[frame] = 0;
  }

  private dropListed(list: Int32Array, count: number): void {
    for (let i = 0; i < count; i++) this.tlb[list[i] >>> 20][list[i] & (PAGES - 1)] = LEAVE;
  }

  private dropWritesListed(list: Int32Array, count: number, hostPage: number): void {
    for (let i = 0; i < count; i++) {
      const array = list[i] >>> 20;
      const page = list[i] & (PAGES - 1);
      if (array & 1 && this.tlb[array][page] === ((hostPage - (page << PAGE_SHIFT)) | 0)) this.tlb[array][page] = LEAVE;
    }
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
