// What an actor does with a script, in kmlab.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../../../src/emu/host.ts";
import type { RootImage } from "../../../src/emu/rootfs/image.ts";
import { type RunOptions, runProgram } from "../../../src/emu/run.ts";
import { imageOf } from "../../emu/kernel/proc/image.ts";

/** The program. */
export const ACTOR = fileURLToPath(new URL("../../fixtures/actor/actor", import.meta.url));

/** Far more than any script needs. */
const INSTRUCTIONS = 200_000_000;

export interface Performance {
  readonly status: number;
  /** What each strand had to say, a line each. */
  readonly out: string;
}

/** A root with the actor in it. */
export function stage(): RootImage {
  return imageOf({ "/bin/actor": readFileSync(ACTOR) });
}

/** Runs a script. @param how ring, entry and whatever else the machine is to be */
export function perform(image: RootImage, script: string, how: Partial<RunOptions>): Performance {
  const host = new MemoryIo();
  const { status, exit } = runProgram({
    image,
    argv: ["/bin/actor", script],
    host,
    memoryMiB: 32,
    cwd: "/tmp",
    instructionLimit: INSTRUCTIONS,
    ...how,
  });
  const dead = exit.kind === "dead" ? `the machine died: ${exit.reason}\n` : "";
  return { status, out: host.text("out") + dead };
}
