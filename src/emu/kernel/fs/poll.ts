// poll, ppoll, select, pselect6 (fs/select.c).
import { EBADF, EINTR, EINVAL, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, SysError } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut, readI32, readU32, writeI64, writeU32 } from "../user.ts";
import type { Wait, WaitQueue, WakeReason } from "../wait.ts";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "./const.ts";
import type { File, PollResult } from "./file.ts";
import { nofile } from "./open.ts";
import { durationNs, readTimespec } from "./times.ts";
import { recordTiming } from "./trace.ts";

/** Events of a file and where it announces others; a file without poll is always ready. */
export function pollFile(k: Kernel, file: File): PollResult {
  return file.ops.poll ? file.ops.poll(k, file) : { mask: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, queues: [] };
}

interface PollFd {
  fd: number;
  events: number;
  revents: number;
}

/** One look at every descriptor; returns how many have something. */
function look(k: Kernel, t: Task, fds: PollFd[], queues: WaitQueue[]): number {
  let n = 0;
  queues.length = 0;
  for (const p of fds) {
    p.revents = 0;
    if (p.fd < 0) continue;
    const file = t.files!.get(p.fd);
    if (!file) p.revents = POLLNVAL;
    else {
      const r = pollFile(k, file);
      p.revents = r.mask & (p.events | POLLERR | POLLHUP);
      queues.push(...r.queues);
      if (p.revents && r.from !== undefined && r.from >= 0) k.edge(t, { from: r.from, kind: "data" });
    }
    if (p.revents) n++;
  }
  return n;
}

/** Waits until a descriptor is ready, the deadline (Infinity: never) or a signal; -EINTR for a signal. */
function* waitFor(k: Kernel, t: Task, fds: PollFd[], deadline: number): Generator<Wait, number, WakeReason> {
  const queues: WaitQueue[] = [];
  for (;;) {
    const n = look(k, t, fds, queues);
    if (n > 0 || k.clock.now() >= deadline) {
      if (n !== 1) recordTiming(k, t);
      return n;
    }
    const why = yield {
      queues: [...queues],
      interruptible: true,
      ...(deadline === Number.POSITIVE_INFINITY ? {} : { deadline }),
    };
    if (why === "timeout") {
      recordTiming(k, t);
      return look(k, t, fds, queues);
    }
    if (why === "signal") return look(k, t, fds, queues) || -EINTR;
  }
}

function readPollFds(k: Kernel, t: Task, addr: number, n: number): PollFd[] | number {
  if (n >>> 0 > nofile(t)) return -EINVAL;
  const bytes = copyIn(k, t, addr, 8 * n);
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fds: PollFd[] = [];
  for (let i = 0; i < n; i++)
    fds.push({ fd: v.getInt32(8 * i, true), events: v.getUint16(8 * i + 4, true), revents: 0 });
  return fds;
}

function writeRevents(k: Kernel, t: Task, addr: number, fds: PollFd[]): void {
  for (let i = 0; i < fds.length; i++) {
    copyOut(k, t, addr + 8 * i + 6, Uint8Array.of(fds[i].revents & 255, fds[i].revents >> 8));
  }
}

function* doPoll(k: Kernel, t: Task, addr: number, n: number, deadline: number): Generator<Wait, number, WakeReason> {
  const fds = readPollFds(k, t, addr, n);
  if (typeof fds === "number") return fds;
  const r = yield* waitFor(k, t, fds, deadline);
  if (r >= 0) writeRevents(k, t, addr, fds);
  return r;
}

function deadlineIn(k: Kernel, ns: number): number {
  return k.clock.now() + k.units(ns);
}

/** poll(fds, n, timeout in ms; negative: for ever). */
export function sys_poll(k: Kernel, t: Task, addr: number, n: number, timeout: number): SysResult {
  const deadline = timeout < 0 ? Number.POSITIVE_INFINITY : deadlineIn(k, timeout * 1e6);
  return restartPoll(k, t, addr, n, deadline);
}

