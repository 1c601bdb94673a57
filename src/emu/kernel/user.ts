// The kernel's access to user memory: copies that take page faults inline, as copy_from_user and copy_to_user do.
import { PAGE_SIZE, RAM_BASE, SUPER_READ, SUPER_WRITE, USER_READ, USER_WRITE } from "../machine/memory.ts";
import { TASK_SIZE } from "./constants.ts";
import { EFAULT, ENAMETOOLONG, SysError } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { kernelFault } from "./mm/fault.ts";
import type { Task } from "./task.ts";

export { TASK_SIZE } from "./constants.ts";

/**
 * Host address of the byte at a user address, after making its page present; writable if asked.
 * A KML task may name kernel addresses too (KERNEL_DS).
 * @throws SysError(EFAULT) if there is no such page; Retry if its contents must be waited for
 */
export function userHostAddress(k: Kernel, t: Task, addr: number, write: boolean): number {
  const la = addr >>> 0;
  if (la >= TASK_SIZE && !t.ku) throw new SysError(EFAULT);
  if (t.mm === k.loadedMm) {
    const array = k.memory.tlb[t.ku ? (write ? SUPER_WRITE : SUPER_READ) : write ? USER_WRITE : USER_READ];
    const entry = array[la >>> 12];
    if ((entry & 0xfff) === 0) return (entry + la) | 0;
  }
  return RAM_BASE + kernelFault(k, t, la, write);
}

/** Calls visit(host address, length, offset) for each page-wise piece of [addr, addr+length). */
function pieces(
  k: Kernel,
  t: Task,
  addr: number,
  length: number,
  write: boolean,
  visit: (host: number, n: number, at: number) => void,
): void {
  let at = 0;
  while (at < length) {
    const la = (addr + at) >>> 0;
    const n = Math.min(length - at, PAGE_SIZE - (la & (PAGE_SIZE - 1)));
    visit(userHostAddress(k, t, la, write), n, at);
    at += n;
  }
}

/** Copies user memory into a fresh array. */
export function copyIn(k: Kernel, t: Task, addr: number, length: number): Uint8Array {
  const u8 = k.memory.u8;
  if (length < 0 || length > TASK_SIZE) throw new SysError(EFAULT);
  const first = userHostAddressIfAny(k, t, addr, length, false);
  if (first >= 0 && (addr & (PAGE_SIZE - 1)) + length <= PAGE_SIZE) return u8.slice(first, first + length);
  touch(k, t, addr, length, false);
  const out = new Uint8Array(length);
  pieces(k, t, addr, length, false, (host, n, at) => out.set(u8.subarray(host, host + n), at));
  return out;
}

function userHostAddressIfAny(k: Kernel, t: Task, addr: number, length: number, write: boolean): number {
  return length > 0 ? userHostAddress(k, t, addr, write) : -1;
}

/** Copies bytes to user memory; every page is made present before the first byte is written. */
export function copyOut(k: Kernel, t: Task, addr: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  touch(k, t, addr, bytes.length, true);
  const u8 = k.memory.u8;
  pieces(k, t, addr, bytes.length, true, (host, n, at) => u8.set(bytes.subarray(at, at + n), host));
}

/** Makes the pages of a range present (and writable), so that what follows can neither fault nor wait. */
export function touch(k: Kernel, t: Task, addr: number, length: number, write: boolean): void {
  if (length <= 0) return;
  const last = (addr >>> 0) + length - 1;
  for (let la = addr >>> 0; la <= last; la = ((la | (PAGE_SIZE - 1)) >>> 0) + 1) userHostAddress(k, t, la, write);
}

/** As touch, with what is not there as -errno: for what is taken even if it cannot be given. */
export function tryTouch(k: Kernel, t: Task, addr: number, length: number, write: boolean): number {
  try {
    touch(k, t, addr, length, write);
    return 0;
  } catch (e) {
    if (e instanceof SysError) return -e.errno;
    throw e;
  }
}

/**
 * Calls visit with host ranges of a user range: the way read() fills and write() drains user buffers without a copy
 * in between. Pages are made present one after the other; stops at the first that cannot be.
 * @returns bytes visited; throws only if the very first byte failed
 */
