// Multiboot images (version 1): finding the header, loading ELF32 or by the header's own addresses, and the information
// structure that the image finds behind EBX. Source: Multiboot Specification 0.6.96.
import { InputError } from "../../errors.ts";
import { type Memory, PAGE_SIZE } from "./memory.ts";

const HEADER_MAGIC = 0x1bad_b002;
/** What EAX holds when a multiboot image begins. */
export const BOOT_MAGIC = 0x2bad_b002;
/** The header lies in so many first bytes of the image. */
const SEARCH_BYTES = 8192;
const FLAG_VIDEO = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
/** Requirements that can be met: modules on page boundaries (there are none), memory sizes. */
const KNOWN_REQUIREMENTS = 0b11;

const INFO_MEMORY = 1;
const INFO_CMDLINE = 1 << 2;
const INFO_MMAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;
const INFO_BYTES = 116;
const LOW_MEMORY = 0xa_0000;
const HIGH_MEMORY = 0x10_0000;

/** Bytes for a physical address; `size` beyond the bytes is zeroed. */
interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** An image that has been read and checked. */
export interface MultibootImage {
  readonly entry: number;
  readonly pieces: readonly Piece[];
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/**
 * Read and check an image.
 * @param name what messages call it
 * @throws InputError when it is no multiboot image, or one that this machine cannot hold
 */
export function readMultiboot(image: Uint8Array, name: string, ramBytes: number): MultibootImage {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const header = findHeader(view);
  if (header < 0) {
    throw new InputError(`${name}: no multiboot header (version 1) in its first ${SEARCH_BYTES} bytes`);
  }
  const flags = view.getUint32(header + 4, true);
  if (flags & FLAG_VIDEO) throw new InputError(`${name}: its header asks for a video mode, which this machine has not`);
  if (flags & 0xffff & ~KNOWN_REQUIREMENTS) {
    throw new InputError(`${name}: its header asks for ${hex(flags & 0xffff)}, which this loader does not know`);
  }
  const found = flags & FLAG_ADDRESSES ? byAddresses(image, view, header, name) : readElf(image, view, name);
  for (const { at, size } of found.pieces) {
    if (at + size > ramBytes) {
      throw new InputError(
        `${name}: loads to ${hex(at)}-${hex(at + size)}, behind the memory of ${hex(ramBytes)} bytes; give more with --memory`,
      );
    }
  }
  return found;
}

function findHeader(view: DataView): number {
  const end = Math.min(view.byteLength, SEARCH_BYTES) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 0x1_0000_0000 === 0) return at;
  }
  return -1;
}