function* restartPoll(
  k: Kernel,
  t: Task,
  addr: number,
  n: number,
  deadline: number,
): Generator<Wait, number, WakeReason> {
  const r = yield* doPoll(k, t, addr, n, deadline);
  if (r !== -EINTR) return r;
  t.restartBlock = () => restartPoll(k, t, addr, n, deadline);
  return -ERESTART_RESTARTBLOCK;
}

/** Runs a wait with another signal mask, which a handler sees put back behind it. */
export function* withMask(
  k: Kernel,
  t: Task,
  mask: number,
  size: number,
  body: Generator<Wait, number, WakeReason>,
): Generator<Wait, number, WakeReason> {
  if (mask === 0) return yield* body;
  if (size !== 8) return -EINVAL;
  const bits = BigInt(readU32(k, t, mask)) | (BigInt(readU32(k, t, mask + 4)) << 32n);
  const before = t.blocked;
  k.signals.setBlocked(t, bits);
  if (k.signals.pendingFor(t)) {
    t.savedSigmask = before;
    k.signals.recalc(t);
  }
  const r = yield* body;
  if (r === -ERESTARTNOHAND || r === -EINTR) t.savedSigmask = before;
  else {
    t.savedSigmask = undefined;
    k.signals.setBlocked(t, before);
  }
  return r;
}

/** Writes back what is left of a relative time, as ppoll and select do. */
function writeLeft(
  k: Kernel,
  t: Task,
  addr: number,
  deadline: number,
  unit: "timeval" | "timespec" | "timespec64",
): void {
  if (addr === 0) return;
  const ns = Math.max(0, (deadline - k.clock.now()) * k.nsPerUnit);
  const sec = Math.floor(ns / 1e9);
  const rest = Math.floor(ns % 1e9);
  try {
    if (unit === "timespec64") {
      writeI64(k, t, addr, sec);
      writeI64(k, t, addr + 8, rest);
    } else {
      writeU32(k, t, addr, sec);
      writeU32(k, t, addr + 4, unit === "timeval" ? Math.floor(rest / 1000) : rest);
    }
  } catch (e) {
    // A time in read-only memory stays as it is.
    if (!(e instanceof SysError)) throw e;
  }
}

function* ppoll(
  k: Kernel,
  t: Task,
  addr: number,
  n: number,
  time: number,
  mask: number,
  size: number,
  is64: boolean,
): Generator<Wait, number, WakeReason> {
  const deadline = time === 0 ? Number.POSITIVE_INFINITY : deadlineIn(k, durationNs(readTimespec(k, t, time, is64)));
  const r = yield* withMask(k, t, mask, size, signalled(doPoll(k, t, addr, n, deadline)));
  if (time !== 0) writeLeft(k, t, time, deadline, is64 ? "timespec64" : "timespec");
  return r;
}

function* signalled(body: Generator<Wait, number, WakeReason>): Generator<Wait, number, WakeReason> {
  const r = yield* body;
  return r === -EINTR ? -ERESTARTNOHAND : r;
}

/** ppoll(fds, n, timespec, mask, mask size). */
export function sys_ppoll(
  k: Kernel,
  t: Task,
  addr: number,
  n: number,
  time: number,
  mask: number,
  size: number,
): SysResult {
  return ppoll(k, t, addr, n, time, mask, size, false);
}
export function sys_ppoll_time64(
  k: Kernel,
  t: Task,
  addr: number,
  n: number,
  time: number,
  mask: number,
  size: number,
): SysResult {
  return ppoll(k, t, addr, n, time, mask, size, true);
}

/** What makes a descriptor readable, writable, exceptional to select. */
const SETS = [
  POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR,
  POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR,
  POLLPRI,
] as const;

