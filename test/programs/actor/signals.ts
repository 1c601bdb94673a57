// Episodes about signals: one strand that sends itself all kinds of them under masks and handlers, and may die of it.
import { type Script, type Section, signalSet } from "./script.ts";

const SIGNALS = [1, 2, 10, 12, 14, 15, 17, 23, 28, 34, 35, 40] as const;
/** SA_SIGINFO, SA_RESTART, SA_NODEFER, SA_RESETHAND and some together. */
const FLAGS = [4, 4, 4, 0, 4 | 0x10000000, 4 | 0x40000000, 4 | -(2 ** 31), 0x40000000, -(2 ** 31)] as const;

/** A process that does `steps` things with signals; its parent logs how it ended. */
export function ownSignals(script: Script, parent: Section, steps: number): void {
  const r = script.random;
  const s = script.strand();
  // Frames without siginfo do not tell a fault from a signal that was sent.
  s.line("+", 127, 1, 0);
  const routines = Array.from({ length: r.between(1, 3) }, () => handler(script, s));
  for (const signal of SIGNALS) if (!r.oneIn(5)) take(script, s, signal, routines);
  for (let n = steps; n > 0; n--) step(script, s, routines);
  s.set(0, 0, 0).call("rt_sigprocmask", 2, "b0", 0, 8).call("exit_group", r.below(256));
  parent.fork(s).reap(`p${s.number}`);
}

function take(script: Script, s: Section, signal: number, routines: readonly Section[]): void {
  const r = script.random;
  const mask = signalSet(r.some(SIGNALS, 3).filter((n) => n <= 32))[0];
  const how = r.oneIn(8) ? "ignore" : r.oneIn(12) ? "default" : r.pick(routines);
  s.handle(signal, r.pick(FLAGS), mask, how);
}

/** What a handler does: a few calls, now and then one that sends more. */
function handler(script: Script, s: Section): Section {
  const r = script.random;
  const routine = script.routine();
  if (r.oneIn(2)) routine.set(400, 0, 0).call("rt_sigprocmask", 0, 0, "b400", 8).show(400, 2);
  if (r.oneIn(3)) routine.call("rt_sigpending", "b408", 8).show(408, 2);
  // Once only, or it would never end.
  if (r.oneIn(3)) routine.handle(12, 4, 0, "ignore").call("kill", `p${s.number}`, 12);
  if (r.oneIn(4)) routine.handle(34, 4, 0, "ignore").call("tgkill", `p${s.number}`, `t${s.number}`, 34);
  return routine;
}

function step(script: Script, s: Section, routines: readonly Section[]): void {
  const r = script.random;
  const me = `p${s.number}`;
  const signal = r.pick(SIGNALS);
  const [low, high] = signalSet([r.pick(SIGNALS), r.pick(SIGNALS), r.pick(SIGNALS)]);
  const steps: (() => void)[] = [
    () => s.call("kill", me, signal),
    () => s.call("kill", me, signal),
    () => s.call("tgkill", me, `t${s.number}`, signal),
    () => s.call("tkill", `t${s.number}`, signal),
    () => s.set(64, signal, 0, -1, me, 0, r.below(1000)).call("rt_sigqueueinfo", me, signal, "b64"),
    () => s.set(64, signal, 0, -1, me, 0, r.below(1000)).call("rt_tgsigqueueinfo", me, `t${s.number}`, signal, "b64"),
    () => s.set(0, low, high).call("rt_sigprocmask", 0, "b0", "b8", 8).show(8, 2),
    () => s.set(0, low, high).call("rt_sigprocmask", 0, "b0", 0, 8),
    () => s.set(0, low, high).call("rt_sigprocmask", 1, "b0", 0, 8),
    () => s.set(0, low, high).call("rt_sigprocmask", 2, "b0", 0, 8),
    () => s.set(0, low).call("sigprocmask", r.below(3), "b0", "b8").show(8, 1),
    () => s.set(16, 0, 0).call("rt_sigpending", "b16", 8).show(16, 2),
    () =>
      s
        .set(0, low, high, 0, 0)
        .set(128, 0, 0, 0, 0, 0, 0)
        .call("rt_sigtimedwait", "b0", "b128", "b8", 8)
        .line("i", 128),
    () => take(script, s, signal, routines),
    () => s.line("f", r.below(4)),
    () => s.handle(r.pick([4, 5, 8, 11]), r.pick(FLAGS.filter((flags) => flags & 4)), 0, r.pick(routines)),
    () => s.handle(r.pick([4, 5, 8, 11]), r.pick(FLAGS), 0, r.pick(routines)),
    () => s.set(32, 0, 0, 0, 0, 0).call("rt_sigaction", signal, 0, "b32", 8).show(36, 1).show(44, 2),
  ];
  r.pick(steps)();
}

/** Timers that end in signals, one at a time. */
export function timers(script: Script, s: Section): void {
  const r = script.random;
  const count = script.routine();
  const beaten = script.word();
  count.post(beaten);
  const [low, high] = signalSet([14, 34]);
  s.set(0, low, high).quiet("rt_sigprocmask", 0, "b0", 0, 8);
  for (let n = r.between(1, 4); n > 0; n--) {
    const us = r.between(1, 15) * 1000;
    switch (r.below(6)) {
      case 0:
        s.set(16, 0, 0, 0, us).call("setitimer", 0, "b16", 0);
        s.call("rt_sigtimedwait", "b0", "b128", 0, 8).line("i", 128);
        break;
      case 1: {
        const beats = r.between(2, 4);
        s.handle(14, 4, 0, count).set(16, 0, us, 0, us).call("setitimer", 0, "b16", 0).set(8, 0, 0);
        for (let i = 0; i < beats; i++) s.call("rt_sigsuspend", "b8", 8);
        // One more beat may have come since.
        s.set(16, 0, 0, 0, 0).call("setitimer", 0, "b16", 0).set(40, 0, 0);
        s.quiet("rt_sigtimedwait", "b0", 0, "b40", 8).handle(14, 0, 0, "default");
        break;
      }
      case 2: {
        const timer = script.word();
        s.set(16, r.below(100), 34, 0).call("timer_create", r.below(2), "b16", `w${timer}`);
        s.set(16, 0, 0, 0, us * 1000).call("timer_settime", `m${timer}`, 0, "b16", 0);
        s.call("rt_sigtimedwait", "b0", "b128", 0, 8).line("i", 128).call("timer_delete", `m${timer}`);
        break;
      }
      case 3: {
        const fd = script.fd();
        s.makes(fd, "timerfd_create", r.below(2), 0).set(16, 0, 0, 0, us * 1000);
        s.call("timerfd_settime", fd, 0, "b16", 0).set(48, 0, 0);
        s.set(800, fd, 1).call("poll", "b800", 1, -1).show(800, 2);
        s.call("read", fd, "b48", 8).show(48, 2).call("close", fd);
        break;
      }
      case 4:
        s.call("alarm", 100 + r.below(100)).call("alarm", 0);
        break;
      default:
        s.set(16, 0, us * 1000).call("nanosleep", "b16", 0);
        s.call("poll", 0, 0, r.below(9)).call("futex", `w${script.word()}`, r.pick([0, 128]), 0, "b16");
    }
  }
  s.set(0, low, high).quiet("rt_sigprocmask", 1, "b0", 0, 8);
}
