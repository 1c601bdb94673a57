// Runs vectors in the emulator, with the interpreter or with the plain evaluation of the table, and judges the outcome.
import type { Cpu } from "../../src/emu/cpu/cpu.ts";
import { stepNaive } from "../../src/emu/cpu/interp/naive.ts";
import type { Vector } from "./vector-cases.ts";
import { hashOutcome, masked, opOf } from "./vector-masks.ts";
import type { Outcome, VectorWorld } from "./vector-world.ts";

export const byInterpreter = (cpu: Cpu): void => cpu.run(cpu.icount + 1);
export const byOracle = (cpu: Cpu): void => void stepNaive(cpu);

/** The emulator's outcome, masked; null when the bytes are no instruction of the table. */
export function emulate(world: VectorWorld, vector: Vector, step: (cpu: Cpu) => void): Outcome | null {
  const op = opOf(vector);
  if (op === null) return null;
  world.load(vector);
  const out = world.outcome(step, vector);
  // INT1's #DB is what the measuring driver sees behind every instruction.
  const done = out.trap === 1;
  return masked(vector, op, done ? { ...out, trap: -1 } : out);
}

/** Does the emulator do what was recorded? A recorded 0 decides nothing. */
export function agrees(world: VectorWorld, vector: Vector, recorded: number, step: (cpu: Cpu) => void): boolean {
  if (recorded === 0) return true;
  const out = emulate(world, vector, step);
  return out !== null && hashOutcome(out) === recorded;
}
