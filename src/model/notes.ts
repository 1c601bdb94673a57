// What an answer rests on that the trace or the tables did not know: said with every answer.
import { ABI, CLASSES } from "../traces/schema/enums.ts";
import { cannotReplay, type Trace, UNTRACED_RUN } from "../traces/trace.ts";
import { SITE_SHARE } from "./call-sites.ts";
import type { ModelData } from "./data.ts";
import type { Kernel } from "./kernels.ts";
import type { MachineChoice } from "./machine-choice.ts";
import { impossible, type Overrides, Prices } from "./prices.ts";
import type { Profile } from "./profiles.ts";
import type { Program } from "./program.ts";
import type { Mechanism } from "./routes.ts";

/** Above this share of timing-sensitive calls an answer is marked a fixed-path replay. */
export const FIXED_PATH_SHARE = 0.05;

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(part / whole < 0.1 ? 1 : 0)} %`;
}

/** Processors older than the i686 that programs are compiled for. */
const OLDER: readonly string[] = ["i386", "i486", "pentium"];

/** What the answer is asked under besides processor and kernel. */
function conditionNotes({ parameters, hypervisor }: ModelData, set: Overrides): string[] {
  const of = (key: string): number => set.get(key) ?? parameters.get(key)?.value ?? 0;
  const notes: string[] = [];
  if (of("pollution.on") === 0) notes.push("what a trap costs the program after it is not counted (--pollution on)");
  else if (of("pollution.direct") < 1)
    notes.push(
      `pollution: a call without a trap is charged ${of("pollution.direct")} of it, a batched one its share; what the body evicts is the same either way and was never measured apart (pollution.direct=1 is the other bound)`,
    );
  const checks = of("protection.user");
  if (checks !== 1)
    notes.push(
      `protection: programs in ring 0 take ${checks} times as long: ${parameters.get("protection.user")?.source}`,
    );
  if (hypervisor !== undefined)
    notes.push(
      `under ${hypervisor.id}: ${[...new Set([...hypervisor.changes.values()].map(({ source }) => source))].join("; ")}`,
    );
  return notes;
}

/** Programs of one instruction set on kernels that run another one. */
function recompiled(trace: Trace, kernels: readonly Kernel[]): string[] {
  const long = trace.events.abi.some((abi) => abi === ABI.x86_64);
  const own = long ? "x86-64" : "i386";
  return kernels
    .filter(({ target }) => target !== own)
    .map(
      ({ id, target }) =>
        `${id}: the trace is of ${own} code; assumed recompiled for ${target}, with as many instructions and calls`,
    );
}

/** What calls of unknown site are taken as. */
function siteNote({ parameters }: ModelData, set: Overrides, assumed: Program["assumed"]): string[] {
  const row = parameters.get(SITE_SHARE);
  if (row === undefined) return [];
  const of = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const chosen = set.get(SITE_SHARE);
  const taken =
    chosen === undefined
      ? `${of(row.value ?? 0)} of them taken as made through the vsyscall page, by what their programs' starts suggest (${of(row.low)} to ${of(row.high)} in the intervals, --set ${SITE_SHARE}=)`
      : `${of(chosen)} of them taken as made through the vsyscall page, as set`;
  return [
    `call site unknown for ${percent(assumed.sites, assumed.calls)} of the calls: ${taken}; strace -f -ttt -T -i of the i386 program knows, and kmlab capture`,
  ];
}

/** Ways of this answer that were put together or assumed, not counted or read. */
function unsure(
  data: ModelData,
  profile: Profile,
  kernel: Kernel,
  mechanisms: readonly Mechanism[],
  set: Overrides,
): string[] {
  const prices = new Prices(data, profile, kernel, undefined, set);
  const notes: string[] = [];
  for (const mechanism of mechanisms) {
    if (mechanism === "free" || impossible(prices, mechanism) !== undefined) continue;
    const { call, inline, fault, starved, tick, source } = prices.routes(mechanism);
    const words = new Set([call, inline, fault, starved, tick].flat().map((word) => word.split(/[?/]/)[0]));
    const of = (basis: string): string[] =>
      [...words].filter((path) => kernel.paths.get(path)?.some((item) => item.basis === basis) === true);
    const known = (["derived", "assumed"] as const).map((basis) => [basis, of(basis)] as const);
    const parts = known
      .filter(([, paths]) => paths.length > 0)
      .map(([basis, paths]) => `${basis}: ${paths.join(", ")}`);
    if (source.startsWith("derived")) parts.unshift(`put together (${source})`);
    if (parts.length > 0) notes.push(`${mechanism} under ${kernel.id}: ${parts.join("; ")}`);
  }
  return notes;
}

