// Writes the table of claims into docs/figures.md.
import { readFileSync, writeFileSync } from "node:fs";
import { claimTable, readClaims } from "../notebooks/claims.ts";

const at = (name: string) => new URL(`../${name}`, import.meta.url);
const page = at("docs/figures.md");
const [before] = readFileSync(page, "utf8").split(/^\| figure \|/m);
writeFileSync(page, `${before}${claimTable(readClaims(readFileSync(at("data/claims.csv"), "utf8")))}\n`);
