// The system call ptrace: what a tracer asks for (kernel/ptrace.c, arch/x86/kernel/ptrace.c).
import { NEEDS_SSE } from "../cpu/state.ts";
import { PT } from "./entry/layout.ts";
import { EINVAL, EIO, EPERM, ESRCH, MAX_ERRNO, SysError } from "./errno.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { remoteHostAddress } from "./mm/remote.ts";
import { mayAccess } from "./pidfd.ts";
import { attach, detach, setMode, type Trace } from "./ptrace.ts";
import {
  DEBUG_REGISTERS,
  debugRegister,
  floatRegisters,
  registers,
  regset,
  setDebugRegister,
  setRegister,
  USER_BYTES,
} from "./ptrace-registers.ts";
import { decodeSigInfo, encodeSigInfo, SI_USER, SIGKILL, SIGSTOP } from "./signal.ts";
import type { Task } from "./task.ts";
import { copyThreadArea } from "./tls.ts";
import { copyIn, copyOut, writeU32 } from "./user.ts";

const REQUEST = {
  TRACEME: 0,
  PEEKTEXT: 1,
  PEEKDATA: 2,
  PEEKUSR: 3,
  POKETEXT: 4,
  POKEDATA: 5,
  POKEUSR: 6,
  CONT: 7,
  KILL: 8,
  SINGLESTEP: 9,
  GETREGS: 12,
  SETREGS: 13,
  GETFPREGS: 14,
  SETFPREGS: 15,
  ATTACH: 16,
  DETACH: 17,
  GETFPXREGS: 18,
  SETFPXREGS: 19,
  OLDSETOPTIONS: 21,
  SYSCALL: 24,
  GET_THREAD_AREA: 25,
  SETOPTIONS: 0x4200,
  GETEVENTMSG: 0x4201,
  GETSIGINFO: 0x4202,
  SETSIGINFO: 0x4203,
  GETREGSET: 0x4204,
  SETREGSET: 0x4205,
  SEIZE: 0x4206,
  INTERRUPT: 0x4207,
  LISTEN: 0x4208,
  PEEKSIGINFO: 0x4209,
  GETSIGMASK: 0x420a,
  SETSIGMASK: 0x420b,
  GET_SYSCALL_INFO: 0x420e,
} as const;
const O_MASK = 0x30_00ff;
const AUDIT_ARCH_I386 = 0x4000_0003;
/** struct ptrace_syscall_info. */
function syscallInfo(k: Kernel, t: Task): Uint8Array {
  const { stop } = t.trace!;
  const regs = registers(k, t);
  const word = (offset: number) => BigInt(regs[offset / 4] >>> 0);
  const bytes = new Uint8Array(stop?.where === "entry" ? 80 : stop?.where === "exit" ? 33 : 24);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, AUDIT_ARCH_I386, true);
  view.setBigUint64(8, word(PT.EIP), true);
  view.setBigUint64(16, word(PT.OLDESP), true);
  if (stop?.where === "entry") {
    bytes[0] = 1;
    const args = [PT.ORIG_EAX, PT.EBX, PT.ECX, PT.EDX, PT.ESI, PT.EDI, PT.EBP];
    for (const [i, at] of args.entries()) view.setBigUint64(24 + 8 * i, word(at), true);
  } else if (stop?.where === "exit") {
    bytes[0] = 2;
    const result = regs[PT.EAX / 4];
    view.setBigInt64(24, BigInt(result), true);
    bytes[32] = result < 0 && result >= -MAX_ERRNO ? 1 : 0;
  }
  return bytes;
}

/** Lets a stopped task go on. */
function resume(k: Kernel, t: Task, mode: Trace["mode"], signo: number): number {
  if (signo < 0 || signo > 64) return -EIO;
  const trace = t.trace!;
  trace.injected = signo;
  setMode(k, t, mode);
  trace.leave(k, t);
  return 0;
}

