// execve and execveat: from a name and two lists of strings to a program about to run its first instruction (fs/exec.c).

import { E2BIG, EAGAIN, EINVAL, ELIBBAD, ELOOP, ENOENT, ENOEXEC, SysError } from "../errno.ts";
import { exitMm } from "../exit.ts";
import { clearFpu } from "../fpu.ts";
import type { File } from "../fs/file.ts";
import { openExec } from "../fs/open.ts";
import type { Kernel, Sys, SysResult } from "../kernel.ts";
import { Mm } from "../mm/mm.ts";
import { touchNewStack } from "../mm/touched-stack.ts";
import { traceExec } from "../ptrace.ts";
import { loadDebugRegisters } from "../ptrace-registers.ts";
import { SI_KERNEL, SIGKILL, SIGSEGV } from "../signal.ts";
import { CAP_ALL, RLIMIT, SIG_DFL, SIG_IGN, Sighand, type Task } from "../task.ts";
import { readString, readStringVector } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { type Elf, type Loading, PF_X, PT_GNU_STACK, PT_INTERP, readElf, readFile } from "./elf.ts";
import { loadSegments } from "./load.ts";
import { mapVdso, setUpStack } from "./stack.ts";

const AT_FDCWD = -100;
const PATH_MAX = 4096;
/** Longest single string, fewest bytes that are always allowed, and what an 8 MiB stack allows at most. */
const MAX_ARG_STRLEN = 131072;
const MIN_ARG_BYTES = 131072;
const MAX_ARG_BYTES = 6 << 20;
/** Bytes of a script's first line that are looked at. */
const BINPRM_BUF_SIZE = 256;
/** Scripts whose interpreter is a script. */
const MAX_DEPTH = 5;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o10;

/** A program to run: what execve was asked for, changed by scripts on the way. */
interface Bprm {
  /** As execve was called. */
  filename: string;
  /** What a script's interpreter is told the script is called. */
  scriptName: string;
  argv: string[];
  env: string[];
  file: File;
}

/** Open a program or interpreter. @throws SysError */
function open(k: Kernel, t: Task, dfd: number, path: string, flags: number): File {
  const file = openExec(k, t, dfd, path, flags);
  if (typeof file === "number") throw new SysError(-file);
  return file;
}

/** The interpreter and its one argument in a script's first line; undefined if it is no script. */
function parseScript(head: Uint8Array): { interpreter: string; argument: string | undefined } | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  let text = "";
  let ended = head.length < BINPRM_BUF_SIZE;
  for (let i = 2; i < head.length; i++) {
    if (head[i] === 10 || head[i] === 0) {
      ended = true;
      break;
    }
    text += String.fromCharCode(head[i]);
  }
  const line = text.replace(/^[ \t]+|[ \t]+$/g, "");
  const match = /^([^ \t]+)(?:[ \t]+(.*))?$/.exec(line);
  // A name that may have been cut off is not used.
  if (match === null || (!ended && match[2] === undefined)) throw new SysError(ENOEXEC);
  return { interpreter: match[1], argument: match[2] };
}

/** Follows `#!` lines to the file that is loaded. */
function* resolveScripts(k: Kernel, t: Task, b: Bprm): Loading<void> {
  let name = b.scriptName;
  for (let depth = 0; ; depth++) {
    const head = yield* readFile(k, b.file, 0, BINPRM_BUF_SIZE);
    const script = parseScript(head);
    if (script === undefined) return;
    if (depth >= MAX_DEPTH) throw new SysError(ELOOP);
    const words = script.argument === undefined ? [script.interpreter] : [script.interpreter, script.argument];
    b.argv = [...words, name, ...b.argv.slice(1)];
    const next = open(k, t, AT_FDCWD, script.interpreter, 0);
    b.file.put(k);
    b.file = next;
    name = script.interpreter;
  }
}

/** The interpreter that a program names, opened; undefined if it needs none. */
function* openInterpreter(k: Kernel, t: Task, file: File, elf: Elf): Loading<{ file: File; elf: Elf } | undefined> {
  const p = elf.phdrs.find((phdr) => phdr.type === PT_INTERP);
  if (p === undefined) return undefined;
  if (p.filesz > PATH_MAX || p.filesz < 2) throw new SysError(ENOEXEC);
  const bytes = yield* readFile(k, file, p.offset, p.filesz);
  if (bytes.length < p.filesz || bytes[bytes.length - 1] !== 0) throw new SysError(ENOEXEC);
  const name = String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  const interpreter = open(k, t, AT_FDCWD, name, 0);
  try {
    return { file: interpreter, elf: yield* readElf(k, interpreter, ELIBBAD) };
  } catch (e) {
    interpreter.put(k);
    throw e;
  }
}

function argLimit(t: Task): number {
  const quarter = t.signal.rlimits[RLIMIT.STACK].cur / 4;
  return Math.max(MIN_ARG_BYTES, Math.min(quarter, MAX_ARG_BYTES));
}

