// The terminal's line discipline and job control, and what calls on files tell the trace.
import { describe, expect, test } from "vitest";
import * as E from "../../../src/emu/kernel/errno.ts";
import { O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR } from "../../../src/emu/kernel/fs/const.ts";
import { sys_fcntl64, sys_pipe2 } from "../../../src/emu/kernel/fs/fcntl.ts";
import { sys_ioctl } from "../../../src/emu/kernel/fs/ioctl.ts";
import { sys_open } from "../../../src/emu/kernel/fs/open.ts";
import { sys_pread64, sys_read, sys_write } from "../../../src/emu/kernel/fs/read_write.ts";
import { sys_stat64 } from "../../../src/emu/kernel/fs/stat.ts";
import { takeTerminal } from "../../../src/emu/kernel/fs/tty_jobctrl.ts";
import { FLAG } from "../../../src/traces/schema/enums.ts";
import { Box, BUF, USER } from "./fs-harness.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCGPGRP = 0x540f;
const TIOCSPGRP = 0x5410;
const SIGINT = 2;
const SIGTTIN = 21;
const OTHER = USER + 0x20_000;

function terminal(input: string): Box {
  const b = new Box([], { tty: true, input });
  b.t.signal.session = b.t.signal.pgrp = 1000;
  takeTerminal(b.k.vfs.console.tty, b.t);
  return b;
}

function line(b: Box, n = 100): string | number {
  const r = b.call(sys_read, 0, BUF, n);
  return r < 0 ? r : b.text(BUF, r);
}

describe("terminal", () => {
  test("a line is edited before it is read, and echoed as it is typed", () => {
    const b = terminal("abX\x7fc\rwords to kill\x15new one\x17two\r");
    expect(line(b)).toBe("abc\n");
    expect(line(b)).toBe("new two\n");
    expect(b.io.text("out").startsWith("abX\b \bc\r\n")).toBe(true);
  });

  test("short reads take parts of a line; ^D ends the input, once", () => {
    const b = terminal("hello\r\x04more\r");
    expect([line(b, 2), line(b, 2), line(b)]).toEqual(["he", "ll", "o\n"]);
    expect(line(b)).toBe("");
    expect(line(b)).toBe("more\n");
  });

  test("^C interrupts the foreground group and drops the line", () => {
    const b = terminal("half\x03rest\r");
    expect(line(b)).toBe("rest\n");
    expect(b.signals).toEqual([SIGINT]);
    expect(b.io.text("out")).toContain("^C");
  });

  test("without ICANON and ECHO bytes come as they are", () => {
    const b = terminal("a\x7f\x04\r");
    expect(b.call(sys_ioctl, 0, TCGETS, BUF)).toBe(0);
    const lflag = b.u32(BUF + 12);
    expect(lflag & 0o12).toBe(0o12);
    b.setU32(BUF + 12, lflag & ~0o12);
    expect(b.call(sys_ioctl, 0, TCSETS, BUF)).toBe(0);
    expect(line(b)).toBe("a\x7f\x04\n");
    expect(b.io.text("out")).toBe("");
  });

  test("newlines go out as CR NL", () => {
    const b = terminal("");
    b.put(BUF, "one\ntwo\n");
    expect(b.call(sys_write, 1, BUF, 8)).toBe(8);
    expect(b.io.text("out")).toBe("one\r\ntwo\r\n");
  });

  test("a background process that reads is told to stop; the foreground group can be changed", () => {
    const b = terminal("x\r");
    const other = b.task(2000);
    other.signal.session = 1000;
    other.signal.tty = b.t.signal.tty;
    other.signal.pgrp = 2000;
    expect(b.callAs(other, sys_read, 0, BUF, 10)).toBe(-E.ERESTARTSYS);
    expect(b.signals).toEqual([SIGTTIN]);
    b.setU32(BUF, 2000);
    expect(b.call(sys_ioctl, 0, TIOCSPGRP, BUF)).toBe(0);
    expect(b.call(sys_ioctl, 0, TIOCGPGRP, OTHER)).toBe(0);
    expect(b.u32(OTHER)).toBe(2000);
    expect(b.callAs(other, sys_read, 0, BUF, 10)).toBe(2);
    b.setU32(BUF, 3000);
    expect(b.callAs(other, sys_ioctl, 0, TIOCSPGRP, BUF)).toBe(-E.ESRCH);
  });
});

describe("what the trace is told", () => {
  test("object, offset, bytes, pages touched and missed", () => {
    const b = new Box([{ path: "/f", size: 20_000 }], { record: true });
    const fd = b.call(sys_open, "/f", O_RDONLY);
    expect(b.fields.components).toBe(1);
    const obj = b.fields.obj!;
    b.t.seq = 5;
    expect(b.call(sys_pread64, fd, BUF, 5000, 4000, 0)).toBe(5000);
    expect(b.fields).toMatchObject({ obj, off: 4000, bytes: 5000, cold: 1 });
    expect(b.touches).toEqual([0, 1, 2].map((index) => ({ obj, index, write: false })));
    b.touches.length = 0;
    const out = b.call(sys_open, "/g", O_RDWR | O_CREAT, 0o600);
    b.call(sys_write, out, BUF, 5000);
    expect(b.touches.map((t) => [t.index, t.write])).toEqual([
      [0, true],
      [1, true],
    ]);
    b.call(sys_stat64, "/dev/../f", BUF);
    expect(b.fields).toMatchObject({ obj, components: 3 });
  });

  test("short is marked; what depends on the moment as well", () => {
    const b = new Box([{ path: "/f", size: 10 }], { record: true });
    const fd = b.call(sys_open, "/f", O_RDONLY);
    b.call(sys_read, fd, BUF, 100);
    expect(b.fields.flags).toBe(FLAG.short);
    b.call(sys_pipe2, BUF, O_NONBLOCK);
    const [r, w] = [b.u32(BUF), b.u32(BUF + 4)];
    expect(b.call(sys_read, r, BUF, 1)).toBe(-E.EAGAIN);
    expect(b.fields.flags).toBe(FLAG.timing_sensitive);
    b.call(sys_write, w, BUF, 10);
    b.call(sys_read, r, BUF, 10);
    expect(b.fields.flags! & FLAG.timing_sensitive).toBe(0);
    b.call(sys_write, w, BUF, 10);
    b.call(sys_read, r, BUF, 20);
    expect(b.fields.flags).toBe(FLAG.short | FLAG.timing_sensitive);
  });

  test("a pipe that is resized keeps its bytes in order", () => {
    const b = new Box();
    b.call(sys_pipe2, BUF, 0);
    const [r, w] = [b.u32(BUF), b.u32(BUF + 4)];
    expect(b.call(sys_fcntl64, r, 1031, 4096)).toBe(4096);
    b.call(sys_write, w, OTHER, 3000);
    b.call(sys_read, r, OTHER, 3000);
    b.put(
      BUF,
      Uint8Array.from({ length: 3000 }, (_, i) => i & 255),
    );
    expect(b.call(sys_write, w, BUF, 3000)).toBe(3000);
    expect(b.call(sys_fcntl64, r, 1031, 8192)).toBe(8192);
    expect(b.call(sys_read, r, OTHER, 5000)).toBe(3000);
    expect([...b.bytes(OTHER, 3000)]).toEqual(Array.from({ length: 3000 }, (_, i) => i & 255));
  });
});
