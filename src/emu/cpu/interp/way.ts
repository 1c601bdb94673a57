// Blocks of the kernel's text that run one behind the other as one function: the ways into the kernel and out are fixed text,
// and going from block to block costs more there than what the blocks do. Between two of them the function looks whether
// the next is the one it knows and within the budget, and gives up at that boundary, with everything exact, when it is not.
import type { Op } from "../isa/decode.ts";
import { STATE_CODE, STATE_EIP, STATE_LEFT } from "../state.ts";
import { type Block, END_BRANCH, END_FALL, END_PROBED, END_SYNC } from "./block.ts";
import { BLOCK_DROPPED, type HandlerSet, inlined } from "./handlers.ts";

/** Given back behind an instruction that calls system helpers: the loop is over, or goes on as after such a block alone. */
export const WAY_OVER = 4;
export const WAY_ON = 5;
/** Given back when it stopped in or behind block n: this much and four times n more than that block alone would give. */
export const WAY_LEFT = 8;

/** Most blocks and instructions of a way. */
const MOST_BLOCKS = 24;
const MOST_INSTRUCTIONS = 160;

/** Words in which a way notes the block that it is in, and the budget at its start. */
export const NOTE_BLOCK = 0;
export const NOTE_LEFT = 1;

interface Step {
  readonly block: Block;
  readonly eip: number;
  /** What was met here instead of the block: a probed address. */
  readonly met: Block;
  /** What is to be added to its page to reach the host; null when the block before lies in the same page. */
  readonly page: number | null;
}

/** The blocks of a way, and where each starts. */
export interface Way {
  readonly blocks: readonly Block[];
  readonly eips: readonly number[];
}

/** What a way needs of the engine that runs it. */
export interface WayHost {
  /** Is this block kernel text? */
  fixed(block: Block): boolean;
  /**
   * What is to be done behind an instruction that calls system helpers.
   * @returns 0 to go on to `next`, WAY_OVER or WAY_ON
   */
  behind(block: Block, base: number, cpl: number, next: Block | null): number;
  readonly notes: Int32Array;
}

function ran(block: Block): number {
  return block.runs + block.heat;
}

/** Where a block has mostly, or last, led: a block as it is met, its EIP, and whether it lies in another page. */
function successor({ block, eip }: Step): { met: Block; eip: number; far: boolean } | null {
  const { next, taken } = block;
  if (taken !== null && (next === null || ran(taken) > ran(next))) {
    const last = block.ops[block.ops.length - 1];
    return last.form.size === 16 ? null : { met: taken, eip: (eip + last.imm2) | 0, far: false };
  }
  if (next !== null) return { met: next, eip: (eip + block.length) | 0, far: false };
  return block.far === null ? null : { met: block.far, eip: block.farEip, far: true };
}

function plan(first: Block, eip: number, host: WayHost): Step[] {
  const steps: Step[] = [{ block: first, eip, met: first, page: null }];
  let instructions = first.count;
  for (;;) {
    const last = steps[steps.length - 1];
    const to = successor(last);
    if (to === null) return steps;
    const block = to.met.end === END_PROBED ? (to.met.probed as Block) : to.met;
    instructions += block.ops.length;
    const page = (to.met.host - to.eip) | 0;
    if (
      block.end > END_SYNC ||
      (block.end === END_SYNC && block.ops[0].form.string) ||
      block.mode !== first.mode ||
      block.host2 >= 0 ||
      block.n === 0 ||
      (page & 0xfff) !== 0 ||
      !host.fixed(block) ||
      steps.some((step) => step.block === block) ||
      steps.length === MOST_BLOCKS ||
      instructions > MOST_INSTRUCTIONS
    )
      return steps;
    steps.push({ block, eip: to.eip, met: to.met, page: to.far ? page : null });
  }
}

class Writer {
  readonly names: string[] = [];
  readonly values: unknown[] = [];
  readonly out: string[] = [];
  private readonly steps: readonly Step[];

  constructor(steps: readonly Step[], host: WayHost) {
    this.steps = steps;
    this.bind("N", host.notes);
    this.bind("behind", (block: Block, base: number, cpl: number, next: Block | null) =>
      host.behind(block, base, cpl, next),
    );
  }