export function visitUser(
  k: Kernel,
  t: Task,
  addr: number,
  length: number,
  write: boolean,
  visit: (bytes: Uint8Array, at: number) => void,
): number {
  let at = 0;
  while (at < length) {
    const la = (addr + at) >>> 0;
    const n = Math.min(length - at, PAGE_SIZE - (la & (PAGE_SIZE - 1)));
    let host: number;
    try {
      host = userHostAddress(k, t, la, write);
    } catch (e) {
      if (e instanceof SysError && at > 0) return at;
      throw e;
    }
    visit(k.memory.u8.subarray(host, host + n), at);
    at += n;
  }
  return at;
}

export function readU8(k: Kernel, t: Task, addr: number): number {
  return k.memory.u8[userHostAddress(k, t, addr, false)];
}

export function readU16(k: Kernel, t: Task, addr: number): number {
  return readU8(k, t, addr) | (readU8(k, t, addr + 1) << 8);
}

/** Unsigned. */
export function readU32(k: Kernel, t: Task, addr: number): number {
  if ((addr & (PAGE_SIZE - 1)) <= PAGE_SIZE - 4) {
    return k.memory.view.getUint32(userHostAddress(k, t, addr, false), true);
  }
  return (readU16(k, t, addr) | (readU16(k, t, addr + 2) << 16)) >>> 0;
}

/** Signed. */
export function readI32(k: Kernel, t: Task, addr: number): number {
  return readU32(k, t, addr) | 0;
}

/** A signed 64-bit integer as a number (exact up to 2^53). */
export function readI64(k: Kernel, t: Task, addr: number): number {
  return readI32(k, t, addr + 4) * 0x1_0000_0000 + readU32(k, t, addr);
}

export function writeU8(k: Kernel, t: Task, addr: number, value: number): void {
  k.memory.u8[userHostAddress(k, t, addr, true)] = value;
}

export function writeU32(k: Kernel, t: Task, addr: number, value: number): void {
  if ((addr & (PAGE_SIZE - 1)) <= PAGE_SIZE - 4) {
    k.memory.view.setUint32(userHostAddress(k, t, addr, true), value, true);
    return;
  }
  copyOut(k, t, addr, Uint8Array.of(value, value >> 8, value >> 16, value >>> 24));
}

/** Writes an integer as 64 bits, little-endian. */
export function writeI64(k: Kernel, t: Task, addr: number, value: number): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(Math.trunc(value)), true);
  copyOut(k, t, addr, bytes);
}

/**
 * A NUL-terminated string of at most max bytes with its NUL, one char per byte (latin-1): file names are bytes.
 * @throws SysError(tooLong) if there is no NUL in that many bytes
 */
export function readString(k: Kernel, t: Task, addr: number, max = 4096, tooLong = ENAMETOOLONG): string {
  const u8 = k.memory.u8;
  let out = "";
  let at = 0;
  while (at < max) {
    const la = (addr + at) >>> 0;
    const n = Math.min(max - at, PAGE_SIZE - (la & (PAGE_SIZE - 1)));
    const host = userHostAddress(k, t, la, false);
    for (let i = host; i < host + n; i++) {
      const c = u8[i];
      if (c === 0) return out;
      out += String.fromCharCode(c);
    }
    at += n;
  }
  throw new SysError(tooLong);
}

/** The strings of a NULL-terminated pointer array (argv, environ). */
export function readStringVector(k: Kernel, t: Task, addr: number, maxBytes: number, tooLong: number): string[] {
  const out: string[] = [];
  let left = maxBytes;
  if (addr === 0) return out;
  for (let at = addr; ; at += 4) {
    const p = readU32(k, t, at);
    if (p === 0) return out;
    const s = readString(k, t, p, Math.min(left, 131072), tooLong);
    left -= s.length + 5;
    if (left < 0) throw new SysError(tooLong);
    out.push(s);
  }
}

/** The bytes of a latin-1 string, with a NUL behind if asked. */
export function bytesOf(s: string, nul = false): Uint8Array {
  const out = new Uint8Array(s.length + (nul ? 1 : 0));
  for (let i = 0; i < s.length; i++) out[i] = s.charCodeAt(i);
  return out;
}
