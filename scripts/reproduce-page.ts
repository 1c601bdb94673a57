// npm run reproduce-page: draws every figure and writes what each claim came to, with the time it took, into docs/reproduce.md.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Reproduced, reproduceTable } from "../notebooks/reproduce.ts";

const page = fileURLToPath(new URL("../docs/reproduce.md", import.meta.url));
const launcher = fileURLToPath(new URL("../bin/kmlab.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kmlab-reproduce-"));
const rows: Reproduced[] = [];
const numbers = readdirSync(new URL("../notebooks/figures", import.meta.url)).map((name) => Number.parseInt(name, 10));
for (const figure of numbers.sort((a, b) => a - b)) {
  const start = Date.now();
  const run = spawnSync(process.execPath, [launcher, "figures", "--only", String(figure), "-o", folder]);
  if (run.status === null) throw new Error(String(run.error));
  const seconds = (Date.now() - start) / 1e3;
  const name = readdirSync(folder).find(
    (file) => file.startsWith(String(figure).padStart(2, "0")) && file.endsWith(".json"),
  )!;
  const { claims } = JSON.parse(readFileSync(join(folder, name), "utf8"));
  for (const claim of claims) rows.push({ figure, ...claim, seconds });
}
rmSync(folder, { recursive: true });
const [before, , after] = readFileSync(page, "utf8").split(/^(?=\| claim \|)|(?<=\|\n)(?!\|)/m);
writeFileSync(page, `${before}${reproduceTable(rows)}\n${after}`);
