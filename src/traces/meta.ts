// The metadata of a trace: one list of its entries, from which it is written to datapackage.json, read back, checked and documented.
import { InputError } from "../errors.ts";
import { csvName } from "./schema/field.ts";
import type { TraceMeta } from "./trace.ts";

type EntryType = "text" | "integer" | "boolean" | "texts" | "map";

interface Entry {
  /** Path in TraceMeta; in the file the same in snake case. */
  readonly path: readonly string[];
  readonly type: EntryType;
  /** May be null: unknown. */
  readonly open?: true;
  /** Left out of the file when there is none. */
  readonly optional?: true;
  readonly values?: readonly string[];
  readonly is: string;
}

/** Every entry of the `kmlab` object of datapackage.json. */
export const META_ENTRIES: readonly Entry[] = [
  { path: ["id"], type: "text", is: "identity of the trace: SHA-256 over its tables and the rest of this object" },
  { path: ["schema"], type: "text", is: "version of this schema" },
  { path: ["source"], type: "text", is: "what made the trace: kmlab, strace, ..." },
  { path: ["clock", "unit"], type: "text", values: ["instr", "ns"], is: "unit of all times" },
  { path: ["clock", "nsPerUnit"], type: "integer", is: "fixed nominal nanoseconds of one unit" },
  { path: ["arch"], type: "text", is: "processor architecture of the programs" },
  { path: ["cpus"], type: "integer", is: "processors of the machine" },
  { path: ["cpuModel"], type: "text", open: true, is: "processor that CPUID announced" },
  { path: ["hz"], type: "integer", open: true, is: "timer interrupts a second" },
  {
    path: ["scheduler"],
    type: "text",
    optional: true,
    is: "who ran when: rr, goodness, o1; absent where it is the emulator's own way, or unknown",
  },
  { path: ["page"], type: "integer", is: "bytes a page" },
  { path: ["epochInstr"], type: "integer", open: true, is: "machine instructions an epoch of pages and mix" },
  { path: ["memory"], type: "integer", open: true, is: "bytes of memory" },
  { path: ["kernel"], type: "text", open: true, is: "kernel that ran" },
  { path: ["entry"], type: "text", open: true, is: "how the vsyscall page enters the kernel: int80, sysenter" },
  { path: ["ring"], type: "integer", open: true, is: "ring the first program was asked to run in" },
  { path: ["trusted"], type: "text", open: true, is: "which programs run in ring 0: all, program" },
  { path: ["seed"], type: "integer", open: true, is: "seed of everything random" },
  { path: ["argv"], type: "texts", is: "the command, without any path of the host" },
  { path: ["root"], type: "text", open: true, is: "digest of the root file system" },
  { path: ["inputs"], type: "map", is: "digests of what came from the host: stdin, bind mounts by guest path" },
  { path: ["reproducible"], type: "boolean", is: "false: a terminal or the host's clock took part" },
  { path: ["ended"], type: "text", open: true, is: "how the run ended: exit N, signal N, dead: reason" },
  {
    path: ["warnings"],
    type: "texts",
    optional: true,
    is: "what a reader should know of the run that its events do not show; absent when there is nothing",
  },
  { path: ["fidelity", "times"], type: "text", is: "what the source could know of times" },
  { path: ["fidelity", "arguments"], type: "text", is: "what it could know of arguments, bytes and objects" },
  { path: ["fidelity", "sites"], type: "text", is: "what it could know of call sites and ways in" },
  { path: ["fidelity", "loss"], type: "text", is: "what is missing from the record" },
  { path: ["fidelity", "abi"], type: "text", is: "what it could know of call numbers" },
];

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** The metadata as it stands in datapackage.json, without id. */
export function metaToJson(meta: TraceMeta): JsonObject {
  const result: Record<string, unknown> = {};
  for (const { path, optional } of META_ENTRIES) {
    if (path[0] === "id" || (optional && meta[path[0] as keyof TraceMeta] === undefined)) continue;
    let from: unknown = meta;
    let to = result;
    for (const key of path.slice(0, -1)) {
      from = (from as Record<string, unknown>)[key];
      to[csvName(key)] ??= {};
      to = to[csvName(key)] as Record<string, unknown>;
    }
    const last = path[path.length - 1];
    to[csvName(last)] = (from as Record<string, unknown>)[last] ?? null;
  }
  return result as JsonObject;
}

function fits(value: unknown, entry: Entry): boolean {
  if (value === null) return entry.open === true;
  switch (entry.type) {
    case "text":
      return typeof value === "string" && (entry.values?.includes(value) ?? true);
    case "integer":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case "boolean":
      return typeof value === "boolean";
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "map":
      return (
        typeof value === "object" &&
        !Array.isArray(value) &&
        Object.values(value as object).every((item) => typeof item === "string")
      );
  }
}

const WANTED: Readonly<Record<EntryType, string>> = {
  text: "text",
  integer: "an integer from 0",
  boolean: "true or false",
  texts: "a list of texts",
  map: "an object of texts",
};

/** Reads and checks the `kmlab` object; `label` names the file in messages. */
export function metaFromJson(json: JsonObject, label: string): TraceMeta {
  const meta: Record<string, unknown> = {};
  for (const entry of META_ENTRIES) {
    let from: unknown = json;
    let to = meta;
    for (const key of entry.path.slice(0, -1)) {
      from = isObject(from) ? from[csvName(key)] : undefined;
      to[key] ??= {};
      to = to[key] as Record<string, unknown>;
    }
    const last = entry.path[entry.path.length - 1];
    const value = isObject(from) ? (from[csvName(last)] ?? null) : null;
    if (value === null && entry.optional) continue;
    if (!fits(value, entry)) {
      const wanted = entry.values?.join(" or ") ?? WANTED[entry.type];
      const name = ["kmlab", ...entry.path.map(csvName)].join(".");
      throw new InputError(
        `${label}: ${name} is ${value === null ? "missing" : shown(value)}, should be ${wanted}; take a fresh copy of the trace`,
      );
    }
    to[last] = value;
  }
  return meta as unknown as TraceMeta;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as one short piece of a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

const MAX_DEPTH = 32;

/** JSON with sorted keys and no blanks: one text for one value. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw new RangeError("nested too deeply");
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(",")}]`;
  if (isObject(value)) {
    const keys = Object.keys(value).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key], depth + 1)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Canonical JSON with line ends and two blanks a level: for datapackage.json, which people read. */
export function canonicalPrettyJson(value: unknown): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(value)), null, 2)}\n`;
}
