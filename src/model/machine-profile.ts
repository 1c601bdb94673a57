// A processor profile from micro-benchmarks of the machine at hand (data/calibrate/machine.c), and what it says of calls that it
// was not made from.
import { InputError } from "../errors.ts";
import { boundsOf, median } from "./accuracy.ts";
import type { ModelData } from "./data.ts";
import { Prices } from "./prices.ts";
import type { Cost, Fit, Profile } from "./profiles.ts";
import { type Predictable, predictRow } from "./published.ts";
import { draws } from "./random.ts";

/** What one build of the benchmarks printed: the least and the median of an operation, in ticks. */
export type Measured = ReadonlyMap<string, { readonly least: number; readonly median: number }>;

/** The builds there can be: 32-bit calls through the vsyscall page and by INT, 64-bit ones by SYSCALL. */
export interface Builds {
  readonly m32?: Measured;
  readonly m64?: Measured;
}

/** A call that the profile was not made from. Cycles. */
export interface Prediction {
  readonly build: keyof Builds;
  readonly call: string;
  readonly measured: number;
  readonly predicted: number;
  readonly low: number;
  readonly high: number;
  readonly errorPercent: number;
}

export interface MachineCalibration {
  readonly profile: Profile;
  readonly predictions: readonly Prediction[];
  readonly medianErrorPercent: number;
  readonly notes: readonly string[];
}

/** The calls predicted, none of which anything is fitted on. */
export const PREDICTED_CALLS = [
  "getppid",
  "umask",
  "lseek",
  "fcntl",
  "pread64",
  "poll",
  "access",
  "fstat",
  "kill",
  "open+close",
] as const;

/** The profile whose costs stand in where nothing was measured, and whose kernels the machine is taken to run. */
const LIKE = "zen4";

const WAYS = {
  m32: { kernel: "linux-6.18", mechanism: "sysenter", inline: false },
  m64: { kernel: "linux-6.18-amd64", mechanism: "syscall", inline: true },
} as const;

/** An INT that costs at least so much of a CPUID, which always leaves a guest, is taken to leave it too. */
const INTERCEPTED = 0.5;

/** Reads what the benchmarks print. Throws InputError for anything else. */
export function readMeasured(text: string): Measured {
  const measured = new Map<string, { least: number; median: number }>();
  for (const line of text.split("\n").filter((row) => row !== "")) {
    const [name, least, middle] = line.split(",");
    const pair = { least: Number(least), median: Number(middle) };
    if (name === "" || !(pair.least >= 0) || !(pair.median >= 0) || !Number.isFinite(pair.least + pair.median))
      throw new InputError(`the benchmarks printed "${line}", which is no measurement`);
    measured.set(name, pair);
  }
  for (const name of ["tsc_mhz", "dependent_add", "getpid", "getpid_return", "stat", ...PREDICTED_CALLS])
    if (!measured.has(name)) throw new InputError(`the benchmarks did not measure ${name}`);
  return measured;
}

/** An operation in core cycles: a chain of additions takes one cycle each. */
function cycles(measured: Measured, name: string): { value: number; low: number; high: number } {
  const perTick = 1 / measured.get("dependent_add")!.least;
  const { least, median: middle } = measured.get(name)!;
  return { value: least * perTick, low: least * perTick, high: Math.max(least, middle) * perTick };
}

const SOURCE = "measured on this machine by kmlab calibrate --machine";

/** Costs that an operation of the benchmarks gives, as a share of it. */
const FROM: readonly (readonly [string, string, number])[] = [
  ["i.load", "load", 1],
  ["i.push", "push_pop", 0.5],
  ["i.pop", "push_pop", 0.5],
  ["i.call", "call_ret", 0.5],
  ["i.ret", "call_ret", 0.5],
  ["i.seg_load", "seg_load", 1],
  ["i.pop_seg", "push_pop_seg", 1],
  ["i.popf", "pushf_popf", 0.8],
  ["i.pushf", "pushf_popf", 0.2],
  ["hw.iret_0", "iret", 1],
];

/** A total to solve costs from. Another program on the same machine shows 5 % less or more, whatever this one's rounds say. */
function fitOf(
  build: keyof Builds,
  operation: string,
  measured: Measured,
  mechanism: string,
  ...solves: string[]
): Fit {
  const { value, high } = cycles(measured, operation);
  return {
    solves,
    kernel: WAYS[build].kernel,
    mechanism,
    call: "getpid",
    inline: operation === "int80" || (WAYS[build].inline && operation === "getpid"),
    group: "",
    value,
    low: 0.95 * value,
    high: Math.max(high, 1.05 * value),
    range: "measured",
    source: SOURCE,
  };
}