function checkStrings(t: Task, b: Bprm): void {
  const all = [...b.argv, ...b.env, b.filename];
  const bytes = all.reduce((sum, s) => sum + s.length + 1, 0) + 4 * (b.argv.length + b.env.length);
  if (bytes > argLimit(t) || all.some((s) => s.length >= MAX_ARG_STRLEN)) throw new SysError(E2BIG);
}

/** Ends the process' other threads, and takes the leader's number if another thread was the leader. */
function* deThread(k: Kernel, t: Task): Loading<void> {
  const { signal } = t;
  if (signal.groupExit !== undefined || signal.execTask !== undefined) throw new SysError(EAGAIN);
  signal.execTask = t;
  for (const other of signal.threads) if (other !== t) k.signals.poke(other, SIGKILL);
  while ([...signal.threads].some((other) => other !== t && other.alive)) {
    const reason: WakeReason = yield { queues: [signal.threadGone], interruptible: false, killable: true };
    if (reason === "signal" && signal.groupExit !== undefined) throw new SysError(EAGAIN);
  }
  signal.execTask = undefined;
  const { leader } = signal;
  if (leader === t) return;
  k.tasks.delete(t.pid);
  k.tasks.delete(leader.pid);
  t.pid = leader.pid;
  t.parent = leader.parent;
  t.parent?.children.delete(leader);
  t.parent?.children.add(t);
  t.exitSignal = leader.exitSignal;
  leader.state = "dead";
  signal.threads.delete(leader);
  signal.leader = t;
  if (k.firstTask === leader) k.firstTask = t;
  k.tasks.set(t.pid, t);
}

/** Whether a program runs in ring 0: KML's is_safe(), and what --trusted allows. */
function runsInRing0(k: Kernel, t: Task, file: File): boolean {
  if (k.options.kernel === "linux") return false;
  const root = k.vfs.root();
  const { fs } = t;
  if (fs === undefined || fs.root.dentry !== root.dentry || fs.root.mnt !== root.mnt) return false;
  if (k.options.trusted === "program" && k.firstExecDone) return false;
  return k.vfs.pathOf(file).startsWith("/trusted/");
}

/** Set-user-id and set-group-id bits; the result says whether rights were gained. */
function newCreds(t: Task, file: File): boolean {
  const { mode, uid, gid } = file.inode;
  const creds = { ...t.creds };
  const wasRoot = creds.euid === 0;
  if (!t.noNewPrivs) {
    if (mode & S_ISUID) creds.euid = uid;
    if ((mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP)) creds.egid = gid;
  }
  creds.suid = creds.fsuid = creds.euid;
  creds.sgid = creds.fsgid = creds.egid;
  const root = creds.euid === 0 || creds.uid === 0;
  creds.capPermitted = root ? creds.capBounding : creds.capAmbient;
  creds.capEffective = creds.euid === 0 ? creds.capPermitted : creds.capAmbient;
  t.creds = creds;
  t.keepCaps = false;
  return (
    creds.uid !== creds.euid ||
    creds.gid !== creds.egid ||
    (!wasRoot && creds.capPermitted === CAP_ALL && creds.uid !== 0)
  );
}

/** The old program is gone from here on: signals, descriptors, timers, thread areas as execve leaves them. */
function flushOld(k: Kernel, t: Task): void {
  if (t.sighand.users > 1) {
    t.sighand.users--;
    t.sighand = new Sighand(t.sighand.actions);
  }
  for (const action of t.sighand.actions) {
    if (action.handler !== SIG_IGN) action.handler = SIG_DFL;
    action.flags = 0;
    action.restorer = 0;
    action.mask = 0n;
  }
  t.altStack = { sp: 0, size: 0, flags: 2 };
  t.tls.fill(0);
  t.robustList = 0;
  t.clearChildTid = 0;
  t.restartBlock = undefined;
  t.debug = undefined;
  loadDebugRegisters(k, undefined);
  t.pdeathsig = 0;
  t.dumpable = 1;
  k.time.stopPosixTimers(t.signal);
  if (t.files && t.files.users > 1) {
    const own = t.files.clone();
    t.files.users--;
    t.files = own;
  }
  t.files?.closeOnExec(k);
}

/** Load addresses: fixed unless asked otherwise. */
function randomOffsets(k: Kernel): { mmap: number; exec: number; top: number; contents: number; brk: number } {
  if (!k.options.aslr) return { mmap: 0, exec: 0, top: 0, contents: 0, brk: 0 };
  const pages = (bits: number) => (k.random.u32() & ((1 << bits) - 1)) * 4096;
  return { mmap: pages(8), exec: pages(8), top: pages(11), contents: k.random.u32() % 8192, brk: pages(13) };
}

