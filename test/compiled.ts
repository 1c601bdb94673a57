// The sources as plain modules of JavaScript, compiled once for all test files: Node loads them itself, and an imported function is called
// as it is in the command line. Vitest's own runner would fetch each module from its main process for each test file, and look
// up every imported name again at every use, which is half the time of an emulator.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { Plugin } from "vitest/config";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SRC = join(ROOT, "src");
const BUILD = join(ROOT, "build");
/** After that long nobody runs tests on what a folder holds. */
const STALE_MS = 24 * 3600 * 1000;

/** A source as it is compiled: it finds data/ where it did, and what it imports is compiled too. */
function contents(path: string): string {
  return readFileSync(path, "utf8")
    .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
    .replace(/((?:from|import)\s*\(?\s*"\.[^"]*)\.ts"/g, '$1.js"');
}

/** The folder of the sources compiled as they are now. */
async function compiled(): Promise<string> {
  const names = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const sources = new Map(names.sort().map((name) => [join(SRC, name), contents(join(SRC, name))]));
  const hash = createHash("sha256").update(readFileSync(fileURLToPath(import.meta.url)));
  for (const [path, text] of sources) hash.update(`${path}\0${text}\0`);
  const folder = join(BUILD, `tests-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) {
    utimesSync(folder, new Date(), new Date());
    return folder;
  }
  mkdirSync(BUILD, { recursive: true });
  for (const name of readdirSync(BUILD).filter((name) => name.startsWith("tests-"))) {
    const stale = join(BUILD, name);
    if (Date.now() - (statSync(stale, { throwIfNoEntry: false })?.mtimeMs ?? 0) > STALE_MS)
      rmSync(stale, { recursive: true, force: true });
  }
  // A folder of its own, renamed when it is whole: another run may be compiling the same.
  const draft = `${folder}.${process.pid}`;
  await build({
    entryPoints: [...sources.keys()],
    outbase: SRC,
    outdir: draft,
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "error",
    plugins: [
      {
        name: "as-compiled",
        setup: ({ onLoad }) =>
          onLoad({ filter: /\.ts$/ }, ({ path }) => ({ contents: sources.get(path), loader: "ts" })),
      },
    ],
  });
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Gives test files the compiled sources; where Vitest watches for changes, it runs the sources itself. */
export function compiledSources(): Plugin {
  let folder: string | undefined;
  return {
    name: "compiled-sources",
    enforce: "pre",
    async configureVitest({ vitest }) {
      if (!vitest.config.watch) folder = await compiled();
    },
    resolveId(id, importer) {
      if (folder === undefined || importer === undefined || !id.endsWith(".ts")) return undefined;
      const path = resolve(dirname(importer), id);
      if (!path.startsWith(SRC + sep)) return undefined;
      return { id: join(folder, relative(SRC, path).replace(/\.ts$/, ".js")), external: true };
    },
  };
}
