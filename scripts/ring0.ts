// npm run ring0: runs the ring-0 cases in kmlab and in qemu-system-i386 and shows where they differ; with --record, keeps
// what QEMU printed as the fixture of test/emu/ring0. Arguments that are no options choose cases by parts of their names.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { InputError } from "../src/errors.ts";
import { CASES } from "../test/emu/ring0/cases/all.ts";
import { butForRf, expected } from "../test/emu/ring0/expected.ts";
import { buildImage } from "../test/emu/ring0/harness.ts";
import { runKmlab } from "../test/emu/ring0/kmlab.ts";
import { collect, differences, type Log, writeLog } from "../test/emu/ring0/log.ts";

const SECONDS = 10;
const words = process.argv.slice(2);
const has = (option: string) => words.includes(option);
const parts = words.filter((word) => !word.startsWith("--"));
const cases = CASES.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
const scratch = mkdtempSync(join(tmpdir(), "kmlab-ring0-"));

/** The log of the cases in QEMU, by its translator. */
function runQemu(): Log {
  const file = join(scratch, "ring0.img");
  return collect(cases, (image) => {
    writeFileSync(file, image);
    const fixed = "-cpu pentium2 -m 16 -display none -serial stdio -monitor none -no-reboot -nodefaults".split(" ");
    const exit = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
    const run = spawnSync("qemu-system-i386", ["-accel", "tcg", ...fixed, ...exit, "-kernel", file], {
      encoding: "latin1",
      timeout: SECONDS * 1000,
      killSignal: "SIGKILL",
      input: "",
      maxBuffer: 1 << 26,
    });
    if (run.error && "code" in run.error && run.error.code === "ENOENT") {
      throw new InputError("qemu-system-i386 is not there; install qemu-system-x86");
    }
    if (run.error && run.signal !== "SIGKILL") throw run.error;
    if (run.stderr !== "" && run.stdout === "") throw new Error(`qemu-system-i386: ${run.stderr}`);
    return { text: run.stdout, stop: run.signal === "SIGKILL" ? "hang" : "shutdown" };
  });
}

try {
  mkdirSync("build", { recursive: true });
  if (has("--image")) writeFileSync("build/ring0.img", buildImage(cases, 0));
  const ours = runKmlab(cases);
  const theirs = runQemu();
  let agreed = 0;
  let rf = 0;
  for (const c of cases) {
    const raw = differences(ours.get(c.name), theirs.get(c.name));
    if (raw.length === 0) agreed++;
    else if (differences(ours.get(c.name), butForRf(theirs.get(c.name) ?? [])).length === 0) rf++;
    const left = has("--raw") ? raw : differences(ours.get(c.name), expected(c.name, theirs.get(c.name) ?? []));
    if (left.length > 0) process.stdout.write(`${c.name}: ${left.join(" ")}\n`);
  }
  process.stdout.write(`${cases.length} cases, ${agreed} print the same, ${rf} more but for RF\n`);
  if (has("--record") && parts.length === 0) {
    writeFileSync("test/fixtures/ring0/qemu.log.gz", gzipSync(writeLog(cases, theirs), { level: 9 }));
  }
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(`ring0: ${error.message}\n`);
  process.exitCode = 2;
} finally {
  rmSync(scratch, { recursive: true });
}
