// Checks of the machine itself that hold for any costs: queueing and scheduling closed forms, conservation of cycles, identity.

import { InputError } from "../errors.ts";
import { EDGE, KIND } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import { bareReplay } from "./bare-replay.ts";
import type { Check } from "./check.ts";
import type { ModelData } from "./data.ts";
import type { Kernel, PathItem } from "./kernels.ts";
import { makeTrace, randomTrace } from "./made-traces.ts";
import { settableKeys } from "./prices.ts";
import { queueingChecks } from "./queueing.ts";
import { draw } from "./random.ts";
import { isResult, whatif } from "./whatif.ts";

/** n equal tasks of m quanta each: task k ends after (m - 1) n Q + (k + 1) Q. */
function roundRobin(data: ModelData): Check {
  const [n, m, quantum] = [5, 7, 10_000];
  const events = Array.from({ length: n }, (_, task) => ({ task, user: m * quantum }));
  const { finished } = bareReplay(makeTrace({ tasks: n, events }), data, { quantumCycles: quantum });
  const wanted = Array.from({ length: n }, (_, k) => (m - 1) * n * quantum + (k + 1) * quantum);
  return {
    id: "round-robin",
    says: `${n} tasks of ${m} quanta end at ${wanted.join(", ")}`,
    found: [...finished].join(", "),
    holds: wanted.every((time, k) => finished[k] === time),
  };
}

/** A sleeper's deadline is kept to the cycle when nothing else runs. */
function deadline(data: ModelData): Check {
  const events = [
    { task: 0, user: 123 },
    { task: 0, user: 7 },
  ];
  const { makespan } = bareReplay(
    makeTrace({ tasks: 1, events, edges: [{ to: 0, kind: EDGE.timer, delay: 10_000 }] }),
    data,
  );
  return {
    id: "deadline",
    says: "123 cycles, a sleep of 10000, 7 cycles: 10130",
    found: `${makespan}`,
    holds: makespan === 10_130,
  };
}

/** Random traces: every mechanism's causes add up to its makespan (whatif checks it), coalesced as per record. */
function conservation(data: ModelData): Check {
  let traces = 0;
  let differing = 0;
  let records = 0;
  let failure = "";
  for (let seed = 0; seed < 6; seed++) {
    let index = 0;
    const trace = randomTrace(() => draw(seed, "random trace", index++), 600, 1 + seed);
    const set = new Map([
      ["hz", 1000],
      ["quantum_us", 40],
    ]);
    const options = {
      mechanisms: ["int80", "sysenter", "kml", "kml-all", "free"],
      profiles: ["p4"],
      draws: 0,
      set,
      machine: { scheduler: "rr" },
    };
    try {
      const coalesced = whatif(trace, data, options);
      const each = whatif(trace, data, { ...options, perRecord: true });
      if (JSON.stringify(coalesced) !== JSON.stringify(each)) differing++;
      records += coalesced.records;
    } catch (error) {
      if (error instanceof InputError) throw error;
      failure = error instanceof Error ? error.message : String(error);
    }
    traces++;
  }
  return {
    id: "conservation",
    says: "on random traces causes add up to the makespan exactly, and coalesced replay equals replay record by record",
    found: failure !== "" ? failure : `${traces} traces, ${records} records, ${differing} differ`,
    holds: failure === "" && differing === 0,
  };
}

function someTrace(): Trace {
  let index = 0;
  return randomTrace(() => draw(11, "random trace", index++), 500, 4);
}

