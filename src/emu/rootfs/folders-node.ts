// Where kmlab keeps things on this host (XDG folders), and a guard so that two runs do not fill the same folder at once.
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { homedir, hostname } from "node:os";
import { isAbsolute, join } from "node:path";
import process from "node:process";
import { InputError } from "../../errors.ts";

const KINDS = {
  cache: { variable: "XDG_CACHE_HOME", fallback: ".cache" },
  state: { variable: "XDG_STATE_HOME", fallback: ".local/state" },
} as const;

/**
 * kmlab's own folder of a kind, made if need be: what can be fetched or built again is cache, what a user chose is state.
 * @throws InputError if it cannot be made
 */
export function kmlabFolder(kind: keyof typeof KINDS, ...below: string[]): string {
  const { variable, fallback } = KINDS[kind];
  const set = process.env[variable];
  // The XDG specification has relative values ignored.
  const base = set !== undefined && isAbsolute(set) ? set : join(homedir(), fallback);
  const folder = join(base, "kmlab", ...below);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new InputError(`${folder}: cannot be made (${codeOf(error)}); set ${variable} to a folder you can write to`);
  }
  return folder;
}

/** The code of a system error ("ENOENT"), or its message. */
export function codeOf(error: unknown): string {
  const e = error as NodeJS.ErrnoException;
  return e.code ?? e.message ?? String(error);
}

/** How often a guard's holder shows that it lives, and after how long without a sign it counts as dead. */
const BEAT_MS = 5_000;
const DEAD_AFTER_MS = 120_000;
const POLL_MS = 200;

/**
 * Runs `work` while holding the folder's guard file; waits for another process that holds it.
 * A guard whose process is gone is taken over, so an interrupted run does no harm.
 * @param onWait called once, with the holder's process number, if there is someone to wait for
 */
export async function guarded<T>(folder: string, work: () => Promise<T>, onWait?: (pid: number) => void): Promise<T> {
  const file = join(folder, ".guard");
  let told = false;
  while (!take(file)) {
    const holder = holderOf(file);
    if (holder === undefined) {
      takeAway(file);
      continue;
    }
    if (!told) onWait?.(holder);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const beat = setInterval(() => touch(file), BEAT_MS);
  const release = () => rmSync(file, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.off("exit", release);
    release();
  }
}

function take(file: string): boolean {
  try {
    const fd = openSync(file, "wx");
    writeSync(fd, `${process.pid} ${hostname()}\n`);
    closeSync(fd);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw new InputError(
      `${file}: cannot be written (${codeOf(error)}); free space or set XDG_CACHE_HOME to another folder`,
    );
  }
}

/** The process that holds the guard; undefined if it is gone. */
function holderOf(file: string): number | undefined {
  try {
    const age = Date.now() - statSync(file).mtimeMs;
    const [pid, host] = readFileSync(file, "utf8").trim().split(" ");
    // Between its creation and its first bytes a guard is empty.
    if (pid === "" || host === undefined) return age < 2_000 ? 0 : undefined;
    if (age > DEAD_AFTER_MS) return undefined;
    if (host !== hostname()) return Number(pid);
    process.kill(Number(pid), 0);
    return Number(pid);
  } catch (error) {
    return codeOf(error) === "EPERM" ? 1 : undefined;
  }
}

/** Removes a dead guard; by way of a rename, so that of several takers one wins. */
function takeAway(file: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  rmSync(aside, { force: true });
}

function touch(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    // The folder was removed under us: the work itself will say so.
  }
}
