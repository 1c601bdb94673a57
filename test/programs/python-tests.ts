// Python's own test suite, module by module: run here and natively, a line per case, and what is recorded of both.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import Papa from "papaparse";
import { afterFirstRun, fileBytes } from "../../src/emu/first-run-node.ts";
import { MemoryIo } from "../../src/emu/host.ts";
import { type OpenImage, openImage } from "../../src/emu/rootfs/image-node.ts";
import { overlayImage } from "../../src/emu/rootfs/overlay.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { readTar, writeTar } from "../../src/emu/rootfs/tar.ts";
import { Tree } from "../../src/emu/rootfs/tree.ts";
import { runProgram } from "../../src/emu/run.ts";
import type { NativeRoot } from "./native.ts";
import { WORK, WORK_MTIME } from "./place.ts";

const FOLDER = fileURLToPath(new URL("../fixtures/python-tests/", import.meta.url));
export const CASES_FILE = join(FOLDER, "cases.csv.gz");
export const DIFFERENCES_FILE = join(FOLDER, "differences.csv");

/** Debian's interpreter, its tests, and the names of services that some of them look up. */
export const PACKAGES = ["libpython3.11-testsuite", "netbase", "python3"] as const;

/** What is run; Debian's package has no test_sqlite3. */
export const MODULES = (
  "test_select test_epoll test_fcntl test_mmap test_time test_pty test_tempfile test_shutil test_posix test_os test_signal " +
  "test_threading test_socket test_subprocess test_asyncio"
).split(" ");

const MEMORY_MIB = 512;
/** A module that has not ended by then has hung. */
const MOST_INSTRUCTIONS = 2e11;
const NATIVE_SECONDS = 600;
const RESULTS = "results";
const ARGV = ["python3", "runner.py", `${WORK}/${RESULTS}`];

export type Ring = 0 | 3;
/** How a case ended; "none": it began and did not, or never began. */
export type Outcome = "pass" | "skip" | "expected" | "unexpected" | "fail" | "error" | "none";

/** A case, and how it ended natively and in either ring; undefined where it was not run. */
export interface Case {
  module: string;
  name: string;
  native?: Outcome;
  ring3?: Outcome;
  ring0?: Outcome;
}

/** A case that passes natively and not here, and why. */
export interface Difference {
  module: string;
  name: string;
  ring: Ring;
  outcome: Outcome;
  /** What the kernel here does not do. */
  kernel: string;
  /** What is otherwise because the program runs in kernel mode. */
  kml: string;
}

/** The packages with the byte code of what a module's tests import; whoever asks closes it. */
export async function moduleRoot(module: string): Promise<OpenImage> {
  const { directory, index } = await ensureRoot(PACKAGES);
  const importing = (what: string) => ["python3", "-c", `import ${what}`];
  const common = "test.libregrtest, test.support.script_helper";
  const first = await afterFirstRun(openImage(directory, index), importing(common));
  const imported = await afterFirstRun(first, importing(`test.${module}`));
  if (!imported.entries.some(({ path }) => path === `/usr/lib/python3.11/test/${module}/__init__.py`)) return imported;
  // Importing a package imports none of its modules of cases.
  const load = `import unittest; unittest.defaultTestLoader.loadTestsFromName("test.${module}")`;
  return afterFirstRun(imported, ["python3", "-c", load]);
}

/** What is in the working directory at first: the runner. */
function workTar(): Uint8Array {
  const data = readFileSync(join(FOLDER, "runner.py"));
  return writeTar([{ path: "runner.py", mtime: WORK_MTIME, mode: 0o644, data }]);
}

/** Outcomes by case of what the runner wrote; of several, as with parts of a case, the worst. */
export function readResults(module: string, text: string): Map<string, Outcome> {
  const order = ["none", "pass", "expected", "skip", "unexpected", "fail", "error"];
  const found = new Map<string, Outcome>();
  for (const line of text.split("\n")) {
    const at = line.indexOf(" ");
    if (at < 0) continue;
    const name = line.slice(at + 1).replace(`test.${module}.`, "");
    const word = line.slice(0, at);
    const outcome = (word === "begins" ? "none" : word) as Outcome;
    const known = found.get(name);
    if (known === undefined || order.indexOf(outcome) > order.indexOf(known)) found.set(name, outcome);
  }
  return found;
}

/** Runs a module in the emulated machine. `pattern`: of the cases to run; `host`: where its streams go. */
export function runHere(base: OpenImage, module: string, ring: Ring, pattern?: string, host = new MemoryIo()) {
  const tree = new Tree();
  tree.addTar(readTar(workTar(), "runner"));
  tree.get("/")!.mtime = WORK_MTIME;
  const image = overlayImage(base, WORK, tree, createHash("sha256"));
  const argv = [...ARGV, ...(pattern === undefined ? [] : ["-m", pattern]), "-v", module];
  const limits = { memoryMiB: MEMORY_MIB, instructionLimit: MOST_INSTRUCTIONS };
  const { kernel, instructions } = runProgram({ image, argv, host, ring, cwd: WORK, ...limits });
  const file = kernel.vfs.rootMount.root.children!.get(WORK.slice(1))?.children?.get(RESULTS);
  const text = file ? new TextDecoder().decode(fileBytes(file.inode)) : "";
  return { outcomes: readResults(module, text), instructions };
}

