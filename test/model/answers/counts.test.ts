// What counts permit: the saving of every call, the program time at which that is a gain, and what is refused.
import { describe, expect, it } from "vitest";
import { countsAnswer, countsText } from "../../../src/model/answers/counts.ts";
import { modelData } from "../../../src/model/data-node.ts";
import { withoutVdso } from "../../../src/model/vdso.ts";
import { isResult, whatif } from "../../../src/model/whatif.ts";
import { KIND } from "../../../src/traces/schema/enums.ts";
import { restsOnCounts } from "../../../src/traces/trace.ts";
import { imported, importSample, text } from "../../traces/importers/samples.ts";

const data = modelData();

describe("a table of counts", () => {
  const { trace } = importSample("strace-c.txt");

  it("is not replayed; it answers from counts", () => {
    expect(() => whatif(trace, data)).toThrow(/^a table of counts holds how often each call was made/);
    expect(restsOnCounts(trace.meta)).toBe(true);
    const lines = countsText(countsAnswer(trace, data, { mechanisms: ["int80", "kml"] }), "it is a table");
    expect(lines[0]).toMatch(/not replayed, because it is a table$/);
    expect(lines.join("\n")).toContain("from counts alone: 331 calls on p4");
  });

  it("with so much program time as it says, Amdahl's gain is that", () => {
    const { estimates } = countsAnswer(trace, data, { mechanisms: ["int80", "kml"], set: new Map([["mhz", 1000]]) });
    const [base, kml] = estimates;
    expect(base.saved.value).toBe(0);
    expect(kml.saved.value).toBe(base.cycles - kml.cycles);
    expect(kml.saved.low).toBeLessThan(kml.saved.value);
    expect(kml.saved.high).toBeGreaterThan(kml.saved.value);
    for (const { percent, userSeconds } of kml.gains) {
      const user = userSeconds! * 1e9;
      expect((user + base.cycles) / (user + kml.cycles)).toBeCloseTo(1 + percent / 100, 9);
    }
  });

  it("a saving that is never such a gain says so", () => {
    const busybox = importSample("strace-i386-busybox.txt").trace;
    const answer = countsAnswer(busybox, data, { target: "x86-64", mechanisms: ["syscall", "ukl"] });
    expect(answer.estimates[1].gains.map(({ userSeconds }) => userSeconds === null)).toEqual([false, true, true]);
    expect(countsText(answer, "").join("\n")).toMatch(/ukl .* never +never\n/);
  });
});

it("a trace without times is refused until --anchor gives it some", () => {
  const numbers = () => text("20 20 20 20\n");
  expect(() => whatif(imported([numbers()]).trace, data)).toThrow(
    /^the trace holds no times \(numbers only\); .*--anchor/,
  );
  const { trace } = imported([numbers()], { anchor: { user: 0.003 } });
  const [int80] = whatif(trace, data, { mechanisms: ["int80"], draws: 0 }).mechanisms.filter(isResult);
  expect(int80.causes.user / (0.003 * 2.8e9)).toBeCloseTo(1, 4);
  expect(restsOnCounts(trace.meta)).toBe(false);
});

describe("a kernel without a vDSO", () => {
  it("a trace that cannot see vDSO calls is refused", () => {
    expect(() => withoutVdso(importSample("strace-i386-busybox.txt").trace)).toThrow(
      /^--vdso off: the trace is of strace, which does not see vDSO calls/,
    );
  });

  it("vDSO calls become calls through the vsyscall page, which cost more", () => {
    const { trace } = imported([text("7 1.0 time(NULL) = 5 <0.000001>\n7 1.1 mmap2(NULL) = 7 <0.1>\n")]);
    trace.events.kind[0] = KIND.vdso;
    const total = (one: typeof trace) => {
      const [int80] = whatif(one, data, { mechanisms: ["int80"], draws: 0 }).mechanisms.filter(isResult);
      return int80.total;
    };
    expect(total(withoutVdso(trace))).toBeGreaterThan(total(trace));
    expect(trace.events.kind[0]).toBe(KIND.vdso);
  });
});
