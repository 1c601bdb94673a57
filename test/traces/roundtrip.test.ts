// What is written is what is read: in memory, on disk, through the cache, and again with the same bytes.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import Papa from "papaparse";
import { afterAll, describe, expect, it } from "vitest";
import { CACHE_FILE, readTrace, writeTrace } from "../../src/traces/node.ts";
import { readTraceFrom } from "../../src/traces/read.ts";
import { TABLES } from "../../src/traces/schema/tables.ts";
import { MemoryStore } from "../../src/traces/store.ts";
import { emptyMeta, emptyTrace, type Trace } from "../../src/traces/trace.ts";
import { csv, writeTraceTo } from "../../src/traces/write.ts";
import { syntheticTrace } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-test-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Plain values, so that lazily read columns compare like others. */
function plain(trace: Trace): unknown {
  const columns = (name: "events" | "edges" | "pages" | "mix") => {
    const held = trace[name] as unknown as Record<string, unknown>;
    const keys = Object.entries(TABLES[name].fields).filter(([, field]) => field.hold !== "row");
    return { length: held["length"], ...Object.fromEntries(keys.map(([key]) => [key, held[key]])) };
  };
  return {
    ...trace,
    meta: { ...trace.meta, id: "" },
    events: columns("events"),
    edges: columns("edges"),
    pages: columns("pages"),
    mix: columns("mix"),
    args: [...trace.args],
  };
}

function inMemory(trace: Trace): MemoryStore {
  const store = new MemoryStore();
  writeTraceTo(store, trace);
  return store;
}

describe("a trace comes back as it was written", () => {
  it("in memory", () => {
    const trace = syntheticTrace({ events: 3000, tasks: 5 });
    expect(plain(readTraceFrom(inMemory(trace)))).toEqual(plain(trace));
  });

  it("with nothing in it", () => {
    const trace = emptyTrace(emptyMeta("test"));
    expect(plain(readTraceFrom(inMemory(trace)))).toEqual(plain(trace));
  });

  it("on disk, without and with the cache", () => {
    const trace = syntheticTrace({ events: 9000, tasks: 4, seed: 7 });
    const dir = join(root, "a.kmtrace");
    const id = writeTrace(dir, trace);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const first = readTrace(dir);
    expect(first.meta.id).toBe(id);
    expect(plain(first)).toEqual(plain(trace));
    expect(readdirSync(dir)).toContain(CACHE_FILE);
    expect(plain(readTrace(dir))).toEqual(plain(trace));
  });

  it("with texts that CSV could take amiss", () => {
    const base = syntheticTrace();
    const texts = [
      "a,b",
      'say "hi"',
      " leading",
      "two\nlines",
      "\r",
      "\ufeffmark",
      "=1+1",
      "-",
      "null",
      "\u0000",
      "ü€𐍈",
    ];
    const trace = { ...base, args: new Map(texts.map((text, seq) => [seq, text])) };
    expect([...readTraceFrom(inMemory(trace)).args.values()]).toEqual(texts);
  });
});

describe("the bytes written", () => {
  it("are what papaparse writes of the same cells, in every table", () => {
    const store = inMemory(syntheticTrace({ events: 400 }));
    for (const [path, bytes] of store.files) {
      if (path === "datapackage.json") continue;
      const text = new TextDecoder().decode(bytes);
      expect(`${csv(Papa.parse<string[]>(text.trimEnd(), { newline: "\n", delimiter: "," }).data)}\n`).toBe(text);
    }
  });

  it("are the same for the same trace, and the id is", () => {
    const one = join(root, "one.kmtrace");
    const two = join(root, "two.kmtrace");
    expect(writeTrace(one, syntheticTrace())).toBe(writeTrace(two, syntheticTrace()));
    for (const name of readdirSync(one))
      expect(readFileSync(join(one, name)).equals(readFileSync(join(two, name)))).toBe(true);
    expect(readdirSync(one).sort()).toEqual([
      "args.csv.gz",
      "datapackage.json",
      "edges.csv.gz",
      "events.csv.gz",
      "execs.csv",
      "mix.csv.gz",
      "mms.csv",
      "objects.csv",
      "pages.csv.gz",
      "tasks.csv",
    ]);
  });

  it("carry no time and no operating system in their gzip headers", () => {
    const dir = join(root, "gz.kmtrace");
    writeTrace(dir, syntheticTrace());
    const bytes = readFileSync(join(dir, "events.csv.gz"));
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    expect(gunzipSync(bytes).toString().startsWith("seq,task,cpu,parent,kind,nr,")).toBe(true);
  });

  it("give the same id in memory as on disk, by either SHA-256", () => {
    const store = inMemory(syntheticTrace());
    const dir = join(root, "same.kmtrace");
    const id = writeTrace(dir, syntheticTrace());
    expect(readTraceFrom(store).meta.id).toBe(id);
    expect(store.text("datapackage.json", 1 << 20)).toBe(readFileSync(join(dir, "datapackage.json"), "utf8"));
  });

  it("give another id when one number differs", () => {
    const trace = syntheticTrace();
    const before = readTraceFrom(inMemory(trace)).meta.id;
    trace.events.user[17]++;
    expect(readTraceFrom(inMemory(trace)).meta.id).not.toBe(before);
    const other = { ...syntheticTrace(), meta: { ...trace.meta, seed: 2 } };
    expect(readTraceFrom(inMemory(other)).meta.id).not.toBe(before);
  });
});
