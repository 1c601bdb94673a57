// The model's tables in memory: processor profiles, kernels with their ways in, bodies of calls, the call table, the default mix.
import { InputError } from "../errors.ts";
import { CLASSES } from "../traces/schema/enums.ts";
import { CAUSE_INDEX, type Cause } from "./causes.ts";
import { type Hypervisor, type Protection, readHypervisors, readProtections } from "./conditions.ts";
import { type Ranged, readRanged } from "./ranges.ts";
import { type Routes, readRoutes } from "./routes.ts";
import { readTable } from "./table.ts";

/** A cost of a processor, in cycles; or, with `of`, a factor on another of its costs. */
export interface Cost extends Ranged {
  readonly key: string;
  readonly of: string;
}

/** A published total from which unknown costs are solved: what is left of it is shared evenly among `solves`. */
export interface Fit extends Ranged {
  readonly solves: readonly string[];
  readonly kernel: string;
  readonly mechanism: string;
  readonly call: string;
  /** Measured with the trap instruction in the program itself. */
  readonly inline: boolean;
  /** Fits of one group are drawn together. */
  readonly group: string;
}

/** A processor. */
export interface Profile {
  readonly id: string;
  readonly name: string;
  readonly mhz: number;
  readonly note: string;
  /** The only kernels its numbers hold for; empty: any. */
  readonly kernels: readonly string[];
  /** Another profile, whose kernels this one is taken to run. */
  readonly like?: string;
  /** It was measured under a hypervisor. */
  readonly guest: boolean;
  readonly costs: ReadonlyMap<string, Cost>;
  readonly fits: readonly Fit[];
}

/** One line of a way into the kernel: so many of a primitive, before or after the body. */
/**
 * How a line of a way into the kernel is known: counted (executed and counted), read (in published code), recalled (published code,
 * from memory), fitted (a sum solved from a total), derived (put together from other ways), assumed.
 */
export const BASES = ["counted", "read", "recalled", "fitted", "derived", "assumed"] as const;
export type Basis = (typeof BASES)[number];

export interface PathItem {
  readonly exit: boolean;
  readonly cause: number;
  readonly primitive: string;
  readonly count: number;
  readonly perArgument: number;
  readonly basis: Basis;
}

/** A software era. */
export interface Kernel {
  readonly id: string;
  readonly name: string;
  /** Which bodies its calls have. */
  readonly bodies: string;
  readonly hz: number;
  readonly quantumUs: number;
  readonly scheduler: string;
  /** Instruction set of its programs: i386 or x86-64. */
  readonly target: string;
  /** Mechanisms it offers. */
  readonly ways: readonly string[];
  /** The only processors its ways in are known on; empty: any. */
  readonly profiles: readonly string[];
  readonly kml: boolean;
  readonly hypothetical: boolean;
  readonly note: string;
  readonly paths: ReadonlyMap<string, readonly PathItem[]>;
}

/** What the work of a body is counted in. */
export const WORKS = ["a", "bytes", "copy", "pages", "components", "items", "cold"] as const;
export type Work = (typeof WORKS)[number];

/** One term of a body's cost function: a constant (`a`) or so much per unit of work; in cycles of a processor or in instructions. */
export interface BodyTerm extends Ranged {
  readonly term: Work;
  /** The profile whose cycles these are; "" when the unit is instructions. */
  readonly on: string;
}

/** A system call: how many arguments, whether it needs the saved registers, and whose body it has. */
export interface Call {
  readonly name: string;
  readonly args: number;
  readonly special: boolean;
  readonly class: string;
}

/** Instructions counted on a path (the program's own part of it included). */
export interface CountedPath {
  readonly kernel: string;
  readonly path: string;
  readonly instructions: number;
}

export interface ModelData {
  readonly profiles: ReadonlyMap<string, Profile>;
  /** Processors that cannot be had, with the reason. */
  readonly refused: ReadonlyMap<string, string>;
  readonly kernels: ReadonlyMap<string, Kernel>;
  /** How each mechanism enters the kernel. */
  readonly mechanisms: ReadonlyMap<string, Routes>;
  /** What belongs to no processor: batch sizes and the like, by key. */
  readonly parameters: ReadonlyMap<string, Cost>;
  readonly protections: ReadonlyMap<string, Protection>;
  readonly hypervisors: ReadonlyMap<string, Hypervisor>;
  /** The hypervisor below the kernel, when the question has one (conditions.ts). */
  readonly hypervisor?: Hypervisor;
  /** Calls that io_uring has an operation for. */
  readonly uring: ReadonlySet<string>;
  readonly counts: readonly CountedPath[];
  readonly bodies: ReadonlyMap<string, ReadonlyMap<string, readonly BodyTerm[]>>;
  readonly calls: ReadonlyMap<string, Call>;
  /** Call by number, per ABI. */
  readonly i386: ReadonlyMap<number, Call>;
  readonly x86_64: ReadonlyMap<number, Call>;
  /** Share of each instruction class, in the order of CLASSES, when a trace has no mix. */
  readonly mix: Float64Array;
}

