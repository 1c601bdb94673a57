// Episodes about connections: servers and clients as processes or threads, over UNIX sockets and the loopback device.
import type { Script, Section } from "./script.ts";

const STREAM = 1;
const DATAGRAM = 2;
const WAITALL = 0x100;
const NOSIGNAL = 0x4000;

/** A family of sockets: how one is bound where others find it. */
interface Family {
  readonly family: number;
  /** Binds; the address is then in the shared words. */
  readonly bind: (s: Section, fd: number) => void;
  /** Address and length for connect and sendto. */
  readonly address: readonly [string, number];
}

function family(script: Script): Family {
  const r = script.random;
  const at = script.word(8);
  const length = script.word();
  const kind = r.below(4);
  const address = `w${at}`;
  if (kind < 2) {
    const name = `sock${at}`;
    const path = kind === 0;
    const words = [...name, "\0", "\0", "\0", "\0"].map((c) => c.charCodeAt(0));
    const bytes = [1, 0, ...(path ? [] : [0]), ...words];
    while (bytes.length < 24) bytes.push(0);
    const packed = Array.from({ length: 6 }, (_, i) =>
      new DataView(Uint8Array.from(bytes).buffer).getInt32(4 * i, true),
    );
    const size = 2 + name.length + 1;
    return {
      family: 1,
      bind: (s, fd) => {
        s.line("W", at, ...packed);
        s.call("bind", fd, address, size);
      },
      address: [address, size],
    };
  }
  const six = kind === 3;
  const size = six ? 28 : 16;
  return {
    family: six ? 10 : 2,
    bind: (s, fd) => {
      if (six) s.line("W", at, 10, 0, 0, 0, 0, 0x0100_0000).line("W", at + 6, 0);
      else s.line("W", at, 2, 0x0100_007f, 0, 0);
      s.call("bind", fd, address, size).line("W", length, size).call("getsockname", fd, address, `w${length}`);
    },
    address: [address, size],
  };
}

/** One side's part in a conversation: what it sends, what it must receive, when it says that there is no more. */
type Move = { from: 0 | 1; bytes: number } | { from: 0 | 1; end: true };

function conversation(script: Script): Move[] {
  const r = script.random;
  const moves: Move[] = [];
  const open = [true, true];
  for (let n = r.between(1, 8); n > 0; n--) {
    const from = r.below(2) as 0 | 1;
    if (!open[from]) continue;
    if (r.oneIn(5)) {
      open[from] = false;
      moves.push({ from, end: true });
    } else moves.push({ from, bytes: r.pick([1, 10, 100, 500, 1000]) });
  }
  return moves;
}

/** A side plays its part; everything it receives was sent, so that no call waits for more than there is. */
function side(script: Script, s: Section, fd: number, me: 0 | 1, moves: readonly Move[]): void {
  const r = script.random;
  s.text(0, me === 0 ? "question " : "answer ");
  let waiting = 0;
  const receive = () => {
    while (waiting > 0) {
      const part = Math.min(1000, r.oneIn(2) ? waiting : r.between(1, waiting));
      s.call("recvfrom", fd, "b1000", part, WAITALL, 0, 0).showText(1000, Math.min(part, 9));
      waiting -= part;
    }
  };
  for (const move of moves) {
    if ("bytes" in move) {
      if (move.from !== me) waiting += move.bytes;
      else {
        if (r.oneIn(2)) receive();
        s.call("sendto", fd, "b0", move.bytes, NOSIGNAL, 0, 0);
      }
      if (r.oneIn(3)) receive();
    } else if (move.from === me) s.call("shutdown", fd, 1).call("sendto", fd, "b0", 1, NOSIGNAL, 0, 0);
    else {
      receive();
      s.call("read", fd, "b1000", 10).set(800, fd, 0x2001).call("poll", "b800", 1, -1);
    }
  }
  receive();
}

/** A server that takes its clients one after the other, each a process or a thread. */
export function connections(script: Script, s: Section): void {
  const r = script.random;
  const { family: af, bind, address } = family(script);
  const listener = script.fd();
  const clients = Array.from({ length: r.between(1, 3) }, () => script.strand());
  const closed = script.word();
  s.makes(listener, "socket", af, STREAM, 0);
  bind(s, listener);
  s.call("listen", listener, r.between(1, 5));
  for (const [i, client] of clients.entries()) {
    const [mine, theirs] = [script.fd(), script.fd()];
    const moves = conversation(script);
    client.makes(theirs, "socket", af, STREAM, 0).call("connect", theirs, ...address);
    side(script, client, theirs, 1, moves);
    client.post(closed).call("read", theirs, "b1000", 5).call("close", theirs);
    const isThread = r.oneIn(2);
    if (isThread) s.thread(client);
    else s.fork(client);
    s.makes(mine, "accept4", listener, 0, 0, 0);
    if (r.oneIn(2))
      s.set(600, -1, 4)
        .call("getsockopt", mine, 1, r.pick([3, 4, 30, 39]), "b600", "b604")
        .show(600, 2);
    side(script, s, mine, 0, moves);
    s.await(closed, i + 1).call("close", mine);
    if (isThread) s.join(client);
    else s.reap(`p${client.number}`);
  }
  s.call("close", listener);
  const late = script.fd();
  s.makes(late, "socket", af, STREAM, 0)
    .call("connect", late, ...address)
    .call("close", late);
}

