// From region to region: an address is looked up in the jump cache, and its page in the page array.
import { TLB_SUPER_READ, TLB_USER_READ } from "../../machine/memory.ts";
import type { Assembler } from "./assembler.ts";
import { ENTRY, JUMP_BITS, JUMP_ENTRY_SHIFT, JUMP_FACTOR, JUMPS_SUPER, JUMPS_USER, SITE, TO } from "./layout.ts";

/** Type of a region's function: entry in, way out back. */
export const TYPE_REGION = 0;

/** Push the host address of TO, or something that is none. */
export function pushHost(asm: Assembler, user: boolean): void {
  asm.get(TO);
  asm.const(10);
  asm.op("shr");
  asm.const(0x3f_fffc);
  asm.op("and");
  asm.load(32, user ? TLB_USER_READ : TLB_SUPER_READ);
  asm.get(TO);
  asm.op("add");
}

/**
 * To another region by the jump cache, if it knows one at the address in TO.
 * @param own goes on in this region, at the block in ENTRY
 * @param spill stores the state
 */
export function jumpOut(asm: Assembler, user: boolean, index: number, own: () => void, spill: () => void): void {
  const jumps = user ? JUMPS_USER : JUMPS_SUPER;
  const slot = SITE;
  // As jumpSlot() does.
  asm.get(TO);
  asm.const(JUMP_FACTOR);
  asm.op("mul");
  asm.const(32 - JUMP_BITS);
  asm.op("shr");
  asm.const(JUMP_ENTRY_SHIFT);
  asm.op("shl");
  asm.tee(slot);
  asm.load(32, jumps);
  asm.get(TO);
  asm.op("eq");
  asm.if();
  pushHost(asm, user);
  asm.get(slot);
  asm.load(32, jumps + 4);
  asm.op("eq");
  asm.if();
  asm.get(slot);
  asm.load(32, jumps + 12);
  asm.set(ENTRY);
  asm.get(slot);
  asm.load(32, jumps + 8);
  asm.tee(SITE);
  asm.const(index);
  asm.op("eq");
  asm.if();
  own();
  asm.end();
  spill();
  asm.get(ENTRY);
  asm.get(SITE);
  asm.tailCallIndirect(TYPE_REGION);
  asm.end();
  asm.end();
}
