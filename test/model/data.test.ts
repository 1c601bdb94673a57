// The tables that come with the model: complete, sourced, within their ranges; and what damaged ones say.
import { describe, expect, test } from "vitest";
import { loadModelData } from "../../src/model/data.ts";
import { modelData, readDataFile } from "../../src/model/data-node.ts";
import { settableKeys } from "../../src/model/prices.ts";
import { readRanged, within } from "../../src/model/ranges.ts";
import type { ReadData } from "../../src/model/table.ts";
import { readTable } from "../../src/model/table.ts";
import { CLASSES } from "../../src/traces/schema/enums.ts";

const data = modelData();

/** data/ with one file changed. */
function changed(file: string, change: (text: string) => string): ReadData {
  return (name) => (name === file ? change(readDataFile(name)) : readDataFile(name));
}

describe("costs", () => {
  test("every processor has every instruction class and the same keys", () => {
    const keys = [...data.profiles.get("i386")!.costs.keys()].sort();
    for (const profile of data.profiles.values()) {
      expect([...profile.costs.keys()].sort(), profile.id).toEqual(keys);
      for (const name of CLASSES)
        expect(profile.costs.get(`cpi.${name}`)?.value, `${profile.id} ${name}`).toBeGreaterThan(0);
    }
  });

  test("a value lies within its range, and every row names its source", () => {
    for (const { id, costs } of data.profiles.values()) {
      for (const { key, value, low, high, source } of costs.values()) {
        expect(source, `${id} ${key}`).not.toBe("");
        if (value !== null) expect(low <= value && value <= high, `${id} ${key}`).toBe(true);
      }
    }
  });

  test("p4 spans the Pentium 4s that were measured", () => {
    const fit = (id: string) => data.profiles.get(id)!.fits.find(({ solves }) => solves[0] === "hw.sysenter")!;
    const [p4, maeda, lkml] = ["p4", "p4-maeda2003", "p4-lkml2002"].map(fit);
    expect(p4.low).toBe(maeda.value);
    expect(p4.high).toBe(lkml.value);
  });

  test("there is no SYSENTER on the 386, the 486 and the Pentium", () => {
    for (const id of ["i386", "i486", "pentium"])
      expect(data.profiles.get(id)!.costs.get("hw.sysenter")?.range).toBe("none");
  });
});

describe("rules for ranges", () => {
  const row = (text: string) => readRanged(readTable("t.csv", `value,low,high,range,source\n${text}`)[0]);

  test.each([
    ["100,,,exact,manual", 100, 100],
    ["100,,,read,page", 95, 105],
    ["100,,,secondary,page", 90, 110],
    ["100,,,memory,recall", 80, 120],
    ["100,70,200,memory,recall", 70, 200],
  ])("%s", (text, low, high) => {
    expect(row(text)).toMatchObject({ value: 100, low, high });
  });

  test.each([
    ["100,,,assumed,x", /gives its own low and high/],
    ["100,120,130,assumed,x", /does not hold/],
    ["-5,,,read,x", /t\.csv row 2: value is -5; costs and counts are not negative/],
    ["abc,,,read,x", /write a number/],
    [",,,read,x", /value is empty/],
    ["100,,,guess,x", /range is "guess"/],
    ["100,,,read,", /no source/],
  ])("refuses %s", (text, message) => {
    expect(() => row(text)).toThrow(message);
  });

  test("a place in a range: low, the value, towards high", () => {
    const cost = row("100,70,200,memory,recall");
    expect([0, 0.25, 0.5, 0.75].map((u) => within(cost, u))).toEqual([70, 85, 100, 150]);
  });
});

describe("calls", () => {
  test("numbers and names that everyone knows", () => {
    expect([1, 3, 20, 120, 240, 295].map((nr) => data.i386.get(nr)?.name)).toEqual([
      "exit",
      "read",
      "getpid",
      "clone",
      "futex",
      "openat",
    ]);
    expect([0, 39, 59, 257].map((nr) => data.x86_64.get(nr)?.name)).toEqual(["read", "getpid", "execve", "openat"]);
  });

  test("the ten calls of KML that need the saved registers, and the two that came later", () => {
    const special = [...data.calls.values()].filter((call) => call.special).map((call) => call.name);
    const kml = "fork execve sigsuspend iopl sigreturn clone rt_sigreturn rt_sigsuspend sigaltstack vfork";
    expect(special.sort()).toEqual(`${kml} clone3 execveat`.split(" ").sort());
  });

  test("every call's class has a body in every era", () => {
    for (const call of data.calls.values()) {
      for (const [era, bodies] of data.bodies)
        expect(bodies.has(call.class), `${era} ${call.name}: ${call.class}`).toBe(true);
    }
  });
});

describe("damaged tables", () => {
  test.each<[string, (text: string) => string, RegExp]>([
    [
      "costs/i386.csv",
      (text) => text.replace("hw.int_3to0,99", "hw.int_3to0,-99"),
      /costs\/i386\.csv row 2: value is -99/,
    ],
    ["costs/i386.csv", (text) => `${text}i.alu,1,,,exact,,twice\n`, /i\.alu is there twice/],
    ["costs/i386.csv", (text) => text.replace("hw.int_3to0,the same", "hw.nothing,the same"), /factor of hw\.nothing/],
    ["kernels/paths.csv", (text) => text.replace(",entry,entry-hw,", ",entry,magic,"), /no cause "magic"/],
    ["kernels/paths.csv", (text) => text.replace(",entry,", ",middle,"), /phase is entry or exit/],
    ["bodies/linux-2.5.csv", (text) => text.replace("null,a,", "null,moons,"), /no work "moons"/],
  ])("%s: one line that names the place", (file, change, message) => {
    expect(() => loadModelData(changed(file, change))).toThrow(message);
  });
});

test("every key of a processor and kernel can be set", () => {
  const keys = settableKeys(data, data.profiles.get("p4")!, data.kernels.get("kml-4.0")!);
  for (const key of ["hw.sysenter", "i.push", "cpi.load", "body.open.components", "body.tick.a"])
    expect(keys).toContain(key);
});
