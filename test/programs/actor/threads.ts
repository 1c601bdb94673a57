// Episodes about threads: locks, turns, barriers, who is woken, whom a signal finds, how a process of many ends.
import { type Script, type Section, signalSet } from "./script.ts";

/** A counter behind a lock, by threads or processes; none of its increments is lost. */
export function counting(script: Script, s: Section): void {
  const r = script.random;
  const lock = script.word();
  const counter = script.word();
  const body = script.routine();
  body.line("M", lock).line("+", counter, r.between(1, 5), r.below(300)).line("U", lock);
  const strands = Array.from({ length: r.between(2, 5) }, () => script.strand());
  const isThread = strands.map(() => !r.oneIn(3));
  for (const [i, strand] of strands.entries()) {
    strand.line("R", body.number, r.between(1, 40));
    if (isThread[i]) s.thread(strand);
    else s.fork(strand);
  }
  s.line("R", body.number, r.below(20));
  for (const [i, strand] of strands.entries()) if (isThread[i]) s.join(strand);
  for (const [i, strand] of strands.entries()) if (!isThread[i]) s.reap(`p${strand.number}`);
  s.line("v", `m${counter}`);
}

/** Strands that take turns, through a word or through pipes in a ring, and meet at barriers. */
export function turns(script: Script, s: Section): void {
  const r = script.random;
  const n = r.between(2, 4);
  const strands = Array.from({ length: n }, () => script.strand());
  const turn = script.word();
  const barrier = script.word();
  const total = script.word();
  const rounds = r.between(1, 6);
  const pipes = strands.map(() => [script.fd(), script.fd()] as const);
  const byPipe = r.oneIn(2);
  for (const [a, b] of byPipe ? pipes : []) {
    if (r.oneIn(2)) s.pipe(a, b);
    else s.socketpair(a, b, r.pick([1, 2, 5]));
  }
  for (const [i, strand] of strands.entries()) {
    for (let k = 0; k < rounds; k++) {
      if (byPipe) strand.call("read", pipes[i][0], "b0", 4).show(0, 1);
      else strand.await(turn, k * n + i);
      strand.line("+", total, k + i, 20).line("v", `m${total}`);
      if (byPipe) strand.set(0, k * n + i).call("write", pipes[(i + 1) % n][1], "b0", 4);
      else strand.post(turn);
    }
    strand.post(barrier).await(barrier, n).line("v", `m${total}`);
    s.thread(strand);
  }
  if (byPipe) s.set(0, 99).call("write", pipes[0][1], "b0", 4);
  for (const strand of strands) s.join(strand);
  if (byPipe) for (const fd of pipes.flat()) s.quiet("close", fd);
}

/** Waiters on futexes in the order in which they came: woken, requeued, by bits. */
export function wakes(script: Script, s: Section): void {
  const r = script.random;
  const n = r.between(2, 5);
  const [word, other] = [script.word(), script.word()];
  const shared = r.oneIn(2) ? 0 : 128;
  const waiters = Array.from({ length: n }, () => script.strand());
  const ready = script.word();
  const woken = waiters.map(() => script.word());
  const bits = waiters.map(() => 1 << r.below(3));
  const byBits = r.oneIn(3);
  for (const [i, waiter] of waiters.entries()) {
    waiter.post(ready);
    if (byBits) waiter.call("futex", `w${word}`, 9 | shared, 0, 0, 0, bits[i]);
    else waiter.call("futex", `w${word}`, shared, 0, 0);
    waiter.post(woken[i]);
    s.thread(waiter)
      .await(ready, i + 1)
      .until(waiter, "S");
  }
  s.call("futex", `w${word}`, shared, 1, 0);
  if (byBits) {
    for (const bit of [1, 2, 4]) s.call("futex", `w${word}`, 10 | shared, 1, 0, 0, bit);
    for (const bit of [4, 2, 1]) s.call("futex", `w${word}`, 10 | shared, 9, 0, 0, bit);
  } else {
    const first = r.between(0, 1);
    s.call("futex", `w${word}`, 1 | shared, first);
    if (first > 0) s.await(woken[0]);
    const moved = r.between(0, n);
    s.call("futex", `w${word}`, 4 | shared, r.below(2), moved, `w${other}`, r.pick([0, 0, 0, 5]));
    s.call("futex", `w${word}`, 5 | shared, 0, 1, `w${other}`, (1 << 24) | (3 << 12));
    s.line("v", `m${other}`);
    s.call("futex", `w${other}`, 1 | shared, 9).call("futex", `w${word}`, 1 | shared, 9);
  }
  for (const waiter of waiters) s.join(waiter);
}