/** Reads a file of data/ by its name there. */
export type ReadData = (name: string) => string;

/** Splits a cell of words. */
function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

function readCosts(read: ReadData, file: string): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  for (const row of readTable(file, read(file))) {
    const key = row.text("key");
    if (costs.has(key)) throw new InputError(`${row.where}: ${key} is there twice`);
    costs.set(key, { key, of: row.text("of"), ...readRanged(row) });
  }
  for (const { key, of } of costs.values()) {
    if (of !== "" && !costs.has(of)) throw new InputError(`${file}: ${key} is a factor of ${of}, which is not there`);
  }
  return costs;
}

/** The envelope of several processors: each cost from the lowest to the highest, its value their geometric mean. */
function envelope(members: readonly ReadonlyMap<string, Cost>[]): Map<string, Cost> {
  const costs = new Map<string, Cost>();
  for (const [key, first] of members[0]) {
    const all = members.map((member) => member.get(key)!);
    if (all.some((cost) => cost.value === null)) costs.set(key, first);
    else {
      const product = all.reduce((sum, cost) => sum * cost.value!, 1);
      const low = Math.min(...all.map((cost) => cost.low));
      const high = Math.max(...all.map((cost) => cost.high));
      const value = Math.min(high, Math.max(low, product ** (1 / all.length)));
      costs.set(key, { ...first, value, low, high });
    }
  }
  return costs;
}

/**
 * A profile of its own file, as `calibrate --machine -o` writes it: costs, and its clock as mhz. Its kernels are those of the profile
 * that it is like.
 */
export function readProfileFile(id: string, text: string, like: Profile): Profile {
  const costs = readCosts(() => text, id);
  const mhz = costs.get("mhz")?.value;
  if (mhz == null || mhz === 0) throw new InputError(`${id}: no row mhz, or none that is more than 0`);
  const guest = costs.get("guest")?.value === 1;
  costs.delete("mhz");
  costs.delete("guest");
  for (const key of like.costs.keys()) if (!costs.has(key)) throw new InputError(`${id}: no row ${key}`);
  return {
    ...like,
    id,
    like: like.id,
    name: "from a file",
    mhz,
    guest,
    costs,
    fits: [],
    note: "its costs are from a file",
  };
}

function readProfiles(read: ReadData): { profiles: Map<string, Profile>; refused: Map<string, string> } {
  const profiles = new Map<string, Profile>();
  const refused = new Map<string, string>();
  const fits = new Map<string, Fit[]>();
  for (const row of readTable("costs/fits.csv", read("costs/fits.csv"))) {
    const fit: Fit = {
      solves: row.text("solves").split("+"),
      kernel: row.text("kernel"),
      mechanism: row.text("mechanism"),
      call: row.text("call"),
      inline: row.text("site") === "inline" || row.text("mechanism") === "int80",
      group: row.text("group"),
      ...readRanged(row, "target"),
    };
    const id = row.text("profile");
    fits.set(id, [...(fits.get(id) ?? []), fit]);
  }
  for (const row of readTable("costs/profiles.csv", read("costs/profiles.csv"))) {
    const id = row.text("profile");
    if (row.text("refused") !== "") {
      refused.set(id, row.text("refused"));
      continue;
    }
    const members = words(row.text("members"));
    const costs =
      members.length > 0
        ? envelope(members.map((member) => readCosts(read, `costs/${member}.csv`)))
        : readCosts(read, `costs/${id}.csv`);
    const name = row.text("name");
    profiles.set(id, {
      id,
      name,
      mhz: row.required("mhz"),
      note: row.text("note"),
      kernels: words(row.text("kernels")),
      guest: row.text("guest") === "1",
      costs,
      fits: fits.get(id) ?? [],
    });
  }
  return { profiles, refused };
}

