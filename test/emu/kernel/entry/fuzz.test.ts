// Ring-0 programs at random: streams of bytes, and damage to GDT, IDT, TSS, page tables, CR0, CR3 and kernel stacks. Whatever they do,
// the run ends with a named reason and a complete trace, and nothing reaches the host. KMLAB_SLOW=1 runs 10^4 of each kind, from
// seed KMLAB_SEED on.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { captureProgram } from "../../../../src/emu/run.ts";
import { readTraceFrom } from "../../../../src/traces/read.ts";
import { MemoryStore } from "../../../../src/traces/store.ts";
import { writeTraceTo } from "../../../../src/traces/write.ts";
import { DAMAGES, damaged, randomStream } from "../../../guest/hostile.ts";
import { imageOf } from "../proc/image.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;
const FIRST_SEED = Number(process.env["KMLAB_SEED"] ?? 1);
const STREAMS = SLOW ? 10_000 : 30;
const DAMAGED = SLOW ? 1500 : 5;
const INSTRUCTIONS = 100_000;

/** How a run may end: by itself, by a signal, or by one of the ways that a machine dies. */
const REASONS = [
  /^exit \d+$/,
  /^signal \d+$/,
  /^dead: the bound of \d+ instructions was reached$/,
  /^dead: triple fault: exception \d+ while delivering a double fault, eip 0x[0-9a-f]+$/,
  /^dead: double fault that nothing mends$/,
  /^dead: processor halted with interrupts off$/,
  /^dead: processor halted and nothing will wake it$/,
  /^dead: every task waits for something that will never happen$/,
  /^dead: \d+ timer events in a row found nothing to run$/,
  /^dead: CR0.PE cleared: real mode is not emulated$/,
];

/** Runs a program in ring 0; says what is wrong with its end or its trace, if anything is. */
function wrong(program: Uint8Array): string | undefined {
  try {
    const { trace } = captureProgram({
      image: imageOf({ "/bin/p": program }),
      argv: ["/bin/p"],
      host: new MemoryIo(),
      memoryMiB: 16,
      cwd: "/",
      ring: 0,
      hz: 1000,
      tier: "interpret",
      instructionLimit: INSTRUCTIONS,
    });
    const store = new MemoryStore();
    writeTraceTo(store, trace);
    const { ended } = readTraceFrom(store).meta;
    return REASONS.some((reason) => reason.test(ended ?? "")) ? undefined : `ended: ${ended}`;
  } catch (error) {
    return (error as Error).stack;
  }
}

/** The seeds whose programs ended wrongly, with what was wrong. */
function failures(make: (seed: number) => Uint8Array, count: number): string[] {
  const found: string[] = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + count; seed++) {
    const what = wrong(make(seed));
    if (what !== undefined) found.push(`seed ${seed}: ${what}`);
  }
  return found;
}

describe("ends with a named reason and a complete trace", () => {
  const timeout = SLOW ? 7_200_000 : undefined;

  it(
    `random bytes in ring 0, ${STREAMS} seeds from ${FIRST_SEED}`,
    () => {
      expect(failures(randomStream, STREAMS)).toEqual([]);
    },
    timeout,
  );

  it.each(DAMAGES)(
    `damage to %s, ${DAMAGED} seeds from ${FIRST_SEED}`,
    (damage) => {
      expect(failures((seed) => damaged(damage, seed), DAMAGED)).toEqual([]);
    },
    timeout,
  );
});
