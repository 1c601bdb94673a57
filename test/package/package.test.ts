// The package as somebody else has it: everything it exports is there for Node, browsers and the compiler; it answers and draws from a
// folder of its own, and nothing is written into it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../cli/kmlab.ts";
import { hasPackages } from "../cli/packages.ts";
import { layOut, manifest, succeed } from "./package.ts";

const SLOW = Boolean(process.env["KMLAB_SLOW"]);

/** The entries that are modules. */
const ENTRIES = Object.keys(manifest.exports).filter((name) => /^\.(\/\w+)?$/.test(name));

/** Uses every entry, as a program would. */
const PROGRAM = `
import { captureProgram, whatif as all } from "kmlab";
import { MemoryIo } from "kmlab/emu";
import { isResult, loadModelData, modelData, whatif, type WhatIfResult } from "kmlab/model";
import { KIND, readTrace, type Trace } from "kmlab/traces";
const trace: Trace = readTrace("node_modules/kmlab/data/traces/find-ring3.kmtrace");
const answer: WhatIfResult = whatif(trace, modelData(), { draws: 0 });
const speedups = answer.mechanisms.filter(isResult).map(({ speedup }) => speedup.value.toFixed(3));
console.log(trace.meta.ring, trace.events.kind.includes(KIND.syscall), speedups.join(" "));
console.log(typeof captureProgram, all === whatif, new MemoryIo().text("out") === "", typeof loadModelData);
`;

/** Every file with its size and time. */
function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => ({ name, status: statSync(join(folder, name)) }))
    .filter(({ status }) => status.isFile())
    .map(({ name, status }) => `${name} ${status.size} ${status.mtimeMs}`)
    .sort();
}

