// The live regions of one processor: their places in the shared table, the jump caches, how often their blocks ran, and
// the bounds: a program that makes code for ever evicts the oldest modules.
import { type Memory, RAM_BASE } from "../../machine/memory.ts";
import { MixClasses } from "../interp/classes.ts";
import type { Op } from "../isa/decode.ts";
import { MIX_CLASSES, STATE_AUX, STATE_EIP, STATE_GPR, STATE_LEFT, STATE_RESULT } from "../state.ts";
import { emitRegion, SITE_JUMP, type Site } from "./control.ts";
import type { Step } from "./flags.ts";
import {
  auxOf,
  COUNTER_SHIFT,
  COUNTERS,
  JUMP_BITS,
  JUMP_ENTRY_SHIFT,
  JUMPS_SUPER,
  JUMPS_USER,
  jumpSlot,
  KIND_AUX,
  KIND_ROL,
  MAX_REGIONS,
  STATE_FLAG_KIND,
  STATE_ITERATIONS,
  STATE_RAN,
} from "./layout.ts";
import { enterModule, regionModule } from "./module.ts";
import type { CodeBlock, Plan } from "./region.ts";
import { settleX87 } from "./x87.ts";

/** Most modules alive, and most bytes of WebAssembly in them. */
const MAX_MODULES = 1500;
const MAX_BYTES = 48 << 20;
const STRING_ITERATION = MIX_CLASSES.indexOf("string_iter");
/** End of the list of regions that have run. */
const NO_REGION = -1;

/** What a region needs of the blocks that it is made from. */
export interface HeldBlock extends CodeBlock {
  /** The region that can be entered here, and by which number; null when there is none. */
  region: Region | null;
  entry: number;
  /** All regions that hold the block's code. */
  regions: Region[];
  /** A guess about where its memory operands lie was wrong; true when the block is to be compiled again. */
  missed(now: number): boolean;
  /** Its region is gone. */
  cool(): void;
}

/** One compiled region. */
export class Region {
  readonly index: number;
  readonly plan: Plan<HeldBlock>;
  readonly sites: readonly Site[];
  readonly total: number;
  readonly module: LiveModule;

  constructor(index: number, plan: Plan<HeldBlock>, sites: readonly Site[], module: LiveModule) {
    this.index = index;
    this.plan = plan;
    this.sites = sites;
    this.total = plan.total;
    this.module = module;
  }
}

class LiveModule {
  readonly regions = new Set<Region>();
  bytes = 0;
}

function acrossPage(address: number, bytes: number): boolean {
  return (address & 0xfff) + bytes > 0x1000;
}

/** How a region was left. */
export const LEFT_AT_START = 0;
/** Before an instruction that the interpreter must do. */
export const LEFT_BEFORE = 1;
export const LEFT_JUMPING = 2;

export class Regions {
  private readonly i32: Int32Array;
  private readonly memory: Memory;
  private readonly clock: () => number;
  private readonly table: WebAssembly.Table;
  private readonly imports: WebAssembly.Imports;
  private readonly stub: unknown;
  /** (entry, index) -> way out. */
  private readonly call: (entry: number, index: number) => number;
  private readonly live: (Region | null)[] = [null];
  private readonly free: number[] = [];
  /** Slots whose regions are gone but may still be named by a jump cache. */
  private readonly dead: number[] = [];
  private readonly modules = new Set<LiveModule>();
  private bytes = 0;
  /** Most modules alive, and most bytes of WebAssembly in them. */
  limit = { modules: MAX_MODULES, bytes: MAX_BYTES };
  /** Somebody has looked at the mix: regions count what they run. */
  private counting = false;
  private readonly classes = new MixClasses();
  /** Counts per class of instructions that ran in parts of blocks, to be added to the mix; may be negative in between. */
  readonly extra = new Float64Array(MIX_CLASSES.length);

