// The model against its frozen rows: everything holds, and a wrong model or a wrong row is noticed.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { settings } from "../../src/cli/model-options.ts";
import { boundsOf, median, targets } from "../../src/model/accuracy.ts";
import { calibrate } from "../../src/model/calibrate.ts";
import { loadModelData } from "../../src/model/data.ts";
import { modelData, readDataFile } from "../../src/model/data-node.ts";
import { readRows } from "../../src/model/published.ts";
import { compareAll, judge, validate } from "../../src/model/validate.ts";
import { validationPage } from "../../src/model/validation-page.ts";

const data = modelData();
const rows = readDataFile("validation.csv");

test("everything holds", () => {
  const { comparisons, checks, holds } = validate(data, rows);
  expect(comparisons.filter((row) => row.holds === false)).toEqual([]);
  expect(checks.filter((check) => !check.holds)).toEqual([]);
  expect(holds).toBe(true);
}, 60_000);

describe("the frozen rows", () => {
  const find = (id: string) => compareAll(data, rows).find((row) => row.id === id)!;

  test("gettimeofday: 824 for 820, a saving of 420 for 416", () => {
    const row = find("maeda-gettimeofday-sysenter");
    expect(row).toMatchObject({ role: "test", measured: 820, holds: true });
    expect(row.predicted).toBeCloseTo(824, 9);
    expect(row.saving).toMatchObject({ measured: 416, noSavingErrorPercent: -100 });
    expect(row.saving?.predicted).toBeCloseTo(420, 9);
  });

  test("the other Pentium 4 stands beside it, unfitted, with its error", () => {
    expect(find("lkml-sysenter-unfitted")).toMatchObject({ role: "beside", measured: 641, holds: null });
    expect(find("lkml-sysenter-unfitted").errorPercent).toBeCloseTo(-30.7, 1);
    expect(find("lkml-int80-unfitted").errorPercent).toBeLessThan(-30);
  });

  test("fits reach their targets", () => {
    for (const { role, errorPercent, id } of compareAll(data, rows)) {
      if (role === "fit") expect(errorPercent, id).toBeCloseTo(0, 1);
    }
  });

  test("no row is both fitted and tested", () => {
    const key = (row: { profile: string; kernel: string; mechanism: string; call: string }) =>
      [row.profile, row.kernel, row.mechanism, row.call].join();
    const fitted = new Set(
      [...data.profiles.values()].flatMap(({ id, fits }) => fits.map((fit) => key({ profile: id, ...fit }))),
    );
    const other = compareAll(data, rows).filter(({ role, id }) => role === "test" && !/bk6|^dw-/.test(id));
    for (const row of other) expect(fitted.has(key(row)), row.id).toBe(false);
  });

  test("every row has its role, and one that is out of scope its reason", () => {
    const all = readRows(rows);
    expect(all.length).toBe(260);
    expect(all.filter(({ role }) => role === "test").length).toBe(36);
    for (const { id, role, reason, tolerance } of all) {
      if (role === "out") expect(reason, id).not.toBe("");
      if (role === "test") expect(tolerance, id).toBeGreaterThan(0);
    }
  });

  test.each([
    [/^([^,]*),out,[^,]*,/m, "$1,out,,", /a row out of scope says why/],
    [/^([^,]*),out,/m, "$1,maybe,", /role is fit, test, beside, out/],
    ["gettimeofday,,820,cycles,,5,", "gettimeofday,,820,cycles,,,", /a test has a tolerance/],
    ["gettimeofday,,820,cycles,,5,maeda", "gettimeofday,,820,cycles,,5,nobody", /is compared with no row/],
  ] as const)("refuses %s", (from, to, message) => {
    expect(() => readRows(rows.replace(from, to))).toThrow(message);
  });

  test("a test out of tolerance fails the whole", () => {
    const wrong = rows.replace("gettimeofday,,820,cycles,,5,", "gettimeofday,,920,cycles,,5,");
    expect(compareAll(data, wrong).find(({ id }) => id === "maeda-gettimeofday-sysenter")?.holds).toBe(false);
  });

  test("a path whose parts do not add up to its count is noticed", () => {
    const broken = loadModelData((name) =>
      name === "kernels/counts.csv"
        ? readDataFile(name).replace("kml-4.0,C0,21,", "kml-4.0,C0,22,")
        : readDataFile(name),
    );
    const check = validate(broken, rows).checks.find(({ id }) => id === "path-counts")!;
    expect(check).toMatchObject({ holds: false, found: "kml-4.0 C0: 21, counted 22" });
  }, 60_000);
});

