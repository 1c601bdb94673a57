// A thread of a sweep: answers combinations of values, and keeps the traces that it made ready for the next ones.
import { CheckFailed, InputError } from "../../errors.ts";
import { readTrace } from "../../traces/node.ts";
import type { Trace } from "../../traces/trace.ts";
import type { ModelData } from "../data.ts";
import { modelData } from "../data-node.ts";
import { readProfileFile } from "../profiles.ts";
import { evaluate, type PointQuestion, type Prepared, prepare, type Result } from "./evaluate.ts";

/** Combinations of one trace. */
export interface Task {
  readonly folder: string;
  readonly id: string;
  /** Processors that are files: name and text. */
  readonly profiles: readonly (readonly [name: string, text: string])[];
  readonly points: readonly { readonly question: PointQuestion; readonly wanted: readonly string[] }[];
}

/** Results of every point, or what went wrong; errors lose their class between threads. */
export type Answer =
  | { readonly results: readonly (readonly Result[])[] }
  | { readonly failed: string; readonly check: boolean };

/** The tables with processors that were given as files. */
export function withProfiles(data: ModelData, files: Task["profiles"]): ModelData {
  const profiles = new Map(data.profiles);
  for (const [name, text] of files) profiles.set(name, readProfileFile(name, text, data.profiles.get("zen4")!));
  return { ...data, profiles };
}

/** What a thread keeps. */
class Kept {
  readonly #tables = modelData();
  #files: string | undefined;
  data: ModelData = this.#tables;
  #trace: Trace | undefined;
  readonly #prepared = new Map<string, Prepared>();

  profiles(files: Task["profiles"]): void {
    const text = JSON.stringify(files);
    if (text === this.#files) return;
    this.#files = text;
    this.data = withProfiles(this.#tables, files);
    this.#prepared.clear();
  }

  #read(folder: string, id: string): Trace {
    if (this.#trace?.meta.id !== id) {
      this.#prepared.clear();
      this.#trace = readTrace(folder);
    }
    if (this.#trace.meta.id !== id)
      throw new InputError(`${folder}: the trace changed while the sweep went on; start it again`);
    return this.#trace;
  }

  prepared(folder: string, id: string, { kernel, machine }: PointQuestion): Prepared {
    const trace = this.#read(folder, id);
    const era = this.data.kernels.get(kernel)!;
    const key = JSON.stringify([era.target, machine.memory, machine.reclaim]);
    let found = this.#prepared.get(key);
    if (found === undefined) {
      // Two: what a sweep goes back and forth between; each can be as large as its trace.
      if (this.#prepared.size > 1) this.#prepared.delete(this.#prepared.keys().next().value!);
      found = prepare(trace, this.data, era, machine);
      this.#prepared.set(key, found);
    }
    return found;
  }
}

const kept = new Kept();

/** Answers a task. */
export default function work(task: Task): Answer {
  try {
    kept.profiles(task.profiles);
    const results = task.points.map(({ question, wanted }) =>
      evaluate(kept.prepared(task.folder, task.id, question), kept.data, question, wanted),
    );
    return { results };
  } catch (error) {
    if (error instanceof InputError || error instanceof CheckFailed)
      return { failed: error.message, check: error instanceof CheckFailed };
    throw error;
  }
}
