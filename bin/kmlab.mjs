#!/usr/bin/env node
// The launcher: bundles the TypeScript sources when they have changed, then hands over to the command line.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, "src");
const build = join(root, "build");

/** The newest modification time below a folder, in milliseconds. */
function newest(folder) {
  let latest = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}

/** Modules find data/ beside their source, so each keeps its own address inside the bundle. */
const keepAddresses = {
  name: "keep-addresses",
  setup(esbuild) {
    esbuild.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
      loader: "ts",
    }));
  },
};

/** Bundles into a folder of its own and renames it, so that launchers running side by side never see half a bundle. */
async function bundle(folder) {
  const esbuild = await import("esbuild").catch(() => {
    console.error("kmlab: packages are not installed; run `npm ci` in the checkout first");
    process.exit(125);
  });
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  await esbuild.build({
    entryPoints: [join(sources, "cli", "main.ts")],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    outdir: draft,
    sourcemap: "linked",
    logLevel: "error",
    plugins: [keepAddresses],
  });
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

const stamp = Math.max(newest(sources), statSync(fileURLToPath(import.meta.url)).mtimeMs);
const folder = join(build, `cli-${Math.floor(stamp)}`);
if (!existsSync(folder)) {
  const stale = existsSync(build) ? readdirSync(build).filter((name) => /^cli-\d+$/.test(name)) : [];
  await bundle(folder);
  for (const name of stale) rmSync(join(build, name), { recursive: true, force: true });
}
await import(pathToFileURL(join(folder, "main.js")).href);
