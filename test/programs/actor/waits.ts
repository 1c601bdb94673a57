// Episodes about waiting: somebody sleeps in a call, and a signal, a stop or what it waits for comes once it is asleep.
import type { Random } from "../random.ts";
import { type Script, type Section, signalSet } from "./script.ts";

/** A call that waits. */
interface Wait {
  /** What is there before the sleeper is; both have it. */
  readonly before: (s: Section) => void;
  readonly sleep: (s: Section) => void;
  /** Gives it what it waits for. */
  readonly wake: (s: Section) => void;
}

const MINUTE = [60, 0] as const;

/** The calls, each with descriptors and words of its own. */
function waits(script: Script): (() => Wait)[] {
  const r = script.random;
  const pair =
    (make: (s: Section, a: number, b: number) => void, sleep: (s: Section, a: number) => void) => (): Wait => {
      const [a, b] = [script.fd(), script.fd()];
      return {
        before: (s) => make(s, a, b),
        sleep: (s) => sleep(s, a),
        wake: (s) => s.set(900, 0x41424344).call("write", b, "b900", 4),
      };
    };
  const pipe = (s: Section, a: number, b: number) => s.pipe(a, b);
  const sockets = (type: number) => (s: Section, a: number, b: number) => s.socketpair(a, b, type);
  const some = r.pick([pipe, sockets(1), sockets(2), sockets(5)]);
  const poll = (s: Section, a: number) => s.set(800, a, 1);
  return [
    pair(some, (s, a) => s.call("read", a, "b700", 40).showText(700, 4)),
    pair(pipe, (s, a) => s.set(600, "b700", 2, "b710", 8).call("readv", a, "b600", 2).showText(710, 2)),
    pair(sockets(1), (s, a) => s.call("recvfrom", a, "b700", 4, 0x100, 0, 0).showText(700, 4)),
    pair(some, (s, a) => poll(s, a).call("poll", "b800", 1, -1).show(800, 2)),
    pair(some, (s, a) =>
      poll(s, a)
        .set(820, ...MINUTE)
        .call("ppoll", "b800", 1, "b820", 0, 8)
        .show(800, 2),
    ),
    pair(some, (s, a) => {
      const sets = [0, 0, 0, 0];
      sets[a >> 5] |= 1 << (a & 31);
      s.set(800, ...sets)
        .call("_newselect", a + 1, "b800", 0, 0, 0)
        .show(800, 4);
    }),
    () => {
      const [a, b, e] = [script.fd(), script.fd(), script.fd()];
      return {
        before: (s) => some(s, a, b),
        sleep: (s) =>
          s
            .makes(e, "epoll_create1", 0)
            .set(820, 1, 7, 0)
            .call("epoll_ctl", e, 1, a, "b820")
            .call("epoll_wait", e, "b840", 2, -1)
            .show(840, 2),
        wake: (s) => s.set(900, 1).call("write", b, "b900", 4),
      };
    },
    () => {
      const a = script.fd();
      return {
        before: (s) => s.makes(a, "eventfd2", 0, 0),
        sleep: (s) => s.call("read", a, "b700", 8).show(700, 2),
        wake: (s) => s.set(900, 3, 0).call("write", a, "b900", 8),
      };
    },
    () => {
      const w = script.word();
      const bitset = r.oneIn(2);
      return {
        before: () => undefined,
        // Whether a signal or the wake comes first is not told: it may be either that ends a wait that is begun again.
        sleep: (s) => (bitset ? s.quiet("futex", `w${w}`, 9, 0, 0, 0, 4) : s.quiet("futex", `w${w}`, 0, 0, 0)),
        wake: (s) => s.line("W", w, 1).quiet("futex", `w${w}`, 1, 9),
      };
    },
    () => {
      const [a, b] = [script.fd(), script.fd()];
      // Room for 65,536 bytes; a write of a page finds none before a page is read.
      const fill = script.routine().quiet("write", b, "b0", 2048);
      const drain = script.routine().quiet("read", a, "b0", 2048);
      return {
        before: (s) => s.pipe(a, b),
        sleep: (s) => s.line("R", fill.number, 32).call("write", b, "b0", 300),
        wake: (s) => s.line("R", drain.number, 2),
      };
    },
    () => {
      const [a, b, name] = [script.fd(), script.fd(), `lock${script.word()}`];
      const lock = r.pick([
        (s: Section, fd: number) => s.call("flock", fd, 2),
        (s: Section, fd: number) => s.set(600, 1, 0, 0, 0).call("fcntl", fd, 7, "b600"),
      ]);
      return {
        before: (s) => lock(s.text(500, name).makes(a, "open", "b500", 0o102, 0o600), a),
        sleep: (s) => lock(s.quiet("close", a).text(500, name).makes(b, "open", "b500", 0o102, 0o600), b),
        wake: (s) => s.quiet("close", a),
      };
    },
    () => {
      const a = script.fd();
      const w = script.word();
      return {
        before: (s) =>
          s
            .makes(a, "socket", 1, 1, 0)
            .set(600, 1)
            .text(603, `wait${w}`)
            .call("bind", a, "b600", 9)
            .call("listen", a, 3),
        sleep: (s) => s.set(620, 0).makes(script.fd(), "accept4", a, 0, 0, 0),
        wake: (s) => {
          const b = script.fd();
          s.makes(b, "socket", 1, 1, 0)
            .set(600, 1)
            .text(603, `wait${w}`)
            .call("connect", b, "b600", 9)
            .call("close", b);
        },
      };
    },
    () => {
      const w = script.word();
      const key = 7000 + w;
      return {
        before: (s) => s.quiet("msgget", key, 0o1600).line("W", w, "r"),
        sleep: (s) => s.call("msgrcv", `m${w}`, "b700", 20, r.pick([0, 5, -6]), 0).show(700, 2),
        wake: (s) => s.set(900, 5, 77).call("msgsnd", `m${w}`, "b900", 4, 0),
      };
    },
    () => {
      const w = script.word();
      return {
        before: (s) => s.quiet("semget", 8000 + w, 2, 0o1600).line("W", w, "r"),
        sleep: (s) => s.set(700, 0xffff_0001 | 0, 0).call("ipc", 1, `m${w}`, 1, 0, "b700"),
        wake: (s) => s.set(900, 0x1_0001, 0).call("ipc", 1, `m${w}`, 1, 0, "b900"),
      };
    },
  ];
}