/** Replaces the task's program. Throws SysError before the point of no return; afterwards a failure kills. */
function* load(k: Kernel, t: Task, b: Bprm): Loading<number> {
  yield* resolveScripts(k, t, b);
  checkStrings(t, b);
  const elf = yield* readElf(k, b.file, ENOEXEC);
  const interpreter = yield* openInterpreter(k, t, b.file, elf);
  try {
    yield* deThread(k, t);
    const ku = runsInRing0(k, t, b.file);
    const mm = new Mm(k, k.ids.mm());
    const rnd = randomOffsets(k);
    mm.layout(t.signal.rlimits[RLIMIT.STACK].cur, rnd.mmap + rnd.top);
    exitMm(k, t);
    t.mm = mm;
    k.loadMm(mm);
    mm.setExe(b.file);
    flushOld(k, t);
    const secure = newCreds(t, b.file);
    t.ku = ku;
    try {
      const stack = elf.phdrs.find((p) => p.type === PT_GNU_STACK);
      const executable = stack === undefined || (stack.flags & PF_X) !== 0;
      t.execHeap = stack === undefined;
      mapVdso(k, mm);
      const program = yield* loadSegments(k, t, b.file, elf, interpreter === undefined, rnd.exec);
      mm.startCode = program.startCode;
      mm.endCode = program.endCode;
      mm.startData = program.startData;
      mm.endData = program.endData;
      mm.startBrk = mm.brk = Math.ceil(program.brk / 4096) * 4096 + rnd.brk;
      let { entry } = elf;
      entry += program.bias;
      let interpreterBase = 0;
      if (interpreter !== undefined) {
        const loaded = yield* loadSegments(k, t, interpreter.file, interpreter.elf, true, 0);
        interpreterBase = loaded.bias;
        entry = interpreter.elf.entry + loaded.bias;
      }
      const { argv, env, filename } = b;
      const random = { top: rnd.top, contents: rnd.contents };
      const sp = setUpStack(k, t, { argv, env, filename, elf, program, interpreterBase, secure, executable, random });
      begin(k, t, b, entry, sp);
    } catch (e) {
      if (!(e instanceof SysError)) throw e;
      k.signals.force(t, { signo: SIGSEGV, code: SI_KERNEL, errno: 0 });
      t.sighand.actions[SIGSEGV].handler = SIG_DFL;
      return -e.errno;
    }
    return 0;
  } finally {
    interpreter?.file.put(k);
  }
}

function begin(k: Kernel, t: Task, b: Bprm, entry: number, sp: number): void {
  t.comm = b.filename.slice(b.filename.lastIndexOf("/") + 1).slice(0, 15);
  t.exe = k.vfs.pathOf(b.file);
  t.signal.execed = true;
  k.recorder.mm(t.mm!.id, t.seq);
  k.recorder.exec(t.id, t.seq, t.mm!.id, t.exe, t.ku ? 0 : 3);
  k.recorder.comm(t.id, t.comm);
  clearFpu(k.cpu);
  if (k.options.touchedStack && t.ku) touchNewStack(k, t, sp);
  k.entry.startThread(t, entry, sp);
  k.firstExecDone = true;
}

/**
 * Runs execve for a task, by name or by descriptor.
 * @param scriptName what a script's interpreter is told, if that is not the name (the first program in ring 0, which is
 *   opened below /trusted but called as the user did)
 */
export function* do_execveat(
  k: Kernel,
  t: Task,
  dfd: number,
  filename: string,
  argv: string[],
  env: string[],
  flags: number,
  scriptName = fileNameOf(dfd, filename),
): Generator<Wait, number, WakeReason> {
  const file = open(k, t, dfd, filename, flags);
  const b: Bprm = { filename: fileNameOf(dfd, filename), scriptName, argv: argv.length > 0 ? argv : [""], env, file };
  try {
    const r = yield* load(k, t, b);
    if (r === 0 && t.trace !== undefined) yield* traceExec(k, t);
    return r;
  } finally {
    b.file.put(k);
  }
}

/** How a program that was named by descriptor is called. */
function fileNameOf(dfd: number, name: string): string {
  if (dfd === AT_FDCWD || name.startsWith("/")) return name;
  return name === "" ? `/dev/fd/${dfd}` : `/dev/fd/${dfd}/${name}`;
}

function exec(k: Kernel, t: Task, dfd: number, path: number, argv: number, envp: number, flags: number): SysResult {
  const filename = readString(k, t, path, PATH_MAX);
  if (filename === "" && !(flags & 0x1000)) return -ENOENT;
  const limit = argLimit(t);
  const args = readStringVector(k, t, argv, limit, E2BIG);
  const env = readStringVector(k, t, envp, limit, E2BIG);
  return do_execveat(k, t, dfd, filename, args, env, flags);
}

export const sys_execve: Sys = (k, t, path, argv, envp) => exec(k, t, AT_FDCWD, path, argv, envp, 0);
export const sys_execveat: Sys = (k, t, dfd, path, argv, envp, flags) =>
  flags & ~(0x1000 | 0x100) ? -EINVAL : exec(k, t, dfd, path, argv, envp, flags);
