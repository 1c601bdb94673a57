// Do archives, packages and imported roots become the image they should, byte for byte the same each time?
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readSources, stanzaFor } from "../../src/emu/rootfs/apt-sources.ts";
import { formatIndex, IMAGE_PAGE_BYTES, imageFromBytes, parseIndex } from "../../src/emu/rootfs/image.ts";
import { formatLock, type Lock, lockedLines, parseLock } from "../../src/emu/rootfs/lock.ts";
import { alternativesOf, finishRoot, prepareRoot } from "../../src/emu/rootfs/maintainer.ts";
import { readTar, type TarInput, writeTar } from "../../src/emu/rootfs/tar.ts";
import { deviceNumber, Tree } from "../../src/emu/rootfs/tree.ts";
import { InputError } from "../../src/errors.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined) => new TextDecoder().decode(data);

function treeOf(members: TarInput[]): Tree {
  const tree = new Tree();
  tree.addTar(readTar(writeTar(members), "test"));
  return tree;
}

describe("tar", () => {
  const long = `${"a-long-directory-name/".repeat(9)}file`;
  const members: TarInput[] = [
    { path: "dir/", type: "directory", mode: 0o750, uid: 1000, gid: 50, mtime: 1e9 },
    { path: "dir/file", data: bytes("x".repeat(513)), mode: 0o4755, mtime: 1_000_000_001 },
    { path: "dir/hard", type: "hardlink", link: "dir/file" },
    { path: "soft", type: "symlink", link: `../${long}` },
    { path: long, data: bytes("deep") },
    { path: "null", type: "char", devMajor: 1, devMinor: 3, mode: 0o666 },
    { path: "caf\u00e9", data: new Uint8Array(0) },
  ];

  it("reads back what it writes: types, owners, modes, times, long names and links, contents", () => {
    const read = [...readTar(writeTar(members), "test")];
    expect(read.map((e) => [e.path, e.type, e.link, e.data.length])).toEqual([
      ["dir/", "directory", "", 0],
      ["dir/file", "file", "", 513],
      ["dir/hard", "hardlink", "dir/file", 0],
      ["soft", "symlink", `../${long}`, 0],
      [long, "file", "", 4],
      ["null", "char", "", 0],
      ["caf\u00e9", "file", "", 0],
    ]);
    expect([read[0].mode, read[0].uid, read[0].gid, read[0].mtime]).toEqual([0o750, 1000, 50, 1e9]);
    expect([read[1].mode, read[1].mtime]).toEqual([0o4755, 1_000_000_001]);
    expect([read[5].devMajor, read[5].devMinor]).toEqual([1, 3]);
  });

  it("reads GNU long names and base-256 numbers", () => {
    const name = "n".repeat(150);
    const archive = writeTar([
      { path: "././@LongLink", data: bytes(`${name}\0`) },
      { path: "short", data: bytes("!"), uid: 0 },
    ]);
    archive[156] = "L".charCodeAt(0);
    const second = 1024;
    archive.set([0x80, 0, 0, 0, 0, 0x20, 0, 0], second + 108);
    for (const at of [0, second]) fixChecksum(archive.subarray(at, at + 512));
    const [entry] = [...readTar(archive, "test")];
    expect([entry.path, entry.uid, text(entry.data)]).toEqual([name, 0x200000, "!"]);
  });

  it("refuses what is damaged or cut short, naming the byte", () => {
    const archive = writeTar(members);
    expect(() => [...readTar(archive.subarray(0, 1400), "a.tar")]).toThrow(/a\.tar: byte 512: .*cut short/);
    archive[512 + 20] ^= 1;
    expect(() => [...readTar(archive, "a.tar")]).toThrow(InputError);
    expect(() => [...readTar(new Uint8Array(0), "a.tar")]).toThrow(/not a tar archive/);
  });
});

