// The tasks of a trace as a tree: each below the one that started it, in the order they were started.
import type { Trace } from "../trace.ts";

export interface TreeNode {
  readonly task: number;
  readonly depth: number;
}

/** The tasks to be shown, parents before their children. */
export function taskTree(tasks: Trace["tasks"], shown: readonly boolean[]): TreeNode[] {
  const children = new Map<number, number[]>();
  const roots: number[] = [];
  for (const { task, parentTask } of tasks) {
    if (!shown[task]) continue;
    if (parentTask === null || !shown[parentTask]) roots.push(task);
    else {
      const siblings = children.get(parentTask);
      if (siblings === undefined) children.set(parentTask, [task]);
      else siblings.push(task);
    }
  }
  // A stack and no recursion: chains of forks can be long.
  const nodes: TreeNode[] = [];
  const open = roots.map((task) => ({ task, depth: 0 })).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    nodes.push(next);
    const { depth } = next;
    for (const task of [...(children.get(next.task) ?? [])].reverse()) open.push({ task, depth: depth + 1 });
  }
  return nodes;
}