/** Runs a module on this host. */
export function runNatively(native: NativeRoot, module: string): Map<string, Outcome> {
  native.reset(workTar());
  native.execute({ argv: [...ARGV, "-v", module] }, { seconds: NATIVE_SECONDS, apart: true });
  return readResults(module, native.readText(join(WORK, RESULTS)));
}

const COLUMNS = ["module", "name", "native", "ring3", "ring0"] as const;

export function readCases(): Case[] {
  if (!existsSync(CASES_FILE)) return [];
  const { data } = Papa.parse<Record<string, string>>(gunzipSync(readFileSync(CASES_FILE)).toString(), {
    header: true,
    skipEmptyLines: true,
  });
  return data.map((row) => {
    const of = (key: string) => (row[key] === "" ? undefined : (row[key] as Outcome));
    return { module: row["module"], name: row["name"], native: of("native"), ring3: of("ring3"), ring0: of("ring0") };
  });
}

/** Writes the recorded cases, in an order that does not depend on when they were run. */
export function writeCases(cases: readonly Case[]): void {
  const key = ({ module, name }: Case) => `${String(MODULES.indexOf(module)).padStart(2, "0")} ${name}`;
  const sorted = [...cases].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const rows = sorted.map((c) => COLUMNS.map((column) => c[column] ?? ""));
  const text = Papa.unparse([[...COLUMNS], ...rows], { newline: "\n" });
  writeFileSync(CASES_FILE, gzipSync(`${text}\n`, { level: 9 }));
}

/** Puts a run's outcomes into a column of what is recorded of a module. */
export function withOutcomes(
  cases: readonly Case[],
  module: string,
  column: "native" | "ring3" | "ring0",
  outcomes: ReadonlyMap<string, Outcome>,
): Case[] {
  const others = cases.filter((c) => c.module !== module);
  const known = new Map(cases.filter((c) => c.module === module).map((c) => [c.name, c]));
  const names = new Set([...known.keys(), ...outcomes.keys()]);
  const rows = [...names].map(
    (name): Case => ({
      ...(known.get(name) ?? { module, name }),
      [column]: outcomes.get(name) ?? "none",
    }),
  );
  return [...others, ...rows];
}

export function readDifferences(): Difference[] {
  const { data } = Papa.parse<Record<string, string>>(readFileSync(DIFFERENCES_FILE, "utf8"), {
    header: true,
    skipEmptyLines: true,
  });
  return data.map(({ module, name, ring, outcome, kernel, kml }) => ({
    module,
    name,
    ring: ring === "0" ? 0 : 3,
    outcome: outcome as Outcome,
    kernel,
    kml,
  }));
}

/** What passes natively and not here, as "case: outcome". */
export function notPassing(
  cases: readonly Case[],
  module: string,
  outcomes: ReadonlyMap<string, Outcome>,
  within: (name: string) => boolean = () => true,
): string[] {
  return cases
    .filter((c) => c.module === module && c.native === "pass" && within(c.name))
    .map(({ name }) => ({ name, outcome: outcomes.get(name) ?? "none" }))
    .filter(({ outcome }) => outcome !== "pass")
    .map(({ name, outcome }) => `${name}: ${outcome}`)
    .sort();
}

/** The listed differences of a module and ring, in the same words. */
export function listed(differences: readonly Difference[], module: string, ring: Ring): string[] {
  return differences
    .filter((d) => d.module === module && d.ring === ring)
    .map(({ name, outcome }) => `${name}: ${outcome}`)
    .sort();
}

/** What is recorded of each module: cases, how many pass natively, and of those in each ring; listed differences. */
export function table(cases: readonly Case[], differences: readonly Difference[]): string[] {
  const rows = MODULES.flatMap((module) => {
    const all = cases.filter((c) => c.module === module);
    if (all.length === 0) return [];
    const passing = all.filter(({ native }) => native === "pass");
    const here = (ring: "ring3" | "ring0") =>
      passing.some((c) => c[ring] !== undefined) ? String(passing.filter((c) => c[ring] === "pass").length) : "not run";
    const of = differences.filter((d) => d.module === module);
    const kml = of.filter((d) => d.kml !== "").length;
    return [[module, all.length, passing.length, here("ring3"), here("ring0"), of.length - kml, kml]];
  });
  const heading = [
    "module",
    "cases",
    "pass natively",
    "of these in ring 3",
    "in ring 0",
    "listed: kernel",
    "listed: KML",
  ];
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(heading), `|${heading.map((_, i) => (i === 0 ? "---" : "--:")).join("|")}|`, ...rows.map(line)];
}
