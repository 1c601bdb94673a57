// The blocks that the engine runs: decoded instructions, how they end, what follows them, how often they ran.
import type { HeldBlock, Region } from "../compile/regions.ts";
import { MODE_NONFLAT, type Op } from "../isa/decode.ts";
import type { BlockFunction } from "./handlers.ts";
import type { Way } from "./way.ts";

/** How a block ends. */
export const END_BRANCH = 0;
export const END_FALL = 1;
/** One instruction that calls system helpers: state is exact around it and checked after it. */
export const END_SYNC = 2;
/** One repeated string instruction. */
export const END_REPEAT = 3;
/** A probed address: report it, then run `probed`. */
export const END_PROBED = 4;

/** More than any budget: the count of a block that has been dropped. */
export const DROPPED = 0x7fff_ffff;

/**
 * Instructions that a region has to run for entering it to be quicker than the interpreter; the most that it can be behind
 * or ahead of that in all; and of so many times, the one at which a region too far behind is tried again.
 */
const WORTH = 40;
const MOST_GAIN = 4096;
const RETRY = 64;

/** Instructions of a long block, and how many others one counts as when it is asked whether it is hot. */
const LONG = 32;
const LONG_WEIGHT = 4;

/** Most places remembered that an indirect branch has led to: a power of two. */
const MOST_LEADS = 8;

/**
 * Most bytes that one look at the page array serves at first, and the least that are worth it. When so many times within
 * so many instructions each they do not lie in one page, a block has to do with a quarter.
 */
const MOST_SPAN = 512;
const LEAST_SPAN = 32;
const MISSES = 64;
const RARE = 20_000;

/** Decoded instructions in a row. */
export class Block implements HeldBlock {
  readonly ops: Op[];
  /** Operations to run; 0 once the block is dropped. */
  n: number;
  /** Instructions that running it to its end retires. */
  count: number;
  readonly length: number;
  readonly end: number;
  /** Host address of its first byte, and of the next page's part when it straddles (else -1). */
  readonly host: number;
  readonly host2: number;
  readonly mode: number;
  /** Successors in the same linear page: fallen through to, and branched to. */
  next: Block | null = null;
  taken: Block | null = null;
  /** The last successor in another page or by an indirect branch, the EIP it is at, and the page arrays' epoch then. */
  far: Block | null = null;
  farEip = 0;
  farEpoch = -1;
  /** Times run since the last look at the mix. */
  runs = 0;
  /** Times run before that, while it had no function of its own. */
  heat = 0;
  /** The whole block as one function, once it is hot. */
  fn: BlockFunction | null = null;
  /** What that function runs when it goes on to other blocks. */
  way: Way | null = null;
  probe: (() => void) | null = null;
  probed: Block | null = null;
  region: Region | null = null;
  entry = 0;
  regions: Region[] = [];
  /** Where its indirect branch has lately led, from its start; none of a block without. */
  leads: readonly number[] = [];
  private lastLead = 0;
  span = MOST_SPAN;
  /** Times a window was missed since a time, counted in instructions. */
  private misses = 0;
  private missesSince = 0;
  /** Instructions that its region has run, as often as it was entered here, beyond what was worth it. */
  private gain = 0;
  private passed = 0;
  /** Runs at which a region is planned from here; after that it must be one that can be entered here. */
  planAt = 0;
  planned = false;
  /** How many blocks it counts as. */
  private readonly weight: number;

  constructor(ops: Op[], count: number, length: number, end: number, host: number, host2: number, mode: number) {
    this.ops = ops;
    this.n = ops.length;
    this.count = count;
    this.length = length;
    this.end = end;
    this.host = host;
    this.host2 = host2;
    this.mode = mode;
    this.weight = count >= LONG ? LONG_WEIGHT : 1;
  }

  /** Has it run so often that a region is to be planned? */
  isHot(runs: number): boolean {
    return (this.runs + this.heat - this.planAt) * this.weight >= runs;
  }

  /** It was left for a place so far from its start: worth remembering if by an indirect branch. */
  led(offset: number): void {
    if (this.end !== END_BRANCH || this.ops[this.ops.length - 1].form.relBytes !== 0 || this.leads.includes(offset))
      return;
    const leads = this.leads.slice();
    leads[this.lastLead++ & (MOST_LEADS - 1)] = offset;
    this.leads = leads;
  }

  /** Is its region to be entered from the interpreter? Those that are soon left again cost more than they save. */
  worthEntering(): boolean {
    return this.gain > -MOST_GAIN || (++this.passed & (RETRY - 1)) === 0;
  }

  /** Its region has been entered and has run so many instructions. True: it is the interpreter's from now on. */
  entered(instructions: number): boolean {
    const gain = this.gain + instructions - WORTH;
    this.gain = gain > MOST_GAIN ? MOST_GAIN : gain < -MOST_GAIN ? -MOST_GAIN : gain;
    return this.gain === -MOST_GAIN;
  }

  /**
   * A window of its region did not lie in one page, at a time counted in instructions. True: that is often so, and its
   * windows must be smaller from now on.
   */
  missed(now: number): boolean {
    if (++this.misses < MISSES) return false;
    const often = now - this.missesSince < MISSES * RARE;
    this.misses = 0;
    this.missesSince = now;
    if (often) this.span = this.span > LEAST_SPAN ? this.span >> 2 : 0;
    return often;
  }

  /** Its region is gone: one may be planned again when it has run as often as before. */
  cool(): void {
    this.planned = false;
    this.planAt = this.runs + this.heat;
  }
}

/**
 * Remember `to`, at `eip`, as the successor of `from`: for good when both lie in one linear page (which then holds both
 * wherever it is mapped), otherwise while the page arrays' epoch lasts.
 */
export function link(from: Block, taken: boolean, near: boolean, to: Block, eip: number, epoch: number): void {
  if (to.host2 >= 0 || from.count === DROPPED || to.mode & MODE_NONFLAT) return;
  if (near && from.host2 < 0) {
    if (taken) from.taken = to;
    else from.next = to;
  } else {
    from.far = to;
    from.farEip = eip;
    from.farEpoch = epoch;
  }
}

/** The block's bytes have changed: nobody may enter it, and if it is running it stops after the current operation. */
export function drop(block: Block): void {
  block.n = 0;
  block.count = DROPPED;
  block.next = null;
  block.taken = null;
  block.far = null;
  block.farEpoch = -1;
}