/** PTRACE_ATTACH stops; PTRACE_SEIZE does not, and takes options. What job control has stopped is told as stopped. */
function attachTo(k: Kernel, t: Task, target: Task, options?: number): number {
  if (target.signal === t.signal || target === k.init || target.trace !== undefined) return -EPERM;
  if (!mayAccess(k, t, target)) return -EPERM;
  const trace = attach(target, t, options ?? 0, options !== undefined);
  if (target.jobStopped) trace.enterTrap(k, target);
  if (options === undefined) k.signals.send(target, { signo: SIGSTOP, code: SI_USER, errno: 0, pid: 0, uid: 0 });
  return 0;
}

/** A word of a stopped task's memory, read or written. @throws SysError(EIO) if it is not all there */
function atTracee(k: Kernel, target: Task, addr: number, value?: number): number {
  const la = addr >>> 0;
  const { u8 } = k.memory;
  let word = 0;
  try {
    // Both pages first, so that nothing is written if one is not there.
    for (const at of [la, la + 3]) remoteHostAddress(k, target, at, value !== undefined);
    for (let i = 0; i < 4; i++) {
      const host = remoteHostAddress(k, target, la + i, value !== undefined);
      if (value !== undefined) u8[host] = value >>> (8 * i);
      else word |= u8[host] << (8 * i);
    }
  } catch (e) {
    throw e instanceof SysError ? new SysError(EIO) : e;
  }
  return word;
}

/** ptrace(request, pid, address, data). */
export const sys_ptrace: Sys = (k, t, request, pid, addr, data): SysResult => {
  if (request === REQUEST.TRACEME) {
    const parent = t.signal.leader.parent;
    if (t.trace !== undefined || parent === undefined || parent === k.init) return -EPERM;
    attach(t, parent);
    return 0;
  }
  const target = k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (request === REQUEST.ATTACH) return target.alive ? attachTo(k, t, target) : -EPERM;
  if (request === REQUEST.SEIZE) {
    if (addr !== 0 || data & ~O_MASK) return -EIO;
    return target.alive ? attachTo(k, t, target, data) : -EPERM;
  }
  const { trace } = target;
  if (trace === undefined || trace.tracer.signal !== t.signal) return -ESRCH;
  if (request === REQUEST.KILL) {
    k.signals.send(target, { signo: SIGKILL, code: SI_USER, errno: 0, pid: 0, uid: 0 });
    return 0;
  }
  if (request === REQUEST.INTERRUPT) {
    if (!trace.seized) return -EIO;
    trace.notify(k, target);
    return 0;
  }
  if (trace.stop === undefined || trace.listening) return -ESRCH;
  switch (request) {
    case REQUEST.CONT:
      return resume(k, target, "cont", data);
    case REQUEST.SYSCALL:
      return resume(k, target, "syscall", data);
    case REQUEST.SINGLESTEP:
      // The way back into ring 0 cannot keep TF until the program's first instruction.
      return target.ku ? -EIO : resume(k, target, "step", data);
    case REQUEST.LISTEN:
      return trace.listen(k, target);
    case REQUEST.DETACH: {
      if (data < 0 || data > 64) return -EIO;
      const { held } = trace;
      trace.injected = data;
      detach(k, target);
      if (data !== 0)
        k.signals.send(target, held?.signo === data ? held : { signo: data, code: SI_USER, errno: 0, pid: 0, uid: 0 });
      return 0;
    }
    default:
      return look(k, t, target, trace, request, addr, data);
  }
};

/** PTRACE_PEEKSIGINFO: signals of a queue, that of the task or its process, without taking them. @returns how many */
function peekSignals(k: Kernel, t: Task, target: Task, addr: number, data: number): number {
  const words = new Int32Array(copyIn(k, t, addr, 16).slice().buffer);
  const [first, firstHigh, flags, count] = words;
  if (flags & ~1 || count < 0) return -EINVAL;
  if (firstHigh !== 0) return 0;
  const { queue } = flags & 1 ? target.signal.pending : target.pending;
  const found = queue.slice(first, first + count);
  for (const [i, info] of found.entries()) copyOut(k, t, data + 128 * i, encodeSigInfo(info));
  return found.length;
}

