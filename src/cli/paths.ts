// The table that `kmlab run --paths` prints.
import type { PathCount } from "../emu/capture/path-counter.ts";
import { aligned, grouped } from "../traces/show/table.ts";

const HEADINGS = [
  "path",
  "what",
  "times",
  "instructions",
  "descriptors",
  "pushes",
  "levels",
  "TLB drops",
  "task switches",
  "ports",
] as const;

/** One way a line, all its times together; what was counted outside of any way last. */
export function pathTable(paths: readonly PathCount[]): string {
  const cells = (p: PathCount): string[] => [
    p.path,
    p.what,
    ...[p.count, p.instructions, p.descriptors, p.pushes, p.levels, p.drops, p.tasks, p.ports].map(grouped),
  ];
  const right = HEADINGS.map((_, column) => column > 1);
  return `${aligned([[...HEADINGS], ...paths.map(cells)], right, (text) => text).join("\n")}\n`;
}