/** Locks that know their owner. */
export function owned(script: Script, s: Section): void {
  const r = script.random;
  const lock = script.word();
  const [ready, go] = [script.word(), script.word()];
  const other = script.strand();
  s.call("futex", `w${lock}`, 6, 0, 0).call("futex", `w${lock}`, 6, 0, 0).call("futex", `w${lock}`, 8, 0, 0);
  other.call("futex", `w${lock}`, 8, 0, 0).call("futex", `w${lock}`, 7, 0, 0).post(ready);
  other.call("futex", `w${lock}`, 6, 0, 0).post(go).call("futex", `w${lock}`, 7, 0, 0);
  const isThread = r.oneIn(2);
  if (isThread) s.thread(other);
  else s.fork(other);
  s.await(ready).until(other, "S").call("futex", `w${lock}`, 7, 0, 0).await(go);
  if (isThread) s.join(other);
  else s.reap(`p${other.number}`);
  s.call("futex", `w${lock}`, 7, 0, 0).line("v", `m${lock}`);
}

/** Signals to a process of several threads: to one of them, and to whichever has it open. */
export function aimed(script: Script, s: Section): void {
  const r = script.random;
  const leader = script.strand();
  const threads = Array.from({ length: r.between(1, 3) }, () => script.strand());
  const [ready, heard, end] = [script.word(), script.word(), script.word()];
  const handler = script.routine();
  handler.post(heard);
  const [low, high] = signalSet([10, 34]);
  const open = r.below(threads.length + 1);
  for (const signal of [10, 12, 34]) leader.handle(signal, 4 | 0x10000000, -1, handler);
  for (const [i, strand] of [...threads, leader].entries()) {
    if (i !== open) strand.set(0, low, high).quiet("rt_sigprocmask", 0, "b0", 0, 8);
    else strand.set(0, low, high).quiet("rt_sigprocmask", 1, "b0", 0, 8);
    if (strand !== leader) {
      strand.post(ready).await(end).set(16, 0, 0).call("rt_sigpending", "b16", 8).show(16, 2);
      leader.thread(strand);
    }
  }
  leader.post(ready).await(end);
  for (const thread of threads) leader.join(thread);
  leader.set(16, 0, 0).call("rt_sigpending", "b16", 8).show(16, 2).call("exit_group", 1);
  s.fork(leader).await(ready, threads.length + 1);
  const all = [...threads, leader];
  let count = 0;
  for (let n = r.between(1, 5); n > 0; n--) {
    const who = r.below(all.length);
    const target = `t${all[who].number}`;
    const how = r.below(4);
    if (how < 2) s.call("kill", `p${leader.number}`, r.pick([10, 34])).await(heard, ++count);
    else if (how === 2) s.call("tgkill", `p${leader.number}`, target, 12).await(heard, ++count);
    else if (who !== open) s.call("tgkill", `p${leader.number}`, target, 10);
    else s.call("tgkill", `p${leader.number}`, target, 34).await(heard, ++count);
  }
  s.post(end).reap(`p${leader.number}`);
}

/** How a process of many threads ends. */
export function ends(script: Script, s: Section): void {
  const r = script.random;
  const leader = script.strand();
  const sleepers = Array.from({ length: r.between(1, 3) }, () => script.strand());
  const last = script.strand();
  const [ready, never] = [script.word(), script.word()];
  for (const sleeper of sleepers) {
    sleeper.post(ready);
    if (r.oneIn(2)) sleeper.call("pause");
    else sleeper.await(never);
    leader.thread(sleeper);
  }
  const me = `p${leader.number}`;
  last.await(ready, sleepers.length);
  const how = r.below(6);
  if (how === 0) last.call("exit_group", r.below(99));
  else if (how === 1) last.call("kill", me, r.pick([9, 15, 34]));
  else if (how === 2) last.quiet("tgkill", me, `t${sleepers[0].number}`, r.pick([9, 1, 11]));
  else if (how === 3) last.line("f", r.below(3));
  else if (how === 4) {
    // The first thread goes before the others.
    last.until(leader, "Z").line("y", me).call("exit_group", 44);
  } else last.call("rt_tgsigqueueinfo", me, `t${last.number}`, 15, "b600").call("kill", me, 9);
  leader.thread(last);
  if (how === 4) leader.call("exit", 33);
  else leader.call("pause");
  s.fork(leader).set(128, 0, 0, 0, 0, 0, 0);
  s.call("waitid", 1, me, "b128", 0x1000004, 0).line("i", 128).reap(me);
}

/** A thread that forks: the child is that thread alone. */
export function forks(script: Script, s: Section): void {
  const r = script.random;
  const [thread, child, grandchild] = [script.strand(), script.strand(), script.strand()];
  const go = script.word();
  grandchild.await(go).process("getppid").call("exit", r.below(100));
  child
    .process("getppid")
    .fork(grandchild)
    .post(go)
    .reap(-1)
    .call(r.pick(["exit", "exit_group"]), 5);
  thread.fork(child).reap(`p${child.number}`).reap(-1, 0x20000000);
  s.thread(thread).join(thread);
  s.reap(-1, 1);
}
