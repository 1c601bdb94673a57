// A scene: what happened when, on tracks, without knowing where it comes from or in which format it will be written.

/** A row of a picture: a CPU, or a task's states or work. Tracks with one `process` number stand together. */
export interface Track {
  readonly process: number;
  readonly processName: string;
  readonly thread: number;
  readonly threadName: string;
}

/** Something that lasts. On one track slices follow each other or lie within each other, never across. */
export interface Slice {
  /** Index into the scene's tracks. */
  readonly track: number;
  readonly from: number;
  readonly to: number;
  readonly name: string;
  readonly category: string;
  readonly args?: Readonly<Record<string, string | number>>;
}

/** A number that changes over time. */
export interface CounterChange {
  readonly name: string;
  readonly time: number;
  readonly value: number;
}

/** An arrow: what happened here let something go on there. */
export interface Flow {
  readonly name: string;
  readonly fromTrack: number;
  readonly fromTime: number;
  readonly toTrack: number;
  readonly toTime: number;
}

export interface Scene {
  /** Nanoseconds a unit of time. */
  readonly nsPerUnit: number;
  readonly tracks: readonly Track[];
  /** In order of beginning; of those that begin together the longer first. */
  readonly slices: readonly Slice[];
  readonly counters: readonly CounterChange[];
  readonly flows: readonly Flow[];
  /** Index of each task's track of work, for formats that show stacks only. */
  readonly work: readonly number[];
  /** What it shows, in a line. */
  readonly title: string;
}

/** Sorts slices into a scene's order; equal ones stay in the order given, the outer before the inner. */
export function ordered(slices: readonly Slice[]): Slice[] {
  return [...slices].sort((a, b) => a.from - b.from || b.to - a.to);
}

/** The slices of each track, in order. */
export function slicesByTrack(scene: Scene): Slice[][] {
  const of: Slice[][] = scene.tracks.map(() => []);
  for (const slice of scene.slices) of[slice.track].push(slice);
  return of;
}

/** Walks the slices of one track as opening and closing of nested ones, in order of time. */
export function visitNested(
  slices: readonly Slice[],
  visit: { open(slice: Slice, stack: readonly Slice[]): void; close(slice: Slice, stack: readonly Slice[]): void },
): void {
  const stack: Slice[] = [];
  const closeUntil = (time: number): void => {
    while (stack.length > 0 && stack[stack.length - 1].to <= time) visit.close(stack.pop()!, stack);
  };
  for (const slice of slices) {
    closeUntil(slice.from);
    visit.open(slice, stack);
    stack.push(slice);
  }
  closeUntil(Number.POSITIVE_INFINITY);
}
