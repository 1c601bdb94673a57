// The function of a region: a dispatch by block number, blocks in address order with forward branches and loops, and the
// ways out.
import { Assembler, Bytes, type Label } from "./assembler.ts";
import { Flags, type Step } from "./flags.ts";
import { Frame } from "./frame.ts";
import { jumpOut, pushHost } from "./jumps.ts";
import { BASE, COUNTER_SHIFT, COUNTERS, ENTRY, KIND_UNKNOWN, LEFT, SITE, TMP, TO, WIDE } from "./layout.ts";
import { flagsSeen, SEEN_OUTSIDE, stepAt, UNSEEN } from "./liveness.ts";
import { Lowering } from "./lower.ts";
import { accessesOf, guessed, type Missed, PLACES, type Window } from "./places.ts";
import type { CodeBlock, Plan, RegionBlock } from "./region.ts";
import { VECTOR_NARROW, VECTOR_WIDE, VectorCode } from "./simd.ts";
import { X87_NARROW, X87_WIDE, X87Code, type X87Pending } from "./x87.ts";

/** The way out that says: look for code at EIP, nothing else is to be done. */
export const SITE_JUMP = 0xffff;

/** A way out before an instruction: sites below the number of blocks are the starts of blocks. */
export interface Site {
  /** Index of its block in the region, and of the instruction in the block. */
  readonly block: number;
  readonly op: number;
  /** Kind of the lazy flags there, and what has happened since. */
  readonly kind: number;
  readonly step: Step | null;
  /** What of the x87 memory does not show yet there. */
  readonly x87: X87Pending | null;
  /** What it leaves for when that does not lie in one page. */
  readonly missed: Missed | null;
}

export interface Emitted {
  /** Body of the function with its locals, as the code section holds it. */
  readonly body: Bytes;
  readonly sites: readonly Site[];
  /** It calls the x87's routines. */
  readonly x87: boolean;
}

const PAGE = 12;

class RegionEmitter {
  private readonly plan: Plan;
  private readonly user: boolean;
  private readonly index: number;
  private readonly asm = new Assembler();
  private readonly flags = new Flags(this.asm);
  private readonly sites: Site[] = [];
  private readonly leaving = new Map<number, number>();
  private lowering!: Lowering;
  private out!: Label;
  private jump!: Label;
  private dispatch!: Label;
  /** Labels of blocks ahead, and of the loops around, by block index. */
  private readonly ahead: (Label | undefined)[] = [];
  private readonly around: (Label | undefined)[] = [];
  private block = 0;
  private op = 0;
  private readonly frame: Frame;
  private readonly x87: X87Code | null;
  private readonly vectors: VectorCode | null;
  /** Instructions are counted per class. */
  private readonly counting: boolean;
  private readonly isProgram: (code: CodeBlock) => boolean;

  constructor(plan: Plan, index: number, user: boolean, counted: ((code: CodeBlock) => boolean) | null) {
    this.counting = counted !== null;
    this.isProgram = counted ?? (() => false);
    this.plan = plan;
    this.index = index;
    this.user = user;
    this.frame = new Frame(this.asm, plan, index, counted === null ? 0 : this.counters);
    const { frame } = this;
    const hasX87 = plan.blocks.some((b) => b.meanings.slice(0, b.compiled).some((m) => m.x87 !== 0));
    this.x87 = hasX87 ? new X87Code(this.asm, this.flags, TMP) : null;
    const behindX87 = TMP + (hasX87 ? X87_WIDE + X87_NARROW : 0);
    this.vectors = frame.hasVectors ? new VectorCode(this.asm, behindX87, frame.xmmUsed, frame.xmmWritten) : null;
    frame.vectors = this.vectors;
    for (const n of plan.blocks.keys())
      this.sites.push({ block: n, op: 0, kind: KIND_UNKNOWN, step: null, x87: null, missed: null });
  }