/** What happens to the sleeper. */
const EVENTS = ["handler", "restart", "stop", "death", "ignored", "nothing"] as const;

/** A process that sleeps in a call while something comes. */
export function interruptedWait(script: Script, s: Section): void {
  const r = script.random;
  const wait = r.pick(waits(script))();
  const event = r.pick(EVENTS);
  const sleeper = script.strand();
  const [ready, handled] = [script.word(), script.word()];
  const handler = script.routine();
  handler.post(handled);
  wait.before(s);
  const flags = event === "restart" ? 4 | 0x10000000 : r.pick([4, 0]);
  if (event === "ignored") sleeper.handle(10, 0, 0, "ignore");
  else if (event !== "death") sleeper.handle(10, flags, -1, handler);
  sleeper.post(ready);
  wait.sleep(sleeper);
  sleeper.call("exit_group", r.below(9));
  const child = `p${sleeper.number}`;
  s.fork(sleeper).await(ready).until(sleeper, "S");
  send(r, s, child, event, handled, sleeper);
  wait.wake(s);
  s.reap(child);
}

function send(
  r: Random,
  s: Section,
  child: string,
  event: (typeof EVENTS)[number],
  handled: number,
  sleeper: Section,
): void {
  switch (event) {
    case "handler":
    case "restart":
      s.call("kill", child, 10).await(handled);
      break;
    case "stop":
      s.call("kill", child, 19).reap(child, 2).until(sleeper, "T");
      // Some calls end with that, and the process too: whether it is seen to continue is not told.
      s.call("kill", child, 18);
      break;
    case "death":
      s.call("kill", child, r.pick([1, 9, 10, 15, 34]));
      break;
    case "ignored":
      s.call("kill", child, 10).call("kill", child, 28);
      break;
    case "nothing":
  }
}

/** A thread or a process that waits for a signal in one of the calls made for it. */
export function awaitedSignal(script: Script, s: Section): void {
  const r = script.random;
  const sleeper = script.strand();
  const ready = script.word();
  const signal = r.pick([1, 10, 15, 34, 36]);
  const [low, high] = signalSet([signal]);
  sleeper.handle(signal, 4, 0, script.routine());
  sleeper.set(0, low, high).set(8, 0, 0).call("rt_sigprocmask", 0, "b0", 0, 8).post(ready);
  switch (r.below(5)) {
    case 0:
      sleeper.call("rt_sigsuspend", "b8", 8);
      break;
    case 1:
      sleeper.call("rt_sigtimedwait", "b0", "b128", 0, 8).line("i", 128);
      break;
    case 2:
      sleeper.call("ppoll", 0, 0, 0, "b8", 8);
      break;
    case 3:
      sleeper.set(16, "b8", 8).call("pselect6", 0, 0, 0, 0, 0, "b16");
      break;
    default: {
      const fd = script.fd();
      sleeper.makes(fd, "epoll_create1", 0).call("epoll_pwait", fd, "b700", 1, -1, "b8", 8);
    }
  }
  sleeper.set(16, 0, 0).call("rt_sigpending", "b16", 8).show(16, 2);
  const early = r.oneIn(3);
  s.fork(sleeper).await(ready);
  if (!early) s.until(sleeper, "S");
  const child = `p${sleeper.number}`;
  if (r.oneIn(2)) s.call("kill", child, signal);
  else s.set(64, signal, 0, -1, "p0", 0, r.below(1000)).call("rt_sigqueueinfo", child, signal, "b64");
  s.reap(child);
}
