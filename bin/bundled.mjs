// The bundle of the sources as they are now: in a checkout made when they have changed, and kept until they change again; in an installed
// package the one that was packed, beside which nothing is written.
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const bin = dirname(fileURLToPath(import.meta.url));
export const sources = join(dirname(bin), "src");
const notebooks = join(dirname(bin), "notebooks");
const build = join(dirname(bin), "build");
/** What no package holds. */
const lock = join(dirname(bin), "package-lock.json");
const packed = join(dirname(bin), "dist", "cli");
const installed = !existsSync(lock);

/** The newest modification time below a folder, in milliseconds. */
function newest(folder) {
  let latest = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}

/** The folder for what V8 keeps of a bundle. */
export function codeCache(folder) {
  if (!installed) return folder;
  const { XDG_CACHE_HOME: named } = process.env;
  const home = named !== undefined && isAbsolute(named) ? named : join(homedir(), ".cache");
  return join(home, "kmlab", `code-${readFileSync(join(folder, "id"), "utf8")}`);
}

/** The folder of the bundle. */
export async function bundled() {
  if (installed) return packed;
  // The packages are in the bundle too.
  const packages = statSync(lock).mtimeMs;
  const folder = join(build, `cli-${Math.floor(Math.max(newest(sources), newest(notebooks), newest(bin), packages))}`);
  if (!existsSync(folder)) {
    const stale = existsSync(build) ? readdirSync(build).filter((name) => /^cli-\d+$/.test(name)) : [];
    const { bundle } = await import("./bundle.mjs");
    await bundle(sources, folder);
    for (const name of stale) rmSync(join(build, name), { recursive: true, force: true });
  }
  return folder;
}