  private bind(name: string, value: unknown): string {
    this.names.push(name);
    this.values.push(value);
    return name;
  }

  source(): string {
    const { out } = this;
    out.push(`function way(){let left=S[${STATE_LEFT}],r=0,x=0;N[${NOTE_BLOCK}]=0;N[${NOTE_LEFT}]=left;w:{`);
    this.steps.forEach((step, k) => {
      this.bind(`B${k}`, step.block);
      if (step.met !== step.block) {
        this.bind(`M${k}`, step.met);
        out.push(`${this.bind(`p${k}`, step.met.probe)}();`);
      }
      if (step.block.end === END_SYNC) this.system(step, k);
      else this.plain(step, k);
    });
    // One way out for all: the host has seen it before one is taken that never was.
    out.push("}return x+r;}");
    return out.join("\n");
  }

  /** What is met at a step: its count says whether it may run. */
  private met(k: number): string {
    return this.steps[k].met === this.steps[k].block ? `B${k}` : `M${k}`;
  }

  private system({ block, eip }: Step, k: number): void {
    const { out } = this;
    const op = block.ops[0];
    this.bind(`f${k}`, op.f);
    this.bind(`o${k}`, op);
    const more = k + 1 < this.steps.length;
    out.push(
      `{const cpl=cpu.cpl;S[${STATE_EIP}]=${(eip + block.length) | 0};S[${STATE_CODE}]=${block.host};`,
      `f${k}(o${k});S[${STATE_LEFT}]--;`,
    );
    if (!more) {
      out.push(`r=behind(B${k},${eip},cpl,null);}`);
      return;
    }
    out.push(
      `r=behind(B${k},${eip},cpl,${this.met(k + 1)});if(r!==0)break w;}`,
      `left=S[${STATE_LEFT}];N[${NOTE_BLOCK}]=${k + 1};N[${NOTE_LEFT}]=left;`,
    );
  }

  private plain({ block, eip }: Step, k: number): void {
    const { out } = this;
    const dropped = `return ${BLOCK_DROPPED};`;
    out.push(`s${k}:{`);
    if (block.ops.some((op) => op.form.segment)) out.push("const e=cpu.segmentEpoch;");
    block.ops.forEach((op: Op, n) => {
      const own = this.bind(`o${k}_${n}`, op);
      const body = inlined(op, n, own, `B${k}`);
      if (op.form.branch) out.push(body.replace(/return (\d);/g, `{r=$1;break s${k};}`));
      else out.push(k === 0 ? body : body.replaceAll(dropped, `return ${WAY_LEFT + 4 * k + BLOCK_DROPPED};`));
    });
    // Where it really started shows at the first boundary.
    const behind = k === 0 ? `S[${STATE_EIP}]+${block.length}|0` : `${(eip + block.length) | 0}`;
    if (block.end === END_FALL) out.push(`r=0;S[${STATE_EIP}]=${behind};`);
    out.push("}");
    const stop = k === 0 ? "break w;" : `{x=${WAY_LEFT + 4 * k};break w;}`;
    const next = this.steps[k + 1];
    if (next === undefined) {
      out.push(stop);
      return;
    }
    const elsewhere = k === 0 || block.end === END_BRANCH ? `S[${STATE_EIP}]!==${next.eip}||` : "";
    const moved = next.page === null ? "" : `TR[${next.eip >>> 12}]!==${next.page}||`;
    const rest = `left-${block.count}`;
    out.push(
      `if(${elsewhere}${moved}${this.met(k + 1)}.count>(${rest}))${stop}`,
      `left=${rest}|0;S[${STATE_LEFT}]=left;N[${NOTE_BLOCK}]=${k + 1};N[${NOTE_LEFT}]=left;`,
    );
  }
}

/** Make the function of a block of the kernel's text, met at an EIP, one that goes on as far as is known; false if nowhere. */
export function compileWay(block: Block, eip: number, handlers: HandlerSet, host: WayHost): boolean {
  if (!host.fixed(block)) return false;
  const steps = plan(block, eip, host);
  if (steps.length === 1) return false;
  const writer = new Writer(steps, host);
  block.fn = handlers.make(writer.source(), writer.names, writer.values);
  block.way = { blocks: steps.map((step) => step.block), eips: steps.map((step) => step.eip) };
  return true;
}
