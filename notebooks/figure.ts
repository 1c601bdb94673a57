// What a figure is: what it asks, what it computes, and how that is drawn. One module of figures/ each.
import type { PlotOptions } from "@observablehq/plot";
import type { Interval } from "../src/model/interval.ts";
import type { Chosen, Inputs } from "./inputs.ts";
import type { Lab } from "./lab.ts";

/** One observation, of the tidy table behind a figure. */
export type Row = Readonly<Record<string, string | number>>;

/** What a figure computed. */
export interface Findings {
  readonly rows: readonly Row[];
  /** What is held against each claim of data/claims.csv, by its id. */
  readonly claims: Readonly<Record<string, Interval>>;
}

export interface Figure<I extends Inputs = Inputs> {
  readonly number: number;
  /** Names its files. */
  readonly id: string;
  readonly title: string;
  /** What can be seen, what it is of, and what it does not say. */
  readonly caption: string;
  /** Words and numbers keep their size and their distance when it is drawn as wide as one column of a paper, not only as wide as its page. */
  readonly column?: boolean;
  /** Traces that it works with; not given: those of the shipped programs in ring 3. */
  readonly traces?: readonly string[];
  /** What a reader may change; with the values given here it is what kmlab figures draws. */
  readonly inputs: I;
  run(lab: Lab, chosen: Chosen<I>): Findings;
  /** `wide`: pixels of the picture. */
  plot(rows: readonly Row[], chosen: Chosen<I>, wide: number): PlotOptions;
}

/** The figure itself, its inputs known to its other parts. */
export function figureOf<const I extends Inputs>(figure: Figure<I>): Figure<I> {
  return figure;
}

/** Dark, middle and light enough to be told apart in grey: what traps slowly, what traps fast, what does not trap, what else there is. */
export const SHADES = { slow: "#1f2a44", fast: "#3f7fb5", none: "#e0952b", other: "#d3dadf" } as const;

/** Of mechanisms, the same in every figure. */
export const SHADE_OF: Readonly<Record<string, string>> = {
  int80: SHADES.slow,
  sysenter: SHADES.fast,
  syscall: SHADES.fast,
  kml: SHADES.none,
  "kml-amd64": SHADES.none,
  "ukl-base": SHADES.other,
  ukl: "#fbeed3",
};

/** Pixels of 1/96 inch: columns of 3.5 inches. */
export const COLUMN = 336;

/** What all figures look like: 6.7 inches wide, as a page of two columns, with letters of 8 points. */
export const LOOK = {
  width: 640,
  style: { fontFamily: "DejaVu Sans, sans-serif", fontSize: "11px", background: "white", color: "black" },
} as const;

/** A number of a row. */
export const number =
  (column: string) =>
  (row: Row): number =>
    Number(row[column]);
