// Random programs of ordinary instructions, and processors loaded with them: what the comparisons of engines run.
import type { Cpu } from "../../../../src/emu/cpu/cpu.ts";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import type { Form } from "../../../../src/emu/cpu/isa/forms.ts";
import { instructionSet } from "../../../../src/emu/cpu/isa/table.ts";
import { CODE, DATA, place, Random, reset } from "./bench-machine.ts";
import { randomInstruction, randomRegisters } from "./random-code.ts";

/** Forms that stay in the program and need no machine around the processor. */
export const ordinary = instructionSet.forms.filter(
  (f) => !f.sync && !f.names[0].startsWith("esc") && f.names[0] !== "fwait" && !(f.branch && f.relBytes === 0),
);

/** Code, and the registers and flags to start from. */
export interface Program {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly registers: number[];
  readonly flags: number;
}

/** A program of so many random instructions of some forms, halting behind them. */
export function program(random: Random, forms: readonly Form[], length: number): Program {
  const parts = Array.from({ length }, () => randomInstruction(random, random.pick(forms)));
  const bytes = Uint8Array.from([...parts.flatMap((p) => [...p]), 0x90, 0x90, 0x90, 0x90, 0xf4]);
  const text = parts.map((p) => `${disassemble(p, 0).text}   ${Buffer.from(p).toString("hex")}`).join("\n");
  return { bytes, text, registers: randomRegisters(random), flags: random.next() & 0xcd5 };
}

const fills = [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => {
  const random = new Random(seed);
  return Uint8Array.from({ length: 0x3000 }, () => random.next());
});

/** Put a processor at a program's start, with one of eight fillings of its data. */
export function load(cpu: Cpu, p: Program, seed: number): void {
  reset(cpu);
  place(cpu, CODE, p.bytes);
  place(cpu, DATA, fills[seed & 7]);
  cpu.r.set(p.registers);
  cpu.setEflags(p.flags);
}
