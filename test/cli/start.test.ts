// How the command line starts: what is kept of one start for the next is used, and nothing depends on it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT } from "./kmlab.ts";

/** A script of the form that the launcher runs. */
const SCRIPT = `(function (require, module, exports) {
  "use strict";
  function answer(n) { return n < 2 ? n : answer(n - 1) + answer(n - 2); }
  process.stdout.write("answer " + answer(10));
})`;

const RUN = `
  import vm from "node:vm";
  const Script = vm.Script;
  let rejected;
  vm.Script = class extends Script { constructor(...a) { super(...a); rejected = this.cachedDataRejected; } };
  (await import("node:module")).syncBuiltinESMExports();
  const { runScript } = await import(process.argv[1]);
  runScript(process.argv[2], "verb");
  process.stdout.write(" " + rejected);
`;

let folder: string;
let script: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kmlab-start-"));
  script = join(folder, "main.cjs");
  writeFileSync(script, SCRIPT);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the script says, and whether V8 refused the cache: undefined if it was given none. */
function start(...flags: string[]): string {
  const module = pathToFileURL(join(ROOT, "bin", "script.mjs")).href;
  const run = spawnSync(process.execPath, [...flags, "--input-type=module", "-e", RUN, module, script], {
    encoding: "utf8",
  });
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  return run.stdout;
}

const caches = () => readdirSync(folder).filter((name) => name !== "main.cjs");
const theCache = () => join(folder, caches()[0]);

describe("the code cache", () => {
  it("is made by the first start and taken by the second", () => {
    expect(start()).toBe("answer 55 undefined");
    expect(caches()).toHaveLength(1);
    const first = readFileSync(theCache());
    expect(start()).toBe("answer 55 false");
    expect(caches()).toHaveLength(1);
    expect(readFileSync(theCache()).equals(first)).toBe(true);
  });

  it("is left alone and made anew when a byte of it is wrong, or its end is missing", () => {
    start();
    const good = readFileSync(theCache());
    for (const at of [0, 40, 100, good.length >> 1, good.length - 1]) {
      const bad = Buffer.from(good);
      bad[at] ^= 0x5a;
      writeFileSync(theCache(), bad);
      expect(start(), `byte ${at}`).toBe("answer 55 undefined");
      expect(start(), `after byte ${at}`).toBe("answer 55 false");
    }
    for (const length of [0, 20, 32, good.length - 1]) {
      truncateSync(theCache(), length);
      expect(start(), `${length} bytes`).toMatch(/^answer 55 (undefined|true)$/);
      expect(start(), `after ${length} bytes`).toBe("answer 55 false");
    }
  });

  it("is another under other flags of V8", () => {
    start();
    expect(start("--no-lazy")).toBe("answer 55 undefined");
    expect(caches()).toHaveLength(2);
  });

  it("is done without where nothing can be written", () => {
    start();
    const name = theCache();
    rmSync(name);
    // A folder in the place of the cache: neither to be read nor to be replaced.
    spawnSync("mkdir", ["-p", join(name, "in", "the", "way")]);
    expect(start()).toBe("answer 55 undefined");
    expect(start()).toBe("answer 55 undefined");
  });
});
