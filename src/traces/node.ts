// Traces as folders on this host's disk: written beside their final name and renamed, read with a columnar cache inside.
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";
import type { Hasher } from "../sha256.ts";
import { type CallTable, parseCalls } from "./calls.ts";
import { gzipFile, plainFile, tablePieces } from "./gzip-node.ts";
import { DESCRIPTOR } from "./package.ts";
import { readTraceFrom } from "./read.ts";
import type { CacheFile, TraceSink, TraceSource } from "./store.ts";
import type { Trace, TraceStream } from "./trace.ts";
import { writeTraceTo } from "./write.ts";

export const SUFFIX = ".kmtrace";
/** The columnar cache within the folder of its trace: it goes where the trace goes and is deleted with it. */
export const CACHE_FILE = ".columns.cache";

function sha256(): Hasher {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
}

function code(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}

/** The trace in folder `dir`, with all checks of the reader; every fault is one InputError. */
export function readTrace(dir: string): Trace {
  let folder = false;
  try {
    folder = statSync(dir).isDirectory();
  } catch (error) {
    if (code(error) !== "ENOENT")
      throw new InputError(`${dir}: it cannot be read (${code(error)}); check its permissions`);
    throw new InputError(`${dir}: there is no such trace; make one with kmlab capture -o NAME${SUFFIX} PROGRAM`);
  }
  if (!folder)
    throw new InputError(`${dir}: a trace is a folder, this is a file; other formats go through kmlab import`);
  return readTraceFrom(folderSource(dir));
}

/** Beside what came with an installed package nothing is written; a checkout has a lock file, a package has none. */
function ofInstalledPackage(dir: string): boolean {
  const home = fileURLToPath(new URL("../../", import.meta.url));
  return resolve(dir).startsWith(home) && !existsSync(join(home, "package-lock.json"));
}

/** A trace folder as the reader sees it. `cached` false: no cache is read or made. */
export function folderSource(dir: string, cached = !ofInstalledPackage(dir)): TraceSource {
  return {
    label: dir,
    text: (path, maxBytes) => {
      const file = join(dir, path);
      try {
        if (statSync(file).size > maxBytes)
          throw new InputError(`${file}: it is larger than ${maxBytes} bytes; is this a trace?`);
        return readFileSync(file, "utf8");
      } catch (error) {
        if (code(error) === "ENOENT") return undefined;
        if (error instanceof InputError) throw error;
        throw new InputError(`${file}: it cannot be read (${code(error)}); check its permissions`);
      }
    },
    pieces: (path, maxBytes) => tablePieces(join(dir, path), maxBytes),
    hasher: sha256,
    stamp: (path) => stampOf(join(dir, path)),
    ...(cached ? { cache: cacheFile(join(dir, CACHE_FILE)) } : {}),
  };
}

function stampOf(path: string): string {
  try {
    const { size, mtimeNs } = statSync(path, { bigint: true });
    return `${size}:${mtimeNs}`;
  } catch {
    return "";
  }
}

function cacheFile(path: string): CacheFile {
  return {
    size: () => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
    read: (offset, length) => {
      let fd: number | undefined;
      try {
        fd = openSync(path, "r");
        const bytes = new Uint8Array(length);
        for (let at = 0; at < length; ) {
          const got = readSync(fd, bytes, at, length - at, offset + at);
          if (got === 0) return undefined;
          at += got;
        }
        return bytes;
      } catch {
        return undefined;
      } finally {
        if (fd !== undefined) closeSync(fd);
      }
    },
    // A folder that may not be written to, or a full disk, costs time at the next reading and nothing else.
    replace: (fill) => {
      const fresh = `${path}.${randomBytes(6).toString("hex")}`;
      try {
        const fd = openSync(fresh, "wx");
        try {
          fill((part) => {
            for (let at = 0; at < part.length; ) at += writeSync(fd, part, at);
          });
        } finally {
          closeSync(fd);
        }
        renameSync(fresh, path);
      } catch {
        rmSync(fresh, { force: true });
      }
    },
  };
}

