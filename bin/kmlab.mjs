#!/usr/bin/env node
// The launcher: bundles the TypeScript sources when they have changed, then hands over to the command line.
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runScript } from "./script.mjs";

const bin = dirname(fileURLToPath(import.meta.url));
const sources = join(dirname(bin), "src");
const build = join(dirname(bin), "build");

/** The newest modification time below a folder, in milliseconds. */
function newest(folder) {
  let latest = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}

/** The packages are in the bundle too. */
const lock = join(dirname(bin), "package-lock.json");
const packages = existsSync(lock) ? statSync(lock).mtimeMs : 0;
const folder = join(build, `cli-${Math.floor(Math.max(newest(sources), newest(bin), packages))}`);
if (!existsSync(folder)) {
  const stale = existsSync(build) ? readdirSync(build).filter((name) => /^cli-\d+$/.test(name)) : [];
  const { bundle } = await import("./bundle.mjs");
  await bundle(sources, folder);
  for (const name of stale) rmSync(join(build, name), { recursive: true, force: true });
}
const verb = process.argv.slice(2).find((word) => !word.startsWith("-"));
const known = verb !== undefined && /^[a-z]+$/.test(verb) && existsSync(join(sources, "cli", `${verb}.ts`));
runScript(join(folder, "main.cjs"), known ? verb : "other", createRequire(import.meta.url));
