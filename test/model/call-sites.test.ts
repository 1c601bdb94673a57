// Calls whose site a trace does not know: the share that is taken to go through the vsyscall page, and what hangs on it.
import { describe, expect, test } from "vitest";
import { unknownSites, withSites } from "../../src/model/call-sites.ts";
import { modelData } from "../../src/model/data-node.ts";
import { sensitivity } from "../../src/model/sensitivity/sensitivity.ts";
import { isResult, type MechanismResult, whatif } from "../../src/model/whatif.ts";
import { importTrace } from "../../src/traces/importers/import.ts";
import { textFile } from "../../src/traces/importers/text-node.ts";
import { callNames, readTrace } from "../../src/traces/node.ts";
import { KIND, SITE } from "../../src/traces/schema/enums.ts";
import { COUNTS_ONLY, type Trace } from "../../src/traces/trace.ts";
import { NATIVE_SAMPLES } from "../traces/sequence/native-samples.ts";

const data = modelData();
const recorded = (name: string): Trace => readTrace(`data/traces/${name}-ring3.kmtrace`);
const withSite = (trace: Trace, site: number): Trace => ({
  ...trace,
  events: { ...trace.events, site: new Uint8Array(trace.events.length).fill(site) },
});
const find = recorded("find");
const lost = withSite(find, SITE.unknown);
function kml(trace: Trace, set: [string, number][] = [], draws = 0): MechanismResult {
  const { mechanisms } = whatif(trace, data, { draws, set: new Map(set) });
  return mechanisms.filter(isResult)[2];
}
const shareOf = (trace: Trace) => withSites(data, trace).parameters.get("site.vsyscall")!;

describe("the share of calls through the vsyscall page", () => {
  test.each(["cp", "find", "forks", "pipe"])("of %s is found from its programs' starts", (name) => {
    const trace = recorded(name);
    const { events } = trace;
    let [traps, calls] = [0, 0];
    for (let seq = 0; seq < events.length; seq++) {
      if (events.kind[seq] !== KIND.syscall && events.kind[seq] !== KIND.sigreturn) continue;
      calls++;
      if (events.site[seq] === SITE.int80) traps++;
    }
    expect(unknownSites(withSite(trace, SITE.unknown), data)).toMatchObject({ calls, traps });
    expect(unknownSites(trace, data).calls).toBe(0);
  });

  test.each(NATIVE_SAMPLES)("of a native $name is found without strace -i", ({ file }) => {
    const trace = importTrace([textFile(file)], callNames()).trace;
    const traps = trace.events.site.reduce((sum, site) => sum + (site === SITE.int80 ? 1 : 0), 0);
    expect(unknownSites(withSite(trace, SITE.unknown), data).traps).toBe(traps);
    expect(traps).toBeGreaterThan(60);
  });

  test("without an order, so many calls are taken for each execve", () => {
    const trace = withSite(recorded("forks"), SITE.unknown);
    const { fidelity } = trace.meta;
    const counts = { ...trace, meta: { ...trace.meta, fidelity: { ...fidelity, times: COUNTS_ONLY } } };
    // 10 programs of 33, 8 vforks, 18 returns from handlers.
    expect(unknownSites(counts, data)).toEqual({ calls: 710, traps: 356, execs: 10 });
  });

  test("a program without a thread area is a trace from its middle, or as long as others after an execve", () => {
    const { i386 } = data;
    const area = [...i386].find(([, { name }]) => name === "set_thread_area")![0];
    const nr = find.events.nr.map((number) => (number === area ? 20 : number));
    expect(unknownSites({ ...lost, events: { ...lost.events, nr } }, data).traps).toBe(0);
    const first = lost.events.kind.indexOf(KIND.syscall);
    nr[first] = [...i386].find(([, { name }]) => name === "execve")![0];
    const ret = lost.events.ret.map((value, seq) => (seq === first ? 0 : value));
    expect(unknownSites({ ...lost, events: { ...lost.events, nr, ret } }, data).traps).toBe(33);
  });

  test("stays within the parameter's range", () => {
    const none = { ...lost, events: { ...lost.events, nr: lost.events.nr.slice().fill(119) } };
    expect(shareOf(none)).toMatchObject({ value: 0.2, low: 0.2, high: 1 });
  });
});

describe("an answer for unknown sites", () => {
  test("is, at either end, that of calls that all are of one kind", () => {
    for (const [share, site] of [
      [1, SITE.vsyscall],
      [0, SITE.int80],
    ]) {
      const [mixed, pure] = [kml(lost, [["site.vsyscall", share]]), kml(withSite(find, site))];
      expect(mixed.causes).toEqual(pure.causes);
    }
  });

  test("is near that of the known sites, and its interval holds both ends", () => {
    const [known, guessed] = [kml(find, [], 60), kml(lost, [], 60)];
    const saved = (answer: MechanismResult) => Object.values(answer.saved).reduce((sum, cycles) => sum + cycles, 0);
    expect(Math.abs(saved(guessed) / saved(known) - 1)).toBeLessThan(0.05);
    const width = ({ speedup: { low, high } }: MechanismResult) => high - low;
    expect(width(guessed)).toBeGreaterThan(width(known));
    expect(guessed.speedup.low).toBeLessThan(kml(lost, [["site.vsyscall", 0.35]]).speedup.value);
    const { notes } = whatif(lost, data, { draws: 0 });
    expect(
      notes.filter((note) => note.startsWith("call site unknown for 100 % of the calls: 83 % of them")),
    ).toHaveLength(1);
  });

  test("names the share among what it hangs on; one for known sites does not", () => {
    const ask = (trace: Trace) => sensitivity(trace, data, { walks: 1, rows: 2 });
    const [share] = ask(lost).parameters.filter(({ name }) => name === "site.vsyscall");
    expect(share.ranges[0]).toMatchObject({ low: 0.2, high: 1 });
    expect(share.ranges[0].value).toBeCloseTo(266 / 321, 10);
    expect(ask(find).parameters.some(({ name }) => name === "site.vsyscall")).toBe(false);
  });

  test("refuses more than all", () => {
    expect(() => kml(lost, [["site.vsyscall", 1.1]])).toThrow("site.vsyscall=1.1: it is a share; write at most 1");
  });
});
