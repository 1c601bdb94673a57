// Which files, pipes and sockets a trace is about most.
import { piecesOf } from "../columns.ts";
import { CALL_KINDS, KIND } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";

export interface FileSummary {
  readonly obj: number;
  readonly type: string | null;
  readonly label: string | null;
  readonly calls: number;
  readonly faults: number;
  /** Bytes that calls moved; null: not known of any. */
  readonly bytes: number | null;
  /** Clock units that calls and faults waited. */
  readonly waited: number;
}

/** Object numbers are looked up in an array, unless that would be a waste. */
function rowsByNumber(objects: Trace["objects"]): (obj: number) => number {
  const most = objects.reduce((largest, { obj }) => Math.max(largest, obj), -1);
  if (most > 4 * objects.length + 1024) {
    const rows = new Map(objects.map(({ obj }, row) => [obj, row]));
    return (obj) => rows.get(obj) ?? -1;
  }
  const rows = new Int32Array(most + 1).fill(-1);
  objects.forEach(({ obj }, row) => {
    rows[obj] = row;
  });
  return (obj) => (obj <= most ? rows[obj] : -1);
}

/** Every object that a call or a fault was about, the most frequent first. */
export function filesOf(trace: Trace): FileSummary[] {
  const { objects, events } = trace;
  if (objects.length === 0) return [];
  const rowOf = rowsByNumber(objects);
  const columns = Array.from({ length: 5 }, () => new Float64Array(objects.length));
  const [calls, faults, moved, known, waited] = columns;
  for (const { rows } of piecesOf(events)) count(rows);
  function count({ length, obj, kind, bytes, blocked, parent }: Trace["events"]): void {
    for (let seq = 0; seq < length; seq++) {
      const row = obj[seq] < 0 ? -1 : rowOf(obj[seq]);
      if (row < 0) continue;
      if (kind[seq] === KIND.fault) faults[row]++;
      else if (CALL_KINDS.has(kind[seq])) calls[row]++;
      if (bytes[seq] >= 0) {
        moved[row] += bytes[seq];
        known[row]++;
      }
      if (blocked[seq] > 0 && parent[seq] < 0) waited[row] += blocked[seq];
    }
  }
  return objects
    .map(({ obj: number, type, label }, row) => ({
      obj: number,
      type,
      label,
      calls: calls[row],
      faults: faults[row],
      bytes: known[row] > 0 ? moved[row] : null,
      waited: waited[row],
    }))
    .filter((file) => file.calls + file.faults > 0)
    .sort((a, b) => b.calls + b.faults - (a.calls + a.faults) || a.obj - b.obj);
}
