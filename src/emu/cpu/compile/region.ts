// Which blocks become one region: what direct branches, falling through and returning from calls reach from a hot block,
// among the blocks that have run. Orders them by address and finds the loops that get a loop of their own.
import type { Op } from "../isa/decode.ts";
import { MIX_CLASSES } from "../state.ts";
import { MAX_REGION_BLOCKS } from "./layout.ts";
import { isSupported, type Meaning, meaningOf } from "./meaning.ts";

/** Most instructions in a region: compiling costs about so many microseconds. */
const MAX_INSTRUCTIONS = 500;
/** Most blocks: large dispatch tables compile badly. */
const MAX_BLOCKS = Math.min(64, MAX_REGION_BLOCKS);

/** A decoded block inside one page, as the interpreter keeps it. */
export interface CodeBlock {
  readonly ops: readonly Op[];
  /** Instructions and bytes. */
  readonly count: number;
  readonly length: number;
  /** Host address of its first byte, and of the next page when its only instruction goes on there (else -1). */
  readonly host: number;
  readonly host2: number;
  /** Where its indirect branch has led, from its start. */
  readonly leads: readonly number[];
  /** Most bytes of memory that one look at the page array serves (places.ts). */
  readonly span: number;
}

export interface RegionBlock<B extends CodeBlock = CodeBlock> {
  readonly code: B;
  readonly meanings: readonly Meaning[];
  /** Bytes from the region's base, which is the start of the first block's page. */
  readonly offset: number;
  /** Instructions compiled: all, or those before the first that a region cannot do. */
  readonly compiled: number;
  /** Offsets it can go to by a direct branch or by falling through. */
  readonly targets: readonly number[];
  /** Something other than the region's own branches leads here: it must be reachable by number. */
  named: boolean;
  /** The last block of the loop that starts here, or -1. */
  loopEnd: number;
  /** It lies inside a loop's range, not at its start: only reachable from there. */
  inner: boolean;
}

export interface Plan<B extends CodeBlock = CodeBlock> {
  readonly blocks: readonly RegionBlock<B>[];
  /** Index of the block at an offset. */
  readonly at: ReadonlyMap<number, number>;
  /** More instructions than any way through the region retires that takes no block twice. */
  readonly total: number;
}

/**
 * Plan a region.
 * @param seed the hot block, at linear address `la`
 * @param named it must be possible to enter there
 * @param find the known block at a linear address, or null; must not change anything
 * @returns null when the first instruction is one that regions cannot do
 */
export function planRegion<B extends CodeBlock>(
  seed: B,
  la: number,
  find: (la: number) => B | null,
  named: boolean,
): Plan<B> | null {
  const base = la & ~0xfff;
  const found = new Map<number, RegionBlock<B>>();
  const queue: { code: B; offset: number; named: boolean }[] = [{ code: seed, offset: la - base, named }];
  /** Looked at when all that can be reached without them is there. */
  const leads: number[] = [];
  let total = 0;
  const more = (to: number, isNamed: boolean): void => {
    const next = found.get(to) ?? null;
    if (next !== null) next.named ||= isNamed;
    else {
      const target = find((base + to) | 0);
      if (target !== null) queue.push({ code: target, offset: to, named: isNamed });
    }
  };
  for (let n = 0; ; n++) {
    while (n === queue.length && leads.length > 0) more(leads.shift() as number, true);
    if (n === queue.length) break;
    const { code, offset, named } = queue[n];
    const known = found.get(offset);
    if (known !== undefined) {
      known.named ||= named;
      continue;
    }
    if (found.size >= MAX_BLOCKS || (found.size > 0 && total + code.count > MAX_INSTRUCTIONS)) continue;
    const { block, returns } = examine(code, offset, named);
    if (block.compiled === 0) continue;
    found.set(offset, block);
    total += code.count;
    // What is called is also called from elsewhere.
    for (const to of block.targets) more(to, returns !== null);
    if (returns !== null) more(returns, true);
    // Where a called function returns to is no part of it.
    if (!isReturn(code)) leads.push(...code.leads.map((to) => (offset + to) | 0));
  }
  if (!found.has(la - base)) return null;
  const blocks = [...found.values()].sort((a, b) => a.offset - b.offset);
  const at = new Map(blocks.map((b, i) => [b.offset, i]));
  findLoops(blocks, at);
  return { blocks, at, total };
}

const RET = MIX_CLASSES.indexOf("ret");

function isReturn({ ops }: CodeBlock): boolean {
  return ops[ops.length - 1].form.cls === RET;
}

function examine<B extends CodeBlock>(
  code: B,
  offset: number,
  named: boolean,
): { block: RegionBlock<B>; returns: number | null } {
  const { ops } = code;
  const meanings = ops.map(meaningOf);
  const bad = meanings.findIndex((m, i) => !isSupported(ops[i], m));
  const targets: number[] = [];
  let returns: number | null = null;
  const end = offset + code.length;
  if (bad < 0) {
    const last = ops[ops.length - 1];
    const meaning = meanings[ops.length - 1];
    if (!last.form.branch) targets.push(end);
    else {
      if (last.form.relBytes !== 0) targets.push((offset + last.imm2) | 0);
      if (!meaning.always) targets.push(end);
      if (meaning.calls) returns = end;
    }
  } else returns = offset + ops[bad].end;
  const compiled = bad < 0 ? ops.length : bad;
  return { block: { code, meanings, offset, compiled, targets, named, loopEnd: -1, inner: false }, returns };
}

/** Innermost loops of consecutive blocks that are entered at their first only. */
function findLoops(blocks: readonly RegionBlock[], at: ReadonlyMap<number, number>): void {
  const edges = blocks.map((b) => b.targets.map((to) => at.get(to)).filter((j) => j !== undefined));
  const ends = new Map<number, number>();
  edges.forEach((list, i) => {
    for (const j of list) if (j <= i) ends.set(j, Math.max(ends.get(j) ?? -1, i));
  });
  for (const [first, last] of ends) {
    let inner = true;
    for (const other of ends.keys()) if (other > first && other <= last) inner = false;
    for (let i = first + 1; i <= last && inner; i++) if (blocks[i].named) inner = false;
    if (inner && !reaches(edges, first, last)) inner = false;
    edges.forEach((list, i) => {
      if (i < first || i > last) for (const j of list) if (j > first && j <= last) inner = false;
    });
    // A back edge from beyond that leads before this loop is no matter: it goes by number.
    if (!inner) continue;
    blocks[first].loopEnd = last;
    for (let i = first + 1; i <= last; i++) blocks[i].inner = true;
  }
}

/** Does a way lead from the first to the last block of a range inside it? */
function reaches(edges: readonly (readonly number[])[], first: number, last: number): boolean {
  const seen = new Set([first]);
  for (const i of seen) {
    if (i === last) return true;
    for (const j of edges[i]) if (j >= first && j <= last) seen.add(j);
  }
  return false;
}
