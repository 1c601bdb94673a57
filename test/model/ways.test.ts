// Ways into the kernel as data: every mechanism's routes, what each costs by its parts, and pairs that cannot be.
import { describe, expect, test } from "vitest";
import { defaultKernel, defaultMechanisms, defaultProfile } from "../../src/model/choices.ts";
import { loadModelData } from "../../src/model/data.ts";
import { modelData, readDataFile } from "../../src/model/data-node.ts";
import { makeTrace } from "../../src/model/made-traces.ts";
import { impossible, Prices } from "../../src/model/prices.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { readTrace } from "../../src/traces/node.ts";

const data = modelData();
const prices = (profile: string, kernel: string, set: [string, number][] = []) =>
  new Prices(data, data.profiles.get(profile)!, data.kernels.get(kernel)!, undefined, new Map(set));
const sum = (cycles: Float64Array) => cycles.reduce((total, value) => total + value, 0);
const call = (at: Prices, mechanism: string, name: string) => at.nullCall(at.kernel, mechanism, name);

describe("the tables", () => {
  test("every path of a mechanism is one that some kernel has", () => {
    const known = new Set([...data.kernels.values()].flatMap(({ paths }) => [...paths.keys()]));
    for (const { id, ...routes } of data.mechanisms.values()) {
      for (const words of Object.values(routes).filter(Array.isArray)) {
        for (const word of words as string[]) expect(known, `${id}: ${word}`).toContain(word.split(/[?/]/)[0]);
      }
    }
  });

  test("every way that a kernel offers belongs to a mechanism of its programs", () => {
    for (const { id, ways, target } of data.kernels.values()) {
      for (const way of ways) {
        const owners = [...data.mechanisms.values()].filter((routes) => routes.way === way);
        expect(owners.length, `${id} ${way}`).toBeGreaterThan(0);
        for (const routes of owners) expect(routes.target, `${id} ${routes.id}`).toBe(target);
      }
    }
  });

  test("every processor with kernels of its own can be asked about all their ways, and the rest is n/a", () => {
    for (const profile of data.profiles.values()) {
      for (const id of profile.kernels) {
        const kernel = data.kernels.get(id)!;
        for (const routes of data.mechanisms.values()) {
          const why = impossible(prices(profile.id, id), routes.id);
          const offered = routes.way === "" || kernel.ways.includes(routes.way);
          if (offered) expect(why, `${profile.id} ${id} ${routes.id}`).toBeUndefined();
          else expect(why, `${profile.id} ${id} ${routes.id}`).toMatch(/^n\/a: /);
        }
      }
    }
  });

  test("ways of kernels that never were are derived or assumed", () => {
    for (const id of ["kml-6.18-amd64", "kml-5.11"]) {
      for (const item of data.kernels.get(id)!.paths.get("K")!) expect(item.basis).toBe("derived");
    }
    for (const item of data.kernels.get("kml-2003")!.paths.get("C")!) expect(item.basis).toBe("assumed");
    for (const item of data.kernels.get("kml-4.0")!.paths.get("C")!) expect(item.basis).toBe("counted");
  });

  test.each<[string, string | RegExp, string, RegExp]>([
    ["kernels/mechanisms.csv", "int80,3,", "int80,7,", /ring is 0 or 3/],
    ["kernels/mechanisms.csv", ",no cost", ",", /row 14: no source/],
    ["kernels/mechanisms.csv", "sysenter,3,", "int80,3,", /int80 is there twice/],
    ["kernels/paths.csv", ",counted,", ",guessed,", /basis is one of/],
    ["kernels/paths.csv", /,counted,"[^"]*"/, ",counted,", /no source/],
    ["parameters.csv", "batch.size,16", "batch.size,-16", /value is -16/],
    ["parameters.csv", "batch.size,16", "batch.size,NaN", /value is "NaN"; write a number/],
    ["costs/xeon-ukl2023.csv", /(hw\.iret_0,.*,),".*"/, "$1,", /no source/],
  ])("%s: a damaged row is one line that names the place", (file, from, to, message) => {
    const read = (name: string) => (name === file ? readDataFile(name).replace(from, to) : readDataFile(name));
    expect(() => loadModelData(read)).toThrow(message);
  });
});

