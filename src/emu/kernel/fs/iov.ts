// Where a read or write moves its bytes: segments of user memory, or a buffer of the kernel (lib/iov_iter.c).
import { EFAULT, EINVAL, SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut, readU32, touch, userHostAddress } from "../user.ts";
import { IOV_MAX, MAX_RW_COUNT } from "./const.ts";

/**
 * A cursor over the bytes of one call. A body copies first and calls advance() afterwards, so that a Retry thrown by a
 * copy leaves everything as it was.
 */
export class IovIter {
  private readonly k: Kernel;
  private readonly t: Task;
  /** Pairs of address and length; null: the kernel buffer. */
  private readonly segments: number[] | null;
  private readonly buffer: Uint8Array | null;
  private base: number;
  private length: number;
  private segment = 0;
  private done = 0;
  /** Bytes that are left. */
  left: number;

  private constructor(
    k: Kernel,
    t: Task,
    base: number,
    length: number,
    total: number,
    segments: number[] | null,
    buffer: Uint8Array | null,
  ) {
    this.k = k;
    this.t = t;
    this.base = base;
    this.length = length;
    this.left = total;
    this.segments = segments;
    this.buffer = buffer;
  }

  /** One user buffer. @throws SysError EINVAL for a negative count */
  static user(k: Kernel, t: Task, addr: number, count: number): IovIter {
    if (count < 0) throw new SysError(EINVAL);
    const n = count > MAX_RW_COUNT ? MAX_RW_COUNT : count;
    return new IovIter(k, t, addr >>> 0, n, n, null, null);
  }

  /** The struct iovec array of readv and its kin. @throws SysError EINVAL, EFAULT */
  static vector(k: Kernel, t: Task, addr: number, count: number): IovIter {
    if (count < 0 || count > IOV_MAX) throw new SysError(EINVAL);
    const segments: number[] = [];
    let total = 0;
    for (let i = 0; i < count; i++) {
      const base = readU32(k, t, (addr >>> 0) + 8 * i) >>> 0;
      let length = readU32(k, t, (addr >>> 0) + 8 * i + 4) | 0;
      if (length < 0) throw new SysError(EINVAL);
      if (length > MAX_RW_COUNT - total) length = MAX_RW_COUNT - total;
      if (length === 0) continue;
      segments.push(base, length);
      total += length;
    }
    return new IovIter(k, t, segments[0] ?? 0, segments[1] ?? 0, total, segments, null);
  }

  /** A buffer of the kernel. */
  static kernel(k: Kernel, t: Task, buffer: Uint8Array): IovIter {
    return new IovIter(k, t, 0, buffer.length, buffer.length, null, buffer);
  }

  /** Copies to the reader without moving the cursor. @throws SysError EFAULT, Retry */
  put(bytes: Uint8Array, at = 0): void {
    if (this.buffer) {
      this.buffer.set(bytes, this.base + this.done + at);
      return;
    }
    if (this.done + at + bytes.length <= this.length) {
      copyOut(this.k, this.t, this.base + this.done + at, bytes);
      return;
    }
    this.each(at, bytes.length, (addr, from, n) => copyOut(this.k, this.t, addr, bytes.subarray(from, from + n)));
  }

  /** As put(), from `n` bytes of linear memory at a host address: page cache to user without a copy between. */
  putHost(host: number, n: number, at = 0): void {
    const u8 = this.k.memory.u8;
    if (this.buffer) {
      this.buffer.set(u8.subarray(host, host + n), this.base + this.done + at);
      return;
    }
    if (this.done + at + n <= this.length) {
      this.copyPages(this.base + this.done + at, host, n, true);
      return;
    }
    this.each(at, n, (addr, from, len) => this.copyPages(addr, host + from, len, true));
  }

  /** As take(), into linear memory at a host address. */
  takeHost(host: number, n: number, at = 0): void {
    if (this.buffer) {
      this.k.memory.u8.set(this.take(n, at), host);
      return;
    }
    if (this.done + at + n <= this.length) {
      this.copyPages(this.base + this.done + at, host, n, false);
      return;
    }
    this.each(at, n, (addr, from, len) => this.copyPages(addr, host + from, len, false));
  }

  private copyPages(addr: number, host: number, n: number, toUser: boolean): void {
    const u8 = this.k.memory.u8;
    for (let at = 0; at < n; ) {
      const la = addr + at;
      const part = Math.min(n - at, 4096 - (la & 4095));
      const user = userHostAddress(this.k, this.t, la, toUser);
      if (toUser) u8.copyWithin(user, host + at, host + at + part);
      else u8.copyWithin(host + at, user, user + part);
      at += part;
    }
  }

  /** The writer's next `n` bytes, without moving the cursor; may be a view that lives until the next copy. */
  take(n: number, at = 0): Uint8Array {
    if (this.buffer) return this.buffer.subarray(this.base + this.done + at, this.base + this.done + at + n);
    if (this.done + at + n <= this.length) return copyIn(this.k, this.t, this.base + this.done + at, n);
    const out = new Uint8Array(n);
    this.each(at, n, (addr, from, len) => out.set(copyIn(this.k, this.t, addr, len), from));
    return out;
  }

  /** Moves the cursor over what was copied. */
  advance(n: number): void {
    this.left -= n;
    this.done += n;
    const s = this.segments;
    if (!s) return;
    while (this.done >= this.length && 2 * this.segment + 2 < s.length) {
      this.done -= this.length;
      this.segment++;
      this.base = s[2 * this.segment];
      this.length = s[2 * this.segment + 1];
    }
  }

  /** Makes the next `n` bytes of user memory present, so that copies can neither fault nor wait. */
  touch(n: number, write: boolean): void {
    if (this.buffer || n <= 0) return;
    if (this.done + n <= this.length) touch(this.k, this.t, this.base + this.done, n, write);
    else this.each(0, n, (addr, _from, len) => touch(this.k, this.t, addr, len, write));
  }

  /** Cuts the transfer to at most `n` more bytes. */
  truncate(n: number): void {
    if (n < this.left) this.left = n;
  }

  private each(at: number, n: number, copy: (addr: number, from: number, n: number) => void): void {
    const s = this.segments;
    if (!s) throw new SysError(EFAULT);
    let skip = this.done + at;
    let from = 0;
    for (let i = this.segment; from < n && 2 * i < s.length; i++) {
      const length = s[2 * i + 1];
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const part = Math.min(length - skip, n - from);
      copy(s[2 * i] + skip, from, part);
      from += part;
      skip = 0;
    }
  }
}