  emit(): Emitted {
    const { asm, plan } = this;
    this.frame.enter();
    this.out = asm.block(true);
    this.lowering = new Lowering({
      asm,
      flags: this.flags,
      user: this.user,
      x87: this.x87,
      vectors: this.vectors,
      out: this.out,
      site: (window) => this.site(window),
      budget: plan.total,
      isProgram: () => this.isProgram(plan.blocks[this.block].code),
      goto: (offset) => this.goto(offset),
      gotoComputed: () => {
        this.flags.note();
        this.followLeads();
        asm.br(this.jump);
      },
    });
    this.dispatch = asm.loop();
    // The blocks' numbers are the first sites.
    asm.get(ENTRY);
    this.outOfBudget();
    asm.brIf(this.out);
    asm.op("drop");
    this.jump = asm.block();
    this.blocks(0, plan.blocks.length - 1, true);
    asm.end();
    this.jumpOut();
    asm.end();
    asm.op("unreachable");
    asm.end();
    asm.set(SITE);
    this.frame.spill(() => asm.get(BASE));
    asm.get(SITE);
    asm.const(this.index << 16);
    asm.op("or");
    asm.end();
    return { body: this.body(), sites: this.sites, x87: this.x87 !== null };
  }

  private body(): Bytes {
    const body = new Bytes();
    const { x87, vectors } = this;
    body.u(3 + (x87 ? 2 : 0) + (vectors ? 2 : 0));
    body.u(WIDE - 1);
    body.byte(0x7f);
    body.u(2);
    body.byte(0x7e);
    if (x87) {
      body.u(X87_WIDE);
      body.byte(0x7e);
      body.u(X87_NARROW);
      body.byte(0x7f);
    }
    if (vectors) {
      body.u(VECTOR_WIDE);
      body.byte(0x7b);
      body.u(VECTOR_NARROW);
      body.byte(0x7f);
    }
    body.u(PLACES + this.lowering.temporaries + TMP - WIDE - 2);
    body.byte(0x7f);
    body.append(this.asm.out);
    return body;
  }

  private get counters(): number {
    return COUNTERS + (this.index << COUNTER_SHIFT);
  }

  /** Push whether the budget may not last to the next look at it. */
  private outOfBudget(): void {
    this.asm.get(LEFT);
    this.asm.const(this.plan.total);
    this.asm.op("lts");
  }

  /** Blocks first to last, in order; each is preceded by its label. */
  private blocks(first: number, last: number, outermost: boolean): void {
    const { asm } = this;
    const { blocks } = this.plan;
    const starts: number[] = [];
    for (let n = first; n <= last; n = outermost ? Math.max(blocks[n].loopEnd, n) + 1 : n + 1) starts.push(n);
    for (const n of [...starts].reverse()) {
      if (n === first && !outermost) continue;
      this.ahead[n] = asm.block();
    }
    if (outermost) {
      asm.get(ENTRY);
      // Blocks inside loops are never asked for.
      const labels = blocks.map((_, n) => this.ahead[n] ?? this.ahead[starts[0]]) as Label[];
      asm.brTable(labels);
    }
    for (const n of starts) {
      if (this.ahead[n] !== undefined) {
        asm.end();
        this.ahead[n] = undefined;
      }
      const { loopEnd } = blocks[n];
      if (outermost && loopEnd >= 0) {
        this.around[n] = asm.loop();
        this.blocks(n, loopEnd, false);
        asm.end();
        asm.op("unreachable");
        this.around[n] = undefined;
      } else this.code(n);
    }
  }

  private code(n: number): void {
    const { asm, flags } = this;
    const block = this.plan.blocks[n];
    const { code, meanings, compiled } = block;
    this.block = n;
    flags.forget();
    this.x87?.begin();
    this.vectors?.begin();
    this.leaving.clear();
    // Counted as a whole; a way out in the middle takes back what is too much.
    asm.get(LEFT);
    asm.const(code.count);
    asm.op("sub");
    asm.set(LEFT);
    if (this.counting) this.count(n);
    if (code.host2 >= 0) this.checkRest(block);
    const live = flagsSeen(block);
    const accesses = accessesOf(code.ops, meanings, compiled, code.span);
    for (let i = 0; i < compiled; i++) {
      this.op = i;
      if (code.ops[i].form.branch) this.x87?.flush();
      const step = live[i] === SEEN_OUTSIDE ? stepAt(block, i) : null;
      this.lowering.instruction(code.ops[i], meanings[i], block.offset, live[i] !== UNSEEN, step, accesses[i]);
    }
    if (compiled < code.ops.length) {
      this.op = compiled;
      asm.const(this.site());
      asm.br(this.out);
    } else if (!(code.ops[compiled - 1].form.branch && meanings[compiled - 1].always)) {
      this.x87?.flush();
      this.goto(block.offset + code.length);
    }
  }

