// The bundle of the sources as they are now: made when they have changed, kept until they change again.
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = dirname(fileURLToPath(import.meta.url));
export const sources = join(dirname(bin), "src");
const notebooks = join(dirname(bin), "notebooks");
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

/** The folder of the bundle. */
export async function bundled() {
  // The packages are in the bundle too.
  const lock = join(dirname(bin), "package-lock.json");
  const packages = existsSync(lock) ? statSync(lock).mtimeMs : 0;
  const folder = join(build, `cli-${Math.floor(Math.max(newest(sources), newest(notebooks), newest(bin), packages))}`);
  if (!existsSync(folder)) {
    const stale = existsSync(build) ? readdirSync(build).filter((name) => /^cli-\d+$/.test(name)) : [];
    const { bundle } = await import("./bundle.mjs");
    await bundle(sources, folder);
    for (const name of stale) rmSync(join(build, name), { recursive: true, force: true });
  }
  return folder;
}
