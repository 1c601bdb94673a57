// A replay as a scene: which task had which CPU, what each task was held by, and its work cut into program, ways in, bodies and waits.
import { InputError } from "../errors.ts";
import type { CounterChange, Flow, Scene, Slice, Track } from "../traces/exporters/scene.ts";
import { ordered } from "../traces/exporters/scene.ts";
import type { Trace } from "../traces/trace.ts";
import { STOP } from "./observer.ts";
import type { Pair } from "./pair.ts";
import { RecordTimes, taskOf } from "./record-times.ts";
import type { Mechanism } from "./routes.ts";
import type { ShapeCosts } from "./shape-costs.ts";
import { RECORD } from "./shapes.ts";
import { TaskLines } from "./task-lines.ts";
import { type Piece, type Readiness, Timeline } from "./timeline.ts";
import { WAIT } from "./waits.ts";

/** Records that a scene may have: each becomes several slices. */
const MOST_RECORDS = 500_000;

const TICK = "timer tick";

/** Threads of a task's process in the picture. */
const STATE = 1;
const WORK = 2;
/** Process numbers of tasks begin behind that of the CPUs. */
const CPUS = 0;

const WAITING: Readonly<Record<(typeof WAIT)[keyof typeof WAIT], string>> = {
  [WAIT.dependency]: "waits for another task",
  [WAIT.timer]: "waits for a deadline",
  [WAIT.device]: "waits for a device",
  [WAIT.notice]: "waits for a signal or a child",
  [WAIT.socket]: "waits for a socket",
};

/** Where a record's parts begin on its task's line. */
interface Places {
  readonly begin: number;
  readonly body: number;
  readonly middle: number;
  readonly end: number;
}

class SceneBuilder {
  readonly tracks: Track[] = [];
  readonly slices: Slice[] = [];
  readonly counters: CounterChange[] = [];
  readonly flows: Flow[] = [];

  track(process: number, processName: string, thread: number, threadName: string): number {
    return this.tracks.push({ process, processName, thread, threadName }) - 1;
  }

  /** A slice, unless it takes no time. */
  add(track: number, from: number, to: number, name: string, category: string, args?: Slice["args"]): void {
    if (to > from) this.slices.push({ track, from, to, name, category, args });
  }
}

/** Replays a mechanism, watching, and shows what happened. Throws InputError for traces too long for a picture. */
export function replayedScene(pair: Pair, mechanism: Mechanism, trace: Trace): Scene {
  const { program } = pair;
  if (program.records > MOST_RECORDS)
    throw new InputError(`${program.records} records are too many for a picture; it holds ${MOST_RECORDS}`);
  const timeline = new Timeline();
  const { costs } = pair.replay(mechanism, { observer: timeline });
  const { user } = pair.nominal(mechanism);
  const lines = new TaskLines(program, user, costs);
  const pieces = timeline.ofTasks(program.tasks);
  const times = new RecordTimes(program, lines, pieces);
  const build = new SceneBuilder();
  const nameOf = (task: number): string => trace.tasks[task]?.comm ?? `task ${task}`;

  const cpus = Array.from({ length: pair.cpus }, (_, cpu) => build.track(CPUS, "CPUs", cpu + 1, `CPU ${cpu}`));
  occupancy(build, cpus, timeline.pieces, nameOf);
  const lives = program.firstRecord
    .subarray(0, program.tasks)
    .map((first, task) => program.firstRecord[task + 1] - first);
  const tracks = Array.from(lives, (records, task) => {
    if (records === 0) return undefined;
    const process = `${nameOf(task)} (${trace.tasks[task]?.pid ?? task})`;
    return {
      state: build.track(task + 1, process, STATE, "state"),
      work: build.track(task + 1, process, WORK, "work"),
    };
  });
  const readiness: Readiness[][] = Array.from({ length: program.tasks }, () => []);
  for (const entry of timeline.readiness) readiness[entry.task].push(entry);
  tracks.forEach((track, task) => {
    if (track === undefined) return;
    states(build, track, pieces[task], readiness[task], (wait) => program.waits.kind[wait]);
    work(build, track.work, pair, costs, lines, times, task);
  });
  for (const { task, time, wait, by } of timeline.readiness) {
    const source = wait >= 0 ? program.waits.source[wait] : -1;
    const from = wait < 0 ? by : source >= 0 ? taskOf(program, source) : -1;
    const [there, here] = [tracks[from], tracks[task]];
    if (there === undefined || here === undefined) continue;
    const fromTime = wait < 0 ? time : Math.min(time, times.heard(source));
    const name = wait < 0 ? "starts" : "wakes";
    build.flows.push({ name, fromTrack: there.work, fromTime, toTrack: here.state, toTime: time });
  }
  queueLength(build, timeline);
  return {
    nsPerUnit: 1000 / pair.mhz,
    tracks: build.tracks,
    slices: ordered(build.slices),
    counters: build.counters,
    flows: build.flows,
    work: tracks.flatMap((track) => (track === undefined ? [] : [track.work])),
    title: `${trace.meta.argv.join(" ")} by ${mechanism} on ${pair.profile.id} under ${pair.kernel.id}`,
  };
}

