// TCP and UDP inside the machine: what the trace says of them, what they cost, and what a program cannot make them do.
import { describe, expect, test } from "vitest";
import { CHARGES } from "../../../src/emu/kernel/charges.ts";
import * as E from "../../../src/emu/kernel/errno.ts";
import { O_NONBLOCK, O_RDONLY } from "../../../src/emu/kernel/fs/const.ts";
import { sys_close, sys_open } from "../../../src/emu/kernel/fs/open.ts";
import { sys_read, sys_write } from "../../../src/emu/kernel/fs/read_write.ts";
import {
  sys_accept4,
  sys_bind,
  sys_connect,
  sys_getsockname,
  sys_listen,
  sys_recvfrom,
  sys_sendto,
  sys_socket,
} from "../../../src/emu/kernel/net/calls.ts";
import { Box, BUF, USER } from "./fs-harness.ts";

const NAME = USER + 0x20_000;
const [STREAM, DGRAM] = [1, 2];

/** A struct sockaddr_in of 127.0.0.1 in user memory. */
function at(b: Box, port: number): number {
  b.put(NAME, String.fromCharCode(2, 0, port >> 8, port & 255, 127, 0, 0, 1));
  return NAME;
}

function listener(b: Box, port: number, backlog = 5): number {
  const s = b.call(sys_socket, 2, STREAM, 0);
  expect(b.call(sys_bind, s, at(b, port), 16)).toBe(0);
  expect(b.call(sys_listen, s, backlog)).toBe(0);
  return s;
}

/** The port that a socket got. */
function portOf(b: Box, s: number): number {
  b.put(BUF, "\x10\0\0\0");
  expect(b.call(sys_getsockname, s, NAME, BUF)).toBe(0);
  const word = b.u32(NAME) >>> 16;
  return (word >> 8) | ((word & 255) << 8);
}

describe("edges", () => {
  test("accept depends on connect, a reader on the writer, a writer on the reader", () => {
    const b = new Box();
    const s = listener(b, 9000);
    const server = b.task(20, b.t.files!);
    const accepting = b.start(server, sys_accept4, s, 0, 0, 0);
    expect(accepting.blocked).toBe(true);
    const c = b.call(sys_socket, 2, STREAM, 0);
    b.t.seq = 7;
    expect(b.call(sys_connect, c, at(b, 9000), 16)).toBe(0);
    b.settle();
    const a = accepting.result!;
    expect(b.edges).toContainEqual({ from: 7, kind: "data" });
    b.edges.length = 0;
    const reading = b.start(server, sys_read, a, BUF, 100);
    expect(reading.blocked).toBe(true);
    b.t.seq = 8;
    b.put(BUF, "hello");
    expect(b.call(sys_write, c, BUF, 5)).toBe(5);
    b.settle();
    expect(reading.result).toBe(5);
    expect(b.edges).toContainEqual({ from: 8, kind: "data" });
    // More than fits: the writer goes on when the other side has read.
    b.edges.length = 0;
    const writing = b.start(b.task(21, b.t.files!), sys_write, c, USER, 300_000);
    expect(writing.blocked).toBe(true);
    server.seq = 9;
    for (let sum = 0; sum < 300_000; ) {
      const n = b.callAs(server, sys_read, a, USER, 100_000);
      expect(n).toBeGreaterThan(0);
      sum += n;
      b.settle();
    }
    expect(writing.result).toBe(300_000);
    expect(b.edges).toContainEqual({ from: 9, kind: "space" });
    // The end of the stream depends on who closed it.
    b.edges.length = 0;
    b.t.seq = 10;
    b.call(sys_close, c);
    expect(b.callAs(server, sys_read, a, BUF, 10)).toBe(0);
    expect(b.edges).toContainEqual({ from: 10, kind: "data" });
  });

  test("a datagram's receiver depends on its sender", () => {
    const b = new Box();
    const s = b.call(sys_socket, 2, DGRAM, 0);
    b.call(sys_bind, s, at(b, 9001), 16);
    const c = b.call(sys_socket, 2, DGRAM, 0);
    b.t.seq = 11;
    expect(b.call(sys_sendto, c, BUF, 3, 0, at(b, 9001), 16)).toBe(3);
    expect(b.callAs(b.task(20, b.t.files!), sys_recvfrom, s, BUF, 9, 0, 0, 0)).toBe(3);
    expect(b.edges).toEqual([{ from: 11, kind: "data" }]);
  });
});

test("the loopback device takes its fixed charge", () => {
  const b = new Box();
  listener(b, 9002);
  const c = b.call(sys_socket, 2, STREAM, 0);
  const took = (body: () => void): number => {
    const before = b.k.clock.now();
    body();
    return b.k.clock.now() - before;
  };
  expect(took(() => b.call(sys_connect, c, at(b, 9002), 16))).toBe(CHARGES.loopback.connect);
  expect(took(() => b.call(sys_write, c, USER, 640))).toBe(CHARGES.loopback.segment + 10 * CHARGES.copy64);
});

