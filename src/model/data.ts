// The model's tables in memory: processor profiles, kernels with their ways in, bodies of calls, the call table, the default mix.
import { InputError } from "../errors.ts";
import { CLASSES } from "../traces/schema/enums.ts";
import { type BodyTerm, readBodies } from "./bodies.ts";
import { type Call, readCalls } from "./calls.ts";
import { type Hypervisor, readHypervisors } from "./hypervisors.ts";
import { type Kernel, readKernels } from "./kernels.ts";
import { type OtherNames, readRecompiled } from "./other-names.ts";
import { type Cost, type Profile, readCosts, readProfiles } from "./profiles.ts";
import { type Protection, readProtections } from "./protections.ts";
import { type Routes, readRoutes } from "./routes.ts";
import { type ReadData, readTable } from "./table.ts";

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
  const { calls, i386, x86_64 } = readCalls(read);
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
