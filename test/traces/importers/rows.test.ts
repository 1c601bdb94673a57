// Imports too long for the memory: rows that go to the disk and come back, their order, and the same trace however little stays.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { draw } from "../../../src/model/random.ts";
import { importStream, importTrace } from "../../../src/traces/importers/import.ts";
import { inOrder } from "../../../src/traces/importers/order.ts";
import { BLOCK_ROWS, PagedRows, ROW, type Spill } from "../../../src/traces/importers/rows.ts";
import { spillTo } from "../../../src/traces/importers/scratch-node.ts";
import { CACHE_FILE, folderSource, readTrace, writeTrace } from "../../../src/traces/node.ts";
import { readTraceFrom } from "../../../src/traces/read.ts";
import { MemoryStore } from "../../../src/traces/store.ts";
import { writeTraceTo } from "../../../src/traces/write.ts";
import { calls, snapshot, text } from "./samples.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-rows-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const LAYOUT = { key: ["f64", Number.NaN], value: ["i32", -1], small: ["u8", 7] } as const;

/** Two blocks in memory, the others in a file of the real kind. */
const narrow = (): Spill => ({ ...spillTo(root), blocks: 2 });

describe("rows on the disk", () => {
  it("hold what was put into them, in whatever order", () => {
    const rows = new PagedRows(LAYOUT, narrow());
    const count = 6 * BLOCK_ROWS + 100;
    const expected = new Int32Array(count).fill(-1);
    for (let row = 0; row < count; row++) {
      expect(rows.append()).toBe(row);
      const other = Math.floor(draw(1, "row", row) * (row + 1));
      rows.block(other).value[other & ROW] = row;
      expected[other] = row;
    }
    rows.settle();
    for (let n = 0; n < 2 * count; n++) {
      const row = n < count ? n : Math.floor(draw(2, "row", n) * count);
      const { value, small } = rows.block(row);
      if (value[row & ROW] !== expected[row] || small[row & ROW] !== 7) expect.fail(`row ${row}`);
    }
    expect(readdirSync(root)).toEqual([]);
  });

  it.each([
    ["far from in order", (row: number) => Math.floor(draw(3, "key", row) * 1000)],
    ["nearly in order", (row: number) => row - Math.floor(draw(4, "key", row) ** 20 * 9000)],
    ["in order", (row: number) => row >> 3],
    ["backwards", (row: number) => -row],
  ])("come in order of a key, those of one key as they were made: %s", (_, keyOf) => {
    const rows = new PagedRows(LAYOUT, narrow());
    const expected: { key: number; row: number }[] = [];
    for (let row = 0; row < 3 * BLOCK_ROWS + 5; row++) {
      rows.append();
      const key = row % 11 === 0 ? Number.NaN : keyOf(row);
      rows.block(row).key[row & ROW] = key;
      if (!Number.isNaN(key)) expected.push({ key, row });
    }
    expected.sort((a, b) => a.key - b.key || a.row - b.row);
    expect([...inOrder(rows, ({ key }, at) => key[at])]).toEqual(expected.map(({ row }) => row));
  });
});

/** A shell, its pipes, waits, threads, signals with and without a handler, and clocks that go back: much that is joined late. */
function* longStrace(rounds: number): Generator<string> {
  let us = 0;
  const at = () => `1700000${String(Math.floor(us / 1e6)).padStart(3, "0")}.${String(us % 1e6).padStart(6, "0")}`;
  yield `10 ${at()} pipe([3, 4]) = 0 <0.000010>\n10 ${at()} clone(child_stack=NULL, flags=SIGCHLD) = 11 <0.000100>\n`;
  yield `10 ${at()} clone(child_stack=NULL, flags=SIGCHLD) = 12 <0.000100>\n`;
  yield `10 ${at()} futex(0x5000, FUTEX_WAIT, 1, NULL <unfinished ...>\n`;
  for (let round = 0; round < rounds; round++) {
    us += 300 + Math.floor(draw(5, "us", round) * 200);
    yield `11 ${at()} read(3,  <unfinished ...>\n`;
    us += 80;
    if (round % 97 === 0) us -= 100;
    yield `12 ${at()} write(4, "x", 1) = 1 <0.000012>\n12 ${at()} --- SIGUSR1 {si_signo=SIGUSR1} ---\n`;
    if (round % 2 === 0) yield `12 ${at()} rt_sigreturn({mask=[]}) = 0 <0.000001>\n`;
    us += 20;
    yield `11 ${at()} <... read resumed>"x", 1) = 1 <0.000100>\n`;
  }
  yield `11 ${at()} futex(0x5000, FUTEX_WAKE, 1) = 1 <0.000010>\n10 ${at()} <... futex resumed>) = 0 <0.100000>\n`;
  yield `10 ${at()} wait4(11, NULL, 0, NULL) = 11 <0.001000>\n10 ${at()} +++ exited with 0 +++\n`;
}

describe("a long import", () => {
  const source = () => text([...longStrace(8000)].join(""), "long.txt");

  it("gives the same trace whether its rows stay in memory or not, from its CSV and from the cache that was made with it", () => {
    const whole = importTrace([source()], calls);
    expect(whole.trace.events.length).toBeGreaterThan(5 * BLOCK_ROWS);
    expect(whole.trace.edges.length).toBeGreaterThan(8000);
    expect(whole.report.fidelity.loss).toContain("the clock went back");
    const store = new MemoryStore();
    const id = writeTraceTo(store, whole.trace);
    const dir = join(root, "long.kmtrace");
    const { trace, report } = importStream([source()], calls, {}, narrow());
    expect(writeTrace(dir, trace)).toBe(id);
    expect(report).toEqual(whole.report);
    expect(readdirSync(dir)).toContain(CACHE_FILE);
    const before = snapshot({ trace: readTraceFrom(store), report });
    expect(snapshot({ trace: readTraceFrom(folderSource(dir, false)), report })).toBe(before);
    expect(snapshot({ trace: readTrace(dir), report })).toBe(before);
  });
});
