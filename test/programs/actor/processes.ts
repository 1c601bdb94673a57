// Episodes about processes: statuses, groups and sessions, stops, orphans, programs that are executed anew.
import { type Script, type Section, signalSet } from "./script.ts";

const WNOHANG = 1;
const WUNTRACED = 2;
const WCONTINUED = 8;
const WEXITED = 4;
const WNOWAIT = 0x1000000;
const CHLD = 17;

/** How a child ends: by itself, by a signal, by a fault. */
function ending(script: Script, s: Section): void {
  const r = script.random;
  const me = `p${s.number}`;
  const ends: (() => void)[] = [
    () => s.call("exit_group", r.below(300)),
    () => s.call("exit", r.below(300)),
    () => s.call("kill", me, r.pick([1, 2, 9, 10, 13, 14, 15, 24, 34, 64])),
    () => s.line("f", r.below(4)),
    () => undefined,
  ];
  r.pick(ends)();
}

/** Children that die in some order and are waited for in some way. */
export function statuses(script: Script, s: Section): void {
  const r = script.random;
  const children = Array.from({ length: r.between(1, 4) }, () => script.strand());
  const go = script.word();
  for (const child of children) {
    child.await(go, r.below(2));
    ending(script, child);
    s.fork(child);
  }
  s.post(go);
  for (const child of children) s.until(child, "Z");
  for (const child of children) {
    const [kind, id] = r.pick([
      [0, 0],
      [1, `p${child.number}`],
    ] as const);
    s.set(128, 0, 0, 0, 0, 0, 0);
    if (r.oneIn(2))
      s.call("waitid", kind, id, "b128", WEXITED | (r.oneIn(2) ? WNOWAIT : 0) | WNOHANG, 0).line("i", 128);
  }
  for (const _ of children) s.reap(-1, r.pick([0, WNOHANG, WUNTRACED | WCONTINUED]));
  s.reap(-1, WNOHANG).reap(-1);
}

/** Processes in groups of their own, which are stopped, continued and ended together. */
export function groups(script: Script, s: Section): void {
  const r = script.random;
  const members = Array.from({ length: r.between(1, 4) }, () => script.strand());
  const [leader] = members;
  const ready = script.word();
  const done = script.word();
  const handler = script.routine();
  handler.post(done);
  const handles = r.oneIn(2);
  for (const member of members) {
    if (handles) member.handle(15, 4, 0, handler).handle(18, 4, 0, script.routine());
    member.call("setpgid", 0, member === leader ? 0 : `p${leader.number}`);
    member.process("getpgid", 0).process("getsid", 0);
    const [low, high] = signalSet([15, 18]);
    member.set(0, low, high).set(8, 0, 0).quiet("rt_sigprocmask", 0, "b0", 0, 8).post(ready);
    member.call("rt_sigsuspend", "b8", 8);
    if (handles) member.call("rt_sigsuspend", "b8", 8);
    member.call("exit_group", r.below(20));
    s.fork(member).await(ready, members.indexOf(member) + 1);
  }
  const group = `g${leader.number}`;
  s.process("getpgid", `p${members[members.length - 1].number}`);
  s.call("setpgid", `p${leader.number}`, `p${members[members.length - 1].number}`);
  // Continuing is a signal too, for those that handle it: the first of their two waits ends with it.
  s.call("kill", group, r.pick([19, 20, 21, 22]));
  for (const m of members) s.reap(`p${m.number}`, WUNTRACED);
  s.reap(`p${leader.number}`, WUNTRACED | WNOHANG);
  if (r.oneIn(2)) s.call("kill", group, r.pick([0, 28]));
  s.call("kill", group, 18);
  for (const m of members) s.reap(`p${m.number}`, WCONTINUED);
  for (const m of members) s.until(m, "S");
  s.call("kill", group, r.oneIn(3) ? 9 : 15);
  for (const m of members) s.until(m, "Z");
  for (const _ of members) s.reap(group, 0);
  s.reap(group, WNOHANG).call("kill", group, 0);
}

/**
 * A child whose parent dies before it; the first process takes it. Its group had no tie to its session before (its parent led both), loses
 * the last one (its grandparent leads the session), or keeps one (the session is the first process's).
 */
export function orphans(script: Script, s: Section): void {
  const r = script.random;
  const [parent, child] = [script.strand(), script.strand()];
  const [ready, gone] = [script.word(), script.word()];
  const stopped = r.oneIn(2);
  const tie = r.pick(["none", "lost", "kept"] as const);
  if (tie === "none") parent.process("setsid");
  else parent.call("setpgid", 0, 0);
  if (r.oneIn(3)) child.call("prctl", 1, 10, 0, 0, 0);
  for (const signal of [1, 10, 18]) child.handle(signal, 4, -1, script.routine());
  child.process("getppid").process("getpgid", 0);
  child.post(ready);
  if (stopped) child.call("kill", `p${child.number}`, 19);
  child.await(gone).process("getppid").call("exit_group", r.below(50));
  parent.fork(child).await(ready);
  if (stopped) parent.reap(`p${child.number}`, WUNTRACED);
  parent.call("exit_group", 3);
  if (tie === "lost") {
    const leader = script.strand();
    leader.process("setsid").fork(parent).reap(`p${parent.number}`).call("exit_group", 4);
    s.fork(leader).reap(`p${leader.number}`);
  } else s.fork(parent).reap(`p${parent.number}`);
  // Stopped in a group that has lost its last tie it was sent SIGHUP and SIGCONT; else it is still stopped.
  if (stopped && tie !== "lost") s.reap(`p${child.number}`, WUNTRACED | WNOHANG).call("kill", `p${child.number}`, 18);
  s.post(gone).reap(`p${child.number}`);
}

