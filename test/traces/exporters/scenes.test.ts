// Pictures of traces and replays: what lies within what, what follows what, which arrow belongs to which event.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { modelData } from "../../../src/model/data-node.ts";
import { randomTrace } from "../../../src/model/made-traces.ts";
import { Pair } from "../../../src/model/pair.ts";
import { compile } from "../../../src/model/program.ts";
import { draw } from "../../../src/model/random.ts";
import { replayedScene } from "../../../src/model/scene.ts";
import { stacks, toFolded } from "../../../src/traces/exporters/folded.ts";
import { toPerfetto } from "../../../src/traces/exporters/perfetto.ts";
import { recordedScene } from "../../../src/traces/exporters/recorded.ts";
import { type Scene, type Slice, slicesByTrack } from "../../../src/traces/exporters/scene.ts";
import { toSpeedscope } from "../../../src/traces/exporters/speedscope.ts";
import { callNames, readTrace } from "../../../src/traces/node.ts";
import { importSample } from "../importers/samples.ts";

const data = modelData();
const folder = fileURLToPath(new URL("../../../data/traces", import.meta.url));
const pipe = readTrace(join(folder, "pipe-ring3.kmtrace"));
const calls = callNames();

const [p4, kml40] = [data.profiles.get("p4")!, data.kernels.get("kml-4.0")!];

function pairOf(trace: typeof pipe, cpus = 1): Pair {
  return new Pair(compile(trace, data), data, p4, kml40, ["int80", "kml"], new Map(), { cpus });
}

const pair = pairOf(pipe);
const [int80, kml] = ["int80", "kml"].map((mechanism) => replayedScene(pair, mechanism, pipe));
const recorded = recordedScene(pipe, (nr, abi) => calls.name(nr, abi));

/** Slices that lie neither within nor behind all that are open. */
function crossing(slices: readonly Slice[]): Slice[] {
  const open: Slice[] = [];
  return slices.filter((slice) => {
    while (open.length > 0 && open[open.length - 1].to <= slice.from) open.pop();
    const outer = open[open.length - 1];
    open.push(slice);
    return outer !== undefined && slice.to > outer.to;
  });
}

describe.each([
  ["as recorded", recorded],
  ["by int80", int80],
  ["by kml", kml],
  ["on two CPUs", replayedScene(pairOf(pipe, 2), "kml", pipe)],
] as const)("%s", (_, scene) => {
  test("slices are in order, last some time, and nest on their tracks", () => {
    expect(scene.slices.length).toBeGreaterThan(1000);
    const wrong = scene.slices.filter(
      ({ from, to }, index) => to <= from || from < scene.slices[Math.max(0, index - 1)].from,
    );
    expect(wrong).toEqual([]);
    for (const slices of slicesByTrack(scene)) expect(crossing(slices)).toEqual([]);
  });

  test("arrows lead forward, from one task to another", () => {
    expect(scene.flows.length).toBeGreaterThan(5);
    for (const { fromTrack, toTrack, fromTime, toTime } of scene.flows) {
      expect(fromTime).toBeLessThanOrEqual(toTime);
      expect(scene.tracks[fromTrack].process).not.toBe(scene.tracks[toTrack].process);
    }
  });
});

describe("a replay", () => {
  test("a CPU has one task at a time, and a task's states follow each other without a gap", () => {
    for (const [track, slices] of slicesByTrack(kml).entries()) {
      if (kml.tracks[track].threadName === "work") continue;
      slices.slice(1).forEach((slice, index) => {
        expect(slice.from).toBeGreaterThanOrEqual(slices[index].to);
        if (kml.tracks[track].threadName === "state") expect(slice.from).toBe(slices[index].to);
      });
    }
  });

  test("running states are the CPU's turns, and the run queue ends empty", () => {
    const sum = (of: (slice: Slice) => boolean) =>
      kml.slices.filter(of).reduce((cycles, { from, to }) => cycles + to - from, 0);
    const isState = ({ track }: Slice) => kml.tracks[track].threadName === "state";
    const onCpu = sum((slice) => kml.tracks[slice.track].process === 0 && slice.category === "running");
    expect(sum((slice) => isState(slice) && slice.category === "running")).toBe(onCpu);
    expect(kml.counters.at(-1)?.value).toBe(0);
    expect(Math.min(...kml.counters.map(({ value }) => value))).toBe(0);
    expect(Math.max(...kml.counters.map(({ value }) => value))).toBeGreaterThan(1);
  });

  test("every record with a cost is there once", () => {
    const seqs = int80.slices.filter(({ category }) => category === "call" || category === "fault");
    expect(new Set(seqs.map(({ args }) => args?.["seq"])).size).toBe(seqs.length);
    const { program } = pair;
    const { costs } = pair.nominal("int80");
    expect(seqs.length).toBe(program.seq.filter((_, record) => costs.total[program.shape[record]] > 0).length);
  });

  test("random traces on one to three CPUs nest too", () => {
    let counter = 0;
    for (let round = 0; round < 6; round++) {
      const trace = randomTrace(() => draw(3, "scenes", counter++), 200, 1 + (round % 4));
      const scene = replayedScene(pairOf(trace, 1 + (round % 3)), "kml", trace);
      for (const slices of slicesByTrack(scene)) expect(crossing(slices)).toEqual([]);
    }
  });
});

