// Places on a task's line, found through segments, beside sums record by record; and what is kept of each record.
import fc from "fast-check";
import { expect, test } from "vitest";
import { residentBytes } from "../../scripts/bench/model.ts";
import { CAUSE_COUNT } from "../../src/model/causes.ts";
import { modelData } from "../../src/model/data-node.ts";
import { loadTrace } from "../../src/model/made-load.ts";
import { randomTrace } from "../../src/model/made-traces.ts";
import { compile } from "../../src/model/program.ts";
import { draw } from "../../src/model/random.ts";
import { TaskLines } from "../../src/model/task-lines.ts";
import { CPI_UNITS, userCycles } from "../../src/model/user-cycles.ts";
import { CLASSES } from "../../src/traces/schema/enums.ts";

const data = modelData();

test("ends, beginnings, waiting points and the record at a place are those of plain sums", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 5 }), fc.nat(900), (seed, tasks, records) => {
      let index = 0;
      const trace = randomTrace(() => draw(seed, "lines", index++), 1 + records, tasks);
      const program = compile(trace, data);
      const n = program.shapes.length;
      const total = Float64Array.from({ length: n }, (_, s) => (s * 37) % 11);
      const after = total.map((cycles) => Math.floor(cycles / 2));
      const user = userCycles(program, new Float64Array(CLASSES.length).fill(1.37), 1);
      const none = new Float64Array(n);
      const ways = [new Float64Array(CAUSE_COUNT)];
      const lines = new TaskLines(program, user, {
        total,
        after,
        body: none,
        copy: none,
        way: new Uint16Array(n),
        ways,
      });
      const rate = Math.round(1.37 * CPI_UNITS);
      for (let task = 0; task < tasks; task++) {
        let [units, kernel, before] = [0, 0, 0];
        const [from, to] = [program.firstRecord[task], program.firstRecord[task + 1]];
        for (let r = from; r < to; r++) {
          units += program.user[r] * rate;
          kernel += total[program.shape[r]];
          const end = Math.floor(units / CPI_UNITS) + kernel;
          expect([lines.end(task, r), lines.begin(task, r), lines.middle(task, r)]).toEqual([
            end,
            end - total[program.shape[r]],
            end - after[program.shape[r]],
          ]);
          if (end > before) {
            expect(lines.recordAt(task, end - 1)).toBe(r);
            expect(lines.recordAt(task, before)).toBeLessThanOrEqual(r);
          }
          before = end;
        }
        expect(lines.length(task)).toBe(before);
        if (to > from) expect(lines.recordAt(task, before)).toBe(to);
      }
    }),
    { numRuns: 60, seed: 3 },
  );
});

test.each([0.01, 0.1])("a record keeps at most 24 bytes when a share of %d waits", (blocking) => {
  const records = 40_000;
  const program = compile(loadTrace({ records, tasks: 8, blocking }), data);
  expect(program.waits.length).toBe(Math.floor(records * blocking));
  expect(residentBytes(program) / records).toBeLessThanOrEqual(24);
});

test("more shapes than sixteen bits number, and more instructions than sixteen or thirty-two hold", () => {
  const records = 70_000;
  const trace = loadTrace({ records, tasks: 1, blocking: 0 });
  const bytes = Float64Array.from({ length: records }, (_, seq) => seq);
  const user = Float64Array.from({ length: records }, (_, seq) => (seq === 9 ? 2 ** 33 : seq === 5 ? 70_000 : 7));
  const nr = new Int32Array(records).fill(3);
  const program = compile({ ...trace, events: { ...trace.events, bytes, user, nr } }, data);
  expect(program.shapes.length).toBe(records);
  expect([program.shape[0], program.shape[records - 1]]).toEqual([0, records - 1]);
  expect([program.user[4], program.user[5], program.user[9], program.user[10]]).toEqual([7, 70_000, 2 ** 33, 7]);
});
