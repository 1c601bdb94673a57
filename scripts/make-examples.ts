// Assembles the examples of data/examples: programs without a C library, each beside its source.
//
//   npx tsx scripts/make-examples.ts

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { staticElf } from "../test/guest/static-elf.ts";

const FOLDER = fileURLToPath(new URL("../data/examples/", import.meta.url));

for (const name of readdirSync(FOLDER)) {
  if (!name.endsWith(".s")) continue;
  const program = staticElf(readFileSync(join(FOLDER, name), "utf8"));
  writeFileSync(join(FOLDER, name.slice(0, -2)), program, { mode: 0o755 });
  console.log(`${name}: ${program.length} bytes`);
}
