// Does the alignment of two sequences lose nothing, find the least differences, and stay bounded?
import { describe, expect, it } from "vitest";
import { draw } from "../../../src/model/random.ts";
import { align } from "../../../src/traces/sequence/align.ts";

let at = 0;
const random = (n: number): number => Math.floor(draw(7, "align", at++) * n);
const sequence = (length: number, values: number) => Int32Array.from({ length }, () => random(values));

/** Length of the longest common subsequence, by the table. */
function longest(a: Int32Array, b: Int32Array): number {
  const rows = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      rows[i][j] = a[i] === b[j] ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
  return rows[0][0];
}

/** Walks both sequences through the gaps; gives how many numbers are in gaps. */
function walk(a: Int32Array, b: Int32Array, gaps: ReturnType<typeof align>["gaps"]): number {
  let [x, y, edits] = [0, 0, 0];
  for (const { one, ones, two, twos } of [...gaps, { one: a.length, ones: 0, two: b.length, twos: 0 }]) {
    expect(one - x).toBe(two - y);
    expect(a.slice(x, one)).toEqual(b.slice(y, two));
    [x, y] = [one + ones, two + twos];
    edits += ones + twos;
  }
  return edits;
}

describe("align", () => {
  it("finds the least differences of short sequences", () => {
    for (let round = 0; round < 400; round++) {
      const [a, b] = [sequence(random(30), 4), sequence(random(30), 4)];
      expect(walk(a, b, align(a, b).gaps)).toBe(a.length + b.length - 2 * longest(a, b));
    }
  });

  it("goes on beyond what it keeps the way back of", () => {
    const a = sequence(20_000, 1000);
    const b = a.filter((_, index) => index % 9 !== 0);
    expect(walk(a, b, align(a, b).gaps)).toBeLessThan(1.1 * (a.length - b.length));
    const [c, d] = [sequence(6000, 3), sequence(5000, 3)];
    expect(walk(c, d, align(c, d).gaps)).toBeGreaterThan(1000);
  });

  it("gives up after as many differences as it was told", () => {
    const [a, b] = [sequence(50_000, 1000), sequence(50_000, 1000)];
    const { gaps, cut } = align(a, b, 3000);
    expect(cut).toBe(true);
    const found = gaps.reduce((sum, { ones, twos }) => sum + ones + twos, 0);
    expect(found).toBeGreaterThanOrEqual(3000);
    expect(found).toBeLessThan(3000 + 1025);
  });
});
