// Folded stacks: "task;call;part count" a line, which flamegraph.pl and speedscope read; two scenes as "stack count count", which
// difffolded.pl and flamegraph.pl make a differential flame graph of.
import { type Scene, type Slice, slicesByTrack, visitNested } from "./scene.ts";

/** A frame's name may hold no semicolon and no blank at its end. */
function frame(name: string): string {
  return name.replace(/;/g, ",").trim();
}

/** Units of time by stack: the time of a frame less that of the frames within it. Waiting is left out: it is no work. */
export function stacks(scene: Scene): Map<string, number> {
  const sums = new Map<string, number>();
  const byTrack = slicesByTrack(scene);
  for (const track of scene.work) {
    const self = new Map<Slice, number>();
    const root = frame(scene.tracks[track].processName);
    visitNested(byTrack[track], {
      open: (slice, stack) => {
        self.set(slice, slice.to - slice.from);
        const outer = stack[stack.length - 1];
        if (outer !== undefined) self.set(outer, self.get(outer)! - (slice.to - slice.from));
      },
      close: (slice, stack) => {
        const own = self.get(slice)!;
        self.delete(slice);
        if (own === 0 || slice.category === "wait") return;
        const key = [root, ...[...stack, slice].map(({ name }) => frame(name))].join(";");
        sums.set(key, (sums.get(key) ?? 0) + own);
      },
    });
  }
  return sums;
}

/** One line a stack, sorted; with a second scene, its count in a second column. */
export function toFolded(scene: Scene, other?: Scene): string {
  const one = stacks(scene);
  const two = other === undefined ? undefined : stacks(other);
  const keys = [...new Set([...one.keys(), ...(two?.keys() ?? [])])].sort();
  return keys
    .map((key) => {
      const counts = [one.get(key) ?? 0, ...(two === undefined ? [] : [two.get(key) ?? 0])];
      return `${key} ${counts.map(Math.round).join(" ")}\n`;
    })
    .join("");
}
