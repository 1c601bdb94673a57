// What surrounds an instruction that is compiled: the region's code so far, and the ways to go on and out.
import type { Assembler, Label } from "./assembler.ts";
import type { Flags } from "./flags.ts";
import type { Window } from "./places.ts";
import type { VectorCode } from "./simd.ts";
import type { X87Code } from "./x87.ts";

/** What surrounds an instruction. */
export interface Surroundings {
  readonly asm: Assembler;
  readonly flags: Flags;
  readonly user: boolean;
  /** For regions that have x87 instructions. */
  readonly x87: X87Code | null;
  /** For regions that have vector instructions. */
  readonly vectors: VectorCode | null;
  /** Where the region is left, with the number of a site on the stack. */
  readonly out: Label;
  /**
   * A site that leaves before the present instruction.
   * @param window what it leaves for when it does not lie in one page
   */
  site(window?: Window): number;
  /** Instructions that must be left in the budget for the region to go on. */
  readonly budget: number;
  /** Is the present block a program's, not the kernel's? */
  isProgram(): boolean;
  /** Go to an offset from the region's base. */
  goto(offset: number): void;
  /** Go to the linear address in local TO. */
  gotoComputed(): void;
}
