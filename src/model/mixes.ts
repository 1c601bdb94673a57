// Which instruction mix the program's instructions before each record have.
import { CLASSES } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import type { Amounts } from "./lines.ts";

/** Stretches of records with one mix each: stretch i is records first[i] .. first[i + 1] - 1. */
export interface MixStretches {
  readonly first: Int32Array;
  readonly mix: Int32Array;
}

/** Gives every record the number of its mix: the epoch its task was in when it had executed that share of its instructions. */
export function findMixes(
  trace: Trace,
  firstRecord: Int32Array,
  user: Amounts,
  fallback: Float64Array,
): { stretches: MixStretches; mixes: Float64Array; known: boolean } {
  const { mix, tasks } = trace;
  const columns = CLASSES.map(
    (name) => mix[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as "alu"],
  );
  const width = CLASSES.length;
  const rows: number[][] = Array.from({ length: tasks.length }, () => []);
  for (let row = 0; row < mix.length; row++) if (mix.task[row] >= 0) rows[mix.task[row]]?.push(row);
  const mixes: number[] = [];
  const first: number[] = [];
  const mixOf: number[] = [];
  const sum = new Float64Array(width);
  let known = false;
  for (let task = 0; task < tasks.length; task++) {
    const epochs = new Map<number, Float64Array>();
    for (const row of rows[task].sort((a, b) => mix.epoch[a] - mix.epoch[b])) {
      const counts = epochs.get(mix.epoch[row]) ?? new Float64Array(width);
      for (let c = 0; c < width; c++) counts[c] += columns[c][row] > 0 ? columns[c][row] : 0;
      epochs.set(mix.epoch[row], counts);
    }
    const ends: number[] = [];
    const numbers: number[] = [];
    let total = 0;
    for (const counts of epochs.values()) {
      const instructions = counts.reduce((a, b) => a + b, 0);
      if (instructions === 0) continue;
      total += instructions;
      ends.push(total);
      numbers.push(mixes.length / width);
      for (let c = 0; c < width; c++) {
        mixes.push(counts[c]);
        sum[c] += counts[c];
      }
      known = true;
    }
    const [from, to] = [firstRecord[task], firstRecord[task + 1]];
    if (from === to) continue;
    first.push(from);
    mixOf.push(numbers.length > 0 ? numbers[0] : -1);
    if (numbers.length < 2) continue;
    let all = 0;
    for (let r = from; r < to; r++) all += user[r];
    let done = 0;
    let at = 0;
    for (let r = from; r < to; r++) {
      const before = at;
      while (at < ends.length - 1 && done * total > ends[at] * all) at++;
      done += user[r];
      if (at === before) continue;
      if (first[first.length - 1] === r) mixOf[mixOf.length - 1] = numbers[at];
      else {
        first.push(r);
        mixOf.push(numbers[at]);
      }
    }
  }
  const last = mixes.length / width;
  mixes.push(...(known ? sum : fallback));
  first.push(firstRecord[tasks.length]);
  const stretches = {
    first: Int32Array.from(first),
    mix: Int32Array.from(mixOf, (number) => (number < 0 ? last : number)),
  };
  return { stretches, mixes: Float64Array.from(mixes), known };
}
