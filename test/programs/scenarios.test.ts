// Scenarios run in the emulated kernel and print what they print natively: a quick few, or with KMLAB_SLOW all of them.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import { runProgram } from "../../src/emu/run.ts";
import { readScenario, scenarioBase, scenarioImage, scenarioNames, scenarioOptions } from "../../src/scenarios-node.ts";
import { hasPackages } from "../cli/packages.ts";

const QUICK = ["shell", "tinyscheme"];

describe.runIf(hasPackages).each(process.env["KMLAB_SLOW"] ? scenarioNames() : QUICK)("%s", (name) => {
  it.each([3, 0] as const)("ring %i", { timeout: 900_000 }, async (ring) => {
    const scenario = readScenario(name);
    const base = await scenarioBase(scenario);
    const host = new MemoryIo();
    const image = scenarioImage(base, scenario);
    const { status } = runProgram({ ...scenarioOptions(scenario), image, host, ring });
    base.close();
    expect({ status, out: host.text("out") }).toEqual({ status: 0, out: scenario.expected });
  });
});