function readKernels(read: ReadData): Map<string, Kernel> {
  const items = new Map<string, Map<string, PathItem[]>>();
  for (const row of readTable("kernels/paths.csv", read("kernels/paths.csv"))) {
    const cause = row.text("cause");
    if (!Object.hasOwn(CAUSE_INDEX, cause)) throw new InputError(`${row.where}: no cause "${cause}"`);
    const phase = row.text("phase");
    if (phase !== "entry" && phase !== "exit") throw new InputError(`${row.where}: phase is entry or exit`);
    const basis = row.text("basis") as Basis;
    if (!BASES.includes(basis)) throw new InputError(`${row.where}: basis is one of ${BASES.join(", ")}`);
    if (row.text("source") === "") throw new InputError(`${row.where}: no source`);
    const kernel = row.text("kernel");
    if (!items.has(kernel)) items.set(kernel, new Map());
    const paths = items.get(kernel)!;
    const path = row.text("path");
    if (!paths.has(path)) paths.set(path, []);
    paths.get(path)!.push({
      exit: phase === "exit",
      cause: CAUSE_INDEX[cause as Cause],
      primitive: row.text("primitive"),
      count: row.required("count"),
      perArgument: row.number("per_argument") ?? 0,
      basis,
    });
  }
  const schedulers = new Map<string, string>();
  for (const row of readTable("kernels/schedulers.csv", read("kernels/schedulers.csv")))
    schedulers.set(row.text("kernel"), row.text("scheduler"));
  const kernels = new Map<string, Kernel>();
  for (const row of readTable("kernels/kernels.csv", read("kernels/kernels.csv"))) {
    const id = row.text("kernel");
    const scheduler = schedulers.get(id);
    if (scheduler === undefined) throw new InputError(`kernels/schedulers.csv: no row for kernel ${id}; add one`);
    const paths = new Map<string, PathItem[]>();
    for (const from of words(row.text("paths"))) {
      for (const [path, list] of items.get(from) ?? []) if (!paths.has(path)) paths.set(path, list);
    }
    kernels.set(id, {
      id,
      name: row.text("name"),
      bodies: row.text("bodies"),
      hz: row.required("hz"),
      quantumUs: row.required("quantum_us"),
      scheduler,
      target: row.text("target"),
      ways: words(row.text("ways")),
      profiles: words(row.text("profiles")),
      kml: row.text("kml") === "1",
      hypothetical: row.text("hypothetical") === "1",
      note: row.text("note"),
      paths,
    });
  }
  return kernels;
}

function readBodies(read: ReadData, era: string): Map<string, BodyTerm[]> {
  const file = `bodies/${era}.csv`;
  const bodies = new Map<string, BodyTerm[]>();
  for (const row of readTable(file, read(file))) {
    const term = row.text("term");
    if (!(WORKS as readonly string[]).includes(term)) throw new InputError(`${row.where}: no work "${term}"`);
    const name = row.text("class");
    if (!bodies.has(name)) bodies.set(name, []);
    bodies.get(name)!.push({ term: term as Work, on: row.text("on"), ...readRanged(row) });
  }
  return bodies;
}

/** Reads all of data/ through `read`. */
export function loadModelData(read: ReadData): ModelData {
  const { profiles, refused } = readProfiles(read);
  const mechanisms = readRoutes(read("kernels/mechanisms.csv"));
  const parameters = readCosts(read, "parameters.csv");
  const protections = readProtections(read("protection.csv"));
  const hypervisors = readHypervisors(read("hypervisors.csv"));
  const uring = new Set(readTable("kernels/io-uring.csv", read("kernels/io-uring.csv")).map((row) => row.text("call")));
  const kernels = readKernels(read);
  const bodies = new Map<string, Map<string, BodyTerm[]>>();
  for (const { bodies: era } of kernels.values()) if (!bodies.has(era)) bodies.set(era, readBodies(read, era));
  const calls = new Map<string, Call>();
  const i386 = new Map<number, Call>();
  const x86_64 = new Map<number, Call>();
  for (const row of readTable("calls.csv", read("calls.csv"))) {
    const call: Call = {
      name: row.text("name"),
      args: row.required("args"),
      special: row.text("special") === "1",
      class: row.text("class"),
    };
    calls.set(call.name, call);
    const [a, b] = [row.number("i386"), row.number("x86_64")];
    if (a !== undefined) i386.set(a, call);
    if (b !== undefined) x86_64.set(b, call);
  }
  const mix = new Float64Array(CLASSES.length);
  for (const row of readTable("mix-default.csv", read("mix-default.csv"))) {
    const index = (CLASSES as readonly string[]).indexOf(row.text("class"));
    if (index < 0) throw new InputError(`${row.where}: no instruction class "${row.text("class")}"`);
    mix[index] = row.required("share");
  }
  const counts = readTable("kernels/counts.csv", read("kernels/counts.csv")).map((row) => ({
    kernel: row.text("kernel"),
    path: row.text("path"),
    instructions: row.required("instructions"),
  }));
  return {
    profiles,
    refused,
    kernels,
    mechanisms,
    parameters,
    protections,
    hypervisors,
    uring,
    counts,
    bodies,
    calls,
    i386,
    x86_64,
    mix,
  };
}