function encodeSet(set: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, set, true);
  return bytes;
}

/** The requests that read and change a stopped task. */
function look(k: Kernel, t: Task, target: Task, trace: Trace, request: number, addr: number, data: number): number {
  switch (request) {
    case REQUEST.PEEKTEXT:
    case REQUEST.PEEKDATA:
      writeU32(k, t, data, atTracee(k, target, addr));
      return 0;
    case REQUEST.POKETEXT:
    case REQUEST.POKEDATA:
      atTracee(k, target, addr, data);
      return 0;
    case REQUEST.PEEKUSR:
      if (addr & 3 || addr < 0 || addr >= USER_BYTES) return -EIO;
      writeU32(k, t, data, addr < PT.BYTES ? registers(k, target)[addr / 4] : debugRegister(target, addr));
      return 0;
    case REQUEST.POKEUSR:
      if (addr >= DEBUG_REGISTERS && addr < USER_BYTES && (addr & 3) === 0)
        return setDebugRegister(target, (addr - DEBUG_REGISTERS) / 4, data);
      if (addr & 3 || addr < 0 || addr >= PT.BYTES) return -EIO;
      setRegister(k, target, addr, data);
      return 0;
    case REQUEST.GETFPREGS:
    case REQUEST.SETFPREGS:
    case REQUEST.GETFPXREGS:
    case REQUEST.SETFPXREGS: {
      const extended = request >= REQUEST.GETFPXREGS;
      if (extended && !(k.cpu.features & NEEDS_SSE)) return -EIO;
      floatRegisters(k, t, target, data, extended, request === REQUEST.SETFPREGS || request === REQUEST.SETFPXREGS);
      return 0;
    }
    case REQUEST.GET_THREAD_AREA:
      return copyThreadArea(k, t, target, addr, data);
    case REQUEST.GETSIGMASK:
    case REQUEST.SETSIGMASK:
      if (addr !== 8) return -EINVAL;
      if (request === REQUEST.GETSIGMASK) copyOut(k, t, data, encodeSet(target.savedSigmask ?? target.blocked));
      else k.signals.setBlocked(target, new DataView(copyIn(k, t, data, 8).slice().buffer).getBigUint64(0, true));
      return 0;
    case REQUEST.PEEKSIGINFO:
      return peekSignals(k, t, target, addr, data);
    case REQUEST.GETREGS:
      copyOut(k, t, data, new Uint8Array(registers(k, target).buffer));
      return 0;
    case REQUEST.SETREGS:
      for (const [i, word] of new Int32Array(copyIn(k, t, data, PT.BYTES).buffer).entries())
        setRegister(k, target, 4 * i, word);
      return 0;
    case REQUEST.GETREGSET:
    case REQUEST.SETREGSET:
      return regset(k, t, target, addr, data, request === REQUEST.SETREGSET);
    case REQUEST.SETOPTIONS:
    case REQUEST.OLDSETOPTIONS:
      if (data & ~O_MASK) return -EINVAL;
      trace.options = data;
      return 0;
    case REQUEST.GETEVENTMSG:
      writeU32(k, t, data, trace.message);
      return 0;
    case REQUEST.GETSIGINFO:
      if (trace.stop?.info === undefined) return -EINVAL;
      copyOut(k, t, data, encodeSigInfo(trace.stop.info));
      return 0;
    case REQUEST.SETSIGINFO:
      if (trace.held !== undefined) trace.held = decodeSigInfo(copyIn(k, t, data, 128));
      return 0;
    case REQUEST.GET_SYSCALL_INFO: {
      const bytes = syscallInfo(k, target);
      copyOut(k, t, data, bytes.subarray(0, Math.min(addr >>> 0, bytes.length)));
      return bytes.length;
    }
    default:
      return -EIO;
  }
}
