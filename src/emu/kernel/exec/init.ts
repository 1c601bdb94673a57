// The first program: a task with standard streams, a place in the tree and an execve as its first act.

import { EACCES, ENOENT, ENOTDIR, SysError } from "../errno.ts";
import { giveStack } from "../fork.ts";
import { FsStruct } from "../fs/files.ts";
import { takeTerminal } from "../fs/tty_jobctrl.ts";
import type { Kernel } from "../kernel.ts";
import { defaultRlimits } from "../kernel.ts";
import { type Activity, BodyActivity } from "../sched.ts";
import { Task } from "../task.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { do_execveat } from "./exec.ts";

const AT_FDCWD = -100;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** PATH with the same directories under /trusted first, so that what is found by name runs in ring 0. */
function trustedPath(env: readonly string[]): string[] {
  const old = env.find((word) => word.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  const trusted = old.split(":").map((dir) => (dir.startsWith("/") ? `/trusted${dir}` : dir));
  const path = `PATH=${trusted.join(":")}:${old}`;
  // In its old place: programs look through their environment in order.
  return env.some((word) => word.startsWith("PATH="))
    ? env.map((word) => (word.startsWith("PATH=") ? path : word))
    : [...env, path];
}

/** A file that may be the program: where it is opened, and what the user would call it. */
interface Candidate {
  path: string;
  calledAs: string;
}

/** Where to look for a program, as a shell does: PATH for a bare name. */
function candidates(name: string, env: readonly string[], ring: 0 | 3, cwd: string): Candidate[] {
  const path = env.find((word) => word.startsWith("PATH="))?.slice(5) ?? DEFAULT_PATH;
  const plain = name.includes("/") ? [name] : path.split(":").map((dir) => `${dir === "" ? "." : dir}/${name}`);
  const trusted = (file: string) => `/trusted${file.startsWith("/") ? file : `${cwd === "/" ? "" : cwd}/${file}`}`;
  return plain.map((file) => ({ path: ring === 3 ? file : trusted(file), calledAs: file }));
}

/** Makes the first task; when it first gets the CPU it execs the program of the options. */
export function spawnInit(k: Kernel): void {
  const { options } = k;
  const t = new Task(k.ids.pid(), k.ids.task(), undefined, defaultRlimits());
  giveStack(k, t);
  t.parent = k.init;
  k.init.children.add(t);
  t.signal.pgrp = t.pid;
  t.signal.session = t.pid;
  t.signal.sessionLeader = true;
  if (options.tty) {
    takeTerminal(k.vfs.console.tty, t);
    k.vfs.console.start();
  }
  t.startTime = k.clock.now();
  const root = k.vfs.root();
  t.fs = new FsStruct(root, root);
  const cwd = k.vfs.lookupDirectory(k, t, options.cwd);
  if (typeof cwd !== "number") t.fs = new FsStruct(root, cwd);
  t.files = k.vfs.standardFiles(k);
  k.tasks.set(t.pid, t);
  k.firstTask = t;
  const name = options.argv[0] ?? "";
  k.recorder.task({ task: t.id, tgid: t.id, mm: -1, pid: t.pid, ring: options.ring, comm: name, exe: name });
  k.entry.startThread(t, 0, 0);
  t.activity = firstExecActivity(
    k,
    t,
    candidates(name, options.env, options.ring, typeof cwd === "number" ? "/" : options.cwd),
  );
  k.sched.wakeUpNew(t);
}

/** Tries the candidates in turn; ends the run if none can be executed. */
function firstExecActivity(k: Kernel, t: Task, paths: readonly Candidate[]): Activity {
  return new BodyActivity(
    () => firstExec(k, t, paths),
    (result) => {
      if (result >= 0) return;
      k.exitInfo = { kind: "exec", errno: -result, path: k.options.argv[0] ?? "" };
      k.machine.stop();
    },
  );
}

function* firstExec(k: Kernel, t: Task, paths: readonly Candidate[]): Generator<Wait, number, WakeReason> {
  const { options } = k;
  const env = options.ring === 0 && options.trusted === "all" ? trustedPath(options.env) : [...options.env];
  let error = -ENOENT;
  for (const candidate of paths) {
    const result = yield* attempt(k, t, candidate, env);
    if (result >= 0) return result;
    if (result === -EACCES || error === -ENOENT) error = result;
    if (result !== -ENOENT && result !== -EACCES && result !== -ENOTDIR) return result;
  }
  return error;
}

function* attempt(
  k: Kernel,
  t: Task,
  { path, calledAs }: Candidate,
  env: string[],
): Generator<Wait, number, WakeReason> {
  try {
    return yield* do_execveat(k, t, AT_FDCWD, path, [...k.options.argv], env, 0, calledAs);
  } catch (e) {
    if (e instanceof SysError) return -e.errno;
    throw e;
  }
}
