// kmlab figures: every figure with its table, its evidence and the verdict on each claim that it tests.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandModule } from "yargs";
import { allowedWords, type Claim, readClaims } from "../../notebooks/claims.ts";
import { type Built, build } from "../../notebooks/evidence.ts";
import type { Figure } from "../../notebooks/figure.ts";
import { FIGURES } from "../../notebooks/figures.ts";
import type { Judged } from "../../notebooks/findings.ts";
import { type Lab, short } from "../../notebooks/lab.ts";
import { pdf } from "../../notebooks/pdf.ts";
import { CheckFailed, InputError } from "../errors.ts";
import { modelData, readDataBytes, readDataFile } from "../model/data-node.ts";
import { versions } from "../model/sweep/versions-node.ts";
import { align } from "../model/text.ts";
import { readTrace, SUFFIX } from "../traces/node.ts";
import type { Trace } from "../traces/trace.ts";
import { list } from "./model-options.ts";

interface FiguresArguments {
  only?: string;
  quick: boolean;
  check: boolean;
  output: string;
}

/** Sets of draws behind each interval. */
const DRAWS = { full: 200, quick: 40 } as const;
const SEED = 1;
/** What PDFs are written with, and SVGs name. */
const FONT = "fonts/DejaVuSans.ttf";

function chosen(only: string | undefined): readonly Figure[] {
  const words = list(only);
  if (words === undefined) return FIGURES;
  const numbers = FIGURES.map(({ number }) => String(number));
  for (const word of words)
    if (!numbers.includes(word)) throw new InputError(`--only ${word}: there are figures ${numbers.join(", ")}`);
  return FIGURES.filter(({ number }) => words.includes(String(number)));
}

function laboratory(draws: number): Lab {
  const folder = fileURLToPath(new URL("../../data/traces", import.meta.url));
  const read = new Map<string, Trace>();
  return {
    data: modelData(),
    file: readDataFile,
    draws,
    seed: SEED,
    kept: (_, make) => make(),
    trace: (name) => {
      const trace = read.get(name) ?? readTrace(join(folder, `${name}${SUFFIX}`));
      read.set(name, trace);
      return trace;
    },
  };
}

function claimLine({ claim, found, verdict }: Judged): string[] {
  const { id, confidence } = claim;
  const differs = verdict === claim.verdict ? "" : `(committed: ${claim.verdict})`;
  return [
    `  ${verdict}`,
    id,
    confidence,
    allowedWords(claim),
    `found ${short(found.value)} (${short(found.low)} to ${short(found.high)})`,
    differs,
  ];
}

/** Writes a figure's files, or says which differ from those that are there. */
function keep(files: ReadonlyMap<string, Uint8Array>, folder: string, check: boolean): string[] {
  if (!check) {
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
    return [];
  }
  return [...files]
    .filter(([name, bytes]) => {
      try {
        return !readFileSync(join(folder, name)).equals(bytes);
      } catch {
        return true;
      }
    })
    .map(([name]) => name);
}

/** A figure's files: what was built, and its pictures as PDFs. */
function filesOf({ figure, files }: Built, font: Uint8Array): Map<string, Uint8Array> {
  const bytes = new Map<string, Uint8Array>([...files].map(([name, text]) => [name, Buffer.from(text)]));
  for (const [name, text] of files)
    if (name.endsWith(".svg")) bytes.set(name.replace(/svg$/, "pdf"), pdf(text, figure.title, font));
  return bytes;
}

export const command: CommandModule<object, FiguresArguments> = {
  command: "figures",
  describe: "draw the figures, each with its table, its evidence and a verdict on every claim",
  builder: (yargs) =>
    yargs
      .option("only", { type: "string", requiresArg: true, describe: "numbers of figures, as 1,3" })
      .option("quick", {
        type: "boolean",
        default: false,
        describe: `${DRAWS.quick} draws behind each interval instead of ${DRAWS.full}`,
      })
      .option("check", {
        type: "boolean",
        default: false,
        describe: "write nothing: compute again and compare with the files that are there",
      })
      .option("output", {
        type: "string",
        alias: "o",
        requiresArg: true,
        default: "kmlab-figures",
        describe: "folder for the files",
      }) as never,
  handler: ({ only, quick, check, output }) => {
    const figures = chosen(only);
    const claims: readonly Claim[] = readClaims(readDataFile("claims.csv"));
    const draws = quick ? DRAWS.quick : DRAWS.full;
    const lab = laboratory(draws);
    const font = readDataBytes(FONT);
    if (!check) mkdirSync(output, { recursive: true });
    const differing: string[] = [];
    const stale: string[] = [];
    const { kmlab, model, tables } = versions();
    for (const figure of figures) {
      const command = `kmlab figures --only ${figure.number}${quick ? " --quick" : ""}`;
      const built = build(figure, lab, claims, { command, kmlab, model, tables, draws, seed: SEED });
      stale.push(...keep(filesOf(built, font), output, check));
      process.stdout.write(`figure ${figure.number}: ${figure.title} (${figure.id})\n`);
      process.stdout.write(`${align(built.judged.map(claimLine), [0, 1, 2, 3, 4, 5]).join("\n")}\n`);
      differing.push(
        ...built.judged.filter(({ claim, verdict }) => verdict !== claim.verdict).map(({ claim }) => claim.id),
      );
    }
    if (differing.length > 0)
      throw new CheckFailed(`figures: the verdict on ${differing.join(", ")} is not the one of data/claims.csv`);
    if (stale.length > 0)
      throw new CheckFailed(`figures: ${stale.join(", ")} in ${output} differ from what was computed`);
    process.stdout.write(
      check ? `all as in ${output}\n` : `in ${output}: ${figures.length} figures, each .svg, .pdf, .csv, .json, .tex\n`,
    );
  },
};
