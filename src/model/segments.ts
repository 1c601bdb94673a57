// Short stretches of each task's records, at whose ends a replay knows the sums: every record where tasks meet ends one.
import type { Amounts } from "./lines.ts";
import type { MixStretches } from "./mixes.ts";

/** Most records of a segment: what a search for a place has to walk. */
const MOST_RECORDS = 64;

/** Segments of one task, one mix and at most MOST_RECORDS records each, in the order of the records. */
export interface Segments {
  /** First record of each; one more at the end. */
  readonly first: Int32Array;
  /** First segment of each task; one more at the end. */
  readonly firstOfTask: Int32Array;
  /** Program instructions (or nanoseconds) of each, and their mix. */
  readonly user: Float64Array;
  readonly mix: Int32Array;
  /** The segment that each stop's record ends. */
  readonly ofStop: Int32Array;
}

/** Cuts the records into segments. `stops` are the records where tasks meet, in order. */
export function findSegments(firstRecord: Int32Array, user: Amounts, mixes: MixStretches, stops: Int32Array): Segments {
  const tasks = firstRecord.length - 1;
  const records = firstRecord[tasks];
  // An upper bound: every reason for an end, and what must be cut for its length.
  const most = stops.length + mixes.first.length + tasks + Math.ceil(records / MOST_RECORDS) + 1;
  const first = new Int32Array(most);
  const sums = new Float64Array(most);
  const mix = new Int32Array(most);
  const firstOfTask = new Int32Array(tasks + 1);
  const ofStop = new Int32Array(stops.length);
  let [count, stop, stretch] = [0, 0, 0];
  for (let task = 0; task < tasks; task++) {
    firstOfTask[task] = count;
    const end = firstRecord[task + 1];
    for (let from = firstRecord[task]; from < end; ) {
      while (mixes.first[stretch + 1] <= from) stretch++;
      let to = Math.min(end, from + MOST_RECORDS, mixes.first[stretch + 1]);
      if (stop < stops.length && stops[stop] < to) {
        to = stops[stop] + 1;
        ofStop[stop++] = count;
      }
      let sum = 0;
      for (let r = from; r < to; r++) sum += user[r];
      first[count] = from;
      sums[count] = sum;
      mix[count++] = mixes.mix[stretch];
      from = to;
    }
  }
  firstOfTask[tasks] = count;
  first[count] = records;
  return {
    first: first.slice(0, count + 1),
    firstOfTask,
    user: sums.slice(0, count),
    mix: mix.slice(0, count),
    ofStop,
  };
}