/** A folder beside `dir` that gets its name at commit; `cached`: with its cache. */
function folderSink(dir: string, cached: boolean): TraceSink {
  const target = resolve(dir);
  const name = `.${basename(target)}.${process.pid}-${randomBytes(6).toString("hex")}`;
  const fresh = join(dirname(target), `${name}.new`);
  mkdirSync(dirname(target), { recursive: true });
  mkdirSync(fresh);
  return {
    file: (path) => (path.endsWith(".gz") ? gzipFile(join(fresh, path)) : plainFile(join(fresh, path))),
    hasher: sha256,
    stamp: (path) => stampOf(join(fresh, path)),
    ...(cached ? { cache: () => plainFile(join(fresh, CACHE_FILE)) } : {}),
    commit: () => {
      if (!existsSync(target)) return renameSync(fresh, target);
      const old = join(dirname(target), `${name}.old`);
      renameSync(target, old);
      renameSync(fresh, target);
      rmSync(old, { recursive: true, force: true });
    },
    abort: () => rmSync(fresh, { recursive: true, force: true }),
  };
}

/**
 * Removes what this process has begun to write as trace `dir` and not finished, and what processes left that are no more.
 * A trace that one of them was replacing gets its name back.
 */
export function discardUnfinished(dir: string): void {
  const target = resolve(dir);
  const folder = dirname(target);
  const begin = `.${basename(target)}.`;
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const match = name.startsWith(begin) ? /^(\d+)-[0-9a-f]{12}\.(new|old)$/.exec(name.slice(begin.length)) : null;
    if (match === null || (Number(match[1]) !== process.pid && isRunning(Number(match[1])))) continue;
    if (match[2] === "old" && !existsSync(target)) renameSync(join(folder, name), target);
    else rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return code(error) === "EPERM";
  }
}

/**
 * Refuses a place where a trace cannot be written, before a capture begins: what is there and is no trace, a folder that
 * cannot be made or written to.
 */
export function checkTarget(dir: string): void {
  if (existsSync(dir) && !existsSync(join(dir, DESCRIPTOR)))
    throw new InputError(`${dir}: there is something here that is no trace; choose another name with -o`);
  const probe = join(dirname(resolve(dir)), `.${basename(dir)}.${randomBytes(6).toString("hex")}`);
  try {
    mkdirSync(dirname(probe), { recursive: true });
    mkdirSync(probe);
    rmSync(probe, { recursive: true });
  } catch (error) {
    throw new InputError(`${dir}: a trace cannot be written here (${code(error)}); choose another place with -o`);
  }
}

/**
 * Writes `trace` as folder `dir` and gives its id. A trace that was there is replaced, at the end and at once.
 * If that place fails (full disk, no permission) the trace goes to the folder for temporary files and the InputError says where.
 */
export function writeTrace(dir: string, trace: Trace | TraceStream, progress?: (rows: number) => void): string {
  if (existsSync(dir) && !existsSync(join(dir, DESCRIPTOR)))
    return rescue(dir, trace, "there is something here that is no trace");
  try {
    return writeTraceTo(folderSink(dir, isStream(trace)), trace, progress);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return rescue(dir, trace, `it cannot be written (${code(error)})`);
  }
}

/** A trace that is in memory gets its cache when it is read first; one that is not, as it is written. */
function isStream(trace: Trace | TraceStream): boolean {
  return "pieces" in trace.events;
}

function rescue(dir: string, trace: Trace | TraceStream, why: string): never {
  const place = join(tmpdir(), `kmlab-${randomBytes(6).toString("hex")}${SUFFIX}`);
  try {
    writeTraceTo(folderSink(place, isStream(trace)), trace);
  } catch (error) {
    throw new InputError(`${dir}: ${why}, and neither can ${place} (${code(error)}); make room and capture again`);
  }
  throw new InputError(`${dir}: ${why}; the trace was saved as ${place} instead: move it where you want it`);
}

/** The names of system calls, from the table that comes with kmlab. */
export function callNames(): CallTable {
  return parseCalls(readFileSync(fileURLToPath(new URL("../../data/calls.csv", import.meta.url)), "utf8"));
}
