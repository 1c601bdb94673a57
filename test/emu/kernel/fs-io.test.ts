// What connects tasks and files: pipes, descriptors, locks, poll, epoll, sockets, /proc, /dev, host directories.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import * as E from "../../../src/emu/kernel/errno.ts";
import { sys_ftruncate } from "../../../src/emu/kernel/fs/attr.ts";
import {
  O_APPEND,
  O_CREAT,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from "../../../src/emu/kernel/fs/const.ts";
import { sys_chdir } from "../../../src/emu/kernel/fs/cwd.ts";
import { sys_epoll_create1, sys_epoll_ctl, sys_epoll_wait } from "../../../src/emu/kernel/fs/epoll.ts";
import { sys_eventfd2, sys_memfd_create } from "../../../src/emu/kernel/fs/eventfd.ts";
import { sys_dup, sys_dup2, sys_dup3, sys_fcntl64, sys_pipe2 } from "../../../src/emu/kernel/fs/fcntl.ts";
import { sys_getdents64 } from "../../../src/emu/kernel/fs/getdents.ts";
import { openHostDir } from "../../../src/emu/kernel/fs/hostdir-node.ts";
import { sys_ioctl } from "../../../src/emu/kernel/fs/ioctl.ts";
import { sys_flock } from "../../../src/emu/kernel/fs/locks.ts";
import {
  sys_mkdir,
  sys_mknod,
  sys_readlink,
  sys_rename,
  sys_symlink,
  sys_unlink,
} from "../../../src/emu/kernel/fs/names.ts";
import { sys_close, sys_open } from "../../../src/emu/kernel/fs/open.ts";
import { sys_poll } from "../../../src/emu/kernel/fs/poll.ts";
import { sys_lseek, sys_pread64, sys_read, sys_write, sys_writev } from "../../../src/emu/kernel/fs/read_write.ts";
import { sys_splice } from "../../../src/emu/kernel/fs/splice.ts";
import { sys_stat64 } from "../../../src/emu/kernel/fs/stat.ts";
import { sys_fallocate, sys_fsync } from "../../../src/emu/kernel/fs/sync.ts";
import { sys_getxattr, sys_listxattr, sys_removexattr, sys_setxattr } from "../../../src/emu/kernel/fs/xattr.ts";
import {
  sys_accept4,
  sys_bind,
  sys_connect,
  sys_listen,
  sys_socket,
  sys_socketpair,
} from "../../../src/emu/kernel/net/calls.ts";
import { Box, BUF, USER } from "./fs-harness.ts";

const SIGPIPE = 13;

function pipe(b: Box, flags = 0): [number, number] {
  expect(b.call(sys_pipe2, BUF, flags)).toBe(0);
  return [b.u32(BUF), b.u32(BUF + 4)];
}

function put(b: Box, fd: number, text: string): number {
  b.put(BUF, text);
  return b.call(sys_write, fd, BUF, text.length);
}

describe("pipes", () => {
  test("a reader waits for bytes and depends on who wrote them", () => {
    const b = new Box();
    const [r, w] = pipe(b);
    const reader = b.task(20, b.t.files!);
    const reading = b.start(reader, sys_read, r, BUF, 100);
    expect(reading.blocked).toBe(true);
    b.t.seq = 7;
    expect(put(b, w, "hello")).toBe(5);
    b.settle();
    expect(reading.result).toBe(5);
    expect(b.edges.filter((e) => e.kind === "data")).toEqual([{ from: 7, kind: "data" }]);
    b.edges.length = 0;
    // The same dependence when nobody had to wait.
    put(b, w, "again");
    expect(b.callAs(reader, sys_read, r, BUF, 100)).toBe(5);
    expect(b.edges).toEqual([{ from: 7, kind: "data" }]);
  });

  test("64 KiB fit; the writer of more waits, and depends on who read", () => {
    const b = new Box();
    const [r, w] = pipe(b);
    expect(b.call(sys_write, w, BUF, 65536)).toBe(65536);
    const writer = b.task(30, b.t.files!);
    const writing = b.start(writer, sys_write, w, BUF, 10000);
    expect(writing.blocked).toBe(true);
    b.t.seq = 9;
    expect(b.call(sys_read, r, USER + 0x30_000, 4096)).toBe(4096);
    b.settle();
    expect(writing.blocked).toBe(true);
    expect(b.call(sys_read, r, USER + 0x30_000, 8192)).toBe(8192);
    b.settle();
    expect(writing.result).toBe(10000);
    expect(b.edges.some((e) => e.kind === "space" && e.from === 9)).toBe(true);
  });

  test("up to PIPE_BUF is written whole or not at all", () => {
    const b = new Box();
    const [r, w] = pipe(b, O_NONBLOCK);
    expect(b.call(sys_write, w, BUF, 65000)).toBe(65000);
    expect(b.call(sys_write, w, BUF, 4096)).toBe(-E.EAGAIN);
    expect(b.call(sys_write, w, BUF, 4097)).toBe(536);
    expect(b.call(sys_write, w, BUF, 1)).toBe(-E.EAGAIN);
    let left = 65536;
    for (let n = 1; n > 0; left -= Math.max(0, n)) n = b.call(sys_read, r, USER + 0x30_000, 60000);
    expect(left).toBe(0);
    expect(b.call(sys_read, r, BUF, 1)).toBe(-E.EAGAIN);
  });

  test("end of file, broken pipe, order of bytes around the ring", () => {
    const b = new Box();
    const [r, w] = pipe(b);
    for (let round = 0; round < 40; round++) {
      b.put(
        BUF,
        Uint8Array.from({ length: 5000 }, (_, i) => (i * 3 + round) & 255),
      );
      expect(b.call(sys_write, w, BUF, 5000)).toBe(5000);
      expect(b.call(sys_read, r, USER + 0x30_000, 5000)).toBe(5000);
      expect(b.bytes(USER + 0x30_000, 5000)[4999]).toBe((4999 * 3 + round) & 255);
    }
    b.call(sys_close, w);
    expect(b.call(sys_read, r, BUF, 1)).toBe(0);
    const [r2, w2] = pipe(b);
    b.call(sys_close, r2);
    expect(put(b, w2, "x")).toBe(-E.EPIPE);
    expect(b.signals).toEqual([SIGPIPE]);
    expect(b.call(sys_lseek, w2, 0, 0)).toBe(-E.ESPIPE);
  });

  test("a signal ends a wait only if nothing was moved", () => {
    const b = new Box();
    const [r, w] = pipe(b);
    const other = b.task(40, b.t.files!);
    const reading = b.start(other, sys_read, r, BUF, 1);
    reading.interrupt();
    b.settle();
    expect(reading.result).toBe(-E.ERESTARTSYS);
    b.call(sys_write, w, BUF, 60000);
    const writing = b.start(other, sys_write, w, BUF, 10000);
    expect(writing.blocked).toBe(true);
    writing.interrupt();
    b.settle();
    expect(writing.result).toBe(5536);
  });

  test("a FIFO's two ends wait for each other; a pipe opened again does not", () => {
    const b = new Box();
    expect(b.call(sys_mknod, "/tmp/fifo", 0o010644, 0)).toBe(0);
    expect(b.call(sys_open, "/tmp/fifo", O_WRONLY | O_NONBLOCK)).toBe(-E.ENXIO);
    const other = b.task(50, b.t.files!);
    const reading = b.start(other, sys_open, "/tmp/fifo", O_RDONLY);
    expect(reading.blocked).toBe(true);
    const w = b.call(sys_open, "/tmp/fifo", O_WRONLY);
    b.settle();
    const r = reading.result!;
    expect(put(b, w, "fifo")).toBe(4);
    expect(b.call(sys_read, r, BUF, 10)).toBe(4);
    const [pr, pw] = pipe(b);
    put(b, pw, "left");
    b.call(sys_close, pw);
    const again = b.call(sys_open, `/proc/self/fd/${pr}`, O_RDONLY);
    expect(b.call(sys_read, again, BUF, 10)).toBe(4);
    expect(b.call(sys_read, again, BUF, 10)).toBe(0);
  });

  test("vectors, splice, the size of a pipe", () => {
    const b = new Box();
    const [r, w] = pipe(b);
    b.put(BUF + 100, "abcdef");
    for (const [i, n] of [BUF + 100, 2, BUF + 104, 2].entries()) b.setU32(BUF + 4 * i, n);
    expect(b.call(sys_writev, w, BUF, 2)).toBe(4);
    const fd = b.call(sys_open, "/tmp/out", O_RDWR | O_CREAT, 0o600);
    expect(b.call(sys_splice, r, 0, fd, 0, 100, 0)).toBe(4);
    expect(b.call(sys_pread64, fd, BUF, 10, 0, 0)).toBe(4);
    expect(b.text(BUF, 4)).toBe("abef");
    expect(b.call(sys_fcntl64, r, 1032, 0)).toBe(65536);
    expect(b.call(sys_fcntl64, r, 1031, 5000)).toBe(8192);
    expect(b.call(sys_write, w, BUF, 8192)).toBe(8192);
    expect(b.call(sys_fcntl64, w, 1031, 4096)).toBe(-E.EBUSY);
  });
});

describe("descriptors", () => {
  test("lowest first, shared offset, close-on-exec, limits", () => {
    const b = new Box([{ path: "/f", text: "0123456789" }]);
    const fd = b.call(sys_open, "/f", O_RDONLY);
    expect(fd).toBe(3);
    expect(b.call(sys_dup, fd)).toBe(4);
    expect(b.call(sys_dup2, fd, 9)).toBe(9);
    expect(b.call(sys_dup3, fd, 10, 0o2000000)).toBe(10);
    expect(b.call(sys_fcntl64, 10, 1, 0)).toBe(1);
    expect(b.call(sys_dup3, fd, fd, 0)).toBe(-E.EINVAL);
    expect(b.call(sys_read, 3, BUF, 4)).toBe(4);
    expect(b.call(sys_read, 9, BUF, 4)).toBe(4);
    expect(b.text(BUF, 4)).toBe("4567");
    expect(b.call(sys_fcntl64, 3, 0, 6)).toBe(6);
    expect(b.call(sys_close, 3)).toBe(0);
    expect(b.call(sys_close, 3)).toBe(-E.EBADF);
    expect(b.call(sys_dup, 4)).toBe(3);
    expect(b.call(sys_dup2, 4, 5000)).toBe(-E.EBADF);
    expect(b.call(sys_fcntl64, 4, 0, 1024)).toBe(-E.EINVAL);
    const copy = b.t.files!.clone();
    copy.closeOnExec(b.k);
    expect(copy.get(10)).toBeUndefined();
    expect(copy.get(9)).toBe(b.t.files!.get(9));
    expect(b.call(sys_fcntl64, 4, 4, O_APPEND | O_NONBLOCK)).toBe(0);
    expect(b.call(sys_fcntl64, 9, 3, 0)).toBe(O_APPEND | O_NONBLOCK);
  });

  test("record locks: between processes, by range, freed by closing", () => {
    const b = new Box([{ path: "/f", text: "0123456789" }]);
    const other = b.task(60);
    const mine = b.call(sys_open, "/f", O_RDWR);
    const theirs = b.callAs(other, sys_open, "/f", O_RDWR);
    const lock = (type: number, start: number, length: number) => {
      b.setU32(BUF, type);
      b.setU32(BUF + 4, start);
      b.setU32(BUF + 8, 0);
      b.setU32(BUF + 12, length);
      b.setU32(BUF + 16, 0);
      b.setU32(BUF + 20, 0);
      return BUF;
    };
    expect(b.call(sys_fcntl64, mine, 13, lock(1, 2, 3))).toBe(0);
    expect(b.callAs(other, sys_fcntl64, theirs, 13, lock(0, 4, 1))).toBe(-E.EAGAIN);
    expect(b.callAs(other, sys_fcntl64, theirs, 13, lock(1, 5, 5))).toBe(0);
    expect(b.callAs(other, sys_fcntl64, theirs, 12, lock(1, 0, 0))).toBe(0);
    expect([b.u32(BUF) & 0xffff, b.u32(BUF + 4), b.u32(BUF + 12), b.u32(BUF + 20)]).toEqual([1, 2, 3, 1000]);
    const waiting = b.start(other, sys_fcntl64, theirs, 14, lock(1, 2, 1));
    expect(waiting.blocked).toBe(true);
    expect(b.call(sys_fcntl64, mine, 14, lock(1, 5, 1))).toBe(-E.EDEADLK);
    b.call(sys_close, mine);
    b.settle();
    expect(waiting.result).toBe(0);
  });

  test("flock belongs to the open file", () => {
    const b = new Box([{ path: "/f", text: "x" }]);
    const [one, two] = [b.call(sys_open, "/f", O_RDONLY), b.call(sys_open, "/f", O_RDONLY)];
    const dup = b.call(sys_dup, one);
    expect(b.call(sys_flock, one, 2)).toBe(0);
    expect(b.call(sys_flock, dup, 2)).toBe(0);
    expect(b.call(sys_flock, two, 1 | 4)).toBe(-E.EAGAIN);
    b.call(sys_close, one);
    expect(b.call(sys_flock, two, 1 | 4)).toBe(-E.EAGAIN);
    b.call(sys_close, dup);
    expect(b.call(sys_flock, two, 1 | 4)).toBe(0);
  });

  test("ioctl answers that programs look for", () => {
    const b = new Box([{ path: "/f", text: "0123456789" }]);
    const fd = b.call(sys_open, "/f", O_RDWR);
    expect(b.call(sys_ioctl, fd, 0x5401, BUF)).toBe(-E.ENOTTY);
    expect(b.call(sys_ioctl, 1, 0x5401, BUF)).toBe(-E.ENOTTY);
    expect(b.call(sys_ioctl, fd, 0x40049409, fd)).toBe(-E.EOPNOTSUPP);
    b.call(sys_lseek, fd, 4, 0);
    expect(b.call(sys_ioctl, fd, 0x541b, BUF)).toBe(0);
    expect(b.u32(BUF)).toBe(6);
  });
});

describe("waiting for several", () => {
  test("poll: ready, timeout to the tick of the clock, hang-up, closed", () => {
    const b = new Box();
    const [r, w] = pipe(b);
    const fds = USER + 0x20_000;
    b.setU32(fds, r);
    b.setU32(fds + 4, POLLIN);
    b.setU32(fds + 8, w);
    b.setU32(fds + 12, POLLOUT);
    b.setU32(fds + 16, 99);
    b.setU32(fds + 20, POLLIN);
    expect(b.call(sys_poll, fds, 3, -1)).toBe(2);
    expect([b.u32(fds + 4) >>> 16, b.u32(fds + 12) >>> 16, b.u32(fds + 20) >>> 16]).toEqual([0, POLLOUT, 32]);
    b.setU32(fds + 4, POLLIN);
    const before = b.k.clock.now();
    expect(b.call(sys_poll, fds, 1, 30)).toBe(0);
    expect(b.k.clock.now() - before).toBe(15_000_000);
    const waiting = b.start(b.task(70, b.t.files!), sys_poll, fds, 1, -1);
    expect(waiting.blocked).toBe(true);
    b.call(sys_close, w);
    b.settle();
    expect(waiting.result).toBe(1);
    expect(b.u32(fds + 4) >>> 16).toBe(POLLHUP);
  });

  test("epoll: level, edge, one shot, closing forgets", () => {
    const b = new Box();
    const [r, w] = pipe(b);
    const ep = b.call(sys_epoll_create1, 0);
    const event = (events: number) => {
      b.setU32(BUF + 64, events);
      b.setU32(BUF + 68, 77);
      return BUF + 64;
    };
    const wait = (timeout = 0) => b.call(sys_epoll_wait, ep, BUF, 4, timeout);
    expect(b.call(sys_epoll_ctl, ep, 1, r, event(POLLIN))).toBe(0);
    expect(b.call(sys_epoll_ctl, ep, 1, r, event(POLLIN))).toBe(-E.EEXIST);
    expect(wait()).toBe(0);
    const waiting = b.start(b.task(71, b.t.files!), sys_epoll_wait, ep, USER + 0x20_000, 4, -1);
    expect(waiting.blocked).toBe(true);
    put(b, w, "x");
    b.settle();
    expect(waiting.result).toBe(1);
    expect(b.u32(USER + 0x20_004)).toBe(77);
    expect(wait()).toBe(1);
    expect(b.call(sys_epoll_ctl, ep, 3, r, event(POLLIN | (1 << 31)))).toBe(0);
    expect(wait()).toBe(1);
    expect(wait()).toBe(0);
    put(b, w, "y");
    expect(wait()).toBe(1);
    expect(b.call(sys_epoll_ctl, ep, 3, r, event(POLLIN | (1 << 30)))).toBe(0);
    expect(wait()).toBe(1);
    expect(wait()).toBe(0);
    b.call(sys_close, r);
    expect(b.call(sys_epoll_ctl, ep, 2, r, 0)).toBe(-E.EBADF);
    const file = b.call(sys_open, "/tmp/x", O_RDWR | O_CREAT, 0o600);
    expect(b.call(sys_epoll_ctl, ep, 1, file, event(POLLIN))).toBe(-E.EPERM);
  });

  test("eventfd counts and wakes; memfd is a file", () => {
    const b = new Box();
    const fd = b.call(sys_eventfd2, 3, 0);
    expect(b.call(sys_read, fd, BUF, 8)).toBe(8);
    expect(b.u32(BUF)).toBe(3);
    const reading = b.start(b.task(72, b.t.files!), sys_read, fd, USER + 0x20_000, 8);
    b.setU32(BUF, 5);
    b.setU32(BUF + 4, 0);
    expect(b.call(sys_write, fd, BUF, 8)).toBe(8);
    b.settle();
    expect(reading.result).toBe(8);
    const mem = b.call(sys_memfd_create, "note", 0);
    expect(b.call(sys_ftruncate, mem, 5000)).toBe(0);
    expect(b.call(sys_pread64, mem, BUF, 10, 4995, 0)).toBe(5);
    expect(b.call(sys_readlink, `/proc/self/fd/${mem}`, BUF, 100)).toBe(21);
    expect(b.text(BUF, 21)).toBe("/memfd:note (deleted)");
  });

  test("sockets: pairs, names, nobody there, other families", () => {
    const b = new Box();
    expect(b.call(sys_socket, 16, 3, 9)).toBe(-E.EPROTONOSUPPORT);
    expect(b.call(sys_socket, 17, 3, 0)).toBe(-E.EAFNOSUPPORT);
    expect(b.call(sys_socketpair, 1, 1, 0, BUF)).toBe(0);
    const [x, y] = [b.u32(BUF), b.u32(BUF + 4)];
    expect(put(b, x, "pair")).toBe(4);
    expect(b.call(sys_read, y, BUF, 10)).toBe(4);
    b.call(sys_close, x);
    expect(b.call(sys_read, y, BUF, 10)).toBe(0);
    const s = b.call(sys_socket, 1, 1, 0);
    const name = (path: string) => {
      b.put(USER + 0x20_000, `\x01\0${path}\0`);
      return USER + 0x20_000;
    };
    expect(b.call(sys_connect, s, name("/var/run/nscd/socket"), 110)).toBe(-E.ENOENT);
    const server = b.call(sys_socket, 1, 1, 0);
    expect(b.call(sys_bind, server, name("/tmp/sock"), 12)).toBe(0);
    expect(b.call(sys_connect, s, name("/tmp/sock"), 12)).toBe(-E.ECONNREFUSED);
    expect(b.call(sys_listen, server, 5)).toBe(0);
    const accepting = b.start(b.task(73, b.t.files!), sys_accept4, server, 0, 0, 0);
    expect(b.call(sys_connect, s, name("/tmp/sock"), 12)).toBe(0);
    b.settle();
    expect(put(b, s, "hi")).toBe(2);
    expect(b.call(sys_read, accepting.result!, BUF, 10)).toBe(2);
  });
});

describe("kernel files", () => {
  function text(b: Box, path: string): string {
    const fd = b.call(sys_open, path, O_RDONLY);
    expect(fd, path).toBeGreaterThan(0);
    const n = b.call(sys_read, fd, BUF, 60000);
    b.call(sys_close, fd);
    return b.text(BUF, n);
  }

  test("/proc: self, links, what libc asks", () => {
    const b = new Box([{ path: "/f", text: "x" }]);
    expect(b.call(sys_readlink, "/proc/self", BUF, 10)).toBe(4);
    expect(b.text(BUF, 4)).toBe("1000");
    const fd = b.call(sys_open, "/f", O_RDONLY);
    const n = b.call(sys_readlink, `/proc/self/fd/${fd}`, BUF, 100);
    expect(b.text(BUF, n)).toBe("/f");
    b.call(sys_chdir, "/tmp");
    const m = b.call(sys_readlink, "/proc/self/cwd", BUF, 100);
    expect(b.text(BUF, m)).toBe("/tmp");
    expect(b.call(sys_open, "/proc/self/fd/77", O_RDONLY)).toBe(-E.ENOENT);
    expect(b.call(sys_open, "/proc/4242", O_RDONLY)).toBe(-E.ENOENT);
    expect(b.call(sys_open, "/proc/self/root/../../f", O_RDONLY)).toBeGreaterThan(0);
    expect(text(b, "/proc/sys/vm/overcommit_memory")).toBe("0\n");
    expect(text(b, "/proc/meminfo")).toMatch(/^MemTotal: +\d+ kB\n/);
    expect(text(b, "/proc/cpuinfo").match(/^processor/gm)).toHaveLength(1);
    expect(text(b, "/proc/filesystems")).toContain("\text4\n");
    expect(text(b, "/proc/self/limits")).toMatch(/Max open files +1024/);
    expect(b.call(sys_mkdir, "/proc/x", 0o755)).toBe(-E.ENOENT);
  });

  test("/dev: null, zero, full, seeded random", () => {
    const b = new Box();
    const open = (name: string) => b.call(sys_open, `/dev/${name}`, O_RDWR);
    expect(b.call(sys_read, open("null"), BUF, 10)).toBe(0);
    expect(put(b, open("null"), "gone")).toBe(4);
    b.put(BUF, "xxxx");
    expect(b.call(sys_read, open("zero"), BUF, 4)).toBe(4);
    expect(b.text(BUF, 4)).toBe("\0\0\0\0");
    expect(put(b, open("full"), "x")).toBe(-E.ENOSPC);
    expect(open("tty")).toBe(-E.ENXIO);
    const random = () => {
      const c = new Box();
      c.call(sys_read, c.call(sys_open, "/dev/urandom", O_RDONLY), BUF, 16);
      return [...c.bytes(BUF, 16)];
    };
    expect(random()).toEqual(random());
    expect(new Set(random()).size).toBeGreaterThan(8);
  });

  test("standard streams are pipes to the host", () => {
    const b = new Box([], { input: "line one\nline two\n" });
    expect(b.call(sys_read, 0, BUF, 9)).toBe(9);
    expect(b.call(sys_read, 0, BUF, 100)).toBe(9);
    expect(b.call(sys_read, 0, BUF, 100)).toBe(0);
    put(b, 1, "out");
    put(b, 2, "err");
    expect([b.io.text("out"), b.io.text("err")]).toEqual(["out", "err"]);
    expect(b.call(sys_lseek, 0, 0, 1)).toBe(-E.ESPIPE);
    expect(b.call(sys_stat64, "/dev/stdin", BUF)).toBe(0);
    expect(b.u32(BUF + 16)).toBe(0o010600);
    const whole = createHash("sha256").update("line one\nline two\n").digest("hex");
    expect(b.k.vfs.streams.digest.hex()).toBe(whole);
  });

  test("extended attributes: none, user's, an ACL that is a mode", () => {
    const b = new Box([{ path: "/f", text: "x" }]);
    expect(b.call(sys_getxattr, "/f", "security.selinux", BUF, 100)).toBe(-E.ENODATA);
    expect(b.call(sys_listxattr, "/f", BUF, 100)).toBe(0);
    b.put(BUF, "value");
    expect(b.call(sys_setxattr, "/f", "user.note", BUF, 5, 2)).toBe(-E.ENODATA);
    expect(b.call(sys_setxattr, "/f", "user.note", BUF, 5, 0)).toBe(0);
    expect(b.call(sys_getxattr, "/f", "user.note", 0, 0)).toBe(5);
    expect(b.call(sys_getxattr, "/f", "user.note", BUF, 3)).toBe(-E.ERANGE);
    expect(b.call(sys_listxattr, "/f", BUF, 100)).toBe(10);
    expect(b.call(sys_removexattr, "/f", "user.note")).toBe(0);
    b.put(
      BUF,
      Uint8Array.of(
        2,
        0,
        0,
        0,
        1,
        0,
        6,
        0,
        255,
        255,
        255,
        255,
        4,
        0,
        4,
        0,
        255,
        255,
        255,
        255,
        32,
        0,
        0,
        0,
        255,
        255,
        255,
        255,
      ),
    );
    expect(b.call(sys_setxattr, "/f", "system.posix_acl_access", BUF, 28, 0)).toBe(0);
    b.call(sys_stat64, "/f", BUF);
    expect(b.u32(BUF + 16)).toBe(0o100640);
    expect(b.call(sys_getxattr, "/proc/self", "user.x", BUF, 1)).toBe(-E.EOPNOTSUPP);
  });

  test("holes are punched, space is reserved", () => {
    const b = new Box([{ path: "/f", size: 20000 }]);
    const fd = b.call(sys_open, "/f", O_RDWR);
    expect(b.call(sys_fallocate, fd, 3, 4000, 0, 200, 0)).toBe(0);
    expect(b.call(sys_pread64, fd, BUF, 300, 3950, 0)).toBe(300);
    const got = b.bytes(BUF, 300);
    expect([got[49], got[50], got[249], got[250]]).toEqual([(3999 * 7 + 15) & 255, 0, 0, (4200 * 7 + 16) & 255]);
    expect(b.call(sys_fallocate, fd, 0, 0, 0, 30000, 0)).toBe(0);
    b.call(sys_stat64, "/f", BUF);
    expect(b.u32(BUF + 44)).toBe(30000);
    expect(b.call(sys_fsync, fd)).toBe(0);
  });
});

describe("host directories", () => {
  const top = mkdtempSync(join(tmpdir(), "kmlab-bind-"));
  afterAll(() => rmSync(top, { recursive: true, force: true }));

  function bound(writable: boolean): { b: Box; dir: string } {
    const dir = mkdtempSync(join(top, "d-"));
    mkdirSync(join(dir, "sub"));
    writeFileSync(join(dir, "file"), "host text");
    writeFileSync(join(top, "secret"), "secret");
    symlinkSync("../secret", join(dir, "out"));
    symlinkSync("..", join(dir, "up"));
    return { b: new Box([], { binds: [{ host: openHostDir(dir, writable), guest: "/mnt/h", writable }] }), dir };
  }

  function read(b: Box, path: string): string | number {
    const fd = b.call(sys_open, path, O_RDONLY);
    if (fd < 0) return fd;
    const n = b.call(sys_read, fd, BUF, 1000);
    b.call(sys_close, fd);
    return n < 0 ? n : b.text(BUF, n);
  }

  test("reading, listing, links resolved inside the guest", () => {
    const { b } = bound(false);
    expect(read(b, "/mnt/h/file")).toBe("host text");
    const fd = b.call(sys_open, "/mnt/h", O_RDONLY);
    expect(b.call(sys_getdents64, fd, BUF, 4096)).toBeGreaterThan(100);
    // ../secret is /mnt/secret of the guest, not the host's.
    expect(read(b, "/mnt/h/out")).toBe(-E.ENOENT);
    expect(read(b, "/mnt/h/up/secret")).toBe(-E.ENOENT);
    expect(read(b, "/mnt/h/sub/../../secret")).toBe(-E.ENOENT);
  });

  test("a read-only bind lets nothing through", () => {
    const { b, dir } = bound(false);
    expect(b.call(sys_open, "/mnt/h/new", O_WRONLY | O_CREAT, 0o600)).toBe(-E.EROFS);
    expect(b.call(sys_open, "/mnt/h/file", O_WRONLY)).toBe(-E.EROFS);
    expect(b.call(sys_unlink, "/mnt/h/file")).toBe(-E.EROFS);
    expect(b.call(sys_rename, "/mnt/h/file", "/mnt/h/f2")).toBe(-E.EROFS);
    expect(readFileSync(join(dir, "file"), "utf8")).toBe("host text");
  });

  test("a writable bind carries writes, names and sizes to the host", () => {
    const { b, dir } = bound(true);
    const fd = b.call(sys_open, "/mnt/h/sub/new", O_WRONLY | O_CREAT, 0o640);
    expect(put(b, fd, "written")).toBe(7);
    b.call(sys_close, fd);
    expect(readFileSync(join(dir, "sub/new"), "utf8")).toBe("written");
    expect(b.call(sys_rename, "/mnt/h/sub/new", "/mnt/h/file")).toBe(0);
    expect(readFileSync(join(dir, "file"), "utf8")).toBe("written");
    expect(read(b, "/mnt/h/file")).toBe("written");
    const again = b.call(sys_open, "/mnt/h/file", O_WRONLY | O_APPEND);
    put(b, again, "!!");
    expect(b.call(sys_ftruncate, again, 8)).toBe(0);
    b.call(sys_close, again);
    expect(readFileSync(join(dir, "file"), "utf8")).toBe("written!");
    expect(b.call(sys_mkdir, "/mnt/h/d", 0o755)).toBe(0);
    expect(b.call(sys_symlink, "file", "/mnt/h/d/l")).toBe(0);
    expect(b.call(sys_unlink, "/mnt/h/file")).toBe(0);
    expect(existsSync(join(dir, "file"))).toBe(false);
  });

  test("a link that the host plants afterwards is not followed", () => {
    const { b, dir } = bound(true);
    expect(read(b, "/mnt/h/sub/none")).toBe(-E.ENOENT);
    rmSync(join(dir, "sub"), { recursive: true });
    symlinkSync("..", join(dir, "sub"));
    expect(read(b, "/mnt/h/sub/secret")).toBe(-E.ENOENT);
    expect(b.call(sys_open, "/mnt/h/sub/evil", O_WRONLY | O_CREAT, 0o600)).toBe(-E.EACCES);
    expect(existsSync(join(top, "evil"))).toBe(false);
  });
});