/** The profile of the machine. */
function profileOf(data: ModelData, builds: Builds): Profile {
  const like = data.profiles.get(LIKE)!;
  const costs = new Map<string, Cost>();
  for (const [key, cost] of like.costs) {
    const kept = cost.value === null || cost.range === "assumed" || cost.range === "secondary";
    costs.set(key, kept ? cost : { ...cost, range: "assumed", source: `assumed as on ${LIKE}: ${cost.source}` });
  }
  const first = builds.m32 ?? builds.m64!;
  for (const [key, operation, share] of FROM) {
    const measured = [builds.m32, builds.m64].find((build) => build?.has(operation));
    if (measured === undefined) continue;
    const { value, low, high } = cycles(measured, operation);
    costs.set(key, {
      key,
      of: "",
      value: value * share,
      low: low * share,
      high: high * share,
      range: "measured",
      source: SOURCE,
    });
  }
  // The same kernel code at this machine's cycles an instruction: one body tells.
  const kernel = data.kernels.get(WAYS.m64.kernel)!;
  const there = new Prices(data, like, kernel);
  const body = there.leastBody("stat") - there.leastBody("getpid");
  const ratios = Object.values(builds).map((build: Measured) => {
    const [whole, empty] = [cycles(build, "stat"), cycles(build, "getpid")];
    return Math.max(0.01, (whole.value - empty.value) / body);
  });
  const scale = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  costs.set("kernel.cpi", {
    ...like.costs.get("kernel.cpi")!,
    value: scale,
    low: Math.min(...ratios, scale * 0.8),
    high: Math.max(...ratios, scale * 1.2),
    range: "measured",
    source: `${SOURCE}: stat's body against ${LIKE}'s; 20 %, or what the two builds say`,
  });
  const fits: Fit[] = [];
  const { m32, m64 } = builds;
  if (m32 !== undefined) {
    fits.push(fitOf("m32", "getpid", m32, "sysenter", "hw.sysenter", "hw.sysexit"));
    if (m32.has("int80")) fits.push(fitOf("m32", "int80", m32, "int80", "hw.int_3to0", "hw.iret_3"));
  }
  if (m64 !== undefined) {
    fits.push(fitOf("m64", "getpid", m64, "syscall", "sw.entry", "sw.exit"));
    fits.push(fitOf("m64", "getpid_return", m64, "syscall", "rsb.user"));
  }
  return {
    ...like,
    id: "machine",
    like: LIKE,
    name: "this machine",
    mhz: Math.round(first.get("tsc_mhz")!.least / first.get("dependent_add")!.least),
    guest: first.get("hypervisor")?.least === 1,
    costs,
    fits,
    note: `fitted on its getpid by each way; what was not measured is assumed as on ${LIKE}, its kernel taken for Linux 6.18`,
  };
}

/** Fits a profile on the benchmarks and predicts the calls that it was not fitted on. */
export function calibrateMachine(data: ModelData, builds: Builds): MachineCalibration {
  if (builds.m32 === undefined && builds.m64 === undefined) throw new InputError("no build of the benchmarks ran");
  const profile = profileOf(data, builds);
  const all: ModelData = { ...data, profiles: new Map([...data.profiles, [profile.id, profile]]) };
  const predictions = (["m32", "m64"] as const).flatMap((build): Prediction[] => {
    const measured = builds[build];
    if (measured === undefined) return [];
    return PREDICTED_CALLS.map((call) => {
      const row: Predictable = { id: call, profile: profile.id, call, ...WAYS[build] };
      const predicted = predictRow(all, row);
      const { value } = cycles(measured, call);
      const errorPercent = (100 * (predicted - value)) / value;
      return { build, call, measured: value, predicted, ...boundsOf(all, row), errorPercent };
    });
  });
  return {
    profile,
    predictions,
    medianErrorPercent: median(predictions.map(({ errorPercent }) => Math.abs(errorPercent))),
    notes: doubts(builds),
  };
}

/** What the numbers may not mean. */
function doubts({ m32, m64 }: Builds): string[] {
  const notes: string[] = [];
  const guest = (m32 ?? m64)!.get("hypervisor")?.least === 1;
  if (guest)
    notes.push(
      "this is a virtual machine: page faults, ticks and port accesses hold the hypervisor's share, and other guests add to all",
    );
  const [int80, cpuid, getpid] = ["int80", "cpuid", "getpid"].map((name) => m32?.get(name)?.least);
  if (
    int80 !== undefined &&
    cpuid !== undefined &&
    getpid !== undefined &&
    int80 > 3 * getpid &&
    int80 > INTERCEPTED * cpuid
  )
    notes.push(
      `INT n is probably intercepted by the hypervisor: int 0x80 takes ${(int80 / getpid).toFixed(0)} times as long as the vsyscall page, about as long as CPUID, which always leaves the guest; what int80 costs here says nothing of the processor`,
    );
  if (m32 === undefined) notes.push("no 32-bit build: INT and SYSENTER were not measured, and are unknown");
  return notes;
}

/** The profile as a table of costs, for a file that whatif --profile reads: what was solved stands there as measured. */
export function profileTable(data: ModelData, profile: Profile): string {
  const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = ["key,value,low,high,range,of,source", `mhz,${profile.mhz},,,exact,,${SOURCE}`];
  if (profile.guest) lines.push(`guest,1,,,exact,,${SOURCE}: CPUID names a hypervisor`);
  const kernels = new Map(profile.fits.flatMap(({ solves, kernel }) => solves.map((key) => [key, kernel] as const)));
  const number = (value: number): string => `${Number(value.toPrecision(6))}`;
  for (const [key, cost] of profile.costs) {
    const kernel = kernels.get(key);
    if (kernel !== undefined) {
      const of = (from?: ReturnType<typeof draws>): number =>
        new Prices(data, profile, data.kernels.get(kernel)!, from).primitive(key);
      const drawn = Array.from({ length: 100 }, (_, index) => of(draws(1, index))).sort((a, b) => a - b);
      const value = of();
      const [low, high] = [Math.min(value, drawn[5]), Math.max(value, drawn[94])];
      lines.push(`${key},${number(value)},${number(low)},${number(high)},measured,,${SOURCE}: solved from getpid`);
    } else if (cost.value === null) {
      const lost = cost.range === "fitted";
      lines.push(
        `${key},,,,${lost ? "unknown" : cost.range},,${lost ? "not measured on this machine" : quoted(cost.source)}`,
      );
    } else
      lines.push(
        `${key},${number(cost.value)},${number(cost.low)},${number(cost.high)},${cost.range},${cost.of},${quoted(cost.source)}`,
      );
  }
  return `${lines.join("\n")}\n`;
}
