// Do x87 values and runs of instructions come out as on a real processor? The fixtures hold what single x87 instructions with
// random operands, transcendental ones among them, and runs of integer instructions did on the processor named in their first line.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { NativeBench } from "../../../scripts/native-cpu/bench.ts";
import { fromLine, type Kind } from "../../../scripts/native-cpu/cases.ts";
import { differences } from "../../../scripts/native-cpu/compare.ts";
import type { Cpu, Engine } from "../../../src/emu/cpu/cpu.ts";
import { stepNaive } from "../../../src/emu/cpu/interp/naive.ts";

/** At most this many disagreements are shown. */
const SHOWN = 10;

function linesOf(name: string): string[] {
  const packed = readFileSync(new URL(`../../fixtures/cpu/${name}.txt.gz`, import.meta.url));
  return gunzipSync(packed).toString().trimEnd().split("\n").slice(1);
}

function disagreements(lines: readonly string[], kind: Kind, step: (cpu: Cpu) => void, hot?: number): string[] {
  const bench = new NativeBench();
  if (hot !== undefined) (bench.cpu.engine as Engine & { regionHot: number }).regionHot = hot;
  const found: string[] = [];
  for (const line of lines) {
    const { case: c, inputs, outputs } = fromLine(line, kind);
    bench.load(c.code, inputs, kind);
    const wrong = differences(c, outputs, bench.outputs(step, kind));
    if (wrong.length) found.push(`${line}: ${wrong.join("; ")}`);
  }
  return found.slice(0, SHOWN);
}

/** More instructions than any sequence holds; its INT3 ends in a handler that halts. */
const MANY = 200;

function byInterpreter(kind: Kind): (cpu: Cpu) => void {
  const most = kind === "sequence" ? MANY : 1;
  return (cpu) => cpu.run(cpu.icount + most);
}

function byOracle(kind: Kind): (cpu: Cpu) => void {
  if (kind !== "sequence") return (cpu) => void stepNaive(cpu);
  return (cpu) => {
    for (let n = 0; n < MANY && cpu.cpl === 3; n++) stepNaive(cpu);
    // As the interpreter's HLT would leave it.
    cpu.eip++;
  };
}

for (const [name, kind, least] of [
  ["x87", "x87", 7_000],
  ["sequence", "sequence", 2_900],
] as const) {
  const lines = linesOf(name);
  test(`${name}: there are enough cases`, () => expect(lines.length).toBeGreaterThan(least));
  test(`${name}: the interpreter agrees with the processor`, () => {
    expect(disagreements(lines, kind, byInterpreter(kind))).toEqual([]);
  });
  test(`${name}: the naive evaluation of the table agrees with the processor`, () => {
    expect(disagreements(lines, kind, byOracle(kind))).toEqual([]);
  });
}

test("sequence: compiled regions agree with the processor", () => {
  const lines = linesOf("sequence").filter((_, n) => n % 8 === 0);
  expect(disagreements(lines, "sequence", byInterpreter("sequence"), 0)).toEqual([]);
});
