// The model's tables in memory: processor profiles, kernels with their ways in, bodies of calls, the call table, the default mix.
import { InputError } from "../errors.ts";
import { CLASSES } from "../traces/schema/enums.ts";
import { type Hypervisor, type Protection, readHypervisors, readProtections } from "./conditions.ts";
import { type Basis, readKernels } from "./kernels.ts";
import { readCosts, readProfiles } from "./profiles.ts";
import { type Ranged, readRanged } from "./ranges.ts";
import { type OtherNames, readRecompiled } from "./recompiled.ts";
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
  /** What calls of one ABI are by name in the other, where that differs. */
  readonly recompiled: OtherNames;
  /** Share of each instruction class, in the order of CLASSES, when a trace has no mix. */
  readonly mix: Float64Array;
}

/** Reads a file of data/ by its name there. */
export type ReadData = (name: string) => string;

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
    recompiled: readRecompiled(read("recompiled.csv")),
    mix,
  };
}
