// Files, directories and names through their system calls: contents, attributes, walk rules, permissions.
import { describe, expect, test } from "vitest";
import * as E from "../../../src/emu/kernel/errno.ts";
import { sys_access, sys_chmod, sys_chown32, sys_truncate64, sys_utimensat } from "../../../src/emu/kernel/fs/attr.ts";
import {
  AT_FDCWD,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../../src/emu/kernel/fs/const.ts";
import { sys_chdir, sys_chroot, sys_getcwd, sys_umask } from "../../../src/emu/kernel/fs/cwd.ts";
import { sys_getdents64 } from "../../../src/emu/kernel/fs/getdents.ts";
import {
  sys_link,
  sys_mkdir,
  sys_readlink,
  sys_rename,
  sys_renameat2,
  sys_rmdir,
  sys_symlink,
  sys_unlink,
} from "../../../src/emu/kernel/fs/names.ts";
import { sys_close, sys_open } from "../../../src/emu/kernel/fs/open.ts";
import {
  sys_copy_file_range,
  sys_llseek,
  sys_lseek,
  sys_pread64,
  sys_read,
  sys_write,
} from "../../../src/emu/kernel/fs/read_write.ts";
import { sys_fstat64, sys_lstat64, sys_stat64, sys_statx } from "../../../src/emu/kernel/fs/stat.ts";
import { sys_statfs } from "../../../src/emu/kernel/fs/statfs.ts";
import { sys_fsync } from "../../../src/emu/kernel/fs/sync.ts";
import { Box, BUF, type Seed, USER } from "./fs-harness.ts";

const SEEDS: Seed[] = [
  { path: "/etc/passwd", text: "root:x:0:0::/root:/bin/sh\n" },
  { path: "/etc/shadow", text: "secret", mode: 0o600 },
  { path: "/usr/bin/big", size: 300_000, mode: 0o755 },
  { path: "/usr/bin/big2", hardlink: "/usr/bin/big", mode: 0o755 },
  { path: "/bin", link: "usr/bin" },
  { path: "/etc/loop", link: "loop" },
  { path: "/etc/dangling", link: "nowhere" },
  { path: "/etc/up", link: "../../../../etc/passwd" },
];

function box(): Box {
  return new Box(SEEDS);
}

/** mode, nlink, size, ino of a path. */
function stat(b: Box, path: string, follow = true) {
  const r = b.call(follow ? sys_stat64 : sys_lstat64, path, BUF);
  if (r < 0) return r;
  return {
    mode: b.u32(BUF + 16),
    nlink: b.u32(BUF + 20),
    size: b.u32(BUF + 44),
    ino: b.u32(BUF + 88),
    blocks: b.u32(BUF + 56),
  };
}

function names(b: Box, path: string, step = 4096): string[] {
  const fd = b.call(sys_open, path, O_RDONLY | O_DIRECTORY);
  expect(fd).toBeGreaterThanOrEqual(0);
  const out: string[] = [];
  for (;;) {
    const n = b.call(sys_getdents64, fd, BUF, step);
    if (n <= 0) break;
    for (let at = 0; at < n; ) {
      const length = b.bytes(BUF + at + 16, 2);
      let end = at + 19;
      while (b.bytes(BUF + end, 1)[0] !== 0) end++;
      out.push(b.text(BUF + at + 19, end - at - 19));
      at += length[0] | (length[1] << 8);
    }
  }
  b.call(sys_close, fd);
  return out;
}

function write(b: Box, path: string, text: string, flags = O_WRONLY | O_CREAT | O_TRUNC): number {
  const fd = b.call(sys_open, path, flags, 0o644);
  if (fd < 0) return fd;
  b.put(BUF, text);
  const n = b.call(sys_write, fd, BUF, text.length);
  b.call(sys_close, fd);
  return n;
}

function read(b: Box, path: string): string | number {
  const fd = b.call(sys_open, path, O_RDONLY);
  if (fd < 0) return fd;
  const n = b.call(sys_read, fd, BUF, 100_000);
  b.call(sys_close, fd);
  return n < 0 ? n : b.text(BUF, n);
}

describe("contents", () => {
  test("a cold read waits for the disk, a warm one does not", () => {
    const b = box();
    const fd = b.call(sys_open, "/etc/passwd", O_RDONLY);
    const before = b.k.clock.now();
    expect(b.call(sys_read, fd, BUF, 100)).toBe(26);
    expect(b.text(BUF, 26)).toBe("root:x:0:0::/root:/bin/sh\n");
    expect(b.k.clock.now() - before).toBeGreaterThan(2_000_000);
    const warm = b.k.clock.now();
    expect(b.call(sys_pread64, fd, BUF, 4, 5, 0)).toBe(4);
    expect(b.text(BUF, 4)).toBe("x:0:");
    expect(b.k.clock.now()).toBe(warm);
    expect(b.call(sys_read, fd, BUF, 100)).toBe(0);
  });

  test("a big file in odd pieces is the same bytes", () => {
    const b = box();
    const fd = b.call(sys_open, "/bin/big", O_RDONLY);
    let at = 0;
    for (;;) {
      const n = b.call(sys_read, fd, BUF + 1, 7001);
      if (n === 0) break;
      const got = b.bytes(BUF + 1, n);
      for (let i = 0; i < n; i += 97) expect(got[i]).toBe(((at + i) * 7 + ((at + i) >> 8)) & 255);
      at += n;
    }
    expect(at).toBe(300_000);
  });

  test("write, append, sparse tail, truncate and grow", () => {
    const b = box();
    expect(write(b, "/tmp/a", "hello")).toBe(5);
    expect(write(b, "/tmp/a", " world", O_WRONLY | O_APPEND)).toBe(6);
    expect(read(b, "/tmp/a")).toBe("hello world");
    const fd = b.call(sys_open, "/tmp/a", O_RDWR);
    expect(b.call(sys_llseek, fd, 1, 0, BUF, 0)).toBe(0);
    expect(b.u32(BUF + 4)).toBe(1);
    expect(b.call(sys_lseek, fd, 20000, 0)).toBe(20000);
    b.put(BUF, "end");
    expect(b.call(sys_write, fd, BUF, 3)).toBe(3);
    expect(stat(b, "/tmp/a")).toMatchObject({ size: 20003, blocks: 16 });
    expect(b.call(sys_lseek, fd, 5000, 3)).toBe(16384);
    expect(b.call(sys_lseek, fd, 0, 4)).toBe(4096);
    expect(b.call(sys_truncate64, "/tmp/a", 4, 0)).toBe(0);
    expect(b.call(sys_truncate64, "/tmp/a", 8, 0)).toBe(0);
    expect(read(b, "/tmp/a")).toBe("hell\0\0\0\0");
  });

  test("an image file is changed in place: same inode, other bytes, the rest intact", () => {
    const b = box();
    const before = stat(b, "/bin/big") as { ino: number };
    const fd = b.call(sys_open, "/bin/big", O_RDWR);
    b.put(BUF, "XYZ");
    b.call(sys_lseek, fd, 4095, 0);
    expect(b.call(sys_write, fd, BUF, 3)).toBe(3);
    expect(b.call(sys_pread64, fd, BUF, 6, 4093, 0)).toBe(6);
    const byte = (i: number) => (i * 7 + (i >> 8)) & 255;
    expect([...b.bytes(BUF, 6)]).toEqual([byte(4093), byte(4094), 88, 89, 90, byte(4098)]);
    expect(stat(b, "/usr/bin/big2")).toMatchObject({ ino: before.ino, nlink: 2, size: 300_000 });
  });

  test("names that nobody has looked at yet are there all the same: moved, unlinked, counted, listed in order", () => {
    const seeds: Seed[] = [
      { path: "/a" },
      { path: "/a/x", text: "first" },
      { path: "/a/y", text: "second" },
      { path: "/a.b", text: "sorts between /a and /a/x" },
      { path: "/z" },
      { path: "/z/deep" },
      { path: "/z/deep/x", hardlink: "/a/x" },
      { path: "/z/other", hardlink: "/a/x" },
    ];
    const counted = (b: Box) => {
      b.call(sys_statfs, "/", BUF);
      return b.u32(BUF + 20) - b.u32(BUF + 24);
    };
    const b = new Box(seeds);
    const before = counted(b);
    // Into a directory not looked at, under a new name of one not looked at.
    expect(b.call(sys_rename, "/z", "/a/moved")).toBe(0);
    expect(names(b, "/a")).toEqual([".", "..", "x", "y", "moved"]);
    expect(stat(b, "/a")).toMatchObject({ nlink: 3 });
    expect(stat(b, "/a/moved")).toMatchObject({ nlink: 3 });
    expect(stat(b, "/a/x")).toMatchObject({ nlink: 3, size: 5, blocks: 8 });
    expect(b.call(sys_unlink, "/a/x")).toBe(0);
    expect(stat(b, "/a/moved/deep/x")).toMatchObject({ nlink: 2, size: 5 });
    expect(stat(b, "/a/moved/other")).toEqual(stat(b, "/a/moved/deep/x"));
    expect(b.call(sys_rmdir, "/a/moved/deep")).toBe(-E.ENOTEMPTY);
    expect(counted(b)).toBe(before);
    // The same numbers, whoever looks first.
    const other = new Box(seeds);
    expect(stat(other, "/z/deep/x")).toMatchObject({ nlink: 3 });
    expect(stat(other, "/z/deep/x")).toEqual(stat(other, "/a/x"));
    expect(stat(other, "/a/y")).toEqual(stat(b, "/a/y"));
    expect(counted(other)).toBe(before);
  });

  test("copying more than the memory holds, with every byte right", () => {
    const b = new Box([{ path: "/big", size: 24 << 20 }], { memoryMiB: 16 });
    const from = b.call(sys_open, "/big", O_RDONLY);
    const to = b.call(sys_open, "/copy", O_RDWR | O_CREAT, 0o600);
    let n = 0;
    for (let r = 1; r > 0; n += r) r = b.call(sys_copy_file_range, from, 0, to, 0, 1 << 20, 0);
    expect(n).toBe(24 << 20);
    expect(b.call(sys_fsync, to)).toBe(0);
    for (let at = 0; at < 24 << 20; at += 1_234_567) {
      expect(b.call(sys_pread64, to, BUF, 100, at, 0)).toBe(100);
      for (let i = 0; i < 100; i++)
        if (b.bytes(BUF + i, 1)[0] !== (((at + i) * 7 + ((at + i) >> 8)) & 255)) throw new Error(`byte ${at + i}`);
    }
    expect(b.k.vfs.cache.store.device.writtenBytes).toBeGreaterThanOrEqual(24 << 20);
  });
});

describe("names", () => {
  test("dot-dot stops at the root, links lead on, loops end", () => {
    const b = box();
    expect(read(b, "/../../etc/passwd")).toMatch(/^root/);
    expect(read(b, "/etc/up")).toMatch(/^root/);
    expect(read(b, "/etc/loop")).toBe(-E.ELOOP);
    expect(read(b, "/etc/dangling")).toBe(-E.ENOENT);
    expect(b.call(sys_open, "/etc/up", O_RDONLY | O_NOFOLLOW)).toBe(-E.ELOOP);
    expect(b.call(sys_open, "/etc/passwd/", O_RDONLY)).toBe(-E.ENOTDIR);
    expect(b.call(sys_open, "/etc/passwd/x", O_RDONLY)).toBe(-E.ENOTDIR);
    expect(b.call(sys_open, "", O_RDONLY)).toBe(-E.ENOENT);
    expect(b.call(sys_open, `/${"n".repeat(256)}`, O_RDONLY)).toBe(-E.ENAMETOOLONG);
    expect(b.call(sys_readlink, "/bin", BUF, 4)).toBe(4);
    expect(b.text(BUF, 4)).toBe("usr/");
    expect(b.call(sys_readlink, "/etc", BUF, 4)).toBe(-E.EINVAL);
  });

  test("forty links are followed, forty-one are too many", () => {
    const b = box();
    let last = "passwd";
    for (let i = 0; i < 41; i++) {
      expect(b.call(sys_symlink, last, `/etc/l${i}`)).toBe(0);
      last = `l${i}`;
    }
    expect(read(b, "/etc/l39")).toMatch(/^root/);
    expect(read(b, "/etc/l40")).toBe(-E.ELOOP);
  });

  test("creating through a dangling link makes its target; O_EXCL does not", () => {
    const b = box();
    expect(b.call(sys_open, "/etc/dangling", O_WRONLY | O_CREAT | O_EXCL, 0o600)).toBe(-E.EEXIST);
    expect(write(b, "/etc/dangling", "x")).toBe(1);
    expect(read(b, "/etc/nowhere")).toBe("x");
    expect(b.call(sys_open, "/tmp/new/", O_WRONLY | O_CREAT, 0o600)).toBe(-E.EISDIR);
    expect(b.call(sys_open, "/tmp", O_WRONLY)).toBe(-E.EISDIR);
    expect(b.call(sys_open, "/tmp", O_RDONLY | O_CREAT, 0o600)).toBe(-E.EISDIR);
  });

  test("directories: link counts, order, removal while reading, not empty", () => {
    const b = box();
    expect(stat(b, "/usr")).toMatchObject({ nlink: 3, size: 4096, mode: 0o040755 });
    for (const n of ["c", "a", "b"]) expect(b.call(sys_mkdir, `/tmp/${n}`, 0o777)).toBe(0);
    expect(stat(b, "/tmp")).toMatchObject({ nlink: 5 });
    expect(stat(b, "/tmp/a")).toMatchObject({ mode: 0o040755, nlink: 2 });
    expect(names(b, "/tmp")).toEqual([".", "..", "c", "a", "b"]);
    expect(names(b, "/tmp", 32)).toEqual([".", "..", "c", "a", "b"]);
    expect(b.call(sys_mkdir, "/tmp/a/", 0o777)).toBe(-E.EEXIST);
    expect(b.call(sys_mkdir, "/tmp/a/x/", 0o777)).toBe(0);
    expect(b.call(sys_rmdir, "/tmp/a")).toBe(-E.ENOTEMPTY);
    expect(b.call(sys_unlink, "/tmp/a")).toBe(-E.EISDIR);
    expect(b.call(sys_rmdir, "/etc/passwd")).toBe(-E.ENOTDIR);
    const fd = b.call(sys_open, "/tmp", O_RDONLY);
    expect(b.call(sys_getdents64, fd, BUF, 80)).toBe(72);
    expect(b.call(sys_rmdir, "/tmp/c")).toBe(0);
    expect(b.call(sys_getdents64, fd, BUF, 4096)).toBe(48);
    expect(b.text(BUF + 19, 1)).toBe("a");
    expect(b.call(sys_getdents64, fd, BUF, 4096)).toBe(0);
  });

  test("a removed file lives while it is open", () => {
    const b = box();
    write(b, "/tmp/gone", "still here");
    const fd = b.call(sys_open, "/tmp/gone", O_RDONLY);
    expect(b.call(sys_unlink, "/tmp/gone")).toBe(0);
    expect(stat(b, "/tmp/gone")).toBe(-E.ENOENT);
    expect(b.call(sys_fstat64, fd, BUF)).toBe(0);
    expect(b.u32(BUF + 20)).toBe(0);
    expect(b.call(sys_read, fd, BUF, 100)).toBe(10);
    expect(b.k.vfs.pathOf(b.t.files!.get(fd)!)).toBe("/tmp/gone (deleted)");
    const used = b.k.vfs.cache.cached;
    b.call(sys_close, fd);
    expect(b.k.vfs.cache.cached).toBe(used - 1);
  });

  test("rename replaces, moves directories, keeps trees trees", () => {
    const b = box();
    write(b, "/tmp/x", "x");
    write(b, "/tmp/y", "y");
    expect(b.call(sys_rename, "/tmp/x", "/tmp/y")).toBe(0);
    expect(read(b, "/tmp/y")).toBe("x");
    b.call(sys_mkdir, "/tmp/d", 0o755);
    b.call(sys_mkdir, "/tmp/d/e", 0o755);
    expect(b.call(sys_rename, "/tmp/d", "/tmp/d/e/f")).toBe(-E.EINVAL);
    expect(b.call(sys_rename, "/tmp/d/e", "/home/e")).toBe(0);
    expect(stat(b, "/tmp/d")).toMatchObject({ nlink: 2 });
    expect(stat(b, "/home")).toMatchObject({ nlink: 3 });
    expect(b.call(sys_rename, "/tmp/y", "/tmp/d")).toBe(-E.EISDIR);
    expect(b.call(sys_rename, "/tmp/d", "/tmp/y")).toBe(-E.ENOTDIR);
    expect(b.call(sys_renameat2, AT_FDCWD, "/tmp/y", AT_FDCWD, "/etc/passwd", 1)).toBe(-E.EEXIST);
    expect(b.call(sys_renameat2, AT_FDCWD, "/tmp/y", AT_FDCWD, "/etc/passwd", 2)).toBe(0);
    expect(read(b, "/etc/passwd")).toBe("x");
    expect(b.call(sys_rename, "/tmp/y", "/proc/y")).toBe(-E.EXDEV);
  });

  test("hard links share everything but the name", () => {
    const b = box();
    write(b, "/tmp/one", "1");
    expect(b.call(sys_link, "/tmp/one", "/tmp/two")).toBe(0);
    write(b, "/tmp/two", "22");
    expect(read(b, "/tmp/one")).toBe("22");
    expect(stat(b, "/tmp/one")).toMatchObject({ nlink: 2, size: 2 });
    expect(b.call(sys_link, "/tmp", "/tmp2")).toBe(-E.EPERM);
    expect(b.call(sys_rename, "/tmp/one", "/tmp/two")).toBe(0);
    expect(stat(b, "/tmp/one")).toMatchObject({ nlink: 2 });
  });

  test("where am I", () => {
    const b = box();
    expect(b.call(sys_chdir, "/usr/bin/..")).toBe(0);
    expect(b.call(sys_getcwd, BUF, 100)).toBe(5);
    expect(b.text(BUF, 5)).toBe("/usr\0");
    expect(b.call(sys_getcwd, BUF, 4)).toBe(-E.ERANGE);
    expect(b.call(sys_chdir, "/etc/passwd")).toBe(-E.ENOTDIR);
    expect(b.call(sys_chroot, "/usr")).toBe(0);
    expect(stat(b, "/bin/../../../bin/big")).toMatchObject({ size: 300_000 });
    expect(stat(b, "/etc/passwd")).toBe(-E.ENOENT);
  });

  test("/trusted is the whole root, not listed, and names what was opened through it", () => {
    const b = box();
    const fd = b.call(sys_open, "/trusted/bin/../bin/big", O_RDONLY);
    expect(fd).toBeGreaterThan(0);
    expect(b.k.vfs.pathOf(b.t.files!.get(fd)!)).toBe("/trusted/usr/bin/big");
    expect(names(b, "/")).not.toContain("trusted");
    expect(names(b, "/trusted/dev")).toContain("null");
    expect(stat(b, "/trusted/etc/passwd")).toMatchObject({ ino: (stat(b, "/etc/passwd") as { ino: number }).ino });
    expect(b.call(sys_chdir, "/trusted/usr")).toBe(0);
    expect(b.call(sys_getcwd, BUF, 100)).toBe(13);
    expect(read(b, "../etc/passwd")).toMatch(/^root/);
    // A link's absolute target stays in the view: /trusted/usr/bin/awk is trusted too, whatever alternatives say.
    b.call(sys_symlink, "/usr/bin", "/abs");
    const out = b.call(sys_open, "/trusted/abs/big", O_RDONLY);
    expect(b.k.vfs.pathOf(b.t.files!.get(out)!)).toBe("/trusted/usr/bin/big");
    const plain = b.call(sys_open, "/abs/big", O_RDONLY);
    expect(b.k.vfs.pathOf(b.t.files!.get(plain)!)).toBe("/usr/bin/big");
  });
});

describe("permissions", () => {
  function user(b: Box, uid: number, gid: number, groups: number[] = []): void {
    b.t.creds = {
      ...b.t.creds,
      uid,
      euid: uid,
      suid: uid,
      fsuid: uid,
      gid,
      egid: gid,
      sgid: gid,
      fsgid: gid,
      groups,
      capEffective: 0n,
      capPermitted: 0n,
    };
  }

  test("owner, group, other, and root's exceptions", () => {
    const b = box();
    expect(read(b, "/etc/shadow")).toBe("secret");
    expect(b.call(sys_access, "/etc/shadow", 1)).toBe(-E.EACCES);
    expect(b.call(sys_access, "/usr/bin/big", 1)).toBe(0);
    expect(b.call(sys_chown32, "/etc/shadow", 5, 7)).toBe(0);
    user(b, 100, 100);
    expect(read(b, "/etc/shadow")).toBe(-E.EACCES);
    expect(write(b, "/etc/new", "x")).toBe(-E.EACCES);
    expect(b.call(sys_chmod, "/etc/shadow", 0o777)).toBe(-E.EPERM);
    user(b, 5, 5);
    expect(read(b, "/etc/shadow")).toBe("secret");
    expect(b.call(sys_chmod, "/etc/shadow", 0o2040)).toBe(0);
    // Not in the file's group: setgid is taken away.
    expect(stat(b, "/etc/shadow")).toMatchObject({ mode: 0o100040 });
    expect(read(b, "/etc/shadow")).toBe(-E.EACCES);
    user(b, 6, 6, [7]);
    expect(read(b, "/etc/shadow")).toBe("secret");
  });

  test("sticky directories, umask, setgid directories, setuid lost by writing", () => {
    const b = box();
    expect(b.call(sys_chmod, "/tmp", 0o1777)).toBe(0);
    expect(b.call(sys_umask, 0o077)).toBe(0o022);
    user(b, 1, 1);
    write(b, "/tmp/mine", "m");
    expect(stat(b, "/tmp/mine")).toMatchObject({ mode: 0o100600 });
    expect(b.call(sys_chmod, "/tmp/mine", 0o6777)).toBe(0);
    user(b, 2, 2);
    expect(b.call(sys_unlink, "/tmp/mine")).toBe(-E.EPERM);
    expect(b.call(sys_rename, "/tmp/mine", "/tmp/yours")).toBe(-E.EPERM);
    expect(write(b, "/tmp/mine", "z", O_WRONLY)).toBe(1);
    expect(stat(b, "/tmp/mine")).toMatchObject({ mode: 0o100777 });
    user(b, 1, 1, [50]);
    expect(b.call(sys_mkdir, "/tmp/shared", 0o755)).toBe(0);
    expect(b.call(sys_chown32, "/tmp/shared", -1, 50)).toBe(0);
    expect(b.call(sys_chmod, "/tmp/shared", 0o2775)).toBe(0);
    expect(b.call(sys_mkdir, "/tmp/shared/sub", 0o755)).toBe(0);
    expect(stat(b, "/tmp/shared/sub")).toMatchObject({ mode: 0o042700 });
  });

  test("times: set, omit, now", () => {
    const b = box();
    for (const [i, n] of [11, 22, 33, 44].entries()) b.setU32(BUF + 100 + 4 * i, n);
    expect(b.call(sys_utimensat, AT_FDCWD, "/etc/passwd", BUF + 100, 0)).toBe(0);
    b.call(sys_statx, AT_FDCWD, "/etc/passwd", 0, 0xfff, BUF);
    expect([b.u32(BUF + 64), b.u32(BUF + 72), b.u32(BUF + 112), b.u32(BUF + 120)]).toEqual([11, 22, 33, 44]);
    b.setU32(BUF + 104, 0x3ffffffe);
    b.setU32(BUF + 112, 0x3fffffff);
    expect(b.call(sys_utimensat, AT_FDCWD, "/etc/passwd", BUF + 100, 0)).toBe(0);
    b.call(sys_statx, AT_FDCWD, "/etc/passwd", 0, 0xfff, BUF);
    expect(b.u32(BUF + 64)).toBe(11);
    expect(b.u32(BUF + 112)).toBe(1_798_761_600);
    b.setU32(BUF + 104, 1_000_000_000);
    expect(b.call(sys_utimensat, AT_FDCWD, "/etc/passwd", BUF + 100, 0)).toBe(-E.EINVAL);
  });

  test("O_PATH names a file without opening it", () => {
    const b = box();
    user(b, 9, 9);
    const fd = b.call(sys_open, "/etc/shadow", O_PATH);
    expect(fd).toBeGreaterThan(0);
    expect(b.call(sys_read, fd, USER + 0x8000, 1)).toBe(-E.EBADF);
    expect(b.call(sys_fstat64, fd, BUF)).toBe(0);
  });
});
