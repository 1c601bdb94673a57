// Conditions of an answer: protection in the hardware's place, pollution after traps, hypervisors; off when nobody asks.
import { describe, expect, test } from "vitest";
import { underConditions } from "../../src/model/conditions.ts";
import { loadModelData } from "../../src/model/data.ts";
import { modelData, readDataFile } from "../../src/model/data-node.ts";
import { lost } from "../../src/model/pollution.ts";
import { impossible, Prices } from "../../src/model/prices.ts";
import { sensitivity } from "../../src/model/sensitivity/sensitivity.ts";
import { isResult, type MechanismResult, type WhatIfOptions, whatif } from "../../src/model/whatif.ts";
import { readTrace } from "../../src/traces/node.ts";

const data = modelData();
const trace = readTrace("data/traces/find-ring3.kmtrace");
const quiet: [string, number][] = [["hz", 0]];
function ask(options: WhatIfOptions, set: [string, number][] = []): MechanismResult[] {
  const { mechanisms } = whatif(trace, data, { draws: 0, ...options, set: new Map([...quiet, ...set]) });
  return mechanisms.filter(isResult);
}
const sum = (causes: Readonly<Record<string, number>>) => Object.values(causes).reduce((a, b) => a + b, 0);

describe("protection", () => {
  test("multiplies the program's own cycles in ring 0, and those alone", () => {
    const [plain, checked] = [ask({}), ask({ conditions: { protection: "sfi" } })];
    const [, sysenter, kml] = checked;
    expect(sysenter.causes).toEqual(plain[1].causes);
    expect(kml.causes.user / plain[2].causes.user).toBeCloseTo(1.07, 3);
    expect({ ...kml.causes, user: 0 }).toEqual({ ...plain[2].causes, user: 0 });
    expect(sum(kml.causes)).toBe(kml.total);
    // What is saved still adds up by cause, and Amdahl's law knows of the slower program.
    expect(sum(kml.saved)).toBe(checked[0].total - kml.total);
    expect(kml.amdahl).toBeLessThan(plain[2].amdahl);
  });

  test("at some overhead ring 0 no longer pays, and the key for it can be set", () => {
    const speedup = (factor: number) => ask({}, [["protection.user", factor]])[2].speedup.value;
    expect(speedup(1)).toBeGreaterThan(1);
    expect(speedup(3)).toBeLessThan(1);
    expect(ask({}, [["protection.user", 1.07]])[2].total).toBe(ask({ conditions: { protection: "sfi" } })[2].total);
  });

  test("what nobody measured is no number", () => {
    expect(() => underConditions(data, { protection: "typed-assembly" })).toThrow(
      /^protection typed-assembly: unknown: /,
    );
    expect(() => underConditions(data, { protection: "hope" })).toThrow(/no protection "hope"; there are none, sfi/);
    expect(() => ask({}, [["protection.user", 0]])).toThrow("protection.user=0: it must be more than 0");
  });
});

describe("pollution", () => {
  test("the loss is the integral of what is missing", () => {
    const [d, length, n, steps] = [0.87, 1000, 2500, 200_000];
    let numeric = 0;
    for (let i = 0; i < steps; i++) {
      const x = ((i + 0.5) * n) / steps;
      numeric += (1 / (1 - d * Math.exp(-x / length)) - 1) * (n / steps);
    }
    expect(lost(n, d, length)).toBeCloseTo(numeric, 3);
    expect(lost(0, d, length)).toBe(0);
    expect(lost(1e9, d, length)).toBeCloseTo(length * Math.log(1 / (1 - d)), 6);
    expect(lost(n, 0, length)).toBe(0);
  });

  test("is off, and the answer says so", () => {
    const { notes } = whatif(trace, data, { draws: 0 });
    expect(notes.join("\n")).toMatch(/what a trap costs the program after it is not counted \(--pollution on\)/);
    for (const { causes } of ask({})) expect(causes.pollution).toBe(0);
  });

  test("traps pay, direct calls what pollution.direct leaves, and the causes still add up", () => {
    const conditions = { pollution: true };
    const of = (direct: number) =>
      ask({ conditions, mechanisms: ["int80", "sysenter", "kml-all"] }, [["pollution.direct", direct]]);
    const [int80, sysenter, none] = of(0);
    const [, , half] = of(0.5);
    const [, , all] = of(1);
    expect(int80.causes.pollution).toBeGreaterThan(0);
    expect(sysenter.causes.pollution).toBe(int80.causes.pollution);
    expect(none.causes.pollution).toBe(0);
    expect(half.causes.pollution / all.causes.pollution).toBeCloseTo(0.5, 2);
    expect(all.causes.pollution).toBe(int80.causes.pollution);
    for (const { causes, total } of [int80, half]) expect(sum(causes)).toBe(total);
  });

  test("a batch pays once", () => {
    const [syscall, flexsc] = ask(
      { conditions: { pollution: true }, target: "x86-64", mechanisms: ["syscall", "flexsc"] },
      [["batch.size", 10]],
    );
    expect(flexsc.causes.pollution).toBeLessThan(syscall.causes.pollution / 5);
  });

  test("of a deeper loss there is nothing to say", () => {
    expect(() => ask({}, [["pollution.depth", 1]])).toThrow(/write less than 1/);
  });
});

