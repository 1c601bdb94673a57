// What is only seen by watching a replay from turn to turn: its critical path, and the requests of a server.
import { InputError } from "../../errors.ts";
import type { Trace } from "../../traces/trace.ts";
import type { ModelData } from "../data.ts";
import type { Pair } from "../pair.ts";
import type { Program } from "../program.ts";
import { RecordTimes } from "../record-times.ts";
import type { Mechanism } from "../routes.ts";
import { TaskLines } from "../task-lines.ts";
import { Timeline } from "../timeline.ts";
import { type CriticalPath, criticalPath } from "./critical-path.ts";
import {
  findRequests,
  type RequestAnswer,
  readArrivals,
  readRequestCalls,
  requestTimes,
  withArrivals,
} from "./requests.ts";

/** A program and the requests in it that the question is about. */
export type Served = ReturnType<typeof serve>;

/** Finds the requests, if the question is about any, and lets them come as it says. */
export function serve(
  program: Program,
  trace: Trace,
  data: ModelData,
  { request, arrivals }: { readonly request?: string; readonly arrivals?: string },
  seed: number,
) {
  if (request === undefined) {
    if (arrivals !== undefined)
      throw new InputError("--arrivals: of what? Name the calls, as in --request accept..close");
    return { program, requests: [], arrived: undefined };
  }
  const requests = findRequests(program, trace, readRequestCalls(request, data));
  const coming = arrivals === undefined ? undefined : readArrivals(arrivals);
  return { ...withArrivals(program, requests, coming, seed), requests };
}

/** Turns and ticks that a timeline may hold. */
const MOST_TURNS = 2e6;

/** Replays a mechanism once more, watching. Without an answer when there are too many turns to keep. */
export function watch(
  pair: Pair,
  mechanism: Mechanism,
  { requests, arrived }: Served,
): { criticalPath?: CriticalPath; requests?: RequestAnswer } {
  const { program } = pair;
  const { ticks, switches, blocks } = pair.nominal(mechanism).replayed;
  if (ticks + switches + blocks > MOST_TURNS) {
    if (requests.length > 0)
      throw new InputError("too many turns to follow each request: take a shorter part of the trace");
    return {};
  }
  const timeline = new Timeline();
  const { replayed, costs, user } = pair.replay(mechanism, { observer: timeline });
  const lines = new TaskLines(program, user, costs);
  const pieces = timeline.ofTasks(program.tasks);
  const times = new RecordTimes(program, lines, pieces);
  return {
    criticalPath: criticalPath(program, lines, timeline.readiness, pieces, times, replayed.finished),
    requests: requests.length === 0 ? undefined : requestTimes(requests, times, pair.mhz / 1000, arrived),
  };
}
