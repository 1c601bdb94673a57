// How a row of the instruction table is written.
import type { Options, Row } from "../forms.ts";
import type { Sem } from "../sem.ts";

/** The six arithmetic flags. */
export const ALL = "OSZAPC";

export function row(names: string, code: string, operands: string, sem: (m: Sem) => void, options: Options = {}): Row {
  return { names, code, operands, sem, options };
}

/** Two hexadecimal digits. */
export function hex(n: number): string {
  return n.toString(16).padStart(2, "0");
}

/** Suffixes of the 16 conditions; the first of each is what the disassembler prints. */
export const CONDITIONS = [
  "o",
  "no",
  "b,c,nae",
  "ae,nb,nc",
  "e,z",
  "ne,nz",
  "be,na",
  "a,nbe",
  "s",
  "ns",
  "p,pe",
  "np,po",
  "l,nge",
  "ge,nl",
  "le,ng",
  "g,nle",
] as const;

/** Flags that each pair of conditions reads. */
export const CONDITION_READS = ["O", "C", "Z", "ZC", "S", "P", "SO", "SZO"] as const;

/** "jb,jc,jnae" from "j" and "b,c,nae". */
export function withSuffixes(prefix: string, suffixes: string): string {
  return suffixes
    .split(",")
    .map((s) => prefix + s)
    .join(",");
}
