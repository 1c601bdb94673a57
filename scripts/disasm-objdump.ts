// tsx scripts/disasm-objdump.ts [--fixture]: the disassembler beside objdump over all code of the guest root.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { S_IFMT, S_IFREG } from "../src/emu/rootfs/image.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { compareOne } from "../test/emu/cpu/isa/objdump-text.ts";

const FIXTURE = new URL("../test/fixtures/cpu/objdump.txt.gz", import.meta.url);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex").slice(0, 32);
const LINE = /^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*(.*)$/;

const image = openImage((await ensureRoot("base")).directory);
const scratch = mkdtempSync(join(tmpdir(), "kmlab-objdump-"));
const total = { files: 0, instructions: 0, absent: 0, bad: 0, length: 0, text: 0 };
const files: string[] = [];
const absent = new Map<string, number>();
const differing = new Map<string, { count: number; example: string }>();

function isElf32(bytes: Uint8Array): boolean {
  return bytes.length > 52 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[4] === 1 && bytes[18] === 3;
}

/** Examples of each kind of encoding kept in the fixture. */
const EXAMPLES = 2;
const examples = new Map<string, number>();
const sample: string[] = [];

/** Keep an instruction if few like it are kept: same name, same prefixes, operands of the same kinds. */
function keep(address: number, bytes: Uint8Array, text: string): void {
  const plain = text
    .replace(/\s*(?:#|<).*$/, "")
    .replace(/\s+/g, " ")
    .trim();
  const opcode = bytes.findIndex(
    (b) => ![0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(b),
  );
  const kind = `${bytes.subarray(0, opcode + (bytes[opcode] === 0x0f ? 2 : 1))} ${plain
    .replace(/\b(?:e?[abcd]x|e?[sd]i|e?[sb]p|[abcd][lh]|x?mm\d)\b/g, (r) =>
      r.startsWith("e") ? "r" : r.replace(/\d$/, ""),
    )
    .replace(/0x[0-9a-f]+/g, "0")
    .replace(/^(\S+) [0-9a-f]+$/, "$1")}`;
  const count = examples.get(kind) ?? 0;
  if (count >= EXAMPLES) return;
  examples.set(kind, count + 1);
  sample.push(`I ${Buffer.from(bytes).toString("hex")} ${address.toString(16)} ${plain}`);
}

function compare(address: number, bytes: Uint8Array, text: string): number[] {
  total.instructions++;
  const { verdict, ours, theirs, lengths } = compareOne(address, bytes, text);
  const name = text.split(" ")[0];
  if (verdict !== "same") total[verdict]++;
  if (verdict === "absent") absent.set(name, (absent.get(name) ?? 0) + 1);
  if (verdict === "same") keep(address, bytes, text);
  if (verdict === "length" || verdict === "text") {
    const key = verdict === "length" ? `LENGTH ${name}` : name;
    const seen = differing.get(key);
    const hex = Buffer.from(bytes).toString("hex");
    if (seen) seen.count++;
    else differing.set(key, { count: 1, example: `${address.toString(16)} ${hex}: ${ours} | ${theirs} | ${text}` });
  }
  return verdict === "same" || verdict === "text" ? lengths : [];
}

/** Lengths of all instructions of a file, and whether the table has them all. */
async function dump(path: string): Promise<{ lengths: number[]; whole: boolean }> {
  const lengths: number[] = [];
  let whole = true;
  const child = spawn("objdump", ["-d", "-z", "-M", "intel", "-w", path], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const match = line.match(LINE);
    if (!match) continue;
    const own = compare(Number.parseInt(match[1], 16), Buffer.from(match[2].replaceAll(" ", ""), "hex"), match[3]);
    if (own.length === 0) whole = false;
    lengths.push(...own);
  }
  return { lengths, whole };
}

for (const entry of image.entries) {
  if ((entry.mode & S_IFMT) !== S_IFREG || entry.hardlink !== undefined || entry.size < 100) continue;
  if (!isElf32(image.read(entry.offset, 64))) continue;
  const file = join(scratch, "elf");
  writeFileSync(file, image.read(entry.offset, entry.size));
  total.files++;
  const { lengths, whole } = await dump(file);
  if (whole) files.push(`F ${entry.path} ${lengths.length} ${sha256(Uint8Array.from(lengths))}`);
}
rmSync(scratch, { recursive: true, force: true });

const share = (n: number) => `${((100 * n) / total.instructions).toFixed(4)} %`;
process.stdout.write(`${JSON.stringify(total)}\n`);
process.stdout.write(`text differs: ${share(total.text)}, length differs: ${share(total.length)}\n`);
const top = [...differing].sort((a, b) => b[1].count - a[1].count).slice(0, 80);
for (const [name, { count, example }] of top)
  process.stdout.write(`${String(count).padStart(8)} ${name.padEnd(14)} ${example}\n`);
const missing = [...absent].sort((a, b) => b[1] - a[1]);
process.stdout.write(
  `not in the table: ${missing
    .slice(0, 60)
    .map(([n, c]) => `${n} ${c}`)
    .join(", ")}\n`,
);

if (process.argv.includes("--fixture")) {
  const version = spawnSync("objdump", ["--version"], { encoding: "utf8" }).stdout.split("\n", 1)[0];
  const lines = [`# ${version}`, `T ${JSON.stringify(total)}`, ...files, ...sample];
  writeFileSync(FIXTURE, gzipSync(`${lines.join("\n")}\n`, { level: 9 }));
  process.stdout.write(`${FIXTURE.pathname}: ${files.length} files, ${sample.length} instructions\n`);
}
