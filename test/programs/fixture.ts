// The files that every case finds in /w: owners, modes and times are fixed, contents come from a seed. Committed as one tar; see record-native.
import { readdirSync, readFileSync } from "node:fs";
import { type TarInput, writeTar } from "../../src/emu/rootfs/tar.ts";
import { Random } from "./random.ts";
import { lines, WORDS } from "./words.ts";

/** 2001-09-09 01:46:40 UTC: files of the fixture are dated from here on. Far from any "now", so that `ls -l` prints years. */
const FIRST_DAY = 1_000_000_000;
const DAY = 86_400;

const encoder = new TextEncoder();

const SCRIPTS = new URL("./scripts/", import.meta.url);

/** The members of the fixture's archive, sorted. */
export function fixtureMembers(): TarInput[] {
  const random = new Random(20011115);
  const members: TarInput[] = [];
  let day = 0;
  const add = (path: string, e: Omit<TarInput, "path">) => {
    members.push({ mtime: FIRST_DAY + day * DAY + random.below(DAY), ...e, path });
    day += random.between(1, 40);
  };
  const dir = (path: string, e: Omit<TarInput, "path"> = {}) => add(path, { type: "directory", ...e });
  const text = (path: string, contents: string, e: Omit<TarInput, "path"> = {}) =>
    add(path, { data: encoder.encode(contents), ...e });
  dir("bin");
  for (const name of readdirSync(SCRIPTS).sort()) {
    add(`bin/${name}`, { data: readFileSync(new URL(name, SCRIPTS)), mode: 0o755 });
  }

  dir("text");
  text("text/words.txt", lines(random, 400));
  text("text/numbers.txt", Array.from({ length: 300 }, () => `${random.below(100_000) - 50_000}\n`).join(""));
  text(
    "text/table.csv",
    Array.from(
      { length: 120 },
      (_, i) => `${i},${random.pick(WORDS)},${random.below(1000)},${random.pick(["red", "green", "blue"])}\n`,
    ).join(""),
  );
  text("text/sizes.txt", "10K\n2M\n1.5G\n900\n64k\n1T\n0\n17\n");
  text("text/versions.txt", "a-1.10\na-1.9\na-1.2.3\na-1.2\nb-0.1~rc1\nb-0.1\n");
  text("text/months.txt", "Mar 3\nJan 9\nDec 1\nJan 2\nSep 30\n");
  text("text/no-newline", "first\nlast without an end");
  text("text/blank-lines", "one\n\n\n\ntwo\n\nthree\n\n\n");
  text("text/tabs", "a\tb\tc\n\tindented\nx\t\ty\n");
  text("text/utf8", "na\u00efve caf\u00e9 \u2603\nplain\n");
  text("text/crlf", "dos line\r\nanother\r\n");
  text("text/old", lines(random, 40));
  text("text/patterns", "kernel\n^page\nfault$\n");
  text("text/long", `${Array.from({ length: 600 }, () => random.pick(WORDS)).join(" ")}\n`);
  add("text/binary", { data: random.bytes(5000) });
  add("text/nul", { data: encoder.encode("one\0two\0three\0") });

  dir("tree", { mode: 0o755 });
  for (const size of [0, 1, 511, 512, 4095, 4096, 4097, 12_288, 70_001]) {
    add(`tree/size-${size}`, {
      data: random.bytes(size),
      uid: size % 3 === 0 ? 1000 : 0,
      gid: size % 3 === 0 ? 1000 : 50,
    });
  }
  dir("tree/a", { mode: 0o750, uid: 1000, gid: 1000 });
  dir("tree/a/b");
  dir("tree/a/b/c", { mode: 0o700 });
  text("tree/a/b/c/deep", "deep\n", { mode: 0o600 });
  text("tree/a/b/note.txt", lines(random, 12));
  text("tree/a/note.md", lines(random, 5), { mode: 0o664, uid: 1000, gid: 1000 });
  text("tree/a/.hidden", "hidden\n", { mode: 0o640 });
  dir("tree/empty");
  dir("tree/names");
  text("tree/names/with space", "space\n");
  text("tree/names/-dash", "dash\n");
  text("tree/names/quote'd", "quote\n");
  text("tree/names/caf\u00e9", "accent\n");
  text("tree/names/.dot", "dot\n");
  text("tree/names/UPPER.TXT", "upper\n");
  text("tree/names/x.tar.gz", "not really\n");
  dir("tree/modes");
  for (const mode of [0o000, 0o400, 0o444, 0o644, 0o755, 0o4755, 0o2755, 0o6711, 0o666]) {
    text(`tree/modes/m${mode.toString(8).padStart(4, "0")}`, `${mode}\n`, { mode });
  }
  dir("tree/modes/sticky", { mode: 0o1777 });
  dir("tree/modes/setgid", { mode: 0o2775, gid: 50 });
  dir("tree/links");
  text("tree/links/one", "one of three names\n");
  add("tree/links/two", { type: "hardlink", link: "tree/links/one", mtime: members[members.length - 1].mtime });
  add("tree/links/three", { type: "hardlink", link: "tree/links/one", mtime: members[members.length - 2].mtime });
  add("tree/links/relative", { type: "symlink", link: "../a/note.md" });
  add("tree/links/absolute", { type: "symlink", link: "/w/text/words.txt" });
  add("tree/links/directory", { type: "symlink", link: "../a" });
  add("tree/links/dangling", { type: "symlink", link: "nowhere" });
  add("tree/links/loop", { type: "symlink", link: "loop" });
  add("tree/links/long", { type: "symlink", link: `../${"names/../".repeat(12)}a/b/note.txt` });
  add("tree/fifo", { type: "fifo", mode: 0o622 });
  dir("many");
  for (let i = 0; i < 60; i++) text(`many/f${i.toString().padStart(3, "0")}`, `${i}\n`.repeat(random.between(1, 30)));
  return members;
}

/** The archive: the same bytes every time. */
export function fixtureTar(): Uint8Array {
  return writeTar(fixtureMembers());
}
