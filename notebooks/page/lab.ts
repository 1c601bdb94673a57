/// <reference types="vite/client" />
// What figures work with, in a browser: tables are part of the bundle, traces are fetched from beside it.
import { loadModelData } from "../../src/model/data.ts";
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

async function fetchTraces(): Promise<Map<string, Trace>> {
  const stores = new Map<string, MemoryStore>();
  await Promise.all(
    Object.entries(TRACES).map(async ([path, url]) => {
      const [, name, table] = /([^/]+)\.kmtrace\/([^/]+)$/.exec(path)!;
      const store = stores.get(name) ?? new MemoryStore(name);
      stores.set(name, store);
      store.files.set(table, await unpacked(url));
    }),
  );
  return new Map([...stores].map(([name, store]) => [name, readTraceFrom(store)]));
}

/** The laboratory of this page, with all traces in it. */
export async function browserLab(): Promise<Lab> {
  const traces = await fetchTraces();
  return {
    data: loadModelData(file),
    file,
    draws: DRAWS,
    seed: SEED,
    trace: (name) => {
      const trace = traces.get(name);
      if (trace === undefined) throw new Error(`there is no trace ${name}; there are ${[...traces.keys()].join(", ")}`);
      return trace;
    },
  };
}
