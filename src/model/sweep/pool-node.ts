// The runs that are missing, computed on worker threads: each thread gets as many combinations of a trace at once as take a moment.
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { Tinypool } from "tinypool";
import { CheckFailed, InputError } from "../../errors.ts";
import type { PointQuestion, Result } from "./evaluate.ts";
import type { ExperimentTrace } from "./traces-node.ts";
import type { Answer, Task } from "./worker-node.ts";

/** A combination with the mechanisms that are missing, and the names of their results. */
export interface Work {
  readonly trace: ExperimentTrace;
  readonly question: PointQuestion;
  readonly wanted: readonly string[];
  readonly keys: readonly string[];
}

const WORKER = fileURLToPath(new URL("../../../bin/worker.mjs", import.meta.url));

/** What a thread should be busy with at once: a kill loses that much of each. */
const MOMENT_MS = 250;
const MOST_AT_ONCE = 200;

/** Computes all of it on so many threads. `done` hears of results as they come, in no particular order. */
export async function compute(
  all: readonly Work[],
  profiles: Task["profiles"],
  jobs: number,
  done: (entries: readonly (readonly [key: string, result: Result])[]) => void,
): Promise<void> {
  const threads = Math.min(jobs, all.length);
  if (threads === 0) return;
  const pool = new Tinypool({
    filename: WORKER,
    runtime: "worker_threads",
    minThreads: threads,
    maxThreads: threads,
    isolateWorkers: false,
  });
  let next = 0;
  /** The next combinations, all of one trace. */
  const take = (most: number): Work[] => {
    const from = next;
    while (next < all.length && next - from < most && all[next].trace === all[from].trace) next++;
    return all.slice(from, next);
  };
  const lane = async (): Promise<void> => {
    let size = 1;
    for (let works = take(size); works.length > 0; works = take(size)) {
      const began = performance.now();
      const [{ trace }] = works;
      const points = works.map(({ question, wanted }) => ({ question, wanted }));
      const answer = (await pool.run({
        folder: trace.folder,
        id: trace.id,
        profiles,
        points,
      } satisfies Task)) as Answer;
      if ("failed" in answer) {
        const Failure = answer.check ? CheckFailed : InputError;
        throw new Failure(answer.failed);
      }
      done(works.flatMap(({ keys }, index) => keys.map((key, k): [string, Result] => [key, answer.results[index][k]])));
      const each = (performance.now() - began) / works.length;
      size = Math.max(1, Math.min(MOST_AT_ONCE, 4 * size, Math.round(MOMENT_MS / each)));
    }
  };
  try {
    await Promise.all(Array.from({ length: threads }, lane));
  } finally {
    await pool.destroy();
  }
}
