// Tasks of two runs matched by their place in the tree: the parent, then which of its children, with the command's help.
import { align } from "./align.ts";
import type { TaskCalls } from "./calls.ts";

/** Tasks that stand at one place; null: only the other run has one there. */
export interface Pair {
  readonly one: number | null;
  readonly two: number | null;
  /** As the first run's, else the second's: "find", "sh/2 sort". */
  readonly place: string;
}

/** Children of each task with calls, in the order they were begun; those that nothing with calls began are at the root (-1). */
function children(run: TaskCalls): Map<number, number[]> {
  const { tasks } = run.trace;
  const hasCalls = (task: number): boolean => run.of(task).length > 0;
  const found = new Map<number, number[]>();
  for (const { task, parentTask } of tasks) {
    if (!hasCalls(task)) continue;
    const parent = parentTask !== null && hasCalls(parentTask) ? parentTask : -1;
    const list = found.get(parent) ?? [];
    list.push(task);
    found.set(parent, list);
  }
  for (const list of found.values())
    list.sort((a, b) => (tasks[a].spawnSeq ?? -1) - (tasks[b].spawnSeq ?? -1) || a - b);
  return found;
}

/** Pairs of tasks, parents before their children. */
export function matchTasks(one: TaskCalls, two: TaskCalls): Pair[] {
  const [ones, twos] = [children(one), children(two)];
  const pairs: Pair[] = [];
  const commands = new Map<string, number>();
  const command = (run: TaskCalls, task: number): string => run.trace.tasks[task].comm ?? "?";
  const keys = (run: TaskCalls, list: readonly number[]): Int32Array =>
    Int32Array.from(list, (task) => {
      const name = command(run, task);
      if (!commands.has(name)) commands.set(name, commands.size);
      return commands.get(name)!;
    });
  const stack: Pair[] = [{ one: -1, two: -1, place: "" }];
  for (let parent = stack.pop(); parent !== undefined; parent = stack.pop()) {
    if (parent.place !== "") pairs.push(parent);
    const a = parent.one === null ? [] : (ones.get(parent.one) ?? []);
    const b = parent.two === null ? [] : (twos.get(parent.two) ?? []);
    const below: Pair[] = [];
    const add = (i: number | null, j: number | null): void => {
      const run = i === null ? two : one;
      // A task is called by what it ran last; the first one by what the run was asked for.
      const asked = parent!.place === "" ? run.trace.meta.argv.at(0)?.replace(/.*\//, "") : undefined;
      const name = asked ?? command(run, i === null ? b[j!] : a[i]);
      const number = below.length + 1;
      const place = parent.place === "" ? name : `${parent.place.replace(/ .*/, "")}/${number} ${name}`;
      below.push({ one: i === null ? null : a[i], two: j === null ? null : b[j], place });
    };
    // Where commands differ, the n-th stands for the n-th.
    let [x, y] = [0, 0];
    for (const gap of [...align(keys(one, a), keys(two, b)).gaps, { one: a.length, ones: 0, two: b.length, twos: 0 }]) {
      while (x < gap.one) add(x++, y++);
      for (let n = 0; n < Math.max(gap.ones, gap.twos); n++)
        add(n < gap.ones ? x + n : null, n < gap.twos ? y + n : null);
      x += gap.ones;
      y += gap.twos;
    }
    for (const pair of below.reverse()) stack.push(pair);
  }
  return pairs;
}