/** Datagrams between two sockets that are bound, one of them perhaps connected. */
export function datagrams(script: Script, s: Section): void {
  const r = script.random;
  const [here, there] = [family(script), script.fd()];
  const mine = script.fd();
  const other = script.strand();
  const ready = script.word();
  const sizes = Array.from({ length: r.between(1, 5) }, () => r.pick([0, 1, 9, 200, 900]));
  s.makes(mine, "socket", here.family, DATAGRAM, 0);
  here.bind(s, mine);
  other.text(0, "datagram").makes(there, "socket", here.family, DATAGRAM, 0);
  const connected = r.oneIn(2);
  if (connected) other.call("connect", there, ...here.address);
  for (const size of sizes) {
    if (connected) other.call("write", there, "b0", size);
    else other.call("sendto", there, "b0", size, 0, ...here.address);
  }
  other.post(ready);
  const isThread = r.oneIn(2);
  if (isThread) s.thread(other);
  else s.fork(other);
  for (const _ of sizes) {
    const room = r.pick([1000, 1000, 4]);
    s.call("recvfrom", mine, "b1000", room, r.pick([0, 0, 0x20]), 0, 0).showText(1000, 4);
  }
  s.await(ready).call("recvfrom", mine, "b1000", 5, 0x40, 0, 0).call("close", mine);
  if (isThread) s.join(other);
  else s.reap(`p${other.number}`);
}

/** What closing with unread data, lingering for no time, and nobody listening do to the other side. */
export function resets(script: Script, s: Section): void {
  const r = script.random;
  const { family: af, bind, address } = family(script);
  const [listener, one, two] = [script.fd(), script.fd(), script.fd()];
  s.handle(13, 0, 0, "ignore").makes(listener, "socket", af, STREAM, 0);
  bind(s, listener);
  s.call("listen", listener, 1)
    .makes(one, "socket", af, STREAM, 0)
    .call("connect", one, ...address);
  s.makes(two, "accept4", listener, 0, 0, 0).text(0, "unread");
  s.call("write", one, "b0", 6);
  if (r.oneIn(2)) s.call("read", two, "b1000", 6).showText(1000, 6);
  if (r.oneIn(2)) s.set(600, 1, 0).call("setsockopt", two, 1, 13, "b600", 8);
  if (r.oneIn(3)) s.call("write", two, "b0", 3);
  s.call("close", two).set(800, one, 0x2001).call("poll", "b800", 1, -1).show(800, 2);
  for (let n = r.between(1, 4); n > 0; n--) {
    if (r.oneIn(2)) s.call("recvfrom", one, "b1000", 6, 0x40, 0, 0);
    else s.set(600, -1, 4).call("getsockopt", one, 1, 4, "b600", "b604").show(600, 1);
  }
  for (const fd of [one, two, listener]) s.call("close", fd);
  s.handle(13, 0, 0, "default");
}

/** Processes in a row, each reading from the one before it; some end early. */
export function pipeline(script: Script, s: Section): void {
  const r = script.random;
  const n = r.between(1, 3);
  const ends = Array.from({ length: n + 1 }, () => [script.fd(), script.fd()] as const);
  const stages = Array.from({ length: n }, () => script.strand());
  const early = r.oneIn(3) ? r.below(n) : -1;
  const rounds = early < 0 ? r.between(1, 12) : 1;
  for (const [a, b] of ends) {
    if (r.oneIn(3)) s.socketpair(b, a, STREAM);
    else s.pipe(a, b);
  }
  const all = ends.flat();
  for (const [i, stage] of stages.entries()) {
    const [input, output] = [ends[i][0], ends[i + 1][1]];
    for (const fd of all) if (fd !== input && fd !== output) stage.quiet("close", fd);
    for (let k = 0; k < rounds; k++) stage.call("read", input, "b0", 8).call("write", output, "b0", 8);
    if (i !== early) stage.call("read", input, "b0", 8);
    stage.call("exit", i);
    s.fork(stage);
  }
  const [first, last] = [ends[0][1], ends[n][0]];
  for (const fd of all) if (fd !== first && fd !== last) s.quiet("close", fd);
  s.handle(13, 4, 0, script.routine());
  for (let k = 0; k < rounds; k++)
    s.set(0, k, k * k)
      .call("write", first, "b0", 8)
      .call("read", last, "b8", 8)
      .show(8, 2);
  // Nobody reads any more where the first of them has ended.
  if (early === 0) s.until(stages[0], "Z").call("write", first, "b0", 8);
  s.call("close", first).call("read", last, "b8", 8);
  for (const stage of stages) s.reap(`p${stage.number}`);
  s.call("close", last).handle(13, 0, 0, "default");
}