/** What SIGCHLD's disposition does to children that end. */
export function childSignals(script: Script, s: Section): void {
  const r = script.random;
  const parent = script.strand();
  const heard = script.word();
  const handler = script.routine();
  handler.post(heard);
  const nostop = r.oneIn(2);
  const nowait = r.oneIn(3);
  const ignore = r.oneIn(4);
  const flags = 4 | 0x10000000 | (nostop ? 1 : 0) | (nowait ? 2 : 0);
  parent.handle(CHLD, flags, -1, ignore ? "ignore" : handler);
  let count = 0;
  for (let n = r.between(1, 3); n > 0; n--) {
    const child = script.strand();
    const id = `p${child.number}`;
    const go = script.word();
    const stops = r.oneIn(2);
    if (stops) child.call("kill", id, 19).await(go);
    ending(script, child);
    parent.fork(child);
    if (stops) {
      parent.until(child, "T");
      if (!ignore && !nostop) parent.await(heard, ++count);
      parent.reap(id, WUNTRACED).quiet("kill", id, 18);
      if (!ignore && !nostop) parent.await(heard, ++count);
      parent.reap(id, WCONTINUED).post(go);
    }
    if (!ignore) parent.await(heard, ++count);
    // Nobody is left to be waited for where the kernel reaps children itself.
    parent.reap(id);
  }
  parent.reap(-1).call("exit_group", 0);
  s.fork(parent).reap(`p${parent.number}`);
}

/** The same program again in the same process: what it keeps of signals and descriptors. */
export function executes(script: Script, s: Section): void {
  const r = script.random;
  const before = script.strand();
  const after = script.strand();
  const id = `p${before.number}`;
  const [a, b] = [script.fd(), script.fd()];
  const [low, high] = signalSet([10, 12, 36]);
  before.handle(1, 4, 0, script.routine()).handle(2, 0, 0, "ignore").handle(CHLD, 0, 0, "ignore");
  before
    .pipe(a, b, r.oneIn(2) ? 0o2000000 : 0)
    .set(0, 0x6f6c6c65)
    .call("write", b, "b0", 4);
  before.call("fcntl", a, 2, r.below(2));
  before.set(0, low, high).call("rt_sigprocmask", 2, "b0", 0, 8);
  for (let n = r.between(0, 3); n > 0; n--) before.call("kill", id, r.pick([10, 12, 36]));
  if (r.oneIn(2)) before.call("alarm", 500);
  if (r.oneIn(2)) {
    const other = script.strand();
    const ready = script.word();
    other.post(ready).call("pause");
    before.thread(other).await(ready);
    if (r.oneIn(2)) {
      const executor = script.strand();
      executor.line("E", after.number);
      before.thread(executor).call("pause");
    }
  }
  before.line("E", after.number);
  for (const fd of [a, b]) after.call("fcntl", fd, 1);
  after.set(16, 0, 0).call("rt_sigpending", "b16", 8).show(16, 2);
  after.set(16, 0, 0).call("rt_sigprocmask", 0, 0, "b16", 8).show(16, 2);
  for (const signal of [1, 2, CHLD]) after.set(32, -1).call("rt_sigaction", signal, 0, "b32", 8).show(32, 1);
  after.call("read", a, "b0", 4).showText(0, 4).call("alarm", 0);
  after.line("y", `p${after.number}`).process("getppid");
  after.set(0, 0, 0).call("rt_sigprocmask", 2, "b0", 0, 8).call("exit_group", 4);
  s.fork(before).reap(id);
}

/** Who may be where: calls about groups and sessions that are refused. */
export function refusals(script: Script, s: Section): void {
  const r = script.random;
  const child = script.strand();
  const [ready, go] = [script.word(), script.word()];
  const id = `p${child.number}`;
  if (r.oneIn(2)) child.process("setsid");
  child.process("setsid").call("setpgid", 0, 0).call("setpgid", 0, "p0").process("getpgrp").process("getsid", "p0");
  child.post(ready).await(go).call("exit_group", 7);
  s.fork(child).await(ready);
  s.call("setpgid", id, 0).call("setpgid", id, id).call("setpgid", id, -1).process("getpgid", id).process("getsid", id);
  s.call("kill", `g${child.number}`, 0).call("kill", id, 65).call("kill", id, -1).call("tgkill", "p0", id, 0);
  s.call("setpgid", 999999, 0).call("getpgid", 999999).call("kill", 999999, 0).call("wait4", 999999, 0, 0, 0);
  s.call("waitid", 2, 999999, 0, WEXITED, 0).call("waitid", 7, 0, 0, WEXITED, 0).call("waitid", 0, 0, 0, 0, 0);
  s.post(go).reap(id).call("kill", id, 0);
}