  /** @param clock how many instructions have run */
  constructor(memory: Memory, clock: () => number) {
    this.memory = memory;
    this.clock = clock;
    this.i32 = memory.i32;
    this.table = new WebAssembly.Table({ element: "anyfunc", initial: MAX_REGIONS + 1, maximum: MAX_REGIONS + 1 });
    this.imports = { e: { m: memory.wasm, t: this.table } };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(enterModule(SITE_JUMP)), this.imports);
    this.call = exports.enter as (entry: number, index: number) => number;
    this.stub = exports.stub;
    this.table.set(0, this.stub as null);
    for (let i = MAX_REGIONS; i > 0; i--) this.free.push(i);
    this.i32[STATE_RAN] = NO_REGION;
  }

  /** Regions, modules and bytes alive. */
  get size(): { regions: number; modules: number; bytes: number } {
    let regions = 0;
    for (const r of this.live) if (r) regions++;
    return { regions, modules: this.modules.size, bytes: this.bytes };
  }

  /** Compile some regions as one module. */
  compile(plans: readonly Plan<HeldBlock>[], user: boolean): void {
    const indices: number[] = [];
    for (const _ of plans) indices.push(this.takeSlot());
    const emitted = plans.map((plan, n) =>
      emitRegion(plan, indices[n], user, this.counting ? (code) => this.isProgram(code) : null),
    );
    const bytes = regionModule(
      emitted.map((e) => e.body),
      indices,
      emitted.some((e) => e.x87),
    );
    new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports);
    const module = new LiveModule();
    module.bytes = bytes.length;
    this.bytes += bytes.length;
    this.modules.add(module);
    plans.forEach((plan, n) => {
      const region = new Region(indices[n], plan, emitted[n].sites, module);
      module.regions.add(region);
      this.live[region.index] = region;
      plan.blocks.forEach((b, i) => {
        b.code.regions.push(region);
        if (b.inner || b.code.region !== null) return;
        b.code.region = region;
        b.code.entry = (b.offset & ~0xfff) | i;
      });
    });
    const { limit } = this;
    while (this.modules.size > limit.modules || (this.bytes > limit.bytes && this.modules.size > 1)) this.evict();
  }

  private evict(): void {
    const [oldest] = this.modules;
    for (const region of [...oldest.regions]) this.drop(region);
  }

  private takeSlot(): number {
    if (this.free.length === 0) {
      if (this.dead.length === 0) this.evict();
      this.sweep();
    }
    return this.free.pop() as number;
  }

  /** Forget the dead in the jump caches, so that their slots may be used again. */
  private sweep(): void {
    const gone = new Set(this.dead);
    for (const jumps of [JUMPS_USER, JUMPS_SUPER]) {
      for (let n = 0; n < 1 << JUMP_BITS; n++) {
        const at = (jumps + (n << JUMP_ENTRY_SHIFT)) >> 2;
        if (gone.has(this.i32[at + 2])) this.i32.fill(0, at, at + 4);
      }
    }
    this.free.push(...this.dead);
    this.dead.length = 0;
  }

  /** The region's code has changed, or it must make room. */
  drop(region: Region): void {
    if (this.live[region.index] !== region) return;
    this.collect(region);
    this.live[region.index] = null;
    this.table.set(region.index, this.stub as null);
    this.dead.push(region.index);
    for (const { code } of region.plan.blocks) {
      code.regions = code.regions.filter((r) => r !== region);
      if (code.region !== region) continue;
      code.region = null;
      code.cool();
    }
    const { module } = region;
    module.regions.delete(region);
    if (module.regions.size === 0) {
      this.modules.delete(module);
      this.bytes -= module.bytes;
    }
  }

  /** Let jumps to EIP, whose code lies at a host address, go into a region directly. */
  remember(eip: number, host: number, region: Region, entry: number, user: boolean): void {
    const at = ((user ? JUMPS_USER : JUMPS_SUPER) + jumpSlot(eip)) >> 2;
    const { i32 } = this;
    i32[at] = eip;
    i32[at + 1] = host;
    i32[at + 2] = region.index;
    i32[at + 3] = entry;
  }

  /**
   * Run regions from one on; the state words are exact afterwards.
   * @returns how the last one was left
   */
  run(region: Region, entry: number): number {
    const S = this.i32;
    const way = this.call(entry, region.index);
    const site = way & 0xffff;
    let kind = S[STATE_FLAG_KIND];
    let step: Step | null = null;
    let how = LEFT_JUMPING;
    if (site !== SITE_JUMP) {
      const last = this.live[way >>> 16] as Region;
      const { block, op: i, kind: known, step: after, x87, missed } = last.sites[site];
      const { code, offset } = last.plan.blocks[block];
      if (known >= 0) kind = known;
      step = after;
      if (x87 !== null) settleX87(S, S[STATE_EIP], x87);
      if (site < last.plan.blocks.length) {
        S[STATE_EIP] += offset;
        how = LEFT_AT_START;
      } else {
        S[STATE_EIP] += offset + code.ops[i].off;
        S[STATE_LEFT] += code.count - i;
        if (this.isProgram(code)) for (let n = i; n < code.count; n++) this.extra[this.classes.of(code.ops[n])]--;
        how = LEFT_BEFORE;
      }
      if (missed !== null && acrossPage(S[STATE_GPR + missed.register] + missed.from, missed.bytes))
        if (code.missed(this.clock())) this.drop(last);
    }
    if (kind !== KIND_AUX) S[STATE_AUX] = auxOf(kind, S[STATE_RESULT], S[STATE_AUX]);
    // What the region has stored there may be older than what its site knows.
    S[STATE_FLAG_KIND] = KIND_AUX;
    if (step !== null) {
      const result = S[STATE_GPR + step.register];
      if (step.kind < KIND_ROL) S[STATE_RESULT] = result;
      S[STATE_AUX] = auxOf(step.kind, result, S[STATE_AUX]);
    }
    return how;
  }

  private isProgram(code: CodeBlock): boolean {
    return code.host < RAM_BASE || this.memory.kernelText[(code.host - RAM_BASE) >>> 12] === 0;
  }

  /** Add the runs of a region's blocks to the mix so far. */
  private collect(region: Region): void {
    const at = (COUNTERS + (region.index << COUNTER_SHIFT)) >> 2;
    const { blocks } = region.plan;
    for (let n = 0; n < blocks.length; n++) {
      const runs = this.i32[at + 1 + n] >>> 0;
      if (runs === 0) continue;
      this.i32[at + 1 + n] = 0;
      const { code } = blocks[n];
      if (this.isProgram(code)) for (const [cls, times] of this.shares(code)) this.extra[cls] += times * runs;
    }
  }

  private readonly known = new WeakMap<readonly Op[], readonly (readonly [number, number])[]>();

  /** How many instructions of each class a block has. */
  private shares(code: CodeBlock): readonly (readonly [number, number])[] {
    let shares = this.known.get(code.ops);
    if (shares === undefined) {
      const counts = new Map<number, number>();
      for (const op of code.ops) {
        const cls = this.classes.of(op);
        counts.set(cls, (counts.get(cls) ?? 0) + 1);
      }
      shares = [...counts];
      this.known.set(code.ops, shares);
    }
    return shares;
  }

  /** What ran before the first look is not known: the regions so far do not count. */
  private beginCounting(): void {
    this.counting = true;
    for (const region of this.live) if (region !== null) this.drop(region);
    this.extra.fill(0);
  }

  /** Add what has run in regions since the last call to `counts`. */
  flushMix(counts: Float64Array): void {
    if (!this.counting) this.beginCounting();
    this.gather();
    for (let i = 0; i < counts.length; i++) counts[i] += this.extra[i];
    this.extra.fill(0);
  }

  /** Take what the counters in linear memory say, before any of them wraps. */
  gather(): void {
    const { i32 } = this;
    for (let index = i32[STATE_RAN]; index !== NO_REGION; ) {
      const link = (COUNTERS + (index << COUNTER_SHIFT)) >> 2;
      const region = this.live[index];
      if (region) this.collect(region);
      index = i32[link];
      i32[link] = 0;
    }
    i32[STATE_RAN] = NO_REGION;
    this.extra[STRING_ITERATION] += i32[STATE_ITERATIONS] >>> 0;
    i32[STATE_ITERATIONS] = 0;
  }
}