/** The header says where the image goes (bit 16 of its flags). */
function byAddresses(image: Uint8Array, view: DataView, header: number, name: string): MultibootImage {
  if (header + 32 > view.byteLength) throw new InputError(`${name}: ends within its multiboot header`);
  const [headerAt, loadAt, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((i) => view.getUint32(header + i, true));
  const from = header - (headerAt - loadAt);
  const bytes = loadEnd === 0 ? image.length - from : loadEnd - loadAt;
  if (headerAt < loadAt || from < 0 || bytes < 0 || from + bytes > image.length) {
    throw new InputError(`${name}: the addresses in its multiboot header do not fit its ${image.length} bytes`);
  }
  const size = Math.max(bytes, bssEnd === 0 ? 0 : bssEnd - loadAt);
  return { entry, pieces: [{ at: loadAt, bytes: image.subarray(from, from + bytes), size }] };
}

/** An ELF32 executable for i386, loaded to its physical addresses. */
function readElf(image: Uint8Array, view: DataView, name: string): MultibootImage {
  const isElf = image.length >= 52 && view.getUint32(0, true) === 0x464c_457f;
  if (!isElf) throw new InputError(`${name}: neither an ELF file nor load addresses in its multiboot header`);
  if (image[4] !== 1 || image[5] !== 1 || view.getUint16(18, true) !== 3) {
    throw new InputError(`${name}: not a 32-bit ELF file for i386`);
  }
  const table = view.getUint32(28, true);
  const entryBytes = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (entryBytes < 32 || table + count * entryBytes > image.length) {
    throw new InputError(`${name}: its program headers lie behind its end`);
  }
  let entry = view.getUint32(24, true);
  const pieces: Piece[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * entryBytes;
    if (view.getUint32(at, true) !== 1) continue;
    const [from, virtual, physical, bytes, size] = [4, 8, 12, 16, 20].map((o) => view.getUint32(at + o, true));
    if (from + bytes > image.length || bytes > size) {
      throw new InputError(`${name}: segment ${i} lies behind the end of the file`);
    }
    if (size > 0) pieces.push({ at: physical, bytes: image.subarray(from, from + bytes), size });
    const linked = view.getUint32(24, true);
    // An entry point is a linked address; the image begins at the physical one.
    if (linked >= virtual && linked < virtual + size) entry = linked - virtual + physical;
  }
  if (pieces.length === 0) throw new InputError(`${name}: an ELF file without a segment to load`);
  return { entry, pieces };
}

/** Put an image into memory. */
export function loadMultiboot(memory: Memory, image: MultibootImage): void {
  for (const { at, bytes, size } of image.pieces) {
    memory.u8.set(bytes, memory.ramBase + at);
    memory.u8.fill(0, memory.ramBase + at + bytes.length, memory.ramBase + at + size);
  }
}

/**
 * Write the information structure: memory sizes, memory map, command line, name of the loader.
 * @returns its physical address
 * @throws InputError when the image leaves no room for it
 */
export function writeInformation(memory: Memory, image: MultibootImage, commandLine: string): number {
  const text = new TextEncoder();
  const line = text.encode(`${commandLine}\0`);
  const loader = text.encode("kmlab\0");
  const regions = memoryMap(memory.ramBytes);
  const bytes = INFO_BYTES + regions.length * 24 + line.length + loader.length;
  const at = roomFor(memory, image, bytes);
  const put = (offset: number, value: number) => memory.writePhys32(at + offset, value);
  const map = INFO_BYTES;
  const names = map + regions.length * 24;
  put(0, INFO_MEMORY | INFO_CMDLINE | INFO_MMAP | INFO_LOADER_NAME);
  put(4, Math.min(memory.ramBytes, LOW_MEMORY) >>> 10);
  put(8, Math.max(0, memory.ramBytes - HIGH_MEMORY) >>> 10);
  put(16, at + names);
  put(44, regions.length * 24);
  put(48, at + map);
  put(64, at + names + line.length);
  for (const [i, region] of regions.entries()) {
    [20, region.from, 0, region.size, 0, 1].forEach((v, word) => {
      put(map + 24 * i + 4 * word, v);
    });
  }
  memory.u8.set(line, memory.ramBase + at + names);
  memory.u8.set(loader, memory.ramBase + at + names + line.length);
  return at;
}

function memoryMap(ramBytes: number): { from: number; size: number }[] {
  const low = { from: 0, size: Math.min(ramBytes, LOW_MEMORY) };
  return ramBytes > HIGH_MEMORY ? [low, { from: HIGH_MEMORY, size: ramBytes - HIGH_MEMORY }] : [low];
}

/** A place for so many bytes that the image does not use: in low memory, else at the top. */
function roomFor(memory: Memory, image: MultibootImage, bytes: number): number {
  const top = (memory.ramBytes - bytes - PAGE_SIZE) & ~(PAGE_SIZE - 1);
  for (const at of [0x9000, 0x5_0000, 0x9_0000, top]) {
    const fits = at > 0 && at + bytes <= memory.ramBytes;
    if (fits && !image.pieces.some((p) => p.at < at + bytes && at < p.at + p.size)) return at;
  }
  throw new InputError("the image leaves no room for the multiboot information; give more with --memory");
}
