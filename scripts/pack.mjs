// Before npm pack (and with --remove after it): dist/ with the command line as one script, the library for Node and for browsers, and its types.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundle, keepAddresses, preparing } from "../bin/bundle.mjs";

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(home, "src");
const [word] = process.argv.slice(2);
/** Another folder than dist/ is for tests. */
const dist = word === undefined || word === "--remove" ? join(home, "dist") : resolve(word);

/** What package.json exports, by the name in dist/. */
const ENTRIES = { index: "index", emu: "emu/index", traces: "traces/index", model: "model/index" };

/** The library as modules that share their parts. */
async function library(platform, suffix, more) {
  await build({
    entryPoints: Object.fromEntries(
      Object.entries(ENTRIES).map(([name, module]) => [name, join(sources, `${module}${suffix}.ts`)]),
    ),
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2023",
    outdir: join(dist, platform),
    chunkNames: "part-[hash]",
    logLevel: "error",
    plugins: [
      ready,
      // Every file lies in dist/PLATFORM.
      keepAddresses(home, (own) => `new URL("../../" + ${own}, import.meta.url).href`),
    ],
    platform,
    ...more,
  });
}

rmSync(dist, { recursive: true, force: true });
if (word === "--remove") process.exit();
const cli = join(dist, "cli");
const ready = await preparing({ build }, sources);
await bundle(sources, cli, false, ready);
const scripts = ["main.cjs", "worker.cjs"].map((name) => readFileSync(join(cli, name)));
// Names what V8 keeps of them.
writeFileSync(join(cli, "id"), createHash("sha256").update(scripts[0]).update(scripts[1]).digest("hex").slice(0, 16));
await library("node", "-node", {
  target: "node20",
  // Packages that are no modules ask for Node's own by require.
  banner: {
    js: 'import { createRequire as createRequireOf } from "node:module"; const require = createRequireOf(import.meta.url);',
  },
});
await library("browser", "", {});
const types = spawnSync(
  process.execPath,
  [
    join(home, "node_modules", "typescript", "bin", "tsc"),
    "-p",
    join(home, "tsconfig.types.json"),
    "--outDir",
    join(dist, "types"),
  ],
  { stdio: "inherit" },
);
process.exitCode = types.status ?? 1;
