// Which flags of a block's instructions anybody can see: those that only ways out see are made up there.
import type { Step } from "./flags.ts";
import { fullRegister, setsFlags, turns } from "./meaning.ts";
import type { RegionBlock } from "./region.ts";

/** Who sees the flags that an instruction sets: nobody, what takes over where the region is left, anybody. */
export const UNSEEN = 0;
export const SEEN_OUTSIDE = 1;
const SEEN = 2;

/** For each instruction of a block: who may see the flags that it sets? */
export function flagsSeen({ code, meanings, compiled }: RegionBlock): number[] {
  const seen: number[] = new Array(compiled).fill(SEEN);
  let live = SEEN;
  /** Who sees CF and OF, which rotates set. */
  let carry = SEEN;
  for (let i = compiled - 1; i >= 0; i--) {
    const m = meanings[i];
    const turned = turns(code.ops[i], m) !== 0;
    seen[i] = turned ? carry : live;
    if (setsFlags(code.ops[i], m)) {
      live = UNSEEN;
      carry = UNSEEN;
    } else if (turned) carry = UNSEEN;
    if (m.readsFlags) {
      live = SEEN;
      carry = SEEN;
    } else if (m.exits) {
      live = Math.max(live, SEEN_OUTSIDE);
      carry = Math.max(carry, SEEN_OUTSIDE);
    }
  }
  return seen;
}

/** Instruction i as a step: one on a register that stays as it is until the next instruction that sets the same flags. */
export function stepAt({ code, meanings }: RegionBlock, i: number): Step | null {
  const turned = turns(code.ops[i], meanings[i]);
  const kind = turned || meanings[i].step;
  if (kind === 0) return null;
  const register = code.ops[i].a;
  for (let k = i + 1; !setsFlags(code.ops[k], meanings[k]); k++) {
    if (turned !== 0 && turns(code.ops[k], meanings[k]) !== 0) break;
    const { form, a, b } = code.ops[k];
    const { writes, slotA, slotB, x87, touchesFlags } = meanings[k];
    if (writes & (1 << register) || x87 !== 0 || touchesFlags) return null;
    if (slotA & 2 && fullRegister(a, form.aSize) === register) return null;
    if (slotB & 2 && fullRegister(b, form.bSize) === register) return null;
  }
  return { register, kind };
}
