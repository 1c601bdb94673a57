// Prints how much of the CPU has been compared with what; with --write, into docs/cpu.md: npm run coverage:cpu
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import Papa from "papaparse";
import { coverage } from "./native-cpu/coverage.ts";
import { caughtBy } from "./native-cpu/mutants.ts";
import { MUTATIONS } from "./native-cpu/mutations.ts";
import { fromText } from "./native-cpu/vector-fixture.ts";
import { excludedRows } from "./native-cpu/vector-groups.ts";
import { MASKS } from "./native-cpu/vector-masks.ts";
import { VectorWorld } from "./native-cpu/vector-world.ts";

const fixtures = new URL("../test/fixtures/", import.meta.url);
const page = new URL("../docs/cpu.md", import.meta.url);
const unpacked = (name: string) => gunzipSync(readFileSync(new URL(name, fixtures))).toString();
const thousands = (n: number) => n.toLocaleString("en-US");

interface Lockstep {
  readonly command: string;
  readonly cpu: string;
  readonly instructions: number;
  readonly fp_states: number;
  readonly pages: number;
  readonly system_calls: number;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const text = unpacked("cpu/vectors.txt.gz");
const recorded = fromText(text);
const processor = /executed by (.*?), user mode/.exec(text)?.[1] ?? "";
const c = coverage(recorded);
const world = new VectorWorld();
const caught = MUTATIONS.filter((m) => caughtBy(m, recorded, world) !== null).length;
const lockstep = Papa.parse<Lockstep>(readFileSync(new URL("cpu/lockstep.csv", fixtures), "utf8"), {
  header: true,
  dynamicTyping: true,
  skipEmptyLines: true,
}).data;
const instructions = lockstep.reduce((n, row) => n + row.instructions, 0);
const ring0 = unpacked("ring0/qemu.log.gz")
  .split("\n")
  .filter((line) => /^\S/.test(line)).length;

const figures = table(
  ["what", "figure"],
  [
    [
      "encodings x operand forms, compared natively of those comparable",
      `${thousands(c.comparedPairs)} of ${thousands(c.comparablePairs)}`,
    ],
    ["the same x prefixes", thousands(c.groups)],
    [
      "vectors compared; left out because the manual decides nothing",
      `${thousands(c.vectors)}; ${thousands(c.undecided)}`,
    ],
    ["instructions of programs compared", thousands(instructions)],
    ["forms in the table; not comparable in ring 3", `${thousands(c.forms)}; ${thousands(c.excludedForms)}`],
    [
      "forms that completed in ring 3: interpreter, plain evaluation",
      `${thousands(c.byInterpreter)}, ${thousands(c.byOracle)}`,
    ],
    ["forms that compiled regions do themselves", thousands(c.byRegions)],
    ["ring-0 cases compared with QEMU", thousands(ring0)],
    ["seeded errors caught", `${caught} of ${MUTATIONS.length}`],
    ["processor of the vectors", processor],
  ],
);
const programs = table(
  ["program", "as", "instructions", "x87 and SIMD states", "pages", "system calls"],
  lockstep.map((row) => [
    `\`${row.command.replaceAll("|", "\\|")}\``,
    row.cpu,
    ...[row.instructions, row.fp_states, row.pages, row.system_calls].map(thousands),
  ]),
);
const masks = table(
  ["not compared", "on", "because"],
  MASKS.map((m) => [m.id, m.vendor, m.reason]),
);
const excluded = table(
  ["row", "code", "not comparable in ring 3 because"],
  excludedRows().map((row) => [row.name, row.code, row.why]),
);
process.stdout.write(`${figures}\n\n${programs}\n\n${excluded}\n`);
if (process.argv.includes("--write")) {
  const mark = "<!-- written by npm run coverage:cpu -- --write -->";
  const kept = readFileSync(page, "utf8").split(mark)[0];
  const sections = ["## Figures", figures, "## Programs", programs, "## What is not compared", masks, excluded];
  writeFileSync(page, `${kept}${mark}\n\n${sections.join("\n\n")}\n`);
}