  private count(n: number): void {
    const { asm } = this;
    const counter = this.counters + 4 * (n + 1);
    asm.const(0);
    asm.const(0);
    asm.load(32, counter);
    asm.const(1);
    asm.op("add");
    asm.store(32, counter);
  }

  private site(window?: Window): number {
    const key = (((this.op << 4) | ((window?.local ?? -1) + 1)) << 8) | (this.flags.kind & 0xff);
    let site = this.leaving.get(key);
    if (site === undefined) {
      site = this.sites.length;
      const { kind, step } = this.flags;
      const missed = window === undefined ? null : guessed(window);
      this.sites.push({ block: this.block, op: this.op, kind, step, x87: this.x87?.pending() ?? null, missed });
      this.leaving.set(key, site);
    }
    return site;
  }

  private pushAddress(offset: number): void {
    this.asm.get(BASE);
    this.asm.const(offset);
    this.asm.op("add");
  }

  private goto(offset: number): void {
    const { asm, plan } = this;
    this.flags.note();
    const n = plan.at.get(offset);
    if (n === undefined) {
      this.pushAddress(offset);
      asm.set(TO);
      asm.br(this.jump);
      return;
    }
    const target = plan.blocks[n];
    if (offset >> PAGE !== plan.blocks[this.block].offset >> PAGE) this.checkPage(target);
    const ahead = this.ahead[n];
    if (ahead !== undefined) {
      asm.br(ahead);
      return;
    }
    const around = this.around[n];
    if (around !== undefined) {
      asm.const(n);
      this.outOfBudget();
      asm.brIf(this.out);
      asm.op("drop");
      asm.br(around);
      return;
    }
    asm.const(n);
    asm.set(ENTRY);
    asm.br(this.dispatch);
  }

  /** To this region's own blocks where the branch has led before. */
  private followLeads(): void {
    const { asm, plan } = this;
    const { code, offset } = plan.blocks[this.block];
    for (const lead of code.leads) {
      const to = (offset + lead) | 0;
      const n = plan.at.get(to);
      if (n === undefined || !plan.blocks[n].named) continue;
      asm.get(TO);
      this.pushAddress(to);
      asm.op("eq");
      asm.if();
      this.goto(to);
      asm.end();
    }
  }

  /** An instruction that goes on in another page is the one that is known only while that page is where it was. */
  private checkRest({ code, offset }: RegionBlock): void {
    const { asm } = this;
    this.op = 0;
    this.pushAddress((offset | 0xfff) + 1);
    asm.set(TO);
    asm.const(this.site());
    pushHost(asm, this.user);
    asm.const(code.host2);
    asm.op("ne");
    asm.brIf(this.out);
    asm.op("drop");
  }

  /** To another region, or out. */
  private jumpOut(): void {
    const { asm, frame } = this;
    const own = () => {
      frame.rebase();
      asm.br(this.dispatch);
    };
    jumpOut(asm, this.user, this.index, own, () => frame.spill(() => asm.get(TO)));
    asm.get(TO);
    asm.set(BASE);
    asm.const(SITE_JUMP);
    asm.br(this.out);
  }

  /** Into another page only while it is where the region was made from. */
  private checkPage(target: RegionBlock): void {
    const { asm } = this;
    this.pushAddress(target.offset);
    asm.set(TO);
    pushHost(asm, this.user);
    asm.const(target.code.host);
    asm.op("ne");
    asm.brIf(this.jump);
  }
}

/**
 * Emit the function of a region that will stand at `index` in the table.
 * @param counted whether a block's instructions count in the mix; null when nobody looks at the mix
 */
export function emitRegion(
  plan: Plan,
  index: number,
  user: boolean,
  counted: ((code: CodeBlock) => boolean) | null,
): Emitted {
  return new RegionEmitter(plan, index, user, counted).emit();
}
