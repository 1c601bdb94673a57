// Chrome's trace event format, which Perfetto, chrome://tracing and speedscope open: complete events that nest on each track, counters,
// flow arrows. "Trace Event Format", Google; perfetto.dev/docs/getting-started/other-formats.
import type { Scene } from "./scene.ts";

/**
 * Times are microseconds in this format, and readers make whole nanoseconds of them: rounded here, what ends together ends together
 * for them, too.
 */
function microseconds(units: number, nsPerUnit: number): number {
  return Math.round(units * nsPerUnit) / 1000;
}

/** The events of a scene, one JSON object a line; what comes out is one JSON object. */
export function* toPerfetto(scene: Scene): Generator<string> {
  const us = (units: number): number => microseconds(units, scene.nsPerUnit);
  const at = (track: number): { pid: number; tid: number } => {
    const { process, thread } = scene.tracks[track];
    return { pid: process, tid: thread };
  };
  yield '{"displayTimeUnit":"ns","otherData":';
  yield JSON.stringify({ title: scene.title });
  yield ',"traceEvents":[\n';
  let first = true;
  const line = (event: object): string => {
    const text = `${first ? "" : ",\n"}${JSON.stringify(event)}`;
    first = false;
    return text;
  };
  const named = new Set<number>();
  const used = new Set(scene.slices.map(({ track }) => track));
  for (const [track, { process, processName, thread, threadName }] of scene.tracks.entries()) {
    if (!used.has(track)) continue;
    if (!named.has(process)) {
      named.add(process);
      yield line({ ph: "M", name: "process_name", pid: process, args: { name: processName } });
      yield line({ ph: "M", name: "process_sort_index", pid: process, args: { sort_index: process } });
    }
    yield line({ ph: "M", name: "thread_name", pid: process, tid: thread, args: { name: threadName } });
    yield line({ ph: "M", name: "thread_sort_index", pid: process, tid: thread, args: { sort_index: thread } });
  }
  for (const { track, from, to, name, category, args } of scene.slices) {
    const begin = us(from);
    const dur = Math.round((us(to) - begin) * 1000) / 1000;
    yield line({ ph: "X", ...at(track), ts: begin, dur, name, cat: category, args });
  }
  for (const { name, time, value } of scene.counters)
    yield line({ ph: "C", pid: 0, ts: us(time), name, args: { [name]: value } });
  let id = 0;
  for (const { name, fromTrack, fromTime, toTrack, toTime } of scene.flows) {
    id++;
    yield line({ ph: "s", id, ...at(fromTrack), ts: us(fromTime), name, cat: "wake" });
    yield line({ ph: "f", bp: "e", id, ...at(toTrack), ts: us(toTime), name, cat: "wake" });
  }
  yield "\n]}\n";
}
