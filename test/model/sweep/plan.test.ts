// Plans of experiments: which runs there are and in which order; and files that are wrong, each with its line and what is allowed.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../../../src/errors.ts";
import { keysOf, type Loaded, loadExperiment, shippedExperiments } from "../../../src/model/sweep/load-node.ts";
import { writeTrace } from "../../../src/traces/node.ts";
import { emptyMeta, emptyTrace } from "../../../src/traces/trace.ts";

const folder = mkdtempSync(join(tmpdir(), "kmlab-plan-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string): Loaded {
  const file = join(folder, "x.yaml");
  writeFileSync(file, text);
  return loadExperiment(file);
}

function wrong(text: string): string {
  try {
    load(text);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message.replace(`${folder}/`, "");
  }
  return "no error";
}

/** The values of one parameter, one a run. */
function column(loaded: Loaded, name: string): unknown[] {
  return loaded.plan.points.flatMap(({ values, runs }) => runs.map(() => values.get(name)));
}

const HEAD = "traces: find-ring3\nmechanisms: [int80, kml]\n";
const ONE = "traces: find-ring3\nmechanisms: kml\n";

describe("values", () => {
  it.each([
    ["hz: 100", [100]],
    ["hz: [100, 1000]", [100, 1000]],
    ["hz: {from: 100, to: 300, steps: 3}", [100, 200, 300]],
    ["hz: {from: 0.1, to: 0.35, by: 0.1}", [0.1, 0.2, 0.3]],
    ["hz: {from: 1, to: 1000, factor: 10}", [1, 10, 100, 1000]],
    ["hz: {from: 100, to: 1600, steps: 5, scale: log}", [100, 200, 400, 800, 1600]],
    ["hz: {from: 5, to: 5, steps: 1}", [5]],
    ["hz: 2 * mhz\n  mhz: [10, 20]", [20, 40]],
  ])("%s", (text, expected) => {
    expect(column(load(`${ONE}set:\n  ${text}\n`), "hz")).toEqual(expected);
  });
});

describe("plans", () => {
  it("goes through everything, the mechanism first, traces last, numbered from 1", () => {
    const { plan } = load(
      `traces: ["*-ring0", find-int80]\nmechanisms: [int80, kml]\nprofiles: [pentium, p4]\nset: {hz: [0, 100]}\nseeds: [4, 5]\ndraws: 3\n`,
    );
    expect(plan.columns).toEqual(["trace", "profile", "kernel", "hz", "seed"]);
    expect(plan.runs).toBe(5 * 2 * 2 * 2 * 2);
    expect(plan.points.map(({ values }) => values.get("trace")).filter((_, i) => i % 8 === 0)).toEqual([
      "cp-ring0",
      "find-ring0",
      "forks-ring0",
      "pipe-ring0",
      "find-int80",
    ]);
    expect(plan.points.slice(0, 5).map(({ values }) => [...values.values()].slice(1))).toEqual([
      ["pentium", "kml-4.0", 0, 4],
      ["pentium", "kml-4.0", 0, 5],
      ["pentium", "kml-4.0", 100, 4],
      ["pentium", "kml-4.0", 100, 5],
      ["p4", "kml-4.0", 0, 4],
    ]);
    expect(plan.points.flatMap(({ runs }) => runs.map(({ number }) => number))).toEqual(
      Array.from({ length: plan.runs }, (_, i) => i + 1),
    );
  });

  it("keeps what the constraints allow, by mechanism too", () => {
    const loaded = load(
      `${HEAD}set: {hz: [0, 100, 1000]}\nvariables: {x: hz / 10}\nconstraints:\n  - x != 10\n  - mechanism == "int80" or hz > 0\n`,
    );
    expect(
      loaded.plan.points.map(({ values, runs }) => [
        values.get("hz"),
        values.get("x"),
        ...runs.map((r) => r.mechanism),
      ]),
    ).toEqual([
      [0, 0, "int80"],
      [1000, 100, "int80", "kml"],
    ]);
  });

  it("takes several captures of a workload as one trace", () => {
    const loaded = load("traces:\n  - {name: find, captures: [find-ring3, find-int80]}\nmechanisms: kml\n");
    expect(column(loaded, "trace")).toEqual(["find", "find"]);
    expect(column(loaded, "capture")).toEqual(["find-ring3", "find-int80"]);
  });

  it("asks about a 64-bit machine when all programs are 64-bit and nothing is named", () => {
    writeTrace(join(folder, "native.kmtrace"), emptyTrace({ ...emptyMeta("made"), arch: "x86_64" }));
    expect(load("traces: native\n").plan.mechanisms).toEqual(["syscall", "kml-amd64", "ukl"]);
    expect(load("traces: [native, find-ring3]\n").plan.mechanisms).toEqual(["int80", "sysenter", "kml"]);
  });

  it.each(shippedExperiments())("%s, which comes with kmlab, says what it asks and has runs", (name, about) => {
    expect(about).not.toBe("");
    expect(loadExperiment(name).plan.runs).toBeGreaterThan(20);
  });

  it("a run's key depends on its question alone", () => {
    const keys = (text: string): string[] => {
      const loaded = load(text);
      return loaded.plan.points.flatMap((point) => keysOf(loaded, point));
    };
    const base = keys(`${HEAD}set: {hz: 100}\n`);
    expect(keys(`about: other\n${HEAD}set: {hz: [50, 100]}\nvariables: {x: 3}\n`).slice(2)).toEqual(base);
    expect(keys("traces: find-ring3\nmechanisms: [int80, kml, free]\nset: {hz: 100}\n").slice(0, 2)).toEqual(base);
    for (const other of [
      `${HEAD}set: {hz: 101}\n`,
      `${HEAD}set: {hz: 100}\ndraws: 1\n`,
      `${HEAD}set: {hz: 100}\nmachine: {cpus: 2}\n`,
      `${HEAD}set: {hz: 100}\nconditions: {pollution: true}\n`,
      "traces: find-int80\nmechanisms: [int80, kml]\nset: {hz: 100}\n",
    ])
      for (const key of keys(other)) expect(base).not.toContain(key);
    const drawn = (seed: number) => keys(`${HEAD}draws: 2\nseeds: ${seed}\n`);
    expect(drawn(1)).not.toEqual(drawn(2));
    expect(drawn(1)).toEqual(keys(`${HEAD}draws: 2\n`));
  });
});

describe("wrong files", () => {
  it.each<[string, string, RegExp]>([
    [
      "an unknown key",
      `${HEAD}profile: p4\n`,
      /^x\.yaml:3:1: profile: no such key here; there are about, traces, mechanisms, profiles, /,
    ],
    [
      "an unknown key further in",
      `${HEAD}machine:\n  cpu: 2\n`,
      /^x\.yaml:4:3: machine\.cpu: no such key here; there are scheduler, cpus, disk, memory, reclaim$/,
    ],
    ["no traces", "mechanisms: kml\n", /^x\.yaml:1:1: traces: name at least one trace$/],
    [
      "a missing trace",
      "traces:\n  - find-ring3\n  - fond-ring3\n",
      /^x\.yaml:3:5: traces\.1: no trace fond-ring3; kmlab has cp-int80, .*kmlab capture/,
    ],
    ["a pattern of nothing", "traces: zz*\n", /^x\.yaml:1:1: traces\.0: no trace zz\*; kmlab has cp-int80, /],
    [
      "a trace in two ways",
      "traces: [{trace: find-ring3, scenario: shell}]\n",
      /^x\.yaml:1:10: traces\.0: write a trace's name, \{name: /,
    ],
    ["a trace twice", "traces: [find-ring3, find-*]\n", /^x\.yaml:1:22: traces\.1: find-ring3 is there twice$/],
    [
      "an unknown mechanism",
      "traces: find-ring3\nmechanisms: [int80, kmlx]\n",
      /^x\.yaml:2:21: mechanisms\.1: no mechanism "kmlx"; there are int80, sysenter, kml, /,
    ],
    [
      "an unknown profile",
      `${HEAD}profiles:\n  - p4\n  - p5\n`,
      /^x\.yaml:5:5: profiles\.1: no profile "p5"; there are i386, /,
    ],
    ["a profile without data", `${HEAD}profiles: p6\n`, /^x\.yaml:3:1: profiles\.0: no data for profile p6: /],
    [
      "an unknown kernel",
      `${HEAD}kernels: [kml-5]\n`,
      /^x\.yaml:3:11: kernels\.0: no kernel "kml-5"; there are linux-2\.5, /,
    ],
    [
      "an unknown parameter",
      `${HEAD}set:\n  hz: 100\n  hw.trap: 5\n`,
      /^x\.yaml:5:3: set\.hw\.trap: nothing to set is called "hw\.trap"; there are batch\.line, /,
    ],
    [
      "a value that cannot be",
      `${HEAD}set:\n  hz: [100, -1]\n`,
      /^x\.yaml:4:13: set\.hz\.1: hz=-1: costs are numbers that are not negative/,
    ],
    [
      "an empty list",
      `${HEAD}set:\n  hz: []\n`,
      /^x\.yaml:4:3: set\.hz: an empty list has no values; write a number, a list, /,
    ],
    ["an empty list of names", `${HEAD}profiles: []\n`, /^x\.yaml:3:1: profiles: an empty list names nothing/],
    [
      "an empty range",
      `${HEAD}set:\n  hz: {from: 10, to: 5, steps: 2}\n`,
      /^x\.yaml:4:3: set\.hz: from 10 to 5 there is nothing; write the smaller number first$/,
    ],
    [
      "a range without steps",
      `${HEAD}set:\n  hz: {from: 1, to: 5}\n`,
      /^x\.yaml:4:3: set\.hz: a range has one of steps, by and factor$/,
    ],
    [
      "a range of one step",
      `${HEAD}set:\n  hz: {from: 1, to: 5, steps: 1}\n`,
      /: steps 1: write at least 2, for both ends$/,
    ],
    [
      "a factor that leads nowhere",
      `${HEAD}set:\n  hz: {from: 1, to: 5, factor: 1}\n`,
      /: factor 1: it must be more than 1$/,
    ],
    [
      "ratios from 0",
      `${HEAD}set:\n  hz: {from: 0, to: 5, steps: 3, scale: log}\n`,
      /: from 0: ratios need numbers above 0$/,
    ],
    [
      "an unknown key of a range",
      `${HEAD}set:\n  hz: {from: 1, to: 5, step: 3}\n`,
      /^x\.yaml:4:24: set\.hz\.step: no such key in a range; there are from, to, steps, by, factor, scale$/,
    ],
    ["an expression that is none", `${HEAD}set:\n  hz: 3 +\n`, /^x\.yaml:4:3: set\.hz: "3 \+": /],
    [
      "an expression of an unknown name",
      `${HEAD}set:\n  hz: 2 * mhz\n`,
      /^x\.yaml:4:3: set\.hz: "2 \* mhz": no parameter mhz here; there are trace, profile, kernel, hz$/,
    ],
    [
      "expressions in a circle",
      `${HEAD}set:\n  hz: mhz\n  mhz: hz\n`,
      /: "hz": it depends on itself|: "mhz": it depends on itself, by hz and mhz and hz$/,
    ],
    [
      "an expression out of range",
      `${HEAD}set:\n  mhz: [10, 20]\n  hz: 15 - mhz\n`,
      /^x\.yaml:5:3: set\.hz: hz=-5: costs are numbers/,
    ],
    [
      "a variable whose name is taken",
      `${HEAD}set: {hz: 5}\nvariables:\n  hz: 4\n`,
      /^x\.yaml:5:3: variables\.hz: hz is there already$/,
    ],
    [
      "a constraint that nothing meets",
      `${HEAD}set:\n  hz: [100, 1000]\nconstraints:\n  - hz > 50\n  - hz < 100\n`,
      /^x\.yaml:7:5: constraints\.1: "hz < 100" holds for none of the 4 runs that the constraints before it leave: there hz is 100 to 1000$/,
    ],
    [
      "constraints that contradict each other",
      `${HEAD}set:\n  hz: [100, 1000]\nconstraints:\n  - hz > 500\n  - hz < 500\n`,
      /^x\.yaml:7:5: constraints\.1: "hz < 500" holds for none of the 2 runs .*there hz is 1000$/,
    ],
    [
      "a constraint of an unknown name",
      `${HEAD}constraints: hx > 5\n`,
      /^x\.yaml:3:1: constraints\.0: "hx > 5": no parameter hx here; there are trace, profile, kernel, mechanism$/,
    ],
    [
      "a constraint that is a number",
      `${HEAD}set: {hz: 5}\nconstraints: [hz + 1]\n`,
      /^x\.yaml:4:15: constraints\.0: "hz \+ 1" is 6, and a constraint holds or not; compare it$/,
    ],
    ["seeds without draws", `${HEAD}seeds: [1, 2]\n`, /^x\.yaml:3:1: seeds: seeds change nothing without draws/],
    [
      "a scheduler that is none",
      `${HEAD}machine: {scheduler: [rr, o2]}\n`,
      /^x\.yaml:3:27: machine\.scheduler\.1: no scheduler "o2"; there are rr, /,
    ],
    [
      "half a CPU",
      `${HEAD}machine: {cpus: [1, 1.5]}\n`,
      /^x\.yaml:3:21: machine\.cpus\.1: 1\.5 CPUs: write a whole number from 1 to 64$/,
    ],
    [
      "a time slice that nobody looks at",
      `${HEAD}machine: {scheduler: [rr, o1]}\nset:\n  quantum_us: 100\n`,
      /^x\.yaml:5:3: set\.quantum_us: quantum_us is a number of the scheduler rr, and this one is o1/,
    ],
    [
      "a protection that is none",
      `${HEAD}conditions: {protection: [none, sfj]}\n`,
      /^x\.yaml:3:33: conditions\.protection\.1: no protection "sfj"; there are none, sfi, /,
    ],
    [
      "too many runs",
      `${HEAD}set:\n  hz: {from: 1, to: 1000, by: 1}\n  mhz: {from: 1, to: 1000, by: 1}\n`,
      /: 2000000 combinations are too many; at most 200000$/,
    ],
    ["no YAML", "traces: [find\n", /^x\.yaml:\d+:\d+: /],
  ])("%s", (_, text, message) => {
    expect(wrong(text)).toMatch(message);
  });

  it("a file that is not there", () => {
    expect(() => loadExperiment(join(folder, "none.yaml"))).toThrow(
      /none\.yaml: there is no such experiment; kmlab has .*trap-cost/,
    );
  });
});
