// The memory of the machine that a trace is replayed on, and what it did.
import { InputError } from "../../errors.ts";
import type { Trace } from "../../traces/trace.ts";
import type { MachineChoice } from "../machine-choice.ts";
import { withMemory } from "./limited.ts";
import { MISS } from "./paging.ts";
import { RECLAIMS, type Reclaim } from "./replacement.ts";

/** What a lack of memory did. */
export interface MemoryReport {
  readonly mib: number;
  readonly reclaim: string;
  /** Faults and waits that it made, by where their page was. */
  readonly faults: { readonly minor: number; readonly file: number; readonly swap: number; readonly calls: number };
  readonly evictions: number;
  readonly writtenBack: number;
  /** Most frames in use at once. */
  readonly frames: number;
}

/** Most MiB of memory that an i386 without PAE has. */
const MOST_MIB = 4096;

/** Throws InputError for memory that cannot be. */
export function checkMemory({ memory, reclaim }: MachineChoice): void {
  if (memory !== undefined && !(memory > 0 && memory <= MOST_MIB))
    throw new InputError(`--memory ${memory}: write MiB, more than 0 and at most ${MOST_MIB}`);
  if (reclaim === undefined) return;
  if (!(RECLAIMS as readonly string[]).includes(reclaim))
    throw new InputError(`no reclaim "${reclaim}"; there are ${RECLAIMS.join(", ")}`);
  if (memory === undefined) throw new InputError(`--reclaim ${reclaim} says nothing without --memory`);
}

/** A trace as it would have been on a machine with the chosen memory; the same one when none was chosen. */
export function onMemory(trace: Trace, choice: MachineChoice = {}): { trace: Trace; report: MemoryReport | null } {
  checkMemory(choice);
  const { memory, reclaim = "two-list" } = choice;
  if (memory === undefined) return { trace, report: null };
  if (trace.pages.length === 0)
    throw new InputError("--memory: the trace does not say which pages the programs touched; capture one with kmlab");
  const { trace: limited, paging } = withMemory(trace, memory, reclaim as Reclaim);
  const count = (kind: number): number => paging.misses.filter((miss) => miss.kind === kind).length;
  return {
    trace: limited,
    report: {
      mib: memory,
      reclaim,
      faults: {
        minor: count(MISS.minor),
        file: count(MISS.file),
        swap: count(MISS.swap),
        calls: count(MISS.cache),
      },
      evictions: paging.evictions,
      writtenBack: paging.written,
      frames: paging.most,
    },
  };
}

/** What to say of it beside an answer. */
export function memoryNote({ mib, reclaim, faults, evictions, writtenBack, frames }: MemoryReport): string {
  if (evictions === 0) return `memory of ${mib} MiB: enough, ${frames} frames are used at most`;
  const all = faults.minor + faults.file + faults.swap + faults.calls;
  return `memory of ${mib} MiB (${reclaim}) makes ${all} faults: ${faults.file} of files, ${faults.swap} of swapped pages, ${faults.calls} of calls, ${faults.minor} without the disk; ${writtenBack} pages are written back; pages are touched in the recorded order, and no push on a stack page that is swapped out is predicted`;
}
