// Makes a fresh clone ready: installs the locked packages when node_modules does not match package-lock.json.
// Uses nothing but Node itself, so that it can run before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`kmlab: Node ${process.versions.node} is too old; install Node 20.19 or newer`);
  process.exit(2);
}
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
const stamp = join(root, "node_modules", ".kmlab-lock");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  console.error("kmlab: first run, installing packages (npm ci)");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const run = spawnSync(npm ? process.execPath : "npm", npm ? [npm, ...args] : args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (run.status !== 0) {
    console.error("kmlab: npm ci failed; see its message above");
    process.exit(run.status ?? 1);
  }
  writeFileSync(stamp, wanted);
}
