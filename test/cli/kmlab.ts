// Runs the kmlab command line as a user would, through its launcher.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs `kmlab` with these words and waits for its end.
 * @param env what differs from this process's environment
 */
export function kmlab(words: string[], env: Record<string, string> = {}, input = ""): Outcome {
  const run = spawnSync(process.execPath, [join(ROOT, "bin", "kmlab.mjs"), ...words], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    encoding: "utf8",
    input,
    timeout: 300_000,
    maxBuffer: 1 << 28,
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

/** Runs a line of a page, `npx --no kmlab ...`, in a shell in the checkout. */
export function kmlabLine(line: string): Outcome {
  const command = line.replace(/^npx --no kmlab/, `"${process.execPath}" bin/kmlab.mjs`);
  const run = spawnSync("sh", ["-c", command], { cwd: ROOT, encoding: "utf8", timeout: 300_000, maxBuffer: 1 << 28 });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}
