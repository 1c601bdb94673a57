// The traces that an experiment names: those that come with kmlab, folders beside the experiment, patterns.
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../errors.ts";
import { folderSource, SUFFIX } from "../../traces/node.ts";
import { readPackage } from "../../traces/read.ts";
import { cannotReplay } from "../../traces/trace.ts";
import type { Where } from "../../yaml.ts";
import type { Experiment } from "./experiment.ts";
import type { TraceName } from "./plan.ts";

export interface ExperimentTrace extends TraceName {
  readonly folder: string;
  /** Empty: it is not captured yet. */
  readonly id: string;
  /** The command that was traced. */
  readonly argv: readonly string[];
  /** The instruction set of its program. */
  readonly arch: string;
}

/** A capture of a workload that comes with kmlab. */
export interface ScenarioCapture {
  readonly scenario: string;
  readonly ring: number;
  readonly seed: number;
}

/** Says in which folder a capture is; it may not be there yet. Throws InputError for a scenario that is none. */
export type CaptureFolder = (capture: ScenarioCapture) => string;

const NO_SCENARIOS: CaptureFolder = () => {
  throw new InputError("scenarios are captured by kmlab sweep; name a trace");
};

const SHIPPED = fileURLToPath(new URL("../../../data/traces/", import.meta.url));

function tracesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort();
}

/** Does a name fit a pattern with * and ?? */
function fits(pattern: string, name: string): boolean {
  const text = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("\\*", ".*")
    .replaceAll("\\?", ".");
  return new RegExp(`^${text}$`).test(name);
}

/** Folders of traces by the name that the table has; a word without a slash is first looked up among kmlab's own. */
function find(word: string, beside: string): [name: string, folder: string][] {
  const bare = word.endsWith(SUFFIX) ? word.slice(0, -SUFFIX.length) : word;
  const last = basename(bare);
  const here = isAbsolute(bare) ? dirname(bare) : join(beside, dirname(bare));
  const places = bare.includes("/") ? [here] : [SHIPPED, here];
  for (const place of places) {
    const names = tracesIn(place).filter((name) => (/[*?]/.test(last) ? fits(last, name) : name === last));
    const label = (name: string): string => (bare.includes("/") ? join(dirname(bare), name) : name);
    if (names.length > 0) return names.map((name) => [label(name), join(place, name + SUFFIX)]);
  }
  const others = tracesIn(here);
  throw new InputError(
    `no trace ${word}; kmlab has ${tracesIn(SHIPPED).join(", ")}; ${others.length > 0 ? `in ${here} there are ${others.join(", ")}` : `${here} has none`}; make one with kmlab capture -o NAME${SUFFIX} PROGRAM`,
  );
}

/** Looks them up and reads what they say of themselves. Throws InputError with the line for one that is missing or cannot be replayed. */
export function findTraces(
  { traces }: Experiment,
  where: Where,
  beside: string,
  captureFolder: CaptureFolder = NO_SCENARIOS,
): ExperimentTrace[] {
  const found: ExperimentTrace[] = [];
  const keep = (names: TraceName, folder: string, mayBeMissing = false): void => {
    if (found.some(({ trace, capture }) => trace === names.trace && capture === names.capture))
      throw new InputError(`${[names.trace, names.capture].filter(Boolean).join(" ")} is there twice`);
    if (mayBeMissing && !existsSync(folder)) {
      found.push({ ...names, folder, id: "", argv: [], arch: "i386" });
      return;
    }
    const { meta } = readPackage(folderSource(folder));
    const why = cannotReplay(meta);
    if (why !== undefined) throw new InputError(`${names.trace}: ${why}`);
    found.push({ ...names, folder, id: meta.id, argv: meta.argv, arch: meta.arch });
  };
  const at = (path: PropertyKey[], work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`${where(path)}: ${error.message}`);
      throw error;
    }
  };
  for (const [index, { trace, name, captures, scenario, ring = 3, repeat = 1 }] of traces.entries()) {
    if (trace !== undefined)
      at(["traces", index], () => {
        for (const [label, folder] of find(trace, beside)) keep({ trace: label, capture: "" }, folder);
      });
    for (const [number, word] of (captures ?? []).entries())
      at(["traces", index, "captures", number], () => {
        for (const [label, folder] of find(word, beside)) keep({ trace: name!, capture: label }, folder);
      });
    for (let seed = 1; scenario !== undefined && seed <= repeat; seed++)
      at(["traces", index, "scenario"], () => {
        const capture = repeat === 1 ? "" : `${seed}`;
        keep({ trace: `${scenario}-ring${ring}`, capture }, captureFolder({ scenario, ring, seed }), true);
      });
  }
  return found;
}
