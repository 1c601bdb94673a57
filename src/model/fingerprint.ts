// The fingerprint of a replay: one hash of all that happens in it, so that a change in behaviour shows even where totals do not.

import type { Trace } from "../traces/trace.ts";
import { defaultKernel, pickKernels, pickProfiles } from "./choices.ts";
import type { ModelData } from "./data.ts";
import type { Observer } from "./observer.ts";
import { Pair } from "./pair.ts";
import { compile } from "./program.ts";
import type { Mechanism } from "./routes.ts";

/** Numbers of what happens; stops are told apart by why. */
const WHAT = { run: 1, ready: 2, stop: 3 } as const;
const SPLIT = 2 ** 32;

/** Hashes (time, what, task) of every event, in order: two rounds of MurmurHash3's mixing, 32 bits each. */
export class Fingerprint implements Observer {
  #low = 0x9747b28c;
  #high = 0x3c6ef372;
  events = 0;

  #add(time: number, what: number, task: number): void {
    this.events++;
    for (const word of [time % SPLIT, Math.floor(time / SPLIT), what, task]) {
      this.#low = mixed(this.#low, word, 0xcc9e2d51, 0x1b873593);
      this.#high = mixed(this.#high, word, 0x85ebca6b, 0xc2b2ae35);
    }
  }

  run(time: number, _cpu: number, task: number): void {
    this.#add(time, WHAT.run, task);
  }

  stop(time: number, _cpu: number, task: number, _place: number, why: number): void {
    this.#add(time, WHAT.stop + why, task);
  }

  ready(time: number, task: number): void {
    this.#add(time, WHAT.ready, task);
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }
}

/** MurmurHash3's body and end for one word. */
function mixed(hash: number, word: number, a: number, b: number): number {
  let k = Math.imul(word, a);
  k = Math.imul((k << 15) | (k >>> 17), b);
  let h = hash ^ k;
  h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}

/** Mechanisms that the table of fingerprints has, on p4 under its default kernel. */
const MECHANISMS: readonly Mechanism[] = ["int80", "sysenter", "kml", "kml-all", "free"];
const PROFILE = "p4";

/** One row of data/fingerprints.csv. */
export interface FingerprintRow {
  readonly trace: string;
  readonly mechanism: string;
  readonly scheduler: string;
  readonly cpus: number;
  readonly events: number;
  readonly total: number;
  readonly hash: string;
}

/** Fingerprints of one trace: each mechanism on one CPU, and kernel mode on two. */
export function fingerprints(name: string, trace: Trace, data: ModelData): FingerprintRow[] {
  const [profile] = pickProfiles(data, [PROFILE]);
  const [kernel] = pickKernels(data, [defaultKernel(data, profile)]);
  const program = compile(trace, data);
  const row = (mechanism: Mechanism, cpus: number): FingerprintRow => {
    const pair = new Pair(program, data, profile, kernel, [mechanism], new Map(), { cpus });
    const fingerprint = new Fingerprint();
    const { replayed } = pair.replay(mechanism, { observer: fingerprint });
    const { events } = fingerprint;
    const { scheduler } = pair;
    return { trace: name, mechanism, scheduler, cpus, events, total: replayed.makespan, hash: fingerprint.digest() };
  };
  return [...MECHANISMS.map((mechanism) => row(mechanism, 1)), row("kml", 2)];
}

/** The table as text. */
export function fingerprintTable(rows: readonly FingerprintRow[]): string {
  const lines = rows.map(({ trace, mechanism, scheduler, cpus, events, total, hash }) =>
    [trace, mechanism, scheduler, cpus, events, total, hash].join(","),
  );
  return `${["trace,mechanism,scheduler,cpus,events,total,hash", ...lines].join("\n")}\n`;
}
