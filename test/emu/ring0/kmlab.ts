// Runs images in kmlab's own machine.

import type { Tier } from "../../../src/emu/cpu/state.ts";
import { runBare } from "../../../src/emu/machine/bare.ts";
import type { Case } from "./harness.ts";
import { collect, type Log } from "./log.ts";

/** Instructions that a whole image may take: several thousand a case are spent on its tables. */
const MOST_INSTRUCTIONS = 200_000_000;

/** The log of cases in kmlab. */
export function runKmlab(cases: readonly Case[], tier?: Tier): Log {
  return collect(cases, (image) => {
    const parts: Uint8Array[] = [];
    const { reason } = runBare({
      image,
      name: "ring0",
      ramBytes: 0x100_0000,
      tier,
      maxInstructions: MOST_INSTRUCTIONS,
      output: (bytes) => parts.push(bytes),
    });
    const text = parts.map((bytes) => new TextDecoder("latin1").decode(bytes)).join("");
    return { text, stop: reason !== null && /triple/.test(reason) ? "shutdown" : "hang" };
  });
}
