// What one passage of each way into the kernel costs, measured as the difference between two runs of one more: for the tests of the
// counters and for the table in docs/kml.md.
import { type PathCount, PathCounter } from "../../../src/emu/capture/path-counter.ts";
import { TIMER_IRQ } from "../../../src/emu/machine/machine.ts";
import { type World, type WorldOptions, watchLabel, world } from "../kernel/entry/harness.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";

/** Runs a program and counts its ways. */
export function counted(source: string, o: WorldOptions, before: (w: World) => void = () => {}) {
  const counter = new PathCounter();
  const w = world(source + EXIT, { ...o, recorder: counter });
  counter.attach(w.k.cpu);
  before(w);
  w.run();
  return { w, counts: counter.counts() };
}

/** A way's figures: times, instructions, descriptors, pushes, levels, drops, tasks, ports. */
export function figures(counts: readonly PathCount[], path: string): number[] {
  const p = counts.find((row) => row.path === path);
  return p === undefined
    ? [0, 0, 0, 0, 0, 0, 0, 0]
    : [p.count, p.instructions, p.descriptors, p.pushes, p.levels, p.drops, p.tasks, p.ports];
}

export interface Passage {
  readonly path: string;
  readonly what: string;
  readonly kernel: string;
  /** The program with n passages; two and three of them are compared. */
  readonly source: (n: number) => string;
  readonly o: WorldOptions;
  readonly before?: (w: World) => void;
}

/** What one more passage adds. */
export function onePassage({ path, source, o, before }: Passage): number[] {
  const [few, more] = [2, 3].map((n) => figures(counted(source(n), o, before).counts, path));
  return more.map((cell, i) => cell - few[i]);
}

export const call =
  (nr: number, how: string) =>
  (n: number): string =>
    `mov edi, vsyscall\n${`mov eax, ${nr}\nmov ebx, 0\nmov ecx, 0\n${how}\n`.repeat(n)}`;
export const touch = (n: number): string =>
  Array.from({ length: n }, (_, i) => `mov dword [data+${0x1000 * (i + 1)}], 1\n`).join("");
export const starve = (n: number): string =>
  `mov ebx, esp\n${Array.from({ length: n }, (_, i) => `mov esp, data+${0x2000 * (i + 2)}\npush eax\n`).join("")}mov esp, ebx`;
const spin = (n: number): string => `mov ecx, ${2000 * n}\nspin:\ndec ecx\njnz spin`;

/** An interrupt every 4,700 units of the clock, which is one more for each 2,000 rounds of `spin`. */
function pulses(w: World): void {
  watchLabel(w, "ret_from_fork", () => {
    for (let n = 1; n < 20; n++) w.k.clock.at(w.k.clock.now() + 4700 * n, () => w.machine.pic.pulse(TIMER_IRQ));
  });
}

const LINUX: WorldOptions = { ring: 3, kernel: "linux", hz: 100 };
const KML3: WorldOptions = { ring: 3, kernel: "kml-4.0", hz: 100 };
const KML: WorldOptions = { ring: 0, kernel: "kml-4.0", hz: 100 };

const row = (
  path: string,
  what: string,
  kernel: string,
  source: (n: number) => string,
  o: WorldOptions,
  before?: (w: World) => void,
): Passage => ({ path, what, kernel, source, o, before });

/** The ways of docs/kml.md, with getpid or gettimeofday as the call. */
export const PASSAGES: readonly Passage[] = [
  row("A", "int 0x80 from ring 3", "linux", call(20, "int 0x80"), LINUX),
  row("A", "the same", "kml-4.0", call(20, "int 0x80"), KML3),
  row("B", "SYSENTER from ring 3", "linux", call(20, "call edi"), LINUX),
  row("C", "direct call without arguments", "kml-4.0", call(20, "call edi"), KML),
  row("C", "with two", "kml-4.0", call(78, "call edi"), KML),
  row("C", "without arguments", "kml-2003", call(20, "call edi"), { ...KML, kernel: "kml-2003" }),
  row("D", "direct call that needs all registers", "kml-4.0", call(110, "call edi"), KML),
  row("E", "int 0x80 from ring 0", "kml-4.0", call(20, "int 0x80"), KML),
  row("F", "page fault from ring 3", "linux", touch, LINUX),
  row("F", "the same", "kml-4.0", touch, KML3),
  row("G", "page fault from ring 0, stack page there", "kml-4.0", touch, KML),
  row("H", "stack page absent: double fault through a task gate", "kml-4.0", starve, KML),
  row("I", "interrupt of ring 3", "linux", spin, LINUX, pulses),
  row("I", "the same", "kml-4.0", spin, KML3, pulses),
  row("J", "interrupt of ring 0", "kml-4.0", spin, KML, pulses),
];
