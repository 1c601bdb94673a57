// speedscope's own format: one evented profile for the work of each task. www.speedscope.app/file-format-schema.json
import { type Scene, slicesByTrack, visitNested } from "./scene.ts";

interface Event {
  readonly type: "O" | "C";
  readonly at: number;
  readonly frame: number;
}

/** The work of every task of a scene as profiles of nested frames, in nanoseconds. */
export function toSpeedscope(scene: Scene): string {
  const frames: { name: string }[] = [];
  const numbers = new Map<string, number>();
  const frameOf = (name: string): number => {
    let number = numbers.get(name);
    if (number === undefined) {
      number = frames.push({ name }) - 1;
      numbers.set(name, number);
    }
    return number;
  };
  const ns = (units: number): number => Math.round(units * scene.nsPerUnit * 1000) / 1000;
  const byTrack = slicesByTrack(scene);
  const profiles = scene.work.flatMap((track) => {
    const slices = byTrack[track];
    if (slices.length === 0) return [];
    const events: Event[] = [];
    visitNested(slices, {
      open: ({ name, from }) => events.push({ type: "O", at: ns(from), frame: frameOf(name) }),
      close: ({ name, to }) => events.push({ type: "C", at: ns(to), frame: frameOf(name) }),
    });
    return [
      {
        type: "evented",
        name: scene.tracks[track].processName,
        unit: "nanoseconds",
        startValue: events[0].at,
        endValue: events[events.length - 1].at,
        events,
      },
    ];
  });
  const file = {
    $schema: "https://www.speedscope.app/file-format-schema.json",
    name: scene.title,
    activeProfileIndex: 0,
    exporter: "kmlab",
    shared: { frames },
    profiles,
  };
  return `${JSON.stringify(file)}\n`;
}
