// Thread-local storage: the three GDT descriptors that set_thread_area gives a task (arch/x86/kernel/tls.c).
import { EINVAL, ENOSYS, ESRCH, SysError } from "./errno.ts";
import type { Kernel, Sys } from "./kernel.ts";
import type { Task } from "./task.ts";
import { copyIn, copyOut, touch, writeU32 } from "./user.ts";

const FIRST_ENTRY = 6;
const ENTRIES = 3;
const USER_DESC_BYTES = 16;

/** A descriptor for one of the three entries, as two words. */
export interface TlsDescriptor {
  /** 0 to 2. */
  entry: number;
  low: number;
  high: number;
}

/** Bits of the flags word of struct user_desc. */
const SEG_32BIT = 1;
const READ_EXEC_ONLY = 8;
const LIMIT_IN_PAGES = 16;
const SEG_NOT_PRESENT = 32;
const USEABLE = 64;

function encode(base: number, limit: number, flags: number): { low: number; high: number } {
  const contents = (flags >> 1) & 3;
  const empty =
    base === 0 && limit === 0 && contents === 0 && (flags & ~USEABLE) === (READ_EXEC_ONLY | SEG_NOT_PRESENT);
  const cleared = base === 0 && limit === 0 && flags === 0;
  if (empty || cleared) return { low: 0, high: 0 };
  const low = ((base & 0xffff) << 16) | (limit & 0xffff);
  const type = (flags & READ_EXEC_ONLY ? 0 : 2) | (contents << 2) | 1;
  const high =
    (base & 0xff00_0000) |
    ((base >>> 16) & 0xff) |
    (limit & 0xf_0000) |
    (type << 8) |
    0x7000 |
    (flags & SEG_NOT_PRESENT ? 0 : 0x8000) |
    (flags & USEABLE ? 0x10_0000 : 0) |
    (flags & SEG_32BIT ? 0x40_0000 : 0) |
    (flags & LIMIT_IN_PAGES ? 0x80_0000 : 0);
  return { low: low >>> 0, high: high >>> 0 };
}

/** Reads a struct user_desc; its entry number must name one of the three, or be -1 if `any`. */
function readDesc(k: Kernel, t: Task, addr: number): { entry: number; low: number; high: number; flags: number } {
  const words = new Int32Array(copyIn(k, t, addr, USER_DESC_BYTES).buffer);
  const [entry, base, limit, flags] = words;
  const contents = (flags >> 1) & 3;
  const descriptor = encode(base, limit, flags);
  // Only 32-bit data segments: nothing that could be used to run code or that ends in 16-bit mode.
  if (descriptor.high !== 0 && (!(flags & SEG_32BIT) || contents > 1 || flags & SEG_NOT_PRESENT))
    throw new SysError(EINVAL);
  return { entry, ...descriptor, flags };
}

/** The descriptor that CLONE_SETTLS names. @throws SysError */
export function readTls(k: Kernel, t: Task, addr: number): TlsDescriptor {
  const { entry, low, high } = readDesc(k, t, addr);
  if (entry < FIRST_ENTRY || entry >= FIRST_ENTRY + ENTRIES) throw new SysError(EINVAL);
  return { entry: entry - FIRST_ENTRY, low, high };
}

/** Puts a descriptor into a task that is not on the CPU. */
export function writeTls(t: Task, entry: number, low: number, high: number): void {
  t.tls[2 * entry] = low;
  t.tls[2 * entry + 1] = high;
}

export const sys_set_thread_area: Sys = (k, t, addr) => {
  const desc = readDesc(k, t, addr);
  let entry = desc.entry - FIRST_ENTRY;
  if (desc.entry === -1) {
    for (entry = 0; entry < ENTRIES && t.tls[2 * entry + 1] !== 0; entry++);
    if (entry === ENTRIES) return -ESRCH;
    touch(k, t, addr, 4, true);
    writeU32(k, t, addr, entry + FIRST_ENTRY);
  }
  if (entry < 0 || entry >= ENTRIES) return -EINVAL;
  writeTls(t, entry, desc.low, desc.high);
  k.entry.loadTls(t);
  return 0;
};

export const sys_get_thread_area: Sys = (k, t, addr) =>
  copyThreadArea(k, t, t, new Int32Array(copyIn(k, t, addr, 4).buffer)[0], addr);

/** A task's descriptor as a struct user_desc in the memory of who asks. */
export function copyThreadArea(k: Kernel, asker: Task, t: Task, number: number, addr: number): number {
  const entry = number - FIRST_ENTRY;
  if (entry < 0 || entry >= ENTRIES) return -EINVAL;
  const low = t.tls[2 * entry];
  const high = t.tls[2 * entry + 1];
  const base = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000);
  const limit = (low & 0xffff) | (high & 0xf_0000);
  const type = (high >>> 8) & 15;
  const flags =
    (high & 0x40_0000 ? SEG_32BIT : 0) |
    (((type >>> 2) & 3) << 1) |
    (type & 2 ? 0 : READ_EXEC_ONLY) |
    (high & 0x80_0000 ? LIMIT_IN_PAGES : 0) |
    (high & 0x8000 ? 0 : SEG_NOT_PRESENT) |
    (high & 0x10_0000 ? USEABLE : 0);
  copyOut(k, asker, addr, new Uint8Array(Int32Array.of(entry + FIRST_ENTRY, base, limit, flags).buffer));
  return 0;
}

// Descriptors of one's own (LDT) are not offered; Debian's programs live without.
export const sys_modify_ldt: Sys = (_k, _t, func) => (func === 0 ? 0 : -ENOSYS);