describe("what a way costs is the sum of its parts", () => {
  test("early 2.5 writes SYSENTER's stack pointer at every switch, 4.0 does not", () => {
    const [early, late] = ["linux-2.5", "linux-4.0"].map((kernel) => {
      const at = prices("p4", kernel);
      return sum(at.paths(at.routes("sysenter").switch));
    });
    expect([early, late]).toEqual([prices("p4", "linux-2.5").primitive("i.wrmsr"), 0]);
  });

  test("ring 0 without a table of calls: int 0x80 from ring 0 costs more than the direct call, saving all registers more too", () => {
    const at = prices("pentium", "kml-4.0");
    const of = (mechanism: string) => call(at, mechanism, "getpid");
    expect(of("kml")).toBeLessThan(of("kml-special"));
    expect(of("kml-special")).toBeLessThan(of("kml-int80"));
    expect(of("kml-int80")).toBeLessThan(of("int80") * 1.5);
  });

  test("KAISER adds its two table switches to every call, to a pair of calls twice", () => {
    const [plain, kaiser] = ["linux-4.10", "linux-4.10-kaiser"].map((kernel) => prices("laptop-kaiser2017", kernel));
    const added = kaiser.primitive("kpti.entry") + kaiser.primitive("kpti.exit");
    expect(added).toBeCloseTo((0.3002 - 0.0867) * 3000, 6);
    expect(call(kaiser, "syscall", "stat") - call(plain, "syscall", "stat")).toBeCloseTo(added, 6);
    expect(call(kaiser, "syscall", "open+close") - call(plain, "syscall", "open+close")).toBeCloseTo(2 * added, 6);
  });

  test("x86-64 in ring 0 keeps the entry code: it saves SYSCALL and SYSRET, and pays for its own frame", () => {
    const at = prices("zen4", "kml-6.18-amd64");
    const own = sum(at.paths(["K"])) - at.primitive("sw.entry") - at.primitive("sw.exit");
    const gone = at.primitive("hw.syscall") + at.primitive("hw.sysret") + sum(at.paths(["stub.syscall"]));
    const later = at.primitive("rsb.user_share") * at.leastBody("getpid");
    expect(call(at, "syscall", "getpid") - call(at, "kml-amd64", "getpid")).toBeCloseTo(gone + later - own, 6);
    expect(call(at, "ukl", "getpid")).toBeLessThan(call(at, "ukl-base", "getpid") / 5);
  });

  test("returns after a long body are mispredicted longer, up to a length; by the C library's wrapper only", () => {
    const at = prices("zen4", "kml-6.18-amd64", [
      ["rsb.user_share", 0.5],
      ["rsb.user_body", 1000],
    ]);
    const extra = (name: string) => call(at, "syscall", name) - at.nullCall(at.kernel, "syscall", name, true);
    const short = at.leastBody("fcntl");
    expect(short).toBeLessThan(1000);
    expect(at.leastBody("stat")).toBeGreaterThan(1000);
    expect(extra("fcntl") - extra("getpid")).toBeCloseTo(0.5 * (short - at.leastBody("getpid")), 6);
    expect(extra("stat") - extra("getpid")).toBeCloseTo(0.5 * (1000 - at.leastBody("getpid")), 6);
    // In a replay it is part of stack-repair, for every record its own.
    const one = makeTrace({ tasks: 1, events: [{ task: 0, nr: 55, user: 10 }] });
    const set = new Map([
      ["hz", 0],
      ["rsb.user_share", 0.5],
    ] as [string, number][]);
    const { mechanisms } = whatif(one, data, { target: "x86-64", mechanisms: ["syscall", "kml-amd64"], draws: 0, set });
    const [syscall, kml] = mechanisms.filter(isResult);
    const first = prices("zen4", "kml-6.18-amd64").primitive("rsb.user");
    expect(syscall.causes["stack-repair"]).toBe(Math.round(first) + Math.round(0.5 * Math.round(short)));
    expect(kml.causes["stack-repair"]).toBe(0);
  });

  test("a call with a body of its own on one machine keeps its work on the others", () => {
    const sent = (bytes: number) => makeTrace({ tasks: 1, events: [{ task: 0, nr: 369, user: 10, bytes }] });
    const copied = (bytes: number) =>
      whatif(sent(bytes), data, { mechanisms: ["int80"], draws: 0 }).mechanisms.filter(isResult)[0].causes.copy;
    expect(copied(4096)).toBeGreaterThan(copied(0));
  });

  test("a batch of n calls enters once; a polling kernel is never entered", () => {
    const at = (...set: [string, number][]) => prices("zen4", "kml-6.18-amd64", set);
    const queue = sum(at().paths(["batch.queue"]));
    const way = sum(at().paths(["S"]));
    const body = at().leastBody("read");
    const of = (...set: [string, number][]) => call(at(...set), "flexsc", "read");
    expect(of(["batch.size", 1])).toBeCloseTo(queue + way + body, 6);
    expect(of(["batch.size", 50])).toBeCloseTo(queue + way / 50 + body, 6);
    expect(of(["batch.poll", 1], ["batch.line", 70])).toBeCloseTo(queue + 140 + body, 6);
  });

  test("io_uring has no getpid: that call enters by SYSCALL", () => {
    const at = prices("zen4", "kml-6.18-amd64");
    expect(call(at, "io-uring", "getpid")).toBe(call(at, "syscall", "getpid"));
    expect(call(at, "io-uring", "read")).toBe(call(at, "flexsc", "read"));
    expect(call(at, "io-uring", "read")).toBeLessThan(call(at, "syscall", "read"));
  });
});

