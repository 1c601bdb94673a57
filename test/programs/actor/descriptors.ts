// Episodes of one strand over descriptors that never wait: pipes, UNIX sockets, counters, files in memory, epoll.
import { type Script, type Section, signalSet } from "./script.ts";

const NONBLOCK = 0o4000;
const CLOEXEC = 0o2000000;
const TYPES = [1, 1, 2, 5] as const;
const TEXT =
  "the quick brown fox jumps over the lazy dog while sixty zippers were quickly picked from the woven jute bag";
const POLL = [1, 4, 5, 1 | 0x2000, 0x47] as const;
const MESSAGE = 256;
const READ = 512;
const POLLED = 1024;
const EVENTS = 1400;

/** Random calls on a handful of descriptors. */
export class Descriptors {
  private readonly script: Script;
  private readonly s: Section;
  private readonly pool: number[] = [];
  private readonly polls: number[] = [];
  /** Not in the pool: what a counter makes of writes that are longer than it has changed since Linux 6.1. */
  private readonly counters: number[] = [];
  private readonly words: number;

  constructor(script: Script, s: Section) {
    this.script = script;
    this.s = s;
    this.words = script.word(6);
  }

  run(steps: number): void {
    const { s, script } = this;
    s.text(0, TEXT);
    s.handle(13, 4, 0, script.random.oneIn(2) ? "ignore" : script.routine());
    this.pair();
    this.make();
    for (let n = steps; n > 0; n--) this.step();
    this.look();
    for (const fd of [...this.pool, ...this.counters, ...this.polls]) s.call("close", fd);
    s.handle(13, 0, 0, "default");
  }

  private get fd(): number {
    return this.script.random.pick(this.pool);
  }

  /** A new number, or one that is in use. */
  private get target(): number {
    const { random } = this.script;
    if (this.pool.length > 6 || (this.pool.length > 0 && random.oneIn(4))) return this.fd;
    this.pool.push(this.script.fd());
    return this.pool[this.pool.length - 1];
  }

  private make(): void {
    const { s } = this;
    const r = this.script.random;
    if (this.pool.length > 7) return;
    switch (r.below(8)) {
      case 0:
      case 1:
        s.pipe(this.target, this.target, NONBLOCK | r.pick([0, CLOEXEC]));
        break;
      case 2:
      case 3:
      case 4:
        this.pair();
        break;
      case 5:
        this.counters.push(this.script.fd());
        s.makes(this.counters[this.counters.length - 1], "eventfd2", r.below(3), NONBLOCK | r.below(2));
        break;
      case 6:
        s.text(READ, "m").makes(this.target, "memfd_create", `b${READ}`, 0);
        break;
      default: {
        if (this.polls.length > 1) return;
        const fd = this.script.fd();
        s.makes(fd, "epoll_create1", 0);
        this.polls.push(fd);
      }
    }
  }

  private pair(): void {
    this.s.socketpair(this.target, this.target, this.script.random.pick(TYPES) | NONBLOCK);
  }

  private count(): void {
    const { s } = this;
    const r = this.script.random;
    if (this.counters.length === 0) return;
    const fd = r.pick(this.counters);
    if (r.oneIn(2)) s.set(640, r.below(9), 0).call("write", fd, "b640", r.pick([8, 8, 7]));
    else
      s.set(640, -1, -1)
        .call("read", fd, "b640", r.pick([8, 8, 7]))
        .show(640, 2);
  }

  private step(): void {
    const { s } = this;
    const r = this.script.random;
    const length = r.pick([1, 2, 7, 8, 8, 20, 64, 100]);
    const [fd, other] = [this.fd, this.fd];
    const at = r.below(20);
    const steps: (() => void)[] = [
      () => s.call("write", fd, `b${at}`, length),
      () => s.call("write", fd, `b${at}`, length),
      () => s.call("sendto", fd, `b${at}`, length, r.pick([0, 0x40, 0x4000, 0x80]), 0, 0),
      () => s.call("sendto", fd, `b${at}`, length, 0x4000, 0, 0),
      () => s.call("read", fd, `b${READ}`, length).showText(READ, Math.min(length, 12)),
      () => s.call("read", fd, `b${READ}`, length).showText(READ, Math.min(length, 12)),
      () =>
        s
          .call("recvfrom", fd, `b${READ}`, length, r.pick([0, 2, 0x20, 0x22, 0x40, 0x42]), 0, 0)
          .showText(READ, Math.min(length, 12)),
      () => s.call("shutdown", fd, r.pick([0, 1, 2, 0, 1, 3])),
      () => s.call("close", fd),
      () => s.call("dup2", fd, this.target),
      () => s.call("dup3", fd, this.target, r.pick([0, CLOEXEC, 1])),
      () => s.makes(this.target, "fcntl", fd, r.pick([0, 1030]), r.pick([0, 3, 50])),
      () => s.call("fcntl", fd, r.pick([1, 3, 3, 1032])),
      () => s.call("fcntl64", fd, 2, r.below(2)),
      () => s.call("fcntl64", fd, 4, NONBLOCK | r.pick([0, 0o2000])),
      () => s.set(600, -7).call("ioctl", fd, 0x541b, "b600").show(600, 1),
      () =>
        s
          .set(600, -7, 4)
          .call("getsockopt", fd, 1, r.pick([3, 4, 16, 30, 38, 39]), "b600", "b604")
          .show(600, 2),
      () => this.vectors(fd, length),
      () => this.passRights(fd, other),
      () => this.takeRights(fd),
      () => s.call("lseek", fd, r.below(30), r.below(3)),
      () => s.call("ftruncate", fd, r.below(200)),
      () => s.call("pread64", fd, `b${READ}`, length, r.below(50), 0),
      () => this.look(),
      () => this.look(),
      () => this.watch(r.pick([fd, ...this.counters])),
      () => this.watch(fd),
      () => this.ready(),
      () => this.ready(),
      () => this.make(),
      () => this.count(),
      () => this.count(),
    ];
    r.pick(steps)();
  }