test("calibrate says what was solved from what, with bounds that hold the value", () => {
  const { fitted } = calibrate(data, rows);
  const pair = fitted.find(
    ({ profile, call, mechanism }) => profile === "p4-maeda2003" && call === "getpid" && mechanism === "sysenter",
  )!;
  expect(pair).toMatchObject({ solves: "hw.sysenter + hw.sysexit", target: 432 });
  for (const { value, low, high, reached, target, profile, solves } of fitted) {
    expect(low <= value && value <= high, `${profile} ${solves}`).toBe(true);
    expect(reached, `${profile} ${solves}`).toBeCloseTo(target, 6);
  }
});

describe("how well it does", () => {
  const judged = (measured: number, errorPercent: number, saving: number, same: number, low: number, high: number) => ({
    measured,
    errorPercent,
    bounds: { low, high },
    saving: { measured: 1, errorPercent: saving, noSavingErrorPercent: -100, sameSavingErrorPercent: same },
  });
  const reached = (rows: Parameters<typeof targets>[0]) =>
    Object.fromEntries(targets(rows).map(({ id, found, reached }) => [id, [Number(found.toFixed(6)), reached]]));

  test("medians of sizes, coverage and width", () => {
    const rows = [judged(100, -4, 9, -30, 90, 110), judged(200, 6, -11, 12, 190, 195), judged(100, 1, 2, 40, 99, 101)];
    expect(reached(rows)).toEqual({
      saving: [9, true],
      total: [4, true],
      "no-saving": [100, true],
      "same-saving": [30, true],
      coverage: [66.666667, false],
      width: [8.166667, true],
    });
    expect(reached([judged(100, -7, 12, 12, 90, 110)])).toMatchObject({
      saving: [12, false],
      total: [7, false],
      "same-saving": [12, false],
      coverage: [100, true],
    });
  });

  test("the median of none, of an odd and of an even number", () => {
    expect([median([]), median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([Number.NaN, 2, 2.5]);
  });

  test("every tested row has an interval that holds its prediction, and so has a fitted one", () => {
    const all = compareAll(data, rows, true);
    for (const { id, role, bounds, predicted } of all.filter((row) => row.role === "test")) {
      expect(bounds, `${id} ${role}`).not.toBeNull();
      expect(bounds!.low <= predicted && predicted <= bounds!.high, id).toBe(true);
    }
    expect(judge(all).map(({ id }) => id)).toHaveLength(6);
  });

  test("predicting any row that was fitted gives back the bounds of its source", () => {
    for (const row of readRows(rows).filter(({ role, profile }) => role === "fit" && profile !== "")) {
      const { low, high } = boundsOf(data, row);
      const fit = data.profiles.get(row.profile)!.fits.find(({ kernel, mechanism, call, inline }) => {
        const own = row.inline || mechanism === "int80";
        return kernel === row.kernel && mechanism === row.mechanism && call === row.call && inline === own;
      })!;
      expect(low, row.id).toBeGreaterThanOrEqual(fit.low - 1e-6);
      expect(high, row.id).toBeLessThanOrEqual(fit.high + 1e-6);
    }
  });

  test("predicting a fitted row gives back its published interval", () => {
    const row = readRows(rows).find(({ id }) => id === "maeda-getpid-sysenter")!;
    const { low, high } = boundsOf(data, row);
    // 90 % of draws that are even over 5 % on each side.
    expect(low).toBeGreaterThan(432 * 0.95);
    expect(low).toBeLessThan(432 * 0.965);
    expect(high).toBeGreaterThan(432 * 1.035);
    expect(high).toBeLessThan(432 * 1.05);
  });

  test("docs/validation.md is what validate --markdown prints", () => {
    const [memory, schedulers] = ["memory-sizes", "schedulers-seen"].map((name) =>
      readFileSync(`data/${name}.csv`, "utf8"),
    );
    expect(readFileSync("docs/validation.md", "utf8")).toBe(validationPage(data, rows, { memory, schedulers }));
  });
});

describe("--set", () => {
  test("reads KEY=VALUE", () => {
    expect([...settings(["hz=0", " hw.sysenter = 1e2 "])]).toEqual([
      ["hz", 0],
      ["hw.sysenter", 100],
    ]);
  });
  test.each(["hz", "=1", "hz=", "hz=fast"])("refuses %s", (word) => {
    expect(() => settings([word])).toThrow(/write KEY=NUMBER/);
  });
});
