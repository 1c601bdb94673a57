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
  readonly id: string;
  /** The command that was traced. */
  readonly argv: readonly string[];
}

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
export function findTraces({ traces }: Experiment, where: Where, beside: string): ExperimentTrace[] {
  const found: ExperimentTrace[] = [];
  const add = (path: PropertyKey[], word: string, workload?: string): void => {
    try {
      for (const [name, folder] of find(word, beside)) {
        const { meta } = readPackage(folderSource(folder));
        const why = cannotReplay(meta);
        if (why !== undefined) throw new InputError(`${name}: ${why}`);
        const names = workload === undefined ? { trace: name, capture: "" } : { trace: workload, capture: name };
        if (found.some(({ trace, capture }) => trace === names.trace && capture === names.capture))
          throw new InputError(`${name} is there twice`);
        found.push({ ...names, folder, id: meta.id, argv: meta.argv });
      }
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`${where(path)}: ${error.message}`);
      throw error;
    }
  };
  traces.forEach(({ trace, name, captures }, index) => {
    if (trace !== undefined) add(["traces", index], trace);
    else for (const [number, word] of captures!.entries()) add(["traces", index, "captures", number], word, name);
  });
  return found;
}