interface TraceEvent {
  readonly ph: string;
  readonly ts: number;
  readonly dur: number;
  readonly id: number;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
}

/** Every shipped program by several ways in, on one CPU and on two, and as recorded. */
const exported: [string, () => Scene][] = ["pipe-ring3", "forks-ring0", "find-int80", "cp-ring3"].flatMap((name) => {
  const trace = readTrace(join(folder, `${name}.kmtrace`));
  const ways = [
    ["int80", 1],
    ["sysenter", 1],
    ["kml", 2],
  ] as const;
  const replays = ways.map(([mechanism, count]): [string, () => Scene] => {
    const of = new Pair(compile(trace, data), data, p4, kml40, [mechanism], new Map(), { cpus: count });
    return [`${name} by ${mechanism} on ${count}`, () => replayedScene(of, mechanism, trace)];
  });
  return [...replays, [`${name} as recorded`, () => recordedScene(trace, (nr, abi) => calls.name(nr, abi))]];
});

describe.each(exported)("Perfetto: %s", (_, make) => {
  const scene = make();
  const { traceEvents } = JSON.parse([...toPerfetto(scene)].join("")) as { traceEvents: TraceEvent[] };
  const of = (ph: string) => traceEvents.filter((event) => event.ph === ph);
  /** What readers make of a time. */
  const ns = (us: number): number => Math.round(us * 1000);

  test("every slice is there, named, in order, in whole nanoseconds, on a track with a name", () => {
    expect(of("X").length).toBe(scene.slices.length);
    const threads = new Set(
      of("M")
        .filter(({ name }) => name === "thread_name")
        .map(({ pid, tid }) => `${pid} ${tid}`),
    );
    const isWhole = (us: number): boolean => Math.abs(us * 1000 - ns(us)) < 1e-3;
    const wrong = of("X").filter(
      ({ ts, dur, name, pid, tid }, index, all) =>
        !(name !== undefined && name !== "" && dur >= 0 && isWhole(ts) && isWhole(dur)) ||
        !threads.has(`${pid} ${tid}`) ||
        (index > 0 && ts < all[index - 1].ts),
    );
    expect(wrong).toEqual([]);
  });

  test("slices nest on their tracks as readers see them", () => {
    const tracks = new Map<string, number[]>();
    const across = of("X").filter(({ ts, dur, pid, tid }) => {
      const open = tracks.get(`${pid} ${tid}`) ?? [];
      tracks.set(`${pid} ${tid}`, open);
      while (open.length > 0 && open[open.length - 1] <= ns(ts)) open.pop();
      const [end, outer] = [ns(ts) + ns(dur), open.at(-1)];
      open.push(end);
      return outer !== undefined && end > outer;
    });
    expect(across).toEqual([]);
  });

  test("every arrow has two ends, leads forward, and begins and ends on tracks with slices", () => {
    const tracks = new Set(of("X").map(({ pid, tid }) => `${pid} ${tid}`));
    expect(of("s").map(({ id }) => id)).toEqual(of("f").map(({ id }) => id));
    expect(new Set(of("s").map(({ id }) => id)).size).toBe(of("s").length);
    const ends = of("f");
    of("s").forEach(({ ts, name, pid, tid }, index) => {
      const end = ends[index];
      expect(ts).toBeLessThanOrEqual(end.ts);
      expect(name).toBe(end.name);
      expect(tracks.has(`${pid} ${tid}`) && tracks.has(`${end.pid} ${end.tid}`)).toBe(true);
    });
  });

  test("counters never fall below zero and change at each entry", () => {
    const changes = of("C") as unknown as { args: Record<string, number> }[];
    const values = changes.map(({ args }) => Object.values(args)[0]);
    expect(values.every((value) => value >= 0)).toBe(true);
  });
});

