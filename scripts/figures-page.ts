// Writes the table of claims into docs/figures.md, and draws the figures that README.md shows.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { claimTable, readClaims } from "../notebooks/claims.ts";
import { FIGURES } from "../notebooks/figures.ts";

const at = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const page = at("docs/figures.md");
const [before] = readFileSync(page, "utf8").split(/^\| figure \|/m);
writeFileSync(page, `${before}${claimTable(readClaims(readFileSync(at("data/claims.csv"), "utf8")))}\n`);

const readme = readFileSync(at("README.md"), "utf8");
const shown = FIGURES.filter(({ id }) => readme.includes(`docs/figures/${id}.svg`));
const folder = mkdtempSync(join(tmpdir(), "kmlab-pictures-"));
const numbers = shown.map(({ number }) => number).join();
const words = ["figures", "--quick", "--only", numbers, "-o", folder];
const { status } = spawnSync(process.execPath, [at("bin/kmlab.mjs"), ...words], {
  stdio: ["ignore", "ignore", "inherit"],
});
mkdirSync(at("docs/figures"), { recursive: true });
for (const { id } of shown) copyFileSync(join(folder, `${id}.svg`), at(`docs/figures/${id}.svg`));
rmSync(folder, { recursive: true });
process.exitCode = status ?? 1;