  private vectors(fd: number, length: number): void {
    const { s } = this;
    const r = this.script.random;
    s.set(600, "b3", length, "b40", r.below(9), "b0", r.below(3));
    if (r.oneIn(2)) s.call("writev", fd, "b600", r.between(1, 3));
    else
      s.set(600, `b${READ}`, length, `b${READ + 100}`, 9)
        .call("readv", fd, "b600", 2)
        .showText(READ + 100, 3);
  }

  private passRights(fd: number, passed: number): void {
    const { s } = this;
    const credentials = this.script.random.oneIn(4);
    s.set(MESSAGE, 0, 0, `b${MESSAGE + 40}`, 1, `b${MESSAGE + 60}`, 16, 0).set(MESSAGE + 40, "b0", 6);
    if (credentials) s.set(MESSAGE + 20, 24).set(MESSAGE + 60, 24, 1, 2, "p0", 0, 0);
    else s.set(MESSAGE + 60, 16, 1, 1, passed);
    s.call("sendmsg", fd, `b${MESSAGE}`, 0x4000);
  }

  private takeRights(fd: number): void {
    const { s } = this;
    const rights = this.words;
    const flags = this.script.random.pick([0, 2, 0x40000000]);
    s.line("W", rights, 0, 0, 0, -1, 0, 0);
    s.set(MESSAGE, 0, 0, `b${MESSAGE + 40}`, 1, `w${rights}`, 16, 0).set(MESSAGE + 40, `b${READ}`, 16);
    s.call("recvmsg", fd, `b${MESSAGE}`, flags).show(MESSAGE + 20, 2);
    for (let i = 0; i < 4; i++) s.line("v", `m${rights + i}`);
    s.call("dup2", `m${rights + 3}`, this.target).call("close", `m${rights + 3}`);
  }

  /** What poll or select says of all of them. */
  private look(): void {
    const { s, pool } = this;
    const r = this.script.random;
    const all = [...pool, ...this.counters, ...this.polls];
    if (r.oneIn(4)) {
      const sets = [0, 0, 0, 0];
      for (const fd of pool.slice(0, 4)) sets[fd >> 5] |= 1 << (fd & 31);
      s.set(POLLED, ...sets, ...sets, ...sets, 0, 0);
      s.call("_newselect", 100, `b${POLLED}`, `b${POLLED + 16}`, `b${POLLED + 32}`, `b${POLLED + 48}`);
      s.show(POLLED, 12);
      return;
    }
    s.set(POLLED, ...all.flatMap((fd) => [fd, r.pick(POLL)]));
    s.call("poll", `b${POLLED}`, all.length, 0).show(POLLED, 2 * all.length);
  }

  private watch(fd: number): void {
    const { s } = this;
    const r = this.script.random;
    if (this.polls.length === 0) return;
    const how = r.pick([0, 0, 0, 1 << 30, -(2 ** 31), 0]);
    s.set(EVENTS, r.pick([1, 4, 5, 0x2001]) | how, fd, 0);
    s.call("epoll_ctl", r.pick(this.polls), r.pick([1, 1, 1, 2, 3]), fd, `b${EVENTS}`);
  }

  private ready(): void {
    const { s } = this;
    const r = this.script.random;
    if (this.polls.length === 0) return;
    s.set(EVENTS, ...new Array<number>(12).fill(0));
    s.call("epoll_wait", r.pick(this.polls), `b${EVENTS}`, r.pick([1, 4, 4]), 0).show(EVENTS, 12);
  }
}

/** Descriptors that signals and timers are read from, in one strand. */
export function signalDescriptor(script: Script, s: Section): void {
  const r = script.random;
  const fd = script.fd();
  const [low, high] = signalSet([10, 12, 34, 36]);
  s.set(0, low, high).quiet("rt_sigprocmask", 0, "b0", 0, 8);
  s.makes(fd, "signalfd4", -1, "b0", 8, NONBLOCK);
  for (let n = r.between(1, 5); n > 0; n--) {
    const signal = r.pick([10, 12, 34, 36]);
    if (r.oneIn(2)) s.call("kill", "p0", signal);
    else s.set(16, signal, 0, -1, "p0", 0, r.below(100)).call("rt_sigqueueinfo", "p0", signal, "b16");
  }
  s.set(800, fd, 1).call("poll", "b800", 1, 0).show(800, 2);
  for (let n = 6; n > 0; n--) {
    s.set(200, 0, 0, 0).call("read", fd, "b200", 128).show(200, 1).show(208, 1);
  }
  s.quiet("rt_sigprocmask", 1, "b0", 0, 8).call("close", fd);
}