describe("what cannot be says why", () => {
  test.each([
    ["zen4", "kml-6.18-amd64", "kml", /^n\/a: kml is a way of i386 programs, kml-6\.18-amd64 runs x86-64 ones/],
    ["xeon-ukl2023", "linux-5.14", "ukl", /^n\/a: linux-5\.14 has no ukl/],
    ["p4", "kml-4.0", "syscall", /^n\/a: syscall is a way of x86-64 programs/],
    ["p4", "ukl-5.14", "syscall", /^unknown: the ways in of ukl-5\.14 are known only/],
    ["opteron-850", "kml-4.0", "kml", /^unknown: opteron-850 was measured under/],
  ])("%s under %s by %s", (profile, kernel, mechanism, message) => {
    expect(impossible(prices(profile, kernel), mechanism)).toMatch(message);
  });

  test("processors of which only the page fault is published are refused", () => {
    for (const id of ["core-duo", "haswell"]) expect(data.refused.get(id)).toMatch(/only its page fault is published/);
  });
});

describe("the target", () => {
  test("decides processor, kernel and ways that are not named", () => {
    const zen4 = data.profiles.get("zen4")!;
    expect([defaultProfile(), defaultProfile("x86-64")]).toEqual(["p4", "zen4"]);
    expect([defaultKernel(data, zen4), defaultKernel(data, zen4, "x86-64")]).toEqual(["kml-6.18", "kml-6.18-amd64"]);
    expect(defaultMechanisms([data.kernels.get("ukl-5.14")!])).toEqual(["syscall", "kml-amd64", "ukl"]);
    expect(() => defaultProfile("arm")).toThrow('no target "arm"; there are i386, x86-64');
  });

  test("a 32-bit trace on a 64-bit kernel: said to be assumed recompiled", () => {
    const trace = readTrace("data/traces/find-ring3.kmtrace");
    const { mechanisms, notes, recompiled } = whatif(trace, data, { target: "x86-64", draws: 0 });
    expect(mechanisms.map((entry) => [entry.mechanism, isResult(entry)])).toEqual([
      ["syscall", true],
      ["kml-amd64", true],
      ["ukl", true],
    ]);
    expect(recompiled).toMatchObject({ from: "i386", to: "x86-64", kept: [] });
    expect(notes.join("\n")).toMatch(/kml-amd64 under kml-6\.18-amd64: put together/);
  });
});