/** Who has which CPU; what a tick takes within a turn stands between its halves. */
function occupancy(
  build: SceneBuilder,
  cpus: readonly number[],
  pieces: readonly Piece[],
  nameOf: (task: number) => string,
): void {
  const ticked = new Map<number, Piece>();
  for (const piece of pieces) {
    const before = ticked.get(piece.cpu);
    ticked.delete(piece.cpu);
    if (before?.task === piece.task) build.add(cpus[piece.cpu], before.to, piece.from, TICK, "tick");
    build.add(cpus[piece.cpu], piece.from, piece.to, nameOf(piece.task), "running");
    if (piece.why === STOP.tick) ticked.set(piece.cpu, piece);
  }
}

/** Running, ready, waiting or interrupted by a tick, one after the other; what is no work is cut out of the work, too. */
function states(
  build: SceneBuilder,
  { state, work: track }: { readonly state: number; readonly work: number },
  pieces: readonly Piece[],
  readiness: readonly Readiness[],
  kindOf: (wait: number) => number,
): void {
  let next = 0;
  let before: Piece | undefined;
  for (const piece of pieces) {
    const time = before?.to ?? readiness[0]?.time ?? 0;
    let ready = time;
    while (next < readiness.length && readiness[next].time <= piece.from) {
      const { wait, time: at } = readiness[next++];
      if (wait >= 0) build.add(state, time, at, WAITING[kindOf(wait) as keyof typeof WAITING], "wait");
      ready = at;
    }
    const ticked = before?.why === STOP.tick;
    build.add(state, ready, piece.from, ticked ? TICK : "ready", ticked ? "tick" : "ready");
    if (before !== undefined) build.add(track, ready, piece.from, ticked ? TICK : "ready", ticked ? "tick" : "wait");
    build.add(state, piece.from, piece.to, "running", "running");
    before = piece;
  }
}

/** Program, calls and faults with their ways in, bodies, waits and ways out. */
function work(
  build: SceneBuilder,
  track: number,
  pair: Pair,
  costs: ShapeCosts,
  lines: TaskLines,
  times: RecordTimes,
  task: number,
): void {
  const { program } = pair;
  const { shapes } = program;
  let before = times.at(task, 0);
  for (let record = program.firstRecord[task]; record < program.firstRecord[task + 1]; record++) {
    const shape = program.shape[record];
    const end = lines.end(task, record);
    const middle = end - costs.after[shape];
    const entry = Math.max(0, costs.total[shape] - costs.after[shape] - costs.body[shape] - costs.copy[shape]);
    const begin = end - costs.total[shape];
    const places: Places = { begin, body: begin + entry, middle, end };
    const from = times.at(task, places.begin);
    build.add(track, before, from, "program", "user");
    const to = times.end(record);
    const isFault = shapes.kind[shape] === RECORD.fault;
    const name = isFault
      ? `page fault: ${shapes.names[shapes.name[shape]].replace("fault.", "")}`
      : shapes.names[shapes.name[shape]];
    build.add(track, from, to, name, isFault ? "fault" : "call", { seq: program.seq[record] });
    const inBody = times.at(task, places.body);
    const done = times.at(task, places.middle);
    const heard = times.waits(record) ? times.heard(record) : done;
    build.add(track, from, inBody, "way in", "way");
    build.add(track, inBody, done, "body", "body");
    build.add(track, done, heard, "waits", "wait");
    build.add(track, heard, to, "way out", "way");
    before = to;
  }
}

/** Tasks that are ready and have no CPU. */
function queueLength(build: SceneBuilder, timeline: Timeline): void {
  const changes: [number, number][] = timeline.readiness.map(({ time }) => [time, 1]);
  const ticked = new Set<number>();
  for (const { task, from, to, why } of timeline.pieces) {
    if (!ticked.delete(task)) changes.push([from, -1]);
    if (why === STOP.tick) ticked.add(task);
    else if (why === STOP.preempted) changes.push([to, 1]);
  }
  changes.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let length = 0;
  changes.forEach(([time, change], index) => {
    length += change;
    if (changes[index + 1]?.[0] !== time) build.counters.push({ name: "run queue", time, value: length });
  });
}
