// Captures of whole runs: page touches by epoch, the instruction mix, the same identity twice, the same program whatever the entry.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../src/emu/host.ts";
import { captureProgram, type RunOptions } from "../../../src/emu/run.ts";
import { compareTraces } from "../../../src/traces/compare.ts";
import { readTraceFrom } from "../../../src/traces/read.ts";
import { ACCESS, CAUSE, KIND, PATH, SOURCE } from "../../../src/traces/schema/enums.ts";
import { MemoryStore } from "../../../src/traces/store.ts";
import type { Trace } from "../../../src/traces/trace.ts";
import { writeTraceTo } from "../../../src/traces/write.ts";
import { programImage } from "../kernel/entry/programs.ts";

function capture(argv: string[], options: Partial<RunOptions> = {}): Trace {
  const { trace } = captureProgram({
    image: programImage(),
    argv: [`/bin/${argv[0]}`, ...argv.slice(1)],
    host: new MemoryIo(),
    cwd: "/",
    memoryMiB: 64,
    ...options,
  });
  const store = new MemoryStore();
  writeTraceTo(store, trace);
  return readTraceFrom(store);
}

const sum = (column: ArrayLike<number>): number =>
  Array.from(column).reduce((a, b) => a + (Number.isNaN(b) ? 0 : b), 0);

describe("a capture", () => {
  it("of the same command has the same identity, and says what was run", () => {
    const [one, two] = [capture(["frk", "fork", "3"]), capture(["frk", "fork", "3"])];
    expect(compareTraces(one, two)).toMatchObject({ same: true, meta: [], tables: [] });
    expect(one.meta).toMatchObject({
      argv: ["/bin/frk", "fork", "3"],
      kernel: "linux",
      ring: 3,
      hz: 100,
      memory: 64 << 20,
      epochInstr: 1_000_000,
      ended: "exit 0",
      reproducible: true,
    });
  });

  it("by int 0x80 and by sysenter counts the same program instructions, event by event", () => {
    const [one, two] = (["int80", "sysenter"] as const).map((entry) => capture(["frk", "fork", "3"], { entry }));
    expect([...one.events.user]).toEqual([...two.events.user]);
    expect(sum(one.events.kinstr)).not.toBe(sum(two.events.kinstr));
  });

  it("in ring 0 counts as many", () => {
    const [one, two] = ([3, 0] as const).map((ring) => capture(["stk", "heap", "16"], { ring, kernel: "kml-4.0" }));
    expect(two.tasks.at(-1)?.ring).toBe(0);
    expect(Math.abs(sum(one.events.user) - sum(two.events.user))).toBeLessThan(16);
  });
});

describe("page touches", () => {
  it("of a heap name each page once, in order, as the program's writes", () => {
    const trace = capture(["stk", "heap", "16"]);
    const { pages, events } = trace;
    const faulted = [...events.addr].filter((_, i) => events.cause[i] === CAUSE.anon && events.path[i] === PATH.F);
    const first = faulted.map((addr) => Math.floor(addr / 4096));
    const rows = Array.from(pages.index, (index, i) => ({ index, i })).filter(
      ({ i }) => pages.obj[i] < 0 && pages.access[i] === ACCESS.w && pages.source[i] === SOURCE.user,
    );
    for (const index of first.slice(-16)) expect(rows.filter((row) => row.index === index)).toHaveLength(1);
    expect(rows.every(({ i }) => pages.dirty[i] === 1)).toBe(true);
    expect(
      [...pages.instr].every(
        (instr, i) => i === 0 || pages.task[i] !== pages.task[i - 1] || instr >= pages.instr[i - 1],
      ),
    ).toBe(true);
    const executed = Array.from(pages.access, (access, i) => access === ACCESS.x && pages.obj[i] >= 0);
    expect(executed.filter(Boolean).length).toBeGreaterThan(0);
    expect(trace.objects.map(({ label }) => label)).toContain("/bin/stk");
  });

  it("come again in each epoch", () => {
    const trace = capture(["stk", "rec", "5000"], { epochInstr: 20_000 });
    expect(trace.meta.epochInstr).toBe(20_000);
    const last = trace.pages.epoch.at(-1) ?? 0;
    expect(last).toBeGreaterThan(2);
    const text = trace.objects.find(({ label }) => label === "/bin/stk")?.obj;
    for (let epoch = 0; epoch <= last; epoch++) {
      const rows = [...trace.pages.obj].filter((obj, i) => obj === text && trace.pages.epoch[i] === epoch);
      expect(rows.length).toBeGreaterThan(0);
    }
    expect(new Set(trace.mix.epoch).size).toBeGreaterThan(2);
  });
});

describe("the instruction mix", () => {
  it("adds up to the program's instructions", () => {
    for (const argv of [
      ["stk", "rec", "2000"],
      ["frk", "fork", "5"],
    ]) {
      const { mix, events } = capture(argv);
      const total = Object.entries(mix).reduce(
        (all, [key, column]) => all + (/^(task|epoch|ring|length)$/.test(key) ? 0 : sum(column as Float64Array)),
        0,
      );
      const calls = [...events.kind].filter((kind) => kind === KIND.syscall).length;
      // The call or int of each way in is counted with the way.
      expect(total - sum(events.user)).toBeGreaterThanOrEqual(0);
      expect(total - sum(events.user)).toBeLessThanOrEqual(2 * calls + 64);
    }
  });
});