test("ports that the kernel chooses come in turn", () => {
  const b = new Box();
  listener(b, 9003);
  const ports = [1, 2, 3].map(() => {
    const c = b.call(sys_socket, 2, STREAM, 0);
    expect(b.call(sys_connect, c, at(b, 9003), 16)).toBe(0);
    return portOf(b, c);
  });
  expect(ports).toEqual([32768, 32769, 32770]);
});

test("a SYN waits while the backlog is full, and gets in when accept makes room", () => {
  const b = new Box();
  const s = listener(b, 9004, 0);
  const sockets = [1, 2].map(() => b.call(sys_socket, 2, STREAM, 0));
  expect(b.call(sys_connect, sockets[0], at(b, 9004), 16)).toBe(0);
  const waiting = b.start(b.task(20, b.t.files!), sys_connect, sockets[1], at(b, 9004), 16);
  expect(waiting.blocked).toBe(true);
  expect(b.call(sys_accept4, s, 0, 0, O_NONBLOCK)).toBeGreaterThan(0);
  b.settle();
  expect(waiting.result).toBe(0);
  // Who waits when the listener goes is refused.
  const third = b.start(b.task(21, b.t.files!), sys_connect, b.call(sys_socket, 2, STREAM, 0), at(b, 9004), 16);
  expect(third.blocked).toBe(true);
  b.call(sys_close, s);
  b.settle();
  expect(third.result).toBe(-E.ECONNREFUSED);
});

test("datagrams that nobody reads are lost before they fill the host, empty ones too", () => {
  const b = new Box();
  const s = b.call(sys_socket, 2, DGRAM | O_NONBLOCK, 0);
  b.call(sys_bind, s, at(b, 9005), 16);
  const c = b.call(sys_socket, 2, DGRAM, 0);
  for (let i = 0; i < 1000; i++) expect(b.call(sys_sendto, c, BUF, 0, 0, at(b, 9005), 16)).toBe(0);
  let got = 0;
  while (b.call(sys_recvfrom, s, BUF, 9, 0, 0, 0) === 0) got++;
  expect(got).toBeGreaterThan(100);
  expect(got).toBeLessThan(400);
});

test("/proc/net shows who listens, who is connected, what waits", () => {
  const b = new Box();
  const s = listener(b, 9006);
  const c = b.call(sys_socket, 2, STREAM, 0);
  b.call(sys_connect, c, at(b, 9006), 16);
  const rows = (name: string): string[] => {
    const fd = b.call(sys_open, `/proc/net/${name}`, O_RDONLY, 0);
    return b.text(BUF, b.call(sys_read, fd, BUF, 4096)).split("\n");
  };
  const ends = "00:00000000 00000000     0        0";
  expect(rows("tcp").map((line) => line.trimEnd())).toEqual([
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    `   0: 0100007F:232E 00000000:0000 0A 00000000:00000001 ${ends} 8001 1 00000000 100 0 0 10 0`,
    // Not accepted yet: no inode.
    `   1: 0100007F:232E 0100007F:8000 01 00000000:00000000 ${ends} 0 1 00000000 20 0 0 10 -1`,
    `   2: 0100007F:8000 0100007F:232E 01 00000000:00000000 ${ends} 8002 1 00000000 20 0 0 10 -1`,
    "",
  ]);
  expect(rows("tcp")[1].length).toBe(149);
  b.call(sys_close, s);
  b.call(sys_close, c);
  expect(rows("tcp").length).toBe(2);
  const u = b.call(sys_socket, 10, DGRAM, 0);
  b.put(NAME, `\n\0\x23\x2f${"\0".repeat(24)}`);
  expect(b.call(sys_bind, u, NAME, 28)).toBe(0);
  const any = "0".repeat(32);
  expect(rows("udp6")[1]).toBe(`    0: ${any}:232F ${any}:0000 07 00000000:00000000 ${ends} 8003 2 00000000 0`);
});

test("connections that nobody reads or accepts hold 64 MiB of the host together, not more", () => {
  const b = new Box();
  const s = listener(b, 9007, 4096);
  let held = 0;
  for (let i = 0; i < 400; i++) {
    const c = b.call(sys_socket, 2, STREAM | O_NONBLOCK, 0);
    b.call(sys_connect, c, at(b, 9007), 16);
    const n = b.call(sys_write, c, USER, 300_000);
    // Each gets a little through.
    expect(n).toBeGreaterThan(0);
    held += n;
    b.call(sys_close, c);
  }
  expect(held).toBeGreaterThan(64 << 20);
  expect(held).toBeLessThan((64 << 20) + 400 * 4096 + 300_000);
  // What is closed is given back.
  b.call(sys_close, s);
  expect(b.k.vfs.inet.held).toBe(0);
});