describe("hypervisors", () => {
  const under = (hypervisor: string, profile: string, kernel: string) =>
    new Prices(underConditions(data, { hypervisor }), data.profiles.get(profile)!, data.kernels.get(kernel)!);
  const bare = new Prices(data, data.profiles.get("p4")!, data.kernels.get("kml-4.0")!);

  test("binary translation adds to SYSENTER, INT and faults what was measured of it, each once", () => {
    const at = under("vmware-bt", "p4", "kml-4.0");
    const more = (key: string) => at.primitive(key) - bare.primitive(key);
    expect(more("hw.sysenter") + more("hw.sysexit")).toBeCloseTo(2066, 9);
    expect(more("hw.int_3to0")).toBeCloseTo(1167, 9);
    expect(more("hw.fault_3to0") + more("hw.iret_3")).toBeCloseTo(3927 - 1093, 9);
  });

  test("a trapped INT costs its exit, a page fault does not", () => {
    const [trapped, untrapped] = ["hw-int", "hw"].map((name) => under(name, "p4", "kml-4.0"));
    expect(trapped.primitive("hw.int_3to0") - untrapped.primitive("hw.int_3to0")).toBeCloseTo(14_500, 9);
    expect(untrapped.primitive("hw.int_3to0")).toBe(bare.primitive("hw.int_3to0"));
    expect(trapped.primitive("hw.fault_3to0")).toBe(bare.primitive("hw.fault_3to0"));
  });

  test("what was fitted was fitted on the bare machine", () => {
    const at = under("vmware-bt", "p4-maeda2003", "linux-2.5");
    expect(at.nullCall(at.kernel, "sysenter", "getpid")).toBeCloseTo(432 + 2066, 6);
  });

  test.each([
    ["vmware-bt", "p4", "kml-4.0", "kml", /^unknown: a program in ring 0 would be translated/],
    ["vmware-bt", "xeon-ukl2023", "linux-5.14", "syscall", /^n\/a: vmware-bt is known for i386 guests only/],
    ["hw", "zen4", "linux-6.18", "sysenter", /^n\/a: zen4 was itself measured under a hypervisor/],
  ])("%s on %s, %s by %s", (hypervisor, profile, kernel, mechanism, message) => {
    expect(impossible(under(hypervisor, profile, kernel), mechanism)).toMatch(message);
  });

  test("none is none, and others do not exist", () => {
    expect(ask({ conditions: { hypervisor: "none" } })).toEqual(ask({}));
    expect(() => underConditions(data, { hypervisor: "xen" })).toThrow('no hypervisor "xen"; there are');
  });
});

test("sensitivity asks under the same conditions, and knows their ranges", () => {
  const few = { walks: 1, rows: 1, factors: 1, mechanisms: ["int80", "kml"] };
  const { parameters, mechanisms } = sensitivity(trace, data, {
    ...few,
    conditions: { protection: "bounds", hypervisor: "hw-int", pollution: true },
  });
  const names = parameters.map(({ name }) => name);
  for (const name of ["protection.user", "hypervisor hw.int_3to0", "pollution.depth"]) expect(names).toContain(name);
  const [plain] = sensitivity(trace, data, few).mechanisms;
  expect(mechanisms[0].speedup).not.toBe(plain.speedup);
});

test.each<[string, string | RegExp, string, RegExp]>([
  ["protection.csv", "sfi,1.07", "sfi,-1", /row 3: value is -1/],
  ["protection.csv", /(none,1,1,1,exact,.*),[^,]*$/m, "$1,", /row 2: no source/],
  ["hypervisors.csv", "hw.sysenter,add", "hw.sysenter,lose", /op is add, times or refuse/],
  ["hypervisors.csv", "add,1033", "add,NaN", /row 2: value is "NaN"/],
])("%s: a damaged row is one line that names the place", (file, from, to, message) => {
  const read = (name: string) => (name === file ? readDataFile(name).replace(from, to) : readDataFile(name));
  expect(() => loadModelData(read)).toThrow(message);
});
