// The critical path of a replay: the chain of work and waiting, from the start to the end of the last task, that nothing but itself
// could have shortened. Found backwards from the end.
import { STOP } from "../observer.ts";
import type { Program } from "../program.ts";
import { type RecordTimes, taskOf } from "../record-times.ts";
import type { TaskLines } from "../task-lines.ts";
import type { Piece, Readiness } from "../timeline.ts";
import { WAIT } from "../waits.ts";

/**
 * Cycles along the path; they add up to the makespan. `queued`: ready, but others had the CPU, or it was being switched; `ticks`: timer
 * interrupts in its work; `device`, `timer`, `dependency`: time that passed between a cause and its effect, or until something outside the trace.
 */
export interface CriticalPath {
  readonly program: number;
  readonly kernel: number;
  readonly ticks: number;
  readonly queued: number;
  readonly device: number;
  readonly timer: number;
  readonly dependency: number;
  /** Times the path passes from one task to another. */
  readonly hops: number;
  /** Cycles of work (program and kernel) of each task on the path, most first. */
  readonly tasks: readonly { readonly task: number; readonly cycles: number }[];
}

/** The last element that begins before a time; -1: none. */
function lastBefore<T>(list: readonly T[], time: (element: T) => number, before: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (time(list[middle]) < before) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Follows the path back from the end of the last task. `pieces`: each task's, in order; `ready`: all, in order of time. */
export function criticalPath(
  program: Program,
  lines: TaskLines,
  ready: readonly Readiness[],
  pieces: readonly (readonly Piece[])[],
  times: RecordTimes,
  finished: Float64Array,
): CriticalPath {
  const readiness: Readiness[][] = Array.from({ length: program.tasks }, () => []);
  for (const entry of ready) readiness[entry.task].push(entry);
  const sums = { program: 0, kernel: 0, ticks: 0, queued: 0, device: 0, timer: 0, dependency: 0 };
  const work = new Float64Array(program.tasks);
  // Each readiness is on the path once: in one cycle a task may become ready more than once, without any work between.
  const unused = Int32Array.from(readiness, ({ length }) => length);
  let hops = 0;
  let task = 0;
  for (let t = 1; t < program.tasks; t++) if (finished[t] > finished[task]) task = t;
  let time = finished[task];
  while (time > 0) {
    const at = lastBefore(pieces[task], ({ from }) => from, time);
    const piece: Piece | undefined = pieces[task][at];
    if (piece !== undefined && piece.to >= time) {
      const here = piece.place + (time - piece.from);
      const inProgram = lines.programUpTo(task, here) - lines.programUpTo(task, piece.place);
      sums.program += inProgram;
      sums.kernel += time - piece.from - inProgram;
      work[task] += time - piece.from;
      time = piece.from;
      continue;
    }
    const end = piece?.to ?? 0;
    const latest = Math.min(
      unused[task] - 1,
      lastBefore(readiness[task], (entry) => entry.time, time + 0.5),
    );
    const held: Readiness | undefined = readiness[task][latest];
    if (held === undefined || (piece !== undefined && held.time < end)) {
      // It was ready all the time: a tick, or others' turns.
      const ticked = piece !== undefined && sameTurn(pieces[task][at + 1], piece);
      sums[ticked ? "ticks" : "queued"] += time - end;
      time = end;
      continue;
    }
    unused[task] = latest;
    sums.queued += time - held.time;
    time = held.time;
    if (held.wait < 0) {
      if (held.by < 0) break;
      task = held.by;
      hops++;
      continue;
    }
    const source = program.waits.source[held.wait];
    const kind = program.waits.kind[held.wait];
    const name = kind === WAIT.device ? "device" : kind === WAIT.timer ? "timer" : "dependency";
    const from = source < 0 ? end : Math.min(time, times.heard(source));
    sums[name] += time - from;
    time = from;
    if (source >= 0) {
      const by = taskOf(program, source);
      if (by !== task) hops++;
      task = by;
    }
  }
  const tasks = Array.from(work, (cycles, number) => ({ task: number, cycles }))
    .filter(({ cycles }) => cycles > 0)
    .sort((a, b) => b.cycles - a.cycles || a.task - b.task);
  return { ...sums, hops, tasks };
}

/** Does a piece go on where the one before it was interrupted by a tick? */
function sameTurn(next: Piece | undefined, before: Piece): boolean {
  return next !== undefined && next.from > before.to && before.why === STOP.tick;
}
