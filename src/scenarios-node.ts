// Workloads that come with kmlab, a folder each in data/scenarios: packages, a script, files, and what the script printed natively.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { CPU_NAMES } from "./emu/cpu/models.ts";
import { afterFirstRun } from "./emu/first-run-node.ts";
import type { RootImage } from "./emu/rootfs/image.ts";
import { type OpenImage, openImage } from "./emu/rootfs/image-node.ts";
import { overlayImage } from "./emu/rootfs/overlay.ts";
import { ensureRoot } from "./emu/rootfs/roots-node.ts";
import { readTar, type TarInput, writeTar } from "./emu/rootfs/tar.ts";
import { Tree } from "./emu/rootfs/tree.ts";
import type { RunOptions } from "./emu/run.ts";
import { InputError } from "./errors.ts";
import { readYaml } from "./yaml.ts";

const FOLDER = fileURLToPath(new URL("../data/scenarios/", import.meta.url));

/** Where a scenario's files are in the guest, and the working directory of its script. */
export const SCENARIO_PLACE = "/w";

/** 2001-09-09 01:46:40 UTC: every file of a scenario is of this time, whatever the host's copy says. */
const MTIME = 1_000_000_000;

/** What is about a scenario rather than in it. */
const DESCRIPTION = "scenario.yaml";
const EXPECTED = "expected.txt";

const SCHEMA = z.strictObject({
  about: z.string(),
  packages: z.array(z.string()).default([]),
  first: z.array(z.string()).optional(),
  cpu: z.enum(CPU_NAMES as [string, ...string[]]).optional(),
  memory: z.int().min(16).max(768).optional(),
  borrow: z.record(z.string(), z.string()).default({}),
  environment: z.record(z.string(), z.string()).default({}),
  rate: z.strictObject({ unit: z.string(), pattern: z.string() }).optional(),
});

/** A workload: run.sh is executed by sh in SCENARIO_PLACE; its standard output is the same on every kernel, standard error need not be. */
export interface Scenario extends z.infer<typeof SCHEMA> {
  readonly name: string;
  /** The folder it was read from. */
  readonly folder: string;
  /** The command that the guest runs. */
  readonly argv: readonly string[];
  /** What run.sh printed natively; undefined as long as nobody recorded it. */
  readonly expected?: string;
}

/** Names of the scenarios that come with kmlab. */
export function scenarioNames(): string[] {
  return readdirSync(FOLDER).sort();
}

/**
 * Reads a scenario.
 * @throws InputError for a name that is none, or a description that makes no sense
 */
export function readScenario(name: string): Scenario {
  if (!scenarioNames().includes(name))
    throw new InputError(`${name}: no such scenario; there are ${scenarioNames().join(", ")}`);
  const folder = join(FOLDER, name);
  const file = join(folder, DESCRIPTION);
  const expected = join(folder, EXPECTED);
  return {
    ...readYaml(readFileSync(file, "utf8"), `data/scenarios/${name}/${DESCRIPTION}`, SCHEMA),
    name,
    folder,
    argv: ["sh", "run.sh"],
    expected: existsSync(expected) ? readFileSync(expected, "utf8") : undefined,
  };
}

/** Where a scenario's native output is recorded. */
export function expectedFile({ folder }: Scenario): string {
  return join(folder, EXPECTED);
}

/** The scenario's files as an archive with fixed times and owners. */
export function scenarioTar({ folder, borrow }: Scenario): Uint8Array {
  const file = (path: string, from: string): TarInput => ({
    path,
    mtime: MTIME,
    mode: 0o755,
    data: readFileSync(from),
  });
  const members = Object.entries(borrow).map(([path, other]) => file(path, join(FOLDER, other)));
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(folder.length + 1);
    if (path === DESCRIPTION || path === EXPECTED) continue;
    members.push(entry.isDirectory() ? { path, type: "directory", mtime: MTIME } : file(path, join(folder, path)));
  }
  return writeTar(members.sort((a, b) => (a.path < b.path ? -1 : 1)));
}

/** The root that a scenario's files are laid over: its packages, and what its first run made. Whoever asks closes it. */
export async function scenarioBase({ packages, first }: Scenario): Promise<OpenImage> {
  const { directory, index } = await ensureRoot(packages);
  const base = openImage(directory, index);
  return first ? afterFirstRun(base, first) : base;
}

/** A root with the scenario's files in SCENARIO_PLACE. */
export function scenarioImage(base: RootImage, scenario: Scenario): RootImage {
  const tree = new Tree();
  tree.addTar(readTar(scenarioTar(scenario), scenario.name));
  tree.get("/")!.mtime = MTIME;
  return overlayImage(base, SCENARIO_PLACE, tree, createHash("sha256"));
}

/** How a scenario is run, apart from its image and the ring. */
export function scenarioOptions({ argv, cpu, memory, environment }: Scenario) {
  const env = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
  return { argv: [...argv], cpu, memoryMiB: memory, env, cwd: SCENARIO_PLACE } satisfies Partial<RunOptions>;
}

/** What a scenario says of its speed: the number that its pattern finds in what it printed. */
export function scenarioRate({ rate }: Scenario, printed: string): { value: number; unit: string } | undefined {
  if (rate === undefined) return undefined;
  const found = new RegExp(rate.pattern).exec(printed)?.[1];
  return found === undefined ? undefined : { value: Number(found), unit: rate.unit };
}
