/// <reference types="vite/client" />
// What figures work with, in a browser: tables are part of the bundle, traces are fetched from beside it.
import { loadModelData } from "../../src/model/data.ts";
import { SHIPPED_TRACES } from "../../src/shipped-traces.ts";
import { readTraceFrom } from "../../src/traces/read.ts";
import { MemoryStore } from "../../src/traces/store.ts";
import type { Trace } from "../../src/traces/trace.ts";
import type { Lab } from "../lab.ts";

const TABLES = import.meta.glob<string>(["../../data/*.csv", "../../data/{bodies,costs,kernels}/*.csv"], {
  query: "?raw",
  import: "default",
  eager: true,
});
const TRACES = import.meta.glob<string>("../../data/traces/*-ring3.kmtrace/*", {
  query: "?url",
  import: "default",
  eager: true,
});

/** Sets of draws behind each interval: those of `kmlab figures --quick`. */
export const DRAWS = 40;
const SEED = 1;

/** Text of a file of data/. */
export function file(name: string): string {
  const text = TABLES[`../../data/${name}`];
  if (text === undefined) throw new Error(`data/${name} is not part of this page`);
  return text;
}

/** A file unpacked, unless the server or the browser has done that already. */
async function unpacked(url: string): Promise<Uint8Array> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

async function fetchTrace(name: string): Promise<Trace> {
  const store = new MemoryStore(name);
  const folder = `../../data/traces/${name}.kmtrace/`;
  await Promise.all(
    Object.entries(TRACES).map(async ([path, url]) => {
      if (path.startsWith(folder)) store.files.set(path.slice(folder.length), await unpacked(url));
    }),
  );
  return readTraceFrom(store);
}

/** Traces of the shipped programs in ring 3. */
const SHIPPED = SHIPPED_TRACES.map(({ name }) => `${name}-ring3`);
/** Results that are kept for when a slider comes back. */
const MOST_KEPT = 100;

/** A laboratory of this page, with these traces in it. */
export async function browserLab(names: readonly string[] = SHIPPED): Promise<Lab> {
  const traces = new Map(await Promise.all(names.map(async (name) => [name, await fetchTrace(name)] as const)));
  const kept = new Map<string, unknown>();
  return {
    data: loadModelData(file),
    file,
    draws: DRAWS,
    seed: SEED,
    kept: <T>(key: string, make: () => T): T => {
      const result = kept.has(key) ? (kept.get(key) as T) : make();
      if (kept.size >= MOST_KEPT) kept.clear();
      kept.set(key, result);
      return result;
    },
    trace: (name) => {
      const trace = traces.get(name);
      if (trace === undefined) throw new Error(`there is no trace ${name}; there are ${[...traces.keys()].join(", ")}`);
      return trace;
    },
  };
}
