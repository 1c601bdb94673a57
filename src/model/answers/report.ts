// Critical paths, requests and break-even values as tables for people.
import { align, duration, grouped } from "../text.ts";
import type { MechanismResult } from "../whatif.ts";
import { type Flip, WORTH } from "./break-even.ts";
import type { CriticalPath } from "./critical-path.ts";

/** Tasks named on a critical path. */
const NAMED = 4;

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

const PARTS: readonly (readonly [keyof CriticalPath & string, string])[] = [
  ["program", "program"],
  ["kernel", "kernel"],
  ["ticks", "timer ticks"],
  ["queued", "waits for a CPU"],
  ["device", "waits for a device"],
  ["timer", "waits for a deadline"],
  ["dependency", "waits for others"],
];

/** The path of each mechanism, and whose work it is made of; nothing for a single task that never waits. */
export function pathTable(results: readonly MechanismResult[], nameOf: (task: number) => string): string[] {
  const paths = results.map(({ criticalPath }) => criticalPath);
  if (paths.some((path) => path === undefined || (path.tasks.length < 2 && path.hops === 0 && path.device === 0)))
    return [];
  const rows = [["critical path", ...results.map(({ mechanism }) => mechanism), ""]];
  const share = (part: number, index: number): string => percent(part, results[index].total);
  for (const [part, says] of PARTS) {
    if (paths.every((path) => path![part] === 0)) continue;
    rows.push([
      `  ${says}`,
      ...paths.map((path) => grouped(path![part] as number)),
      share(paths[0]![part] as number, 0),
    ]);
  }
  const lines = align(rows);
  const last = paths[paths.length - 1]!;
  const named = last.tasks
    .slice(0, NAMED)
    .map(({ task, cycles }) => `${nameOf(task)} ${percent(cycles, results[results.length - 1].total)}`);
  const others = last.tasks.length - named.length;
  lines.push(
    `  work on it under ${results[results.length - 1].mechanism}: ${named.join(", ")}${others > 0 ? ` and ${others} more` : ""}; ${last.hops} ${last.hops === 1 ? "hop" : "hops"} from task to task`,
  );
  return lines;
}

/** Requests a second and how long they take. */
export function requestTable(results: readonly MechanismResult[]): string[] {
  if (results.every(({ requests }) => requests === undefined)) return [];
  const rows = [["requests", "count", "a second", "p50", "p99"]];
  for (const { mechanism, requests } of results) {
    if (requests === undefined) continue;
    const { count, perSecond, p50, p99 } = requests;
    rows.push([`  ${mechanism}`, grouped(count), grouped(perSecond), duration(p50), duration(p99)]);
  }
  return align(rows);
}

/** Where the conclusions about a mechanism flip. */
export function breakEvenLines({ mechanism, base, breakEven }: MechanismResult): string[] {
  if (breakEven === undefined) return [];
  const { trap, callRate, protection } = breakEven;
  const side = ({ now, flips }: Flip): string => (flips !== null && flips > now ? "above" : "below");
  const gain = `a gain of ${((WORTH - 1) * 100).toFixed(0)} %`;
  const rows = [
    [
      "  trap hardware, cycles a call",
      grouped(trap.now),
      trap.flips === null
        ? `${mechanism} and ${base} do not change places, whatever it costs`
        : `they change places ${side(trap)} ${grouped(trap.flips)}`,
    ],
  ];
  if (callRate !== null)
    rows.push([
      "  calls a second",
      grouped(callRate.now),
      callRate.flips === null
        ? `${gain} is neither reached nor lost at any rate`
        : `${gain} is ${callRate.flips > callRate.now ? "reached" : "lost"} ${side(callRate)} ${grouped(callRate.flips)}`,
    ]);
  if (protection !== null)
    rows.push([
      "  checks instead of the hardware's, of program time",
      "0 %",
      protection.flips === null
        ? `${mechanism} is no faster than ${base} even without`
        : `${mechanism} stops paying above ${(100 * protection.flips).toFixed(1)} %`,
    ]);
  return [`where ${mechanism} against ${base} would flip, now and then`, ...align(rows, [0, 2])];
}