/** With ways in that cost nothing, all mechanisms are the same. */
function zeroCost(data: ModelData): Check {
  const profile = data.profiles.get("p4")!;
  const kernel = data.kernels.get("kml-4.0")!;
  const primitives = settableKeys(data, profile, kernel).filter(
    (key) => !key.startsWith("body.") && !key.startsWith("cpi.") && !key.startsWith("kernel."),
  );
  const set = new Map(primitives.map((key) => [key, 0]));
  const { mechanisms } = whatif(someTrace(), data, {
    mechanisms: ["int80", "sysenter", "kml", "kml-all", "free"],
    set,
    draws: 0,
  });
  const totals = mechanisms.map((entry) => (isResult(entry) ? entry.total : Number.NaN));
  return {
    id: "zero-cost",
    says: "when ways in cost nothing, every mechanism takes the same time",
    found: totals.join(", "),
    holds: totals.every((cycles) => cycles === totals[0]),
  };
}

/** The same question twice gives the same answer; a mechanism against itself gains nothing. */
function identity(data: ModelData): Check {
  const options = { mechanisms: ["int80", "int80", "kml"], draws: 5 };
  const [a, b] = [whatif(someTrace(), data, options), whatif(someTrace(), data, options)];
  const self = a.mechanisms[1];
  const one =
    isResult(self) && self.speedup.low === 1 && self.speedup.high === 1 && self.amdahl === 1 && self.naive === 1;
  return {
    id: "identity",
    says: "the same question has the same answer, and a mechanism gains nothing over itself",
    found: `${JSON.stringify(a) === JSON.stringify(b) ? "same" : "different"}, ${one ? "1" : "not 1"}`,
    holds: JSON.stringify(a) === JSON.stringify(b) && one,
  };
}

/** A fault kind with a body of its own is charged to it. */
function faults(data: ModelData): Check {
  const events = [{ task: 0, kind: KIND.fault, nr: 14, user: 10, cause: 1 }];
  const { mechanisms } = whatif(makeTrace({ tasks: 1, events }), data, {
    mechanisms: ["int80"],
    draws: 0,
    set: new Map([["hz", 0]]),
  });
  const only = mechanisms[0];
  const holds =
    isResult(only) && only.causes["fault-path"] > 0 && only.causes["fault-body"] > 0 && only.causes["body"] === 0;
  return {
    id: "faults",
    says: "a page fault is charged to its path and its body alone",
    found: holds ? "it is" : "it is not",
    holds,
  };
}

/** All checks. */
export function verificationChecks(data: ModelData): Check[] {
  return [
    deadline(data),
    roundRobin(data),
    ...queueingChecks(data),
    conservation(data),
    zeroCost(data),
    identity(data),
    faults(data),
    counts(data),
  ];
}

/** The instructions of every path are as many as were counted (data/kernels/counts.csv). */
function counts(data: ModelData): Check {
  const wrong: string[] = [];
  for (const { kernel, path, instructions } of data.counts) {
    const items = data.kernels.get(kernel)?.paths.get(path) ?? [];
    const sum = countInstructions(items, RETIRES);
    if (sum !== instructions) wrong.push(`${kernel} ${path}: ${sum}, counted ${instructions}`);
  }
  return {
    id: "path-counts",
    says: "every path's parts add up to the instructions counted on it",
    found: wrong.length === 0 ? `${data.counts.length} paths` : wrong.join("; "),
    holds: wrong.length === 0,
  };
}

/** Hardware primitives that are themselves one instruction of the kernel's way out. */
const RETIRES: ReadonlySet<string> = new Set(["hw.iret_3", "hw.iret_0", "hw.sysexit"]);
/** The same, and the program's own trap instruction. */
const EXECUTED: ReadonlySet<string> = new Set([...RETIRES, "hw.int_3to0", "hw.int_0to0", "hw.sysenter"]);

function countInstructions(items: readonly PathItem[], hardware: ReadonlySet<string>): number {
  let sum = 0;
  for (const { primitive, count } of items) if (primitive.startsWith("i.") || hardware.has(primitive)) sum += count;
  return sum;
}

/** Instructions executed on a path, the trap instruction included, arguments not. */
export function instructionsOf(kernel: Kernel, path: string): number {
  return countInstructions(kernel.paths.get(path) ?? [], EXECUTED);
}
