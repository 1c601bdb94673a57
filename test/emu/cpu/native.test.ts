// Does every instruction do what a real processor did? The fixtures hold what single instructions, with random operands
// and some faults, did to registers, flags, memory and the x87 of the processor named in their first line.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { NativeBench } from "../../../scripts/native-cpu/bench.ts";
import { fromLine } from "../../../scripts/native-cpu/cases.ts";
import { differences } from "../../../scripts/native-cpu/compare.ts";
import type { Cpu } from "../../../src/emu/cpu/cpu.ts";
import { stepNaive } from "../../../src/emu/cpu/interp/naive.ts";

/** At most this many disagreements are shown. */
const SHOWN = 10;

function linesOf(name: string): string[] {
  const packed = readFileSync(new URL(`../../fixtures/cpu/${name}.txt.gz`, import.meta.url));
  return gunzipSync(packed).toString().trimEnd().split("\n").slice(1);
}

function disagreements(lines: readonly string[], x87: boolean, step: (cpu: Cpu) => void): string[] {
  const bench = new NativeBench();
  const found: string[] = [];
  for (const line of lines) {
    const { case: c, inputs, outputs } = fromLine(line, x87);
    bench.load(c.code, inputs, x87);
    const wrong = differences(c, outputs, bench.outputs(step, x87));
    if (wrong.length) found.push(`${line}: ${wrong.join("; ")}`);
  }
  return found.slice(0, SHOWN);
}

const byInterpreter = (cpu: Cpu) => cpu.run(cpu.icount + 1);
const byOracle = (cpu: Cpu) => {
  stepNaive(cpu);
};

for (const [name, x87, least] of [
  ["integer", false, 14_000],
  ["x87", true, 7_000],
] as const) {
  const lines = linesOf(name);
  test(`${name}: there are enough cases`, () => expect(lines.length).toBeGreaterThan(least));
  test(`${name}: the interpreter agrees with the processor`, () => {
    expect(disagreements(lines, x87, byInterpreter)).toEqual([]);
  });
  test(`${name}: the naive evaluation of the table agrees with the processor`, () => {
    expect(disagreements(lines, x87, byOracle)).toEqual([]);
  });
}