function fixChecksum(head: Uint8Array): void {
  head.fill(0x20, 148, 156);
  const sum = head.reduce((a, b) => a + b, 0);
  head.set(bytes(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}

describe("tree", () => {
  it("puts files where links to directories lead, and keeps the link (merged /usr)", () => {
    const tree = new Tree();
    prepareRoot(tree);
    tree.addTar(
      readTar(
        writeTar([
          { path: "./bin/", type: "directory" },
          { path: "./bin/ls", data: bytes("ls") },
        ]),
        "test",
      ),
    );
    expect(tree.get("/bin")?.target).toBe("usr/bin");
    expect(tree.get("/usr/bin/ls")?.data).toEqual(bytes("ls"));
    expect(tree.readText("/bin/ls")).toBe("ls");
    expect(tree.paths()).not.toContain("/bin/ls");
  });

  it("never leaves the root, and does not follow links for ever", () => {
    const tree = treeOf([
      { path: "up", type: "symlink", link: "../../.." },
      { path: "loop", type: "symlink", link: "loop" },
    ]);
    expect(tree.place("/up/../../etc/passwd")).toBe("/etc/passwd");
    expect(() => tree.resolve("/loop")).toThrow(/too many symbolic links/);
  });

  it("lays contents out in whole pages, hard links once, and names the first", () => {
    const tree = treeOf([
      { path: "b", data: bytes("contents"), mtime: 5 },
      { path: "a", type: "hardlink", link: "b" },
      { path: "c", data: new Uint8Array(IMAGE_PAGE_BYTES + 1).fill(7) },
      { path: "d", data: new Uint8Array(0) },
    ]);
    const { entries, pieces, dataBytes } = tree.layOut(createHash("sha256"));
    const byPath = Object.fromEntries(entries.map((e) => [e.path, e]));
    expect(entries.map((e) => e.path)).toEqual(["/", "/a", "/b", "/c", "/d"]);
    expect(byPath["/b"].hardlink).toBe("/a");
    expect(byPath["/a"].hardlink).toBeUndefined();
    expect([byPath["/a"].offset, byPath["/c"].offset, byPath["/d"].offset]).toEqual([0, IMAGE_PAGE_BYTES, 0]);
    expect([pieces.length, dataBytes]).toEqual([2, 3 * IMAGE_PAGE_BYTES]);
  });

  it("gives the same digest for the same files in another order, another for any change", () => {
    const a: TarInput = { path: "a", data: bytes("1"), mtime: 3 };
    const b: TarInput = { path: "b", type: "symlink", link: "a", mtime: 3 };
    const digest = (members: TarInput[]) => treeOf(members).layOut(createHash("sha256")).digest;
    expect(digest([b, a])).toBe(digest([a, b]));
    for (const other of [
      { ...a, data: bytes("2") },
      { ...a, mode: 0o600 },
      { ...a, mtime: 4 },
      { ...a, uid: 1 },
    ]) {
      expect(digest([other, b])).not.toBe(digest([a, b]));
    }
  });

  it("numbers devices as stat64 shows them", () => {
    expect(deviceNumber(1, 3)).toBe(0x103);
    expect(deviceNumber(136, 300)).toBe(0x10882c);
  });
});

describe("image", () => {
  const laidOut = treeOf([
    { path: "etc/motd", data: bytes("hello"), mtime: 9 },
    { path: "l", type: "symlink", link: "etc/motd" },
    { path: "tty", type: "char", devMajor: 5, devMinor: 0 },
  ]).layOut(createHash("sha256"));
  const index = {
    digest: laidOut.digest,
    entries: laidOut.entries,
    packages: ["bash 5"],
    dataBytes: laidOut.dataBytes,
  };

  it("is read as it was written", () => {
    expect(parseIndex(formatIndex(index), "index.json")).toEqual(index);
  });

  it("reads zeros beyond the end, as in a file's last page", () => {
    const image = imageFromBytes(index, bytes("hello"));
    const motd = image.entries.find((e) => e.path === "/etc/motd")!;
    const page = image.read(motd.offset, IMAGE_PAGE_BYTES);
    expect([text(page.subarray(0, 5)), page[5], page.length]).toEqual(["hello", 0, IMAGE_PAGE_BYTES]);
  });

  it("refuses an index that is damaged, in one line with the remedy", () => {
    const whole = formatIndex(index);
    for (const damaged of [
      whole.slice(0, -20),
      "{}",
      whole.replace('"version":1', '"version":9'),
      whole.replace("/etc/motd", "/zzz"),
      whole.replace(`"dataBytes":${index.dataBytes}`, '"dataBytes":1'),
    ]) {
      expect(damaged).not.toBe(whole);
      expect(() => parseIndex(damaged, "index.json")).toThrow(/^index\.json: .*kmlab rootfs/);
    }
  });
});

describe("maintainer scripts' effects", () => {
  const postinst = [
    "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\",
    "  --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz",
    'update-alternatives --install "$LINK" name $path 10',
  ].join("\n");

  it("reads alternatives with literal words only", () => {
    expect(alternativesOf(postinst)).toEqual([
      {
        link: "/usr/bin/awk",
        name: "awk",
        path: "/usr/bin/mawk",
        priority: 5,
        slaves: [{ link: "/usr/share/man/man1/awk.1.gz", name: "awk.1.gz", path: "/usr/share/man/man1/mawk.1.gz" }],
      },
    ]);
  });

  it("makes accounts, directories and links, takes the alternative of highest priority, leaves out those whose program is missing", () => {
    const tree = new Tree();
    prepareRoot(tree);
    const members: TarInput[] = [
      { path: "usr/bin/mawk", data: bytes("m"), mtime: 77 },
      { path: "usr/bin/gawk", data: bytes("g") },
      { path: "usr/share/base-passwd/passwd.master", data: bytes("root:*:0:0:root:/root:/bin/bash\n"), mtime: 12 },
      { path: "usr/share/base-passwd/group.master", data: bytes("root:*:0:\n") },
      { path: "var/run/", type: "directory" },
    ];
    tree.addTar(readTar(writeTar(members), "test"));
    const other =
      "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\nupdate-alternatives --install /usr/bin/x x /usr/bin/none 1";
    finishRoot(tree, [
      { name: "mawk", postinst },
      { name: "gawk", postinst: other },
      { name: "redis-server", postinst: "" },
    ]);
    expect(tree.get("/etc/alternatives/awk")?.target).toBe("/usr/bin/gawk");
    expect(tree.resolve("/bin/awk")).toBe("/usr/bin/gawk");
    expect(tree.get("/usr/bin/x")).toBeUndefined();
    expect(tree.readText("/etc/passwd")).toMatch(/^root:.*\nredis:x:102:/);
    expect(tree.readText("/etc/shadow")).toMatch(/^root:\*:19000:.*\nredis:/);
    expect(tree.get("/var/run")?.target).toBe("/run");
    expect(tree.get("/tmp")?.mode).toBe(0o41777);
    expect(tree.get("/root")?.mode).toBe(0o40700);
    expect(tree.get("/tmp")?.mtime).toBe(77);
  });
});

describe("locks", () => {
  const lock: Lock = {
    asked: ["b", "ab"].map((n) => `${n}1`),
    packages: [
      { name: "zlib1g", version: "1:1.2.13", sha256: "a".repeat(64), size: 10 },
      { name: "bash", version: "5.2-1+b1", sha256: "b".repeat(64), size: 20 },
    ],
  };

  it("are read as they were written, whatever the order", () => {
    const read = parseLock(formatLock(lock), "x.lock");
    expect(read.packages.map((p) => p.name)).toEqual(["bash", "zlib1g"]);
    expect(lockedLines(read)).toBe(lockedLines(lock));
    expect(read.asked).toEqual(["ab1", "b1"]);
  });

  it("name the damaged line", () => {
    expect(() => parseLock(formatLock(lock).replace("b".repeat(64), "b"), "x.lock")).toThrow(/^x\.lock, line \d+: /);
    expect(() => parseLock("suite sid\n", "x.lock")).toThrow(/line 1/);
    expect(() => parseLock("", "x.lock")).toThrow(/no packages/);
  });
});

describe("apt's sources", () => {
  const deb822 =
    "Types: deb\nURIs: http://one.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n\nEnabled: no\nTypes: deb\nURIs: http://two.example/debian\nSuites: bookworm\nComponents: main\n";

  it("are read in both formats", () => {
    expect(readSources(deb822, "x.sources")).toEqual([
      {
        uri: "http://one.example/debian",
        suites: ["bookworm", "bookworm-updates"],
        components: ["main"],
        signedBy: "/k.gpg",
      },
    ]);
    const lines =
      "# deb http://no.example/debian bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] http://yes.example/debian trixie main contrib # x\ndeb-src http://no.example/debian bookworm main\n";
    expect(readSources(lines, "sources.list")).toEqual([
      { uri: "http://yes.example/debian", suites: ["trixie"], components: ["main", "contrib"], signedBy: "/k.gpg" },
    ]);
  });

  it("give bookworm main for i386 and nothing else", () => {
    const stanza = stanzaFor(readSources(deb822, "x.sources"), undefined, () => false);
    expect(stanza).toBe(
      "Types: deb\nURIs: http://one.example/debian\nSuites: bookworm\nComponents: main\nArchitectures: i386\nSigned-By: /k.gpg\n",
    );
  });

  it("take another release's Debian archive, a mirror that is named, or none", () => {
    const trixie = [{ uri: "http://deb.example/debian/", suites: ["trixie"], components: ["main"] }];
    const other = [{ uri: "http://ubuntu.example/ubuntu", suites: ["noble"], components: ["main"] }];
    expect(stanzaFor(trixie, undefined, () => true)).toContain("URIs: http://deb.example/debian/\nSuites: bookworm\n");
    expect(stanzaFor(other, undefined, () => true)).toBeUndefined();
    expect(stanzaFor(other, "http://m.example/debian", () => true)).toContain("Signed-By: /usr/share/keyrings/debian");
  });
});
