// Does fetching, importing and checking roots hold against what hosts do: no apt, no network, vanished versions, interruption, two at once?
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PackagesUnavailable } from "../../src/emu/rootfs/apt-node.ts";
import { guarded, kmlabFolder } from "../../src/emu/rootfs/folders-node.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { addPackages, ensureRoot, importRoot, listRoots, rootFor } from "../../src/emu/rootfs/roots-node.ts";
import { verifyImage } from "../../src/emu/rootfs/store-node.ts";
import { writeTar } from "../../src/emu/rootfs/tar.ts";
import { CheckFailed, InputError } from "../../src/errors.ts";

let folder: string;
let savedEnvironment: Record<string, string | undefined>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kmlab-rootfs-"));
  const { PATH, XDG_CACHE_HOME, XDG_STATE_HOME, FAKE, KMLAB_DEBIAN_MIRROR } = process.env;
  savedEnvironment = { PATH, XDG_CACHE_HOME, XDG_STATE_HOME, FAKE, KMLAB_DEBIAN_MIRROR };
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
  process.env["XDG_STATE_HOME"] = join(folder, "state");
  delete process.env["FAKE"];
});

afterEach(() => {
  for (const [key, value] of Object.entries(savedEnvironment)) {
    if (value === undefined) delete process.env[key];
    else process.env[key] = value;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Puts tools into PATH that behave as apt's do; what goes wrong is chosen by the variable FAKE. Every package is one tar with one file. */
function fakeApt(): void {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const deb = writeTar([{ path: "./usr/share/thing", data: new TextEncoder().encode("a thing\n"), mtime: 1e9 }]);
  writeFileSync(join(folder, "deb"), deb);
  const sha256 = createHash("sha256").update(deb).digest("hex");
  const tools: Record<string, string> = {
    "apt-config": "exit 0",
    "apt-get": `
      for word; do verb=$word; case $word in update|download|install) break;; esac; shift; done; shift
      case $FAKE-$verb in
        nonet-update) echo "E: Failed to fetch something" >&2; exit 100;;
        vanished-download) echo "E: Version '9' for 'thing' was not found" >&2; exit 100;;
        unknown-install) echo "E: Unable to locate package thing" >&2; exit 100;;
        *-install) for p; do v=\${p#*=}; [ "$v" = "$p" ] && v=1.0; echo "Inst \${p%%=*} ($v Debian [i386])"; done;;
        *-download) echo dlstatus:1:50.0:half >&3
          for p; do v=$(echo "\${p#*=}" | sed s/:/%3a/g); cp "${folder}/deb" "\${p%%=*}_\${v}_i386.deb"; done; [ "$FAKE" != hash ] || for f in *.deb; do echo >> $f; done;;
      esac`,
    "apt-cache": `for p; do case $p in *=*) printf 'Package: %s\\nVersion: %s\\nSize: ${deb.length}\\nSHA256: ${sha256}\\n\\n' "\${p%%=*}" "\${p#*=}";; esac; done`,
    "dpkg-deb": `case $1 in --fsys-tarfile) cat "$2";; *) head -c 1024 /dev/zero;; esac`,
  };
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  process.env["PATH"] = `${bin}:/usr/bin:/bin`;
  process.env["KMLAB_DEBIAN_MIRROR"] = "http://mirror.example/debian";
}

describe("packages", () => {
  it("are resolved, fetched, locked and laid out once; a second run finds the image", async () => {
    fakeApt();
    const seen: string[] = [];
    const progress = { begin: (what: string) => seen.push(what), at: () => {}, end: () => {} };
    const root = await addPackages(["thing"], { progress });
    expect(root.name).toBe("added");
    expect(root.packages).toContain("thing 1.0");
    expect(seen).toContain("unpacking");
    expect(openImage(root.directory).entries.map((e) => e.path)).toContain("/usr/share/thing");
    const lock = readFileSync(join(folder, "state/kmlab/roots/added.lock"), "utf8");
    expect(lock).toMatch(/^package thing 1\.0 [0-9a-f]{64} \d+$/m);
    process.env["PATH"] = join(folder, "nothing-here");
    expect(await rootFor(undefined)).toEqual(root);
    expect(await addPackages(["thing"])).toEqual(root);
    expect(listRoots().map((r) => [r.name, r.entries !== undefined])).toEqual([
      ["added", true],
      ["base", false],
    ]);
  });

  it("make the same image in another place and order", async () => {
    fakeApt();
    const one = await ensureRoot(["thing", "other"]);
    process.env["XDG_CACHE_HOME"] = join(folder, "cache2");
    const two = await ensureRoot(["other", "thing"]);
    expect(two.digest).toBe(one.digest);
    expect(two.directory).not.toBe(one.directory);
  });

  it.each([
    ["unknown", /^thing: no such package in Debian bookworm main/, InputError],
    ["vanished", /^thing 9: the mirror no longer offers .*rootfs add --update/, InputError],
    ["hash", /SHA-256 .* the lock says .*rootfs add --update/, InputError],
    ["nonet", /cannot be fetched \(Failed to fetch something\).*rootfs import/, PackagesUnavailable],
  ])("when %s: one clear line, and nothing left that hinders the next run", async (fake, line, type) => {
    fakeApt();
    process.env["FAKE"] = fake;
    const failure = await addPackages(["thing"]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(type);
    expect((failure as Error).message).toMatch(line);
    expect((failure as Error).message).not.toContain("\n");
    delete process.env["FAKE"];
    expect((await addPackages(["thing"])).packages).toContain("thing 1.0");
  });

  it("cannot be had without apt-get, which is said with the way out", async () => {
    process.env["PATH"] = join(folder, "nothing-here");
    const failure = await addPackages(["thing"]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PackagesUnavailable);
    expect((failure as Error).message).toMatch(/^no apt-config on this host.*rootfs import DIR\|TAR/);
  });

  it("are fetched again when a file of the cache is damaged", async () => {
    fakeApt();
    const { directory } = await addPackages(["thing"]);
    const packages = join(folder, "cache/kmlab/packages");
    for (const name of readdirSync(packages)) truncateSync(join(packages, name), 100);
    rmSync(directory, { recursive: true });
    expect(verifyImage((await addPackages(["thing"])).directory).entries).toBeGreaterThan(10);
  });

  it.each(["Thing", "../x", "-o", ""])("have names: %j is none", async (name) => {
    await expect(addPackages([name])).rejects.toThrow(/not a package name/);
  });
});

describe("imports", () => {
  it("of a directory and of its tar give the same image", async () => {
    const tree = join(folder, "tree");
    mkdirSync(join(tree, "etc"), { recursive: true });
    writeFileSync(join(tree, "etc/motd"), "hello\n");
    chmodSync(join(tree, "etc/motd"), 0o640);
    symlinkSync("motd", join(tree, "etc/link"));
    const owner = { uid: process.getuid!(), gid: process.getgid!(), mtime: 1e9 };
    for (const path of ["etc/motd", "etc", "."]) utimesSync(join(tree, path), 1e9, 1e9);
    const fromDirectory = openImage((await importRoot(tree, "d")).directory);
    const tar = writeTar([
      { path: "./", type: "directory", ...owner },
      { path: "./etc/", type: "directory", ...owner },
      {
        path: "./etc/link",
        type: "symlink",
        link: "motd",
        ...owner,
        mtime: fromDirectory.entries.find((e) => e.target)!.mtime,
      },
      { path: "./etc/motd", data: new TextEncoder().encode("hello\n"), mode: 0o640, ...owner },
    ]);
    writeFileSync(join(folder, "t.tar.gz"), gzipSync(tar));
    const fromTar = await importRoot(join(folder, "t.tar.gz"), "t");
    const image = openImage(fromTar.directory);
    // Directories were made with the umask of this test.
    const withoutDirectories = (i: typeof image) => i.entries.filter((e) => e.path.length > 4);
    expect(withoutDirectories(image)).toEqual(withoutDirectories(fromDirectory));
    expect(new TextDecoder().decode(image.read(image.entries.find((e) => e.size === 6)!.offset, 6))).toBe("hello\n");
    expect((await rootFor("t")).digest).toBe(fromTar.digest);
    expect((await rootFor(fromTar.directory)).digest).toBe(fromTar.digest);
  });

  it("are read the same in any order: page after page, back and forth, beyond the end", async () => {
    const tree = join(folder, "tree");
    mkdirSync(tree);
    const bytes = Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * 2654435761) >>> 24);
    writeFileSync(join(tree, "big"), bytes);
    const image = openImage((await importRoot(tree, "big")).directory);
    const start = image.entries.find((e) => e.size === bytes.length)!.offset;
    const check = (at: number, length: number) => {
      const read = image.read(start + at, length);
      expect(read.length).toBe(length);
      const same = Buffer.alloc(length);
      same.set(bytes.subarray(at, at + length));
      expect(Buffer.compare(read, same), `${length} bytes at ${at}`).toBe(0);
    };
    for (let at = 0; at < bytes.length; at += 4096) check(at, 4096);
    for (const at of [4096, 0, 8192, 12_288, 700_000, 16_384, 20_480, 1_499_000, 1_499_904]) check(at, 4096);
    for (let at = 100; at < bytes.length + 200_000; at += 65_536) check(at, 65_536);
    check(0, bytes.length);
    image.close();
    expect(() => image.read(start, 10)).toThrow();
  });

  it("refuse what is no root, in one line", async () => {
    writeFileSync(join(folder, "text"), "no archive\n".repeat(100));
    writeFileSync(join(folder, "up.tar"), writeTar([{ path: "../../outside", data: new Uint8Array(1) }]));
    await expect(importRoot(join(folder, "text"), "x")).rejects.toThrow(/not a tar header/);
    await expect(importRoot(join(folder, "up.tar"), "x")).rejects.toThrow(/a name with \.\. in it/);
    await expect(importRoot(join(folder, "none"), "x")).rejects.toThrow(/no such file/);
    await expect(importRoot(folder, "base")).rejects.toThrow(/the name of a root of packages/);
    await expect(importRoot(folder, "../x")).rejects.toThrow(/a root's name/);
    await expect(rootFor("nothing")).rejects.toThrow(/no such root/);
    await expect(rootFor(folder)).rejects.toThrow(/not a root image.*rootfs import/);
  });

  it("are checked by verify", async () => {
    writeFileSync(join(folder, "x.tar"), writeTar([{ path: "file", data: new Uint8Array(100).fill(1) }]));
    const { directory } = await importRoot(join(folder, "x.tar"), "x");
    expect(verifyImage(directory).entries).toBe(2);
    writeFileSync(join(directory, "data.bin"), new Uint8Array(4096));
    expect(() => verifyImage(directory)).toThrow(CheckFailed);
  });
});

describe("the guard", () => {
  it("lets one in at a time, and tells the others once", async () => {
    const order: string[] = [];
    const waited: number[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} in`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push(`${name} out`);
    };
    const at = kmlabFolder("cache", "guard");
    await Promise.all([guarded(at, work("a")), guarded(at, work("b"), (pid) => waited.push(pid))]);
    expect(order).toEqual(["a in", "a out", "b in", "b out"]);
    expect(waited).toEqual([process.pid]);
    expect(existsSync(join(at, ".guard"))).toBe(false);
  });

  it("is taken over from a process that is gone, and given back after a failure", async () => {
    const at = kmlabFolder("cache", "guard");
    // Process numbers end far below this.
    writeFileSync(join(at, ".guard"), `999999999 ${(await import("node:os")).hostname()}\n`);
    await expect(guarded(at, () => Promise.reject(new Error("work failed")))).rejects.toThrow("work failed");
    expect(await guarded(at, async () => 7)).toBe(7);
  });
});

it("a folder that cannot be made is one line that names the variable", () => {
  writeFileSync(join(folder, "file"), "");
  process.env["XDG_CACHE_HOME"] = join(folder, "file");
  expect(() => kmlabFolder("cache")).toThrow(/set XDG_CACHE_HOME/);
});