let folder = "";
let home = "";
let before: string[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kmlab-package-"));
  home = layOut(folder);
  before = files(home);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** The package's own command line, with a cache of its own. */
function kmlab(...words: string[]) {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache") };
  return spawnSync(process.execPath, [join(home, manifest.bin["kmlab"]), ...words], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
}

describe("what it exports", () => {
  it("is there, under every condition", () => {
    expect(ENTRIES).toEqual([".", "./emu", "./traces", "./model"]);
    const paths = (value: unknown): string[] =>
      typeof value === "string" ? [value] : Object.values(value as object).flatMap(paths);
    const named = paths(ENTRIES.map((name) => manifest.exports[name]));
    expect(named).toHaveLength(4 * ENTRIES.length);
    for (const path of [...named, ...Object.values(manifest.bin)])
      expect(`${path} ${existsSync(join(home, path))}`).toBe(`${path} true`);
    for (const name of ENTRIES) {
      const conditions = Object.keys(manifest.exports[name] as object);
      // The first that fits is taken.
      expect(conditions).toEqual(["browser", "default"]);
    }
  });

  it("runs in Node", () => {
    writeFileSync(join(folder, "program.ts"), PROGRAM);
    const plain = PROGRAM.replaceAll(/, type \w+|: \w+(?= =)/g, "");
    writeFileSync(join(folder, "program.mjs"), plain);
    expect(succeed(process.execPath, ["program.mjs"], folder)).toMatch(
      /^3 true 1\.000 1\.\d+ 1\.\d+\nfunction true true function\n$/,
    );
  });

  it("has types that a strict compiler takes", () => {
    for (const resolution of SLOW ? ["nodenext", "bundler"] : ["nodenext"]) {
      const module = resolution === "bundler" ? "esnext" : resolution;
      const words = ["--noEmit", "--strict", "--target", "es2023", "--lib", "es2023,dom", "--module", module];
      const types = [
        "--moduleResolution",
        resolution,
        "--types",
        "node",
        "--typeRoots",
        join(ROOT, "node_modules", "@types"),
      ];
      succeed(
        process.execPath,
        [join(ROOT, "node_modules", "typescript", "bin", "tsc"), ...words, ...types, "program.ts"],
        folder,
      );
    }
  });

  it("has nothing of Node in it for browsers", async () => {
    const pages = ENTRIES.map((name, index) => {
      const page = join(folder, `page${index}.js`);
      writeFileSync(page, `import * as all from "kmlab${name.slice(1)}"; console.log(Object.keys(all));`);
      return page;
    });
    const { outputFiles } = await build({
      entryPoints: pages,
      outdir: folder,
      bundle: true,
      write: false,
      platform: "browser",
      format: "esm",
      logLevel: "silent",
    });
    expect(outputFiles).toHaveLength(ENTRIES.length);
    for (const { text } of outputFiles) {
      expect(text).not.toMatch(/from "node:|require\("node:/);
      expect(text.length).toBeGreaterThan(10_000);
    }
  });
});

describe("the command line", () => {
  it("answers and draws, and writes nothing beside itself", () => {
    const trace = join("node_modules", "kmlab", "data", "traces", "forks-ring3.kmtrace");
    const answer = kmlab("whatif", trace, "--json");
    expect(`${answer.status} ${answer.stderr}`).toBe("0 ");
    const drawn = kmlab("figures", "--quick", ...(SLOW ? [] : ["--only", "6,8"]), "-o", "figures");
    expect(`${drawn.status} ${drawn.stderr}`).toBe("0 ");
    expect(readdirSync(join(folder, "figures"))).toContain("08-starvation.pdf");
    const swept = kmlab("sweep", "trap-cost", "--only", "1-4", "--jobs", "2", "-o", "swept");
    expect(`${swept.status} ${swept.stderr}`).toBe("0 ");
    expect(files(home)).toEqual(before);
    // What V8 keeps is in the user's folder.
    expect(readdirSync(join(folder, "cache", "kmlab"))).toEqual([expect.stringMatching(/^code-[0-9a-f]{16}$/)]);
  });

  it("is the same program as the checkout's", () => {
    const words = ["whatif", join(home, "data", "traces", "forks-ring3.kmtrace"), "--csv"];
    expect(kmlab(...words).stdout).toBe(succeed(process.execPath, [join(ROOT, "bin", "kmlab.mjs"), ...words], folder));
  });

  it("ends with 1 when a verdict is not the committed one", () => {
    const path = join(home, "data", "claims.csv");
    const claims = readFileSync(path, "utf8");
    writeFileSync(path, claims.replace(/^(kmlab-starvation,.*),holds$/m, "$1,refuted"));
    const { status, stderr } = kmlab("figures", "--quick", "--only", "8", "-o", "other");
    writeFileSync(path, claims);
    expect(`${status} ${stderr}`).toBe(
      "1 kmlab: figures: the verdict on kmlab-starvation is not the one of data/claims.csv\n",
    );
  });

  it("names no folder of the checkout that it was packed from", () => {
    expect(readFileSync(join(home, "dist", "cli", "main.cjs"), "utf8")).not.toContain(ROOT);
  });
});

describe.runIf(SLOW)("npm", () => {
  it("packs and installs it into an empty folder without a network", { timeout: 600_000 }, () => {
    const place = mkdtempSync(join(tmpdir(), "kmlab-install-"));
    const tarball = succeed("npm", ["pack", "--silent", "--pack-destination", place], ROOT).trim().split("\n").at(-1)!;
    writeFileSync(join(place, "package.json"), JSON.stringify({ private: true, type: "module" }));
    succeed("npm", ["install", "--offline", "--no-audit", "--no-fund", join(place, tarball)], place);
    const [own, kept] = [join(place, "node_modules", "kmlab"), join(place, "cache")];
    const installed = files(own);
    const run = (words: string[]) => {
      // The guest's root is in the user's own cache.
      const env = words[0] === "capture" ? process.env : { ...process.env, XDG_CACHE_HOME: kept };
      return spawnSync("npx", ["--no", "kmlab", ...words], { cwd: place, env, encoding: "utf8" });
    };
    for (const words of [
      ...(hasPackages ? [["capture", "--root", "base", "-o", "ls.kmtrace", "ls", "/etc"]] : []),
      ["import", join(ROOT, "data", "samples", "strace-filtered.txt"), "-o", "own.kmtrace"],
      ["whatif", "node_modules/kmlab/data/traces/find-ring3.kmtrace"],
      ["figures", "--quick", "-o", "figures"],
    ])
      expect(`${words[0]} ${run(words).status}`).toBe(`${words[0]} 0`);
    expect(files(own)).toEqual(installed);
    rmSync(place, { recursive: true });
  });
});
