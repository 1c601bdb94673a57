// What the processor does that a way into the kernel is priced by, counted as it happens: descriptors loaded, words pushed,
// changes of level, drops of the TLB, task switches, port accesses.
import type { Cpu } from "./cpu.ts";
import type { Form } from "./isa/forms.ts";
import { TALLY_ENTRIES, TALLY_ENTRY, TALLY_KINDS, TALLY_RETURN, TALLY_RETURNS } from "./state.ts";

/** An interrupt or exception is about to be delivered: what is counted from here on is its own. */
export function noteEntry(cpu: Cpu): void {
  if (!cpu.counting) return;
  note(cpu.tally, TALLY_ENTRY);
  cpu.tally[TALLY_ENTRIES]++;
}

/** A return from the kernel is complete: what was counted up to here was its own. */
export function noteReturn(cpu: Cpu): void {
  if (!cpu.counting) return;
  note(cpu.tally, TALLY_RETURN);
  cpu.tally[TALLY_RETURNS]++;
}

/** So few words are sooner copied one by one. */
function note(tally: Int32Array, at: number): void {
  for (let i = 0; i < TALLY_KINDS; i++) tally[at + i] = tally[i];
}

/** Words that an instruction pushes by itself; what gates and far calls push is counted there. */
export function pushesOf(form: Form): number {
  const name = form.names[0];
  if (name.startsWith("pusha")) return 8;
  return name.startsWith("push") || (name === "call" && form.branch) ? 1 : 0;
}
