// A comparison of sequences as lines for people: tasks, then what differs, those with one reason together.
import { aligned } from "../show/table.ts";
import type { Difference, SequenceComparison } from "./compare.ts";

/** Lists longer than this are cut, with a line that says so. */
const ROWS = 25;

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** "at call 12 of the first and 14 of the second" */
function where({ one, two }: Difference): string {
  const parts = [
    one === null ? "" : `call ${one + 1} of the first`,
    two === null ? "" : `call ${two + 1} of the second`,
  ];
  const said = parts.filter((part) => part !== "").join(", ");
  return said === "" ? "" : `, ${said}`;
}

const KIND_WORDS: Readonly<Record<Difference["kind"], string>> = {
  task: "",
  call: "in one only",
  error: "ends otherwise",
  result: "gives something else",
  site: "is made from elsewhere",
};

function line(difference: Difference): string {
  const { task, call, kind, what } = difference;
  const name = call === "" ? "" : `: ${call} ${KIND_WORDS[kind]}`;
  return `${task}${name}${where(difference)} (${what})`;
}

/** Differences that one row of the table explains: how many, of which calls, and the first of them. */
function explainedLines(differences: readonly Difference[]): string[] {
  const groups = new Map<string, Difference[]>();
  for (const difference of differences) {
    if (difference.reason === null) continue;
    const group = groups.get(difference.reason) ?? [];
    group.push(difference);
    groups.set(difference.reason, group);
  }
  return [...groups].flatMap(([reason, group]) => {
    const calls = [...new Set(group.map(({ call }) => call))].join(", ");
    return [`  ${group.length} ${calls}: ${reason}`, `    first: ${line(group[0])}`];
  });
}

/** The whole answer. `all`: no list is cut. */
export function sequenceLines({ tasks, differences, explained }: SequenceComparison, all = false): string[] {
  const cut = <T>(list: readonly T[]): readonly T[] => (all ? list : list.slice(0, ROWS));
  const more = (count: number): string[] => (all || count <= ROWS ? [] : [`  ... and ${count - ROWS} more (--all)`]);
  const rows = cut(tasks).map(({ task, ones, twos, same }) => [`  ${task}`, `${ones}`, `${twos}`, `${same}`]);
  const lines = [
    ...aligned([["  task", "first", "second", "the same"], ...rows], [false, true, true, true], (text) => text),
    ...more(tasks.length),
  ];
  const open = differences.filter(({ reason }) => reason === null);
  if (differences.length > open.length)
    lines.push(
      "",
      `${many(differences.length - open.length, "difference")} with a reason`,
      ...explainedLines(differences),
    );
  if (open.length > 0)
    lines.push(
      "",
      `${many(open.length, "difference")} without one`,
      ...cut(open).map((d) => `  ${line(d)}`),
      ...more(open.length),
    );
  lines.push(
    "",
    differences.length === 0
      ? "the same calls in the same order"
      : explained
        ? "the same calls in the same order, but for differences that have a reason"
        : "not the same calls",
  );
  return lines;
}