/** The notes of an answer, most important first. */
export function honesty(
  trace: Trace,
  program: Program,
  data: ModelData,
  profiles: readonly Profile[],
  kernels: readonly Kernel[],
  mechanisms: readonly Mechanism[],
  set: Overrides,
  machine: MachineChoice = {},
): string[] {
  const { assumed } = program;
  const notes: string[] = [];
  if (assumed.timingSensitive > FIXED_PATH_SHARE * assumed.calls) {
    notes.push(
      `fixed-path replay: ${percent(assumed.timingSensitive, assumed.calls)} of the calls depend on when they were made (short reads, EAGAIN, timeouts); a program with other timing would have called otherwise`,
    );
  }
  if (cannotReplay(trace.meta) === undefined && program.userUnit === "ns") {
    notes.push(
      trace.meta.fidelity.times.includes(UNTRACED_RUN)
        ? "program time is the untraced run's: it does not scale with the processor's CPI"
        : "program time is taken from the gaps between calls: it holds the tracer's own time and does not scale with the processor's CPI",
    );
    if (program.kernelNs !== undefined)
      notes.push(
        `system time is the untraced run's: calls by ${mechanisms[0]} take all of it, with the page faults and ticks in it; their bodies are scaled to that`,
      );
  } else if (program.userUnit === "instr" && !program.mixKnown) {
    notes.push("the trace has no instruction mix: program instructions are priced with a default mix (assumed)");
  }
  if (assumed.sites > 0 && kernels.some(({ target }) => target === "i386")) notes.push(...siteNote(data, set, assumed));
  if (assumed.recompiled > 0 && kernels.some(({ target }) => target === "i386")) {
    notes.push(
      `${percent(assumed.recompiled, assumed.calls)} of the calls used another instruction: assumed recompiled to calls through the vsyscall page`,
    );
  }
  if (assumed.flags > 0.5 * program.records) {
    notes.push(
      assumed.faults === 0
        ? "the trace shows no page faults: neither what ring 0 saves on their way in nor what starvation costs it is counted (on data/traces both together are 1 to 30 % of the saving, most where shells fork)"
        : "the trace does not know the stack's state: no starvation is predicted, the gain of ring 0 is an upper bound",
    );
  }
  if (assumed.unknownCalls > 0) {
    notes.push(`${percent(assumed.unknownCalls, assumed.calls)} of the calls have no body cost of their own: 'other'`);
  }
  notes.push(...conditionNotes(data, set));
  for (const { id, fits, note } of profiles) {
    notes.push(`${id}: ${note}`);
    if (fits.some(({ solves }) => solves.length > 1)) {
      notes.push(`${id}: entry-hw and exit-hw are halves of fitted pairs; only their sum is known`);
    }
  }
  const cpus = machine.cpus ?? 1;
  if (trace.meta.cpus > cpus) notes.push(`recorded on ${trace.meta.cpus} CPUs, replayed on ${cpus}`);
  if (cpus > trace.meta.cpus) {
    notes.push(
      `recorded on ${trace.meta.cpus === 1 ? "one CPU" : `${trace.meta.cpus} CPUs`}, replayed on ${cpus}: an upper bound of what they gain; kernel locks, shared caches and what a program does otherwise when it has more CPUs are not in the trace`,
    );
  }
  const simd = program.mixes[program.mixes.length - CLASSES.length + CLASSES.indexOf("simd")];
  for (const { id } of profiles) {
    if (OLDER.includes(id)) {
      notes.push(
        `${id}: the program is i686 code${program.mixKnown && simd > 0 ? " with MMX or SSE" : ""}; assumed recompiled for this processor`,
      );
    }
  }
  notes.push(...recompiled(trace, kernels));
  for (const { id, hypothetical } of kernels)
    if (hypothetical) notes.push(`${id}: there is no such kernel; its ways in are derived`);
  for (const profile of profiles) {
    for (const kernel of kernels) notes.push(...unsure(data, profile, kernel, mechanisms, set));
  }
  for (const profile of profiles) {
    for (const kernel of kernels) {
      const { overdrawn } = new Prices(data, profile, kernel, undefined, set);
      if (overdrawn.length > 0)
        notes.push(`${profile.id}: known parts already exceed the published ${overdrawn.join(", ")}`);
    }
  }
  return [...new Set(notes)];
}
