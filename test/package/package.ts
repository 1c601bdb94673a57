// What npm would pack of this checkout, built and laid out as an installed package.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { ROOT } from "../cli/kmlab.ts";

export interface PackageJson {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

export const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as PackageJson;

/** Runs a script of the checkout, which must succeed. */
export function succeed(file: string, words: readonly string[], cwd: string): string {
  const run = spawnSync(file, words, { cwd, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (run.status !== 0) throw new Error(`${file} ${words.join(" ")}: ${run.status}\n${run.stdout}\n${run.stderr}`);
  return run.stdout;
}

/** Puts the package into node_modules of a folder, with the packages of this checkout beside it; gives its own folder. */
export function layOut(folder: string): string {
  const home = join(folder, "node_modules", "kmlab");
  mkdirSync(home, { recursive: true });
  const listed = succeed("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], ROOT);
  const [{ files }] = JSON.parse(listed) as [{ files: { path: string }[] }];
  for (const { path } of files) {
    if (path.startsWith("dist/")) continue;
    mkdirSync(dirname(join(home, path)), { recursive: true });
    cpSync(join(ROOT, path), join(home, path));
  }
  succeed(process.execPath, [join(ROOT, "scripts", "pack.mjs"), join(home, "dist")], ROOT);
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  return home;
}
