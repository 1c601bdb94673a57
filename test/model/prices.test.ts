// Ways into the kernel as sums, fitted costs, and what cannot be had.
import { describe, expect, test } from "vitest";
import { CAUSE_INDEX } from "../../src/model/causes.ts";
import { modelData } from "../../src/model/data-node.ts";
import { impossible, Prices } from "../../src/model/prices.ts";
import { draws } from "../../src/model/random.ts";
import { callRoute, type Mechanism } from "../../src/model/routes.ts";

const data = modelData();
const mechanisms = [...data.mechanisms.keys()];
const old = [...data.mechanisms.values()].filter(({ target }) => target !== "x86-64").map(({ id }) => id);
const prices = (profile: string, kernel: string, ...rest: unknown[]) =>
  new Prices(data, data.profiles.get(profile)!, data.kernels.get(kernel)!, ...(rest as []));
const call = (at: Prices, mechanism: Mechanism, name: string, kernel = at.kernel) =>
  at.nullCall(kernel, mechanism, name);
const sum = (cycles: Float64Array) => cycles.reduce((total, value) => total + value, 0);

describe("manual clocks, summed by hand", () => {
  // INT 99 + 8 pushes 16 + 2 segment pushes 4 + 2 loads 36 + 5 alu 10 + load 4 + 2 branches 10 + call 12
  // + store 2 + cli 3 + load 4 + 2 alu 4 + branch 5 + 7 pops 28 + 2 segment pops 42 + IRET 82 = 361.
  test("int 0x80 on a 386 under Linux 2.5: 361", () => {
    expect(sum(prices("i386", "linux-2.5").paths(["A"]))).toBe(361);
  });

  // call [gs:10] 12, jmp 12 | 4 pushes 8, 2 alu 4, load 4, call 12, alu 2 (no argument) | 4 alu 8, load 4, 3 pops 12, branch 5 | ret 12.
  test("a direct call without arguments on a 386 under KML 4.0: 95, of them no segment and no hardware", () => {
    const way = prices("i386", "kml-4.0").paths(["C0"]);
    expect(sum(way)).toBe(95);
    expect([way[CAUSE_INDEX["entry-hw"]], way[CAUSE_INDEX["exit-hw"]], way[CAUSE_INDEX["segment"]]]).toEqual([0, 0, 0]);
  });

  test("each argument is one push more, the first in place of the empty slot", () => {
    const i386 = prices("i386", "kml-4.0");
    const way = (args: number) =>
      sum(
        i386.paths(
          callRoute(data.mechanisms.get("kml")!, { inline: false, special: false, args, sigreturn: false }),
          args,
        ),
      );
    expect([0, 1, 2, 6].map(way)).toEqual([95, 95, 97, 105]);
  });
});

describe("Pentium 4: two published numbers are fitted, the third is predicted", () => {
  const old = prices("p4-maeda2003", "linux-2.5");
  const kml = data.kernels.get("kml-2003")!;

  test("getpid 432 and 12, gettimeofday direct 404", () => {
    expect(call(old, "sysenter", "getpid")).toBeCloseTo(432, 9);
    expect(call(old, "kml", "getpid", kml)).toBeCloseTo(12, 9);
    expect(call(old, "kml", "gettimeofday", kml)).toBeCloseTo(404, 9);
  });

  test("gettimeofday by SYSENTER: 404 + 432 - 12 = 824, published 820", () => {
    expect(call(old, "sysenter", "gettimeofday")).toBeCloseTo(824, 9);
  });

  test("another Pentium 4 is not predicted: 444 instead of 641", () => {
    expect(call(old, "sysenter", "getppid")).toBeCloseTo(444, 9);
  });

  test("in every draw the total stays within 5 % of 432 whatever its parts are", () => {
    for (let index = 0; index < 100; index++) {
      const drawn = prices("p4-maeda2003", "linux-2.5", draws(1, index));
      const total = call(drawn, "sysenter", "getpid");
      expect(total).toBeGreaterThanOrEqual(432 * 0.95);
      expect(total).toBeLessThanOrEqual(432 * 1.05);
    }
  });

  test("the envelope draws both totals of one machine together", () => {
    const pairs = Array.from({ length: 50 }, (_, index) => {
      const drawn = prices("p4", "linux-2.5", draws(1, index));
      return [call(drawn, "sysenter", "getpid"), call(drawn, "int80", "getpid")];
    }).sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < pairs.length; i++) expect(pairs[i][1]).toBeGreaterThanOrEqual(pairs[i - 1][1]);
  });
});

describe("what cannot be had says why", () => {
  const why = (profile: string, kernel: string, mechanism: Mechanism) => impossible(prices(profile, kernel), mechanism);

  test("SYSENTER before the Pentium II", () => {
    for (const id of ["i386", "i486", "pentium"])
      expect(why(id, "kml-4.0", "sysenter")).toBe("n/a: no SYSENTER before the Pentium II");
  });

  test("direct calls without Kernel Mode Linux", () => {
    expect(why("p4", "linux-4.0", "kml")).toMatch(/^n\/a: linux-4\.0 has no kml/);
  });

  test("Zen 4 under a kernel it was not measured with", () => {
    for (const mechanism of mechanisms)
      expect(why("zen4", "kml-4.0", mechanism)).toMatch(/^unknown: zen4 was measured under/);
    expect(why("zen4", "kml-6.18", "kml")).toBeUndefined();
  });

  test("a kernel whose ways in are one fitted sum on another processor", () => {
    for (const mechanism of mechanisms)
      expect(why("p4", "linux-6.18", mechanism)).toMatch(/^unknown: the ways in of linux-6\.18/);
  });

  test("everything else can be priced", () => {
    for (const id of ["p4", "p4-maeda2003", "p4-lkml2002", "k7-lkml2002"]) {
      for (const kernel of ["kml-2003", "kml-4.0"]) {
        for (const mechanism of old) expect(why(id, kernel, mechanism), `${id} ${kernel} ${mechanism}`).toBeUndefined();
      }
    }
  });
});

test("a value that is set replaces a fitted one and leaves the other fits alone", () => {
  const set = prices("p4-maeda2003", "linux-2.5", undefined, new Map([["hw.sysenter", 1000]]));
  const plain = prices("p4-maeda2003", "linux-2.5");
  expect(set.primitive("hw.sysenter")).toBe(1000);
  expect(set.primitive("hw.sysexit")).toBe(plain.primitive("hw.sysexit"));
  expect(set.primitive("hw.int_3to0")).toBe(plain.primitive("hw.int_3to0"));
});
