// Traces that an experiment has of scenarios: each captured once, into the sweep's folder, by a kmlab of its own.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { CheckFailed, InputError } from "../errors.ts";
import type { ScenarioCapture } from "../model/sweep/traces-node.ts";
import { scenarioNames } from "../scenarios-node.ts";
import { SUFFIX } from "../traces/node.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/kmlab.mjs", import.meta.url));

/** Where a capture is kept. Throws InputError for a scenario that is none. */
export function scenarioFolder(folder: string, { scenario, ring, seed }: ScenarioCapture): string {
  if (!scenarioNames().includes(scenario))
    throw new InputError(`no scenario ${scenario}; there are ${scenarioNames().join(", ")}`);
  return join(folder, "traces", `${scenario}-ring${ring}-${seed}${SUFFIX}`);
}

/** Makes those that are missing; were there any? What the guest prints is left out, what is wrong with it is not. */
export function captureMissing(wanted: ReadonlyMap<string, ScenarioCapture>): boolean {
  const missing = [...wanted].filter(([place]) => !existsSync(place));
  for (const [place, { scenario, ring, seed }] of missing) {
    mkdirSync(dirname(place), { recursive: true });
    const words = ["scenario", scenario, "--ring", `${ring}`, "--seed", `${seed}`, "-o", place];
    const { status } = spawnSync(process.execPath, [LAUNCHER, ...words], { stdio: ["ignore", "ignore", "inherit"] });
    if (status !== 0) throw new CheckFailed(`kmlab ${words.join(" ")} ended with ${status}`);
  }
  return missing.length > 0;
}
