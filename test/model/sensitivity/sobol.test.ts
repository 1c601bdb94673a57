// Sensitivity measures of functions whose answers are known.
import { expect, test } from "vitest";
import { morris } from "../../../src/model/sensitivity/morris.ts";
import { oneAtATime } from "../../../src/model/sensitivity/one-at-a-time.ts";
import { sobol } from "../../../src/model/sensitivity/sobol.ts";

const linear = (u: Float64Array): number[] => [3 * u[0] - 2 * u[1] + 0 * u[2], 5];

/** Ishigami's function with a = 7 and b = 0.1: its variance and indices are known in closed form. */
function ishigami(u: Float64Array): number[] {
  const [x, y, z] = [...u].map((value) => Math.PI * (2 * value - 1));
  return [Math.sin(x) + 7 * Math.sin(y) ** 2 + 0.1 * z ** 4 * Math.sin(x)];
}

test("one at a time: the ends of each parameter, the others in the middle", () => {
  expect(oneAtATime(linear, 3)).toEqual([
    { parameter: 0, low: [-1, 5], high: [2, 5] },
    { parameter: 1, low: [1.5, 5], high: [-0.5, 5] },
    { parameter: 2, low: [0.5, 5], high: [0.5, 5] },
  ]);
});

test("Morris: a linear function's effects are its coefficients, without spread", () => {
  const [effects, none] = morris(linear, 3, 6, 1);
  expect(effects.map(({ muStar }) => Number(muStar.toFixed(9)))).toEqual([3, 2, 0]);
  for (const { sigma } of effects) expect(sigma).toBeLessThan(1e-9);
  expect(none.every(({ muStar }) => muStar === 0)).toBe(true);
});

test("Morris: steps stay in the range and change one parameter each", () => {
  const seen: number[][] = [];
  morris(
    (u) => {
      seen.push([...u]);
      return [0];
    },
    4,
    5,
    7,
  );
  expect(seen.length).toBe(5 * 5);
  seen.forEach((u, run) => {
    expect(u.every((value) => value >= 0 && value <= 1)).toBe(true);
    if (run % 5 > 0) expect(u.filter((value, p) => value !== seen[run - 1][p]).length).toBe(1);
  });
});

test("Sobol: Ishigami's indices lie in the intervals", () => {
  const [{ variance, indices }] = sobol(ishigami, 3, [[0], [1], [2]], 4096, 1);
  const [first, total] = [
    [0.3139, 0.4424, 0],
    [0.5576, 0.4424, 0.2437],
  ];
  expect(variance).toBeGreaterThan(13.844 * 0.93);
  expect(variance).toBeLessThan(13.844 * 1.07);
  indices.forEach((of, p) => {
    expect(Math.abs(of.first.value - first[p])).toBeLessThan(0.06);
    expect(Math.abs(of.total.value - total[p])).toBeLessThan(0.04);
    expect(of.first.low).toBeLessThan(of.first.high);
    expect(of.total.low).toBeLessThanOrEqual(of.total.value);
  });
});

test("Sobol: parameters drawn together are one factor; a constant output has no indices", () => {
  const [of, none] = sobol(linear, 3, [[0], [1, 2]], 2048, 3);
  expect(Math.abs(of.indices[0].total.value - 9 / 13)).toBeLessThan(0.05);
  expect(Math.abs(of.indices[1].total.value - 4 / 13)).toBeLessThan(0.05);
  expect(none).toEqual({ mean: 5, variance: 0, indices: [] });
});
