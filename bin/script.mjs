// Runs the bundle as a script with V8's code cache: what a run compiled is kept beside it for the next run of that verb.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { cachedDataVersionTag, setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { codeCache } from "./bundled.mjs";

/**
 * Bytecodes that a function runs before V8 looks at whether to optimise it, in place of 132 KB: a short run ends before what
 * went into optimising comes back, a long one does not feel it. Later versions count calls, and gain nothing by more of them.
 */
const INTERRUPT_BUDGET = 500_000;
const BUDGET_OF = /^11\./;

const DIGEST_BYTES = 32;

function digest(bytes) {
  return createHash("sha256").update(bytes).digest();
}

/** A kept cache; undefined if there is none, or it is damaged: V8 itself does not look, and would crash. */
function kept(path) {
  let bytes;
  try {
    bytes = readFileSync(path);
  } catch {
    return undefined;
  }
  const cache = bytes.subarray(DIGEST_BYTES);
  return digest(cache).equals(bytes.subarray(0, DIGEST_BYTES)) ? cache : undefined;
}

function keep(script, path) {
  try {
    const cache = script.createCachedData();
    const draft = `${path}.${process.pid}`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(draft, Buffer.concat([digest(cache), cache]));
    renameSync(draft, path);
  } catch {
    // A cache is no result: a folder that cannot be written does without.
  }
}

/** Modules of Node that take milliseconds to load and few runs need: each is loaded when something is taken from it. */
const LATE = new Set(["node:child_process", "node:zlib", "readline"]);

function late(require) {
  return (name) =>
    LATE.has(name) ? new Proxy({}, { get: (_, property) => Reflect.get(require(name), property) }) : require(name);
}

const home = dirname(dirname(fileURLToPath(import.meta.url)));

/** The address of a file of this package, or of one that it depends on: that may lie in any folder above. */
function addressOf(own) {
  let folder = home;
  while (own.startsWith("node_modules/") && !existsSync(join(folder, own)) && dirname(folder) !== folder)
    folder = dirname(folder);
  return pathToFileURL(join(folder, own)).href;
}

/**
 * @param path the script: a function of require, module, exports and the address of a file
 * @param name what is run of it: each has a cache of its own, as it compiles other functions
 * @returns what the script exports
 */
export function runScript(path, name, require) {
  if (BUDGET_OF.test(process.versions.v8)) setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  // V8 refuses what another version or other flags made; by its tag each has a file of its own.
  const cache = join(codeCache(dirname(path)), `${name}-${process.arch}-${cachedDataVersionTag()}.cache`);
  const cachedData = kept(cache);
  const script = new Script(readFileSync(path, "latin1"), { filename: path, cachedData });
  if (script.cachedDataRejected !== false) process.once("exit", () => keep(script, cache));
  const module = { exports: {} };
  script.runInThisContext()(late(require), module, module.exports, addressOf);
  return module.exports;
}
