// Every kind of damage gives one line that names file, row, column and remedy; no input makes the reader do anything else.

import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/errors.ts";
import { canonicalJson } from "../../src/traces/meta.ts";
import { CACHE_FILE, checkTarget, readTrace, writeTrace } from "../../src/traces/node.ts";
import { randomNumbers, syntheticTrace } from "./synthetic.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-damage-"));
const good = join(root, "good.kmtrace");
let count = 0;
beforeAll(() => void writeTrace(good, syntheticTrace({ events: 120 })));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function copy(): string {
  const dir = join(root, `t${count++}.kmtrace`);
  cpSync(good, dir, { recursive: true, filter: (path) => !path.endsWith(CACHE_FILE) });
  return dir;
}

/** The one line that reading `dir` gives. */
function message(dir: string): string {
  try {
    readTrace(dir);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    const text = (error as Error).message;
    expect(text).not.toContain("\n");
    expect(text).toContain(dir);
    return text.replaceAll(dir, "T");
  }
  return "nothing is wrong";
}

type Json = Record<string, unknown> & { kmlab: Record<string, unknown>; resources: Record<string, unknown>[] };

function readJson(dir: string): Json {
  return JSON.parse(readFileSync(join(dir, "datapackage.json"), "utf8")) as Json;
}

function tableText(dir: string, file: string): string {
  const bytes = readFileSync(join(dir, file));
  return (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

function putTable(dir: string, file: string, text: string | Buffer): void {
  writeFileSync(join(dir, file), file.endsWith(".gz") ? gzipSync(text) : text);
}

/** Changes a table; with `sign`, also the size, hash and id that datapackage.json says, as a faulty writer would. */
function edit(dir: string, file: string, change: (lines: string[][]) => void, sign = true): void {
  const lines = tableText(dir, file)
    .trimEnd()
    .split("\n")
    .map((line) => line.split(","));
  change(lines);
  const text = `${lines.map((line) => line.join(",")).join("\n")}\n`;
  putTable(dir, file, text);
  if (sign) resign(dir, file, text);
}

function resign(dir: string, file: string, text: string | Buffer): void {
  const json = readJson(dir);
  for (const resource of json.resources) {
    if (resource["path"] !== file) continue;
    resource["bytes"] = Buffer.byteLength(text);
    resource["hash"] = `sha256:${createHash("sha256").update(text).digest("hex")}`;
  }
  signJson(dir, json);
}

/** Writes datapackage.json with the id that its contents give. */
function signJson(dir: string, json: Json): void {
  const { id: _, ...kmlab } = json.kmlab;
  const tables = Object.fromEntries(
    json.resources.map((r) => [r["name"], { bytes: r["bytes"], sha256: String(r["hash"]).slice(7) }]),
  );
  json.kmlab["id"] = createHash("sha256").update(canonicalJson({ kmlab, tables })).digest("hex");
  writeFileSync(join(dir, "datapackage.json"), JSON.stringify(json));
}

/** Column `name` of row `row` (from 1) becomes `value`. */
function cell(file: string, row: number, name: string, value: string, sign = true): (dir: string) => void {
  return (dir) => edit(dir, file, (lines) => void lines[row].splice(lines[0].indexOf(name), 1, value), sign);
}

const FRESH = "take a fresh copy of the trace, or capture it again";
const EDITED = `the file was damaged or edited after it was written: ${FRESH}`;
const WRONG = "the file is as it was written, so the program that wrote it is at fault: make the trace again";
const RELATION = "the program that wrote the trace is at fault: make it again";

const CASES: readonly [what: string, damage: (dir: string) => void, message: string | RegExp][] = [
  ["nothing", () => {}, "nothing is wrong"],
  [
    "a table gone",
    (d) => rmSync(join(d, "edges.csv.gz")),
    `T/edges.csv.gz: the file is missing though datapackage.json lists it; ${FRESH}`,
  ],
  [
    "the descriptor gone",
    (d) => rmSync(join(d, "datapackage.json")),
    /^T: there is no datapackage.json in it; give a .kmtrace folder/,
  ],
  [
    "gzip cut off",
    (d) => truncateSync(join(d, "events.csv.gz"), statSync(join(d, "events.csv.gz")).size - 40),
    `T/events.csv.gz: its gzip data is cut off; ${FRESH}`,
  ],
  ["an empty file", (d) => truncateSync(join(d, "events.csv.gz"), 0), /^T\/events.csv.gz: its gzip data is cut off/],
  [
    "no gzip at all",
    (d) => writeFileSync(join(d, "events.csv.gz"), "seq,task\n"),
    `T/events.csv.gz: its gzip data is damaged; ${FRESH}`,
  ],
  [
    "a changed number, rows still good",
    cell("events.csv.gz", 5, "ret", "77", false),
    /^T\/events.csv.gz: its SHA-256 is not the one in datapackage.json.*damaged or edited/,
  ],
  [
    "more rows than written",
    (d) => putTable(d, "tasks.csv", `${tableText(d, "tasks.csv")}3,3,,,,,,,,,\n`),
    /^T\/tasks.csv: it holds more than the \d+ bytes that datapackage.json says/,
  ],
  [
    "fewer rows than written",
    (d) => edit(d, "events.csv.gz", (lines) => void lines.pop(), false),
    /its SHA-256 is not the one .* and it has \d+ bytes instead of \d+/,
  ],
  [
    "a word for a number",
    cell("events.csv.gz", 17, "t_in", "soon"),
    `T/events.csv.gz: row 17, column t_in: "soon" is not an integer; ${WRONG}`,
  ],
  [
    "the same, by hand",
    cell("events.csv.gz", 17, "t_in", "12e", false),
    `T/events.csv.gz: row 17, column t_in: "12e" is not an integer; ${EDITED}`,
  ],
  ["a fraction", cell("events.csv.gz", 3, "user", "1.5"), /row 3, column user: "1.5" is not an integer/],
  ["a leading zero", cell("events.csv.gz", 3, "user", "007"), /row 3, column user: "007" is not an integer/],
  [
    "too large",
    cell("events.csv.gz", 3, "user", "9007199254740992"),
    /row 3, column user: "9007199254740992" is outside 0..9007199254740991/,
  ],
  ["a negative count", cell("events.csv.gz", 3, "blocked", "-4"), /row 3, column blocked: "-4" is outside 0\.\./],
  [
    "a bad name",
    cell("events.csv.gz", 9, "kind", "syscal"),
    /row 9, column kind: "syscal" is none of syscall, fault, irq,/,
  ],
  [
    "the name unknown",
    cell("events.csv.gz", 9, "site", "unknown"),
    /row 9, column site: "unknown" is none of vsyscall, int80/,
  ],
  [
    "bad flags",
    cell("events.csv.gz", 9, "flags", "stack|lost"),
    /row 9, column flags: "stack\|lost" is not - or names of restart/,
  ],
  ["a required cell empty", cell("events.csv.gz", 9, "kind", ""), /row 9, column kind: "" must not be empty/],
  [
    "a row number skipped",
    cell("events.csv.gz", 9, "seq", "10"),
    /row 9, column seq: "10" should be 8, the rows are numbered from 0/,
  ],
  [
    "a cell too many",
    (d) => edit(d, "events.csv.gz", (lines) => void lines[4].push("1")),
    /row 4 has 29 cells, the header 28/,
  ],
  [
    "a row too short",
    (d) => edit(d, "events.csv.gz", (lines) => void lines[4].pop()),
    /row 4 has 27 cells, the header 28/,
  ],
  [
    "an empty row",
    (d) => edit(d, "tasks.csv", (lines) => void lines.splice(2, 0, [""])),
    /tasks.csv: row 2 has 1 cells, the header 11/,
  ],
  [
    "a column missing",
    (d) =>
      edit(d, "events.csv.gz", (lines) => {
        for (const line of lines) line.splice(9, 1);
      }),
    /events.csv.gz: header lacks the column t_in/,
  ],
  [
    "a column twice",
    (d) =>
      edit(d, "tasks.csv", (lines) => {
        for (const line of lines) line.push(line[1]);
      }),
    /tasks.csv: header has the column "tgid_task" twice/,
  ],
  [
    "an empty table",
    (d) => edit(d, "tasks.csv", (lines) => void lines.splice(0, lines.length, [])),
    /tasks.csv: header/,
  ],
  [
    "no text",
    (d) => {
      const bytes = Buffer.from(tableText(d, "tasks.csv").replace("first", "f\u0001rst"));
      bytes[bytes.indexOf(1)] = 0xff;
      putTable(d, "tasks.csv", bytes);
      resign(d, "tasks.csv", bytes);
    },
    /tasks.csv: row 1 is not UTF-8 text/,
  ],
  ["an open quote", cell("tasks.csv", 2, "comm", '"oops'), /tasks.csv: row 2 has a quote that is not closed/],
  [
    "a task that is not there",
    cell("events.csv.gz", 5, "task", "9"),
    `T/events.csv.gz: row 5, column task: 9 is no task of tasks; ${RELATION}`,
  ],
  ["an object that is not there", cell("objects.csv", 1, "obj", "44"), /row \d+, column obj: 0 is no obj of objects/],
  [
    "an edge to nowhere",
    cell("edges.csv.gz", 1, "from", "100000"),
    /edges.csv.gz: row 1, column from: 100000 is no seq of events/,
  ],
  [
    "edges out of order",
    (d) => edit(d, "edges.csv.gz", (lines) => void lines.reverse().unshift(lines.pop()!)),
    /edges.csv.gz: row \d+, column to: \d+ comes after \d+, rows are sorted by it/,
  ],
  ["a key twice", cell("mms.csv", 2, "mm", "0"), /mms.csv: row 2, column mm: 0 is there twice/],
  [
    "a parent that comes later",
    cell("events.csv.gz", 5, "parent", "60"),
    /row 5, column parent: 60 is not an earlier event/,
  ],
  ["time running backwards", cell("events.csv.gz", 50, "t_in", "1"), /row 50, column t_in: 1 is before the row above/],
  ["a return before the entry", cell("events.csv.gz", 50, "t_out", "1"), /row 50, column t_out: 1 is before t_in/],
  [
    "a task older than its parent",
    cell("tasks.csv", 2, "parent_task", "2"),
    /tasks.csv: row 2, column parent_task: 2 is not an earlier task/,
  ],
  ["page order broken", cell("pages.csv.gz", 2, "order", "7"), /pages.csv.gz: row 2, column order: 7 does not follow/],
  ["no JSON", (d) => writeFileSync(join(d, "datapackage.json"), "{oops"), /^T\/datapackage.json: it is not JSON/],
  [
    "a foreign package",
    (d) => writeFileSync(join(d, "datapackage.json"), '{"name":"cities","resources":[]}'),
    /^T\/datapackage.json: this is no kmlab trace .* kmlab import/,
  ],
  ["a list for a descriptor", (d) => writeFileSync(join(d, "datapackage.json"), "[1]"), /this is no kmlab trace/],
  [
    "a later schema",
    (d) => {
      const j = readJson(d);
      j.kmlab["schema"] = "2.0";
      signJson(d, j);
    },
    /its schema is 2.0, this kmlab reads 1.x; use a newer kmlab/,
  ],
  [
    "no schema",
    (d) => {
      const j = readJson(d);
      delete j.kmlab["schema"];
      signJson(d, j);
    },
    /kmlab.schema is null, should be like "1.0"/,
  ],
  [
    "metadata changed by hand",
    (d) => {
      const j = readJson(d);
      j.kmlab["seed"] = 99;
      writeFileSync(join(d, "datapackage.json"), JSON.stringify(j));
    },
    /its id does not fit its contents/,
  ],
  [
    "bad metadata",
    (d) => {
      const j = readJson(d);
      j.kmlab["cpus"] = "two";
      signJson(d, j);
    },
    /kmlab.cpus is "two", should be an integer from 0/,
  ],
  [
    "metadata missing",
    (d) => {
      const j = readJson(d);
      delete j.kmlab["clock"];
      signJson(d, j);
    },
    /kmlab.clock.unit is missing, should be instr or ns/,
  ],
  [
    "a required table unlisted",
    (d) => {
      const j = readJson(d);
      j.resources = j.resources.filter((r) => r["name"] !== "events");
      signJson(d, j);
    },
    /the table events is listed 0 times, should be once/,
  ],
  [
    "a path out of the folder",
    (d) => {
      const j = readJson(d);
      j.resources[0]["path"] = "../good.kmtrace/tasks.csv";
      signJson(d, j);
    },
    /resource tasks: path is .*, should be a plain file name/,
  ],
  [
    "a bad hash",
    (d) => {
      const j = readJson(d);
      j.resources[0]["hash"] = "md5:1";
      signJson(d, j);
    },
    /resource tasks: hash is "md5:1", should be sha256:/,
  ],
  [
    "too large to be read",
    (d) => {
      const j = readJson(d);
      j.resources[3]["bytes"] = 2 ** 40;
      signJson(d, j);
    },
    /events.csv.gz: datapackage.json says 1099511627776 bytes, more than can be read/,
  ],
  [
    "nested beyond reason",
    (d) =>
      writeFileSync(
        join(d, "datapackage.json"),
        readFileSync(join(d, "datapackage.json"), "utf8").replace(
          '"seed": 1',
          `"seed": 1, "x": ${"[".repeat(500)}${"]".repeat(500)}`,
        ),
      ),
    /nested too deeply/,
  ],
];

describe("damage is named", () => {
  it.each(CASES)("%s", (_, damage, expected) => {
    const dir = copy();
    damage(dir);
    const got = message(dir);
    if (typeof expected === "string") expect(got).toBe(expected);
    else expect(got).toMatch(expected);
  });

  it("names a place that is no trace", () => {
    expect(message(join(root, "nowhere"))).toMatch(/^T: there is no such trace; make one with kmlab capture/);
    const file = join(root, "file");
    writeFileSync(file, "x");
    expect(message(file)).toMatch(/^T: a trace is a folder, this is a file/);
  });
});

describe("what is unknown but harmless", () => {
  it("columns are kept, and written again", () => {
    const dir = copy();
    edit(dir, "events.csv.gz", (lines) =>
      lines.forEach((line, row) => void line.push(row === 0 ? "energy" : `${row}`)),
    );
    const trace = readTrace(dir);
    expect(trace.extra).toHaveLength(1);
    expect(trace.extra![0]).toMatchObject({ table: "events", name: "energy" });
    expect(trace.extra![0].cells[4]).toBe("5");
    const again = join(root, "again.kmtrace");
    writeTrace(again, trace);
    expect(readTrace(again).extra).toEqual(trace.extra);
    expect(readTrace(again).extra).toEqual(readTrace(dir).extra);
  });

  it("columns in another order, absent optional tables, a later minor version, metadata entries", () => {
    const dir = copy();
    edit(dir, "events.csv.gz", (lines) => {
      for (const line of lines) line.reverse();
    });
    const json = readJson(dir);
    json.resources = json.resources.filter((r) => r["name"] !== "mix" && r["name"] !== "args");
    json.kmlab["schema"] = "1.7";
    json.kmlab["colour"] = { of: "the cat" };
    signJson(dir, json);
    const trace = readTrace(dir);
    expect(trace.mix.length).toBe(0);
    expect(trace.args.size).toBe(0);
    expect([...trace.events.tIn]).toEqual([...syntheticTrace({ events: 120 }).events.tIn]);
  });
});

describe("the cache", () => {
  it("does not hide damage that came after it was made", () => {
    const dir = copy();
    readTrace(dir);
    edit(dir, "events.csv.gz", (lines) => void lines[9].splice(9, 1, "x"), false);
    expect(message(dir)).toMatch(/row 9, column t_in: "x" is not an integer/);
  });

  it("is made anew when it is damaged, whichever byte it is", () => {
    const dir = copy();
    const whole = readTrace(dir);
    const file = join(dir, CACHE_FILE);
    const bytes = readFileSync(file);
    const random = randomNumbers(5);
    for (let i = 0; i < 60; i++) {
      const bad = Buffer.from(bytes);
      bad[i < 20 ? i : random() % bad.length] ^= 1 << (random() % 8);
      writeFileSync(file, i % 7 === 0 ? bad.subarray(0, random() % bad.length) : bad);
      const trace = readTrace(dir);
      for (const key of ["tIn", "tOut", "user", "ret", "flags", "parent", "kind"] as const)
        expect(
          Buffer.from(trace.events[key].buffer, trace.events[key].byteOffset, trace.events[key].byteLength).equals(
            Buffer.from(whole.events[key].buffer, whole.events[key].byteOffset, whole.events[key].byteLength),
          ),
        ).toBe(true);
      expect([...trace.pages.index]).toEqual([...whole.pages.index]);
    }
  });

  it("is not taken for another trace's", () => {
    const dir = copy();
    readTrace(dir);
    const other = join(root, "other.kmtrace");
    writeTrace(other, syntheticTrace({ events: 120, seed: 3 }));
    cpSync(join(dir, CACHE_FILE), join(other, CACHE_FILE));
    for (const name of ["events.csv.gz", "tasks.csv"]) {
      const { atime, mtime } = statSync(join(dir, name));
      utimesSync(join(other, name), atime, mtime);
    }
    expect(readTrace(other).meta.seed).toBe(3);
    expect([...readTrace(other).events.user]).toEqual([...syntheticTrace({ events: 120, seed: 3 }).events.user]);
  });

  it("does without where the folder may not be written", () => {
    const dir = copy();
    writeFileSync(join(dir, `${CACHE_FILE}.x`), "");
    chmodSync(dir, 0o555);
    try {
      expect(readTrace(dir).events.length).toBe(readTrace(good).events.length);
    } finally {
      chmodSync(dir, 0o755);
    }
  });
});

describe("hostile bytes", () => {
  it("never give anything but a trace or one line", () => {
    const random = randomNumbers(99);
    const files = ["datapackage.json", "events.csv.gz", "tasks.csv", "pages.csv.gz", "objects.csv"];
    let refused = 0;
    for (let i = 0; i < 80; i++) {
      const dir = copy();
      const file = join(dir, files[i % files.length]);
      const bytes = readFileSync(file);
      for (let n = 0; n <= random() % 4; n++) bytes[random() % bytes.length] = random();
      writeFileSync(file, bytes);
      if (i % 11 === 0) appendFileSync(file, bytes.subarray(0, 50));
      if (message(dir) !== "nothing is wrong") refused++;
      rmSync(dir, { recursive: true });
    }
    expect(refused).toBeGreaterThan(74);
  });

  it("in the cells themselves, signed by a faulty writer, give a trace or one line", () => {
    const random = randomNumbers(7);
    const words = [
      "",
      "-1",
      "0",
      "99999999999999999999",
      "2147483648",
      '"',
      "é",
      "NaN",
      "1e9",
      " 1",
      "__proto__",
      "-",
      "0x10",
    ];
    for (let i = 0; i < 80; i++) {
      const dir = copy();
      const file = ["events.csv.gz", "tasks.csv", "pages.csv.gz", "edges.csv.gz", "mix.csv.gz"][i % 5];
      edit(dir, file, (lines) => {
        const line = lines[random() % lines.length];
        line[random() % line.length] = words[random() % words.length];
      });
      message(dir);
      rmSync(dir, { recursive: true });
    }
  });
});

describe("a place that cannot be written", () => {
  it("is refused before a capture, and never destroyed by one", () => {
    const dir = join(root, "precious");
    writeFileSync(dir, "mine");
    expect(() => checkTarget(dir)).toThrow(/there is something here that is no trace; choose another name/);
    let text = "";
    try {
      writeTrace(dir, syntheticTrace());
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      text = (error as Error).message;
    }
    expect(readFileSync(dir, "utf8")).toBe("mine");
    const saved = /the trace was saved as (\S+\.kmtrace) instead/.exec(text)?.[1];
    expect(saved).toBeDefined();
    expect(readTrace(saved!).events.length).toBe(syntheticTrace().events.length);
    rmSync(saved!, { recursive: true });
    expect(() => checkTarget(join(dir, "under-a-file.kmtrace"))).toThrow(
      /a trace cannot be written here \(ENOTDIR|EEXIST\)/,
    );
  });

  it("holds the new trace when it replaces an old one, and nothing else beside it", () => {
    const dir = join(root, "nest", "x.kmtrace");
    writeTrace(dir, syntheticTrace());
    const id = writeTrace(dir, syntheticTrace({ seed: 2 }));
    expect(readTrace(dir).meta.id).toBe(id);
    expect(readdirSync(join(root, "nest"))).toEqual(["x.kmtrace"]);
  });
});
