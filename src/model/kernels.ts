// Kernels from data/kernels: their ways in, line by line, and what else an era is.
import { InputError } from "../errors.ts";
import { CAUSE_INDEX, type Cause } from "./causes.ts";
import { type ReadData, readTable, words } from "./table.ts";

/**
 * How a line of a way into the kernel is known: counted (executed and counted), read (in published code), recalled (published code,
 * from memory), fitted (a sum solved from a total), derived (put together from other ways), assumed.
 */
export const BASES = ["counted", "read", "recalled", "fitted", "derived", "assumed"] as const;
export type Basis = (typeof BASES)[number];

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

/** All kernels. */
export function readKernels(read: ReadData): Map<string, Kernel> {
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