function* doSelect(
  k: Kernel,
  t: Task,
  n: number,
  sets: number[],
  deadline: number,
): Generator<Wait, number, WakeReason> {
  if (n < 0) return -EINVAL;
  const count = Math.min(n, Math.max(t.files!.length, 64));
  const bytes = Math.ceil(count / 32) * 4;
  const wanted = sets.map((addr) => (addr === 0 ? null : copyIn(k, t, addr, bytes)));
  const fds: PollFd[] = [];
  for (let fd = 0; fd < count; fd++) {
    let events = 0;
    for (let s = 0; s < 3; s++) if (wanted[s] && (wanted[s]![fd >> 3] >> (fd & 7)) & 1) events |= SETS[s];
    if (events === 0) continue;
    if (!t.files!.get(fd)) return -EBADF;
    fds.push({ fd, events, revents: 0 });
  }
  // POLLERR and POLLHUP count only for the sets that a descriptor is in; look() masks with its events.
  const r = yield* waitFor(k, t, fds, deadline);
  if (r < 0) return r;
  let ready = 0;
  for (let s = 0; s < 3; s++) {
    const want = wanted[s];
    if (!want) continue;
    const out = new Uint8Array(bytes);
    for (const p of fds) {
      if (!((want[p.fd >> 3] >> (p.fd & 7)) & 1) || !(p.revents & SETS[s])) continue;
      out[p.fd >> 3] |= 1 << (p.fd & 7);
      ready++;
    }
    copyOut(k, t, sets[s], out);
  }
  return ready;
}

/** _newselect(n, in, out, ex, timeval). */
export function sys_newselect(k: Kernel, t: Task, n: number, i: number, o: number, x: number, time: number): SysResult {
  return select(k, t, n, [i, o, x], time);
}

function* select(k: Kernel, t: Task, n: number, sets: number[], time: number): Generator<Wait, number, WakeReason> {
  let deadline = Number.POSITIVE_INFINITY;
  if (time !== 0) {
    const sec = readI32(k, t, time);
    const usec = readI32(k, t, time + 4);
    if (sec < 0 || usec < 0) return -EINVAL;
    deadline = deadlineIn(k, sec * 1e9 + usec * 1000);
  }
  const r = yield* signalled(doSelect(k, t, n, sets, deadline));
  if (time !== 0) writeLeft(k, t, time, deadline, "timeval");
  return r;
}

/** select(struct of its five arguments): the oldest form. */
export function sys_select(k: Kernel, t: Task, addr: number): SysResult {
  const a = (i: number) => readI32(k, t, addr + 4 * i);
  return select(k, t, a(0), [a(1), a(2), a(3)], a(4));
}

function* pselect(
  k: Kernel,
  t: Task,
  n: number,
  sets: number[],
  time: number,
  sig: number,
  is64: boolean,
): Generator<Wait, number, WakeReason> {
  const deadline = time === 0 ? Number.POSITIVE_INFINITY : deadlineIn(k, durationNs(readTimespec(k, t, time, is64)));
  const mask = sig === 0 ? 0 : readU32(k, t, sig);
  const size = sig === 0 ? 8 : readU32(k, t, sig + 4);
  const r = yield* withMask(k, t, mask, size, signalled(doSelect(k, t, n, sets, deadline)));
  if (time !== 0) writeLeft(k, t, time, deadline, is64 ? "timespec64" : "timespec");
  return r;
}

/** pselect6(n, in, out, ex, timespec, {mask, size}). */
export function sys_pselect6(
  k: Kernel,
  t: Task,
  n: number,
  i: number,
  o: number,
  x: number,
  time: number,
  sig: number,
): SysResult {
  return pselect(k, t, n, [i, o, x], time, sig, false);
}
export function sys_pselect6_time64(
  k: Kernel,
  t: Task,
  n: number,
  i: number,
  o: number,
  x: number,
  time: number,
  sig: number,
): SysResult {
  return pselect(k, t, n, [i, o, x], time, sig, true);
}
