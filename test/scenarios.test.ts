// The workloads that come with kmlab: every folder is one, and lays the same files into the guest on any host.
import { describe, expect, it } from "vitest";
import { readTar } from "../src/emu/rootfs/tar.ts";
import { readScenario, scenarioNames, scenarioRate, scenarioTar } from "../src/scenarios-node.ts";

describe("scenarios", () => {
  it.each(scenarioNames())("%s is described, has a script, and what it prints natively is recorded", (name) => {
    const scenario = readScenario(name);
    expect(scenario.about).not.toBe("");
    expect(scenario.expected).toMatch(/\n$/);
    const files = [...readTar(scenarioTar(scenario), name)];
    expect(files.map(({ path }) => path)).toContain("run.sh");
    expect(files.map(({ path }) => path)).not.toContain("expected.txt");
    expect(new Set(files.map(({ mtime }) => mtime)).size).toBe(1);
  });

  it("a name that is none is answered with those there are", () => {
    expect(() => readScenario("windows")).toThrow(/^windows: no such scenario; there are .*apache, /);
    expect(() => readScenario("../traces")).toThrow(/no such scenario/);
  });

  it("the rate is what the pattern finds, if anything", () => {
    const apache = readScenario("apache");
    expect(scenarioRate(apache, "x\nRequests per second:    4463.89 [#/sec] (mean)\n")?.value).toBe(4463.89);
    expect(scenarioRate(apache, "nothing")).toBeUndefined();
    expect(scenarioRate(readScenario("shell"), "Requests per second: 1")).toBeUndefined();
  });
});
