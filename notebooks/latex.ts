// A figure for LaTeX: its caption, its numbers as commands, and itself as a command, all from the evidence that lies beside it.
import type { Interval } from "../src/model/interval.ts";
import { short } from "./lab.ts";

/** What of a figure's JSON is written. */
export interface Evidence {
  readonly figure: number;
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly command: string;
  /** It is drawn as wide as one column, too. */
  readonly column: boolean;
  readonly claims: readonly {
    readonly id: string;
    readonly number: number;
    readonly found: Interval;
    readonly verdict: string;
  }[];
}

const DIGITS = ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];

/** Characters that mean something to LaTeX, or that it reads only with a package. */
const WRITTEN: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  "%": "\\%",
  "&": "\\&",
  "#": "\\#",
  $: "\\$",
  _: "\\_",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "$<$",
  ">": "$>$",
  "|": "$|$",
  '"': "''",
  "–": "--",
  "×": "$\\times$",
  µ: "$\\mu$",
  "’": "'",
};

/** Text as LaTeX writes it. Throws RangeError for a character that it is not known how. */
export function escaped(text: string): string {
  return [...text]
    .map((character) => {
      if (Object.hasOwn(WRITTEN, character)) return WRITTEN[character];
      if (!/^[ -~]$/.test(character)) throw new RangeError(`no LaTeX for "${character}" of "${text}"`);
      return character;
    })
    .join("");
}

/** The name of a command, which has letters only: kml2003-apache is \kmlabKmlTwoZeroZeroThreeApache. */
export function commandName(...words: readonly string[]): string {
  const parts = words.flatMap((word) =>
    word.replace(/\d/g, (digit) => `-${DIGITS[Number(digit)]}-`).split(/[^A-Za-z]+/),
  );
  return `\\kmlab${parts.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("")}`;
}

/** A number as text of a paper has it. */
function written(value: number): string {
  const digits = short(value);
  return digits.includes("e") ? `$${digits.replace(/e\+?(-?\d+)/, "\\times10^{$1}")}$` : digits.replaceAll(" ", "\\,");
}

/** The file: to be read in the preamble. */
export function latex({ figure, id, title, caption, command, column, claims }: Evidence): string {
  const define = (name: string, body: string): string => `\\newcommand{${name}}{${body}}`;
  const numbers = claims.flatMap((claim) => [
    define(commandName(claim.id), written(claim.found.value)),
    define(commandName(claim.id, "Low"), written(claim.found.low)),
    define(commandName(claim.id, "High"), written(claim.found.high)),
    define(commandName(claim.id, "Claimed"), written(claim.number)),
    define(commandName(claim.id, "Verdict"), escaped(claim.verdict)),
  ]);
  const floats = [
    { name: commandName("figure", String(figure)), environment: "figure*", width: "\\textwidth", file: id },
    { name: commandName("figure", String(figure), "column"), environment: "figure", width: "\\columnwidth" },
  ].filter(({ file }) => column || file !== undefined);
  const shown = floats.flatMap(({ name, environment, width, file = `${id}-column` }) => [
    `\\newcommand{${name}}[1][t]{%`,
    `  \\begin{${environment}}[#1]`,
    "    \\centering",
    `    \\includegraphics[width=${width}]{${file}}`,
    `    \\caption{${escaped(title)}. ${escaped(caption)}}`,
    `    \\label{fig:kmlab-${figure}}`,
    `  \\end{${environment}}%`,
    "}",
  ]);
  return `${[`% ${command}: ${id}.json as LaTeX. \\input it in the preamble, with graphicx.`, ...numbers, ...shown].join("\n")}\n`;
}