test("work by nobody: what others' turns and ticks take is cut out of a task's work", () => {
  const scene = replayedScene(pairOf(pipe), "kml", pipe);
  const shown = (category: string): number =>
    scene.slices
      .filter((slice) => slice.category === category && scene.tracks[slice.track].threadName === "state")
      .reduce((sum, { from, to }) => sum + to - from, 0);
  const worked = [...stacks(scene)].filter(([key]) => !key.endsWith(";timer tick"));
  expect(worked.reduce((sum, [, cycles]) => sum + cycles, 0)).toBeCloseTo(shown("running"), 3);
});

describe.each(["pipe-ring3", "forks-ring0", "cp-int80", "find-ring3"])("%s as recorded", (name) => {
  const trace = readTrace(join(folder, `${name}.kmtrace`));
  const scene = recordedScene(trace, (nr, abi) => calls.name(nr, abi));
  const tracks = slicesByTrack(scene);
  const threads = (wanted: RegExp) =>
    scene.tracks.flatMap(({ threadName }, track) => (wanted.test(threadName) ? [track] : []));

  test("a CPU has one task at a time, and a task is in one state", () => {
    const overlaps = threads(/^(state|CPU \d)/).flatMap((track) =>
      tracks[track].filter(({ from }, index, all) => index > 0 && from < all[index - 1].to),
    );
    expect(overlaps).toEqual([]);
    expect(threads(/^CPU/).length).toBe(1);
  });

  test("who runs has the CPU, and the run queue ends empty", () => {
    const running = (of: readonly number[]): number =>
      of
        .flatMap((track) => tracks[track])
        .filter(({ category }) => category === "running")
        .reduce((sum, { from, to }) => sum + to - from, 0);
    expect(running(threads(/^state/))).toBe(running(threads(/^CPU/)));
    expect(scene.counters.at(-1)?.value ?? 0).toBe(0);
  });

  test("the program's time is its instructions, however often others had the CPU", () => {
    const { user, task } = trace.events;
    const folded = stacks(scene);
    trace.tasks.forEach((_, number) => {
      const instructions = user.reduce((sum, count, seq) => sum + (task[seq] === number && count > 0 ? count : 0), 0);
      expect(folded.get(`${scene.tracks[number].processName};program`) ?? 0).toBe(instructions);
    });
  });
});

test("an import's waits are cut out of its calls, which nest as ever", () => {
  const { trace } = importSample("strace-python-threads.txt");
  const scene = recordedScene(trace, (nr, abi) => calls.name(nr, abi));
  for (const slices of slicesByTrack(scene)) expect(crossing(slices)).toEqual([]);
  const { blocked, parent } = trace.events;
  const waited = blocked.reduce((sum, time, seq) => sum + (time > 0 && !parent.includes(seq) ? time : 0), 0);
  const shown = scene.slices.filter(({ category }) => category === "wait");
  expect(waited).toBeGreaterThan(0);
  expect(shown.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(waited);
  expect(new Set(shown.map(({ name }) => name))).toContain("waits for a futex");
});

test("speedscope: frames open and close like brackets, in order of time", () => {
  const file = JSON.parse(toSpeedscope(recorded)) as {
    shared: { frames: { name: string }[] };
    profiles: { events: { type: string; at: number; frame: number }[]; startValue: number; endValue: number }[];
  };
  expect(file.profiles.length).toBeGreaterThan(5);
  for (const { events, startValue, endValue } of file.profiles) {
    const open: number[] = [];
    let time = startValue;
    for (const { type, at, frame } of events) {
      expect(at).toBeGreaterThanOrEqual(time);
      time = at;
      if (type === "O") open.push(frame);
      else expect(open.pop()).toBe(frame);
      expect(file.shared.frames[frame].name).not.toBe("");
    }
    expect(open).toEqual([]);
    expect(time).toBe(endValue);
  }
});

test("folded stacks: a difference between two mechanisms adds up to what their work differs by", () => {
  const lines = toFolded(int80, kml).trimEnd().split("\n");
  const sums = [0, 0];
  for (const line of lines) {
    const [, one, two] = /^[^;]+(?:;[^;]+)+ (\d+) (\d+)$/.exec(line)!;
    sums[0] += Number(one);
    sums[1] += Number(two);
  }
  const total = (scene: Scene) => [...stacks(scene).values()].reduce((sum, cycles) => sum + cycles, 0);
  expect(sums).toEqual([total(int80), total(kml)]);
  expect(sums[0]).toBeGreaterThan(sums[1]);
  expect(lines.some((line) => line.includes(";program "))).toBe(true);
});
