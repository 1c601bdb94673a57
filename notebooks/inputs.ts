// What a reader of a figure may change: declared in the figure's module, drawn as sliders and menus in its notebook.

/** A number between two others. */
export interface Slider {
  readonly label: string;
  /** As in the figure that kmlab figures draws. */
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly step: number;
  /** Moves in equal ratios instead of equal steps. */
  readonly log?: boolean;
}

/** One word among several. */
export interface Menu {
  readonly label: string;
  readonly value: string;
  readonly among: readonly string[];
}

export type Inputs = Readonly<Record<string, Slider | Menu>>;

/** A value for each input. */
export type Chosen<I extends Inputs = Inputs> = { readonly [K in keyof I]: I[K] extends Slider ? number : string };

/** The values with which kmlab figures draws it. */
export function asPublished<I extends Inputs>(inputs: I): Chosen<I> {
  return Object.fromEntries(Object.entries(inputs).map(([name, { value }]) => [name, value])) as Chosen<I>;
}

/** In words, what was chosen otherwise than kmlab figures does. */
export function departures(inputs: Inputs, chosen: Chosen): string[] {
  return Object.entries(inputs)
    .filter(([name, { value }]) => chosen[name] !== value)
    .map(([name, { label, value }]) => `${label} ${chosen[name]} instead of ${value}`);
}

/** Processors that have all three ways of i386 under Kernel Mode Linux. */
export const PROCESSOR = {
  label: "processor",
  value: "p4",
  among: ["p4", "p4-maeda2003", "p4-lkml2002", "k7-lkml2002"],
} as const satisfies Menu;

/** Shipped traces, captured in ring 3. */
export const PROGRAM = {
  label: "program",
  value: "find",
  among: ["find", "cp", "forks", "pipe"],
} as const satisfies Menu;

/** What a direct call is held against. */
export const TRAP = {
  label: "against",
  value: "sysenter",
  among: ["sysenter", "int80"],
} as const satisfies Menu;

/** As axes call it. */
export const TRAP_NAMES: Readonly<Record<string, string>> = { sysenter: "SYSENTER", int80: "INT 0x80" };

/** What of the processor's a way into the kernel needs that a direct call does not. */
export const TRAPS: readonly string[] = [
  "hw.int_3to0",
  "hw.iret_3",
  "hw.sysenter",
  "hw.sysexit",
  "hw.syscall",
  "hw.sysret",
];

/** How dear those are. */
export const TRAP_TIMES = {
  label: "trap instructions ×",
  value: 1,
  from: 0.1,
  to: 4,
  step: 0.1,
} as const satisfies Slider;
