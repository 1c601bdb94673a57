// Who had which CPU in a recording that has its switches, and what every other task was held by meanwhile.
import { EDGE, KIND } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";

/** A task on a CPU. */
export interface Turn {
  readonly task: number;
  readonly cpu: number;
  readonly from: number;
  to: number;
}

/** What a task was held by between its turns. */
export interface Held {
  readonly task: number;
  readonly from: number;
  readonly to: number;
  /** An edge kind; -1: nothing but the CPU, it was ready. */
  readonly why: number;
}

/** Names of waits in a picture, by edge kind. */
export const WAITS: ReadonlyMap<number, string> = new Map([
  [EDGE.unknown, "waits"],
  [EDGE.data, "waits for data"],
  [EDGE.space, "waits for space"],
  [EDGE.futex, "waits for a futex"],
  [EDGE.child, "waits for a child"],
  [EDGE.signal, "waits for a signal"],
  [EDGE.timer, "waits for a deadline"],
  [EDGE.device, "waits for a device"],
  [EDGE.lock, "waits for a lock"],
  [EDGE.spawn, "waits for a new task"],
]);

/**
 * Waits of a recording without switches, by event: only how long they took is known. They are shown first in their events, and
 * left out of events that others nest in: nobody knows on which side of them they were.
 */
export function waitsWithin({ events, edges }: Trace): Map<number, { readonly time: number; readonly why: number }> {
  const waits = new Map<number, { time: number; why: number }>();
  if (events.kind.includes(KIND.switch)) return waits;
  for (let seq = 0; seq < events.length; seq++)
    if (events.blocked[seq] > 0) waits.set(seq, { time: events.blocked[seq], why: EDGE.unknown });
  for (let edge = 0; edge < edges.length; edge++) {
    const wait = waits.get(edges.to[edge]);
    if (wait?.why === EDGE.unknown) wait.why = edges.kind[edge];
  }
  for (const parent of events.parent) waits.delete(parent);
  return waits;
}

/** When the last thing of each task that is recorded was over. */
export function endsOfTasks({ events, tasks }: Trace): Float64Array {
  const ends = new Float64Array(tasks.length);
  for (let seq = 0; seq < events.length; seq++)
    ends[events.task[seq]] = Math.max(ends[events.task[seq]], events.tIn[seq] || 0, events.tOut[seq] || 0);
  return ends;
}

/** The turns of all tasks and what held them between; none when the trace has no switches. */
export function turnsOf(
  trace: Trace,
  ends: Float64Array,
): { readonly turns: readonly Turn[]; readonly held: readonly Held[] } {
  const { events, edges, tasks } = trace;
  const turns: Turn[] = [];
  const held: Held[] = [];
  const onCpu = new Map<number, Turn>();
  const lastOf: (Turn | undefined)[] = tasks.map(() => undefined);
  const edgeOf = new Map<number, number>();
  for (let edge = edges.length - 1; edge >= 0; edge--) edgeOf.set(edges.to[edge], edge);
  const returns = new Map<number, number>();
  for (let seq = 0; seq < events.length; seq++) {
    const parent = events.parent[seq];
    if (events.kind[seq] === KIND.switch && parent >= 0) returns.set(parent, (returns.get(parent) ?? 0) + 1);
  }
  for (let seq = 0; seq < events.length; seq++) {
    if (events.kind[seq] !== KIND.switch) continue;
    const [task, cpu, time, parent] = [events.task[seq], events.cpu[seq], events.tIn[seq], events.parent[seq]];
    const other = onCpu.get(cpu);
    if (other !== undefined) other.to = Math.max(other.from, Math.min(time, ends[other.task]));
    const before = lastOf[task];
    const waited = parent >= 0 && events.blocked[parent] > 0;
    // With one wait in the event, the CPU was left as long ago as it took; whoever was idle since had nobody to leave it to.
    if (before !== undefined && waited && returns.get(parent) === 1)
      before.to = Math.max(before.from, Math.min(before.to, time - events.blocked[parent]));
    const spawn = tasks[task].spawnSeq;
    const from = before?.to ?? (spawn === null ? time : events.tIn[spawn]);
    const edge = waited ? edgeOf.get(parent) : undefined;
    const source = edge === undefined ? -1 : edges.from[edge];
    const ready = !waited ? from : source < 0 ? time : Math.max(from, Math.min(time, events.tIn[source]));
    if (ready > from) held.push({ task, from, to: ready, why: edge === undefined ? EDGE.unknown : edges.kind[edge] });
    if (time > ready) held.push({ task, from: ready, to: time, why: -1 });
    const turn: Turn = { task, cpu, from: time, to: ends[task] };
    turns.push(turn);
    lastOf[task] = turn;
    onCpu.set(cpu, turn);
  }
  return { turns, held };
}
