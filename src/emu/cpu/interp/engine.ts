// The engine that runs decoded blocks, chained inside their page, and in its other form compiled regions; looks at
// interrupts, traps and breakpoints where they may be due, and stops exactly at a given instruction count.
import { RAM_BASE } from "../../machine/memory.ts";
import { planRegion } from "../compile/region.ts";
import { LEFT_BEFORE, LEFT_JUMPING, Regions } from "../compile/regions.ts";
import {
  type Cpu,
  CS,
  DS,
  type Engine,
  ES,
  SS,
  STATE_CODE,
  STATE_EFLAGS,
  STATE_EIP,
  STATE_LEFT,
  STATE_OP,
} from "../cpu.ts";
import { checkCodeBreakpoint, debugTrap, hasCodeBreakpoints } from "../debug.ts";
import { guestFault, NMI } from "../fault.ts";
import { IF, RF, TF } from "../flags.ts";
import { deliverException, deliverInterrupt } from "../gates.ts";
import { MODE_CODE16, MODE_NONFLAT, MODE_SINGLE, MODE_STACK16, MODE_USER } from "../isa/decode.ts";
import { type Block, DROPPED, END_FALL, END_PROBED, END_REPEAT, END_SYNC, link } from "./block.ts";
import { BlockCache } from "./block-cache.ts";
import { MixClasses } from "./classes.ts";
import { BLOCK_DROPPED } from "./handlers.ts";
import { compileWay, NOTE_BLOCK, NOTE_LEFT, WAY_LEFT, WAY_ON, WAY_OVER, type Way, type WayHost } from "./way.ts";

/** Runs after which a block becomes a function of its own. */
const HOT = 400;
/** Runs after which a region is compiled from it on, and such blocks that are compiled at once. */
const REGION_HOT = 2000;
/** What part of that, as a power of two, its neighbours must have run to be in the region. */
const WARM_SHIFT = 6;
/** Most blocks whose runs wait to be added up; they hold on to their code, dropped or not. */
const MAX_RAN = 1 << 13;
/** More runs than any block has. */
const NEVER = 0x3fff_ffff;
/** In place of an operation's number: the block's function is running. */
const IN_FUNCTION = -2;

/** Largest stretch between two looks at the clock. */
const MAX_STRETCH = 0x3fff_ffff;

class Tier0 implements Engine {
  private readonly cpu: Cpu;
  private readonly code: BlockCache;
  private mode = 0;
  /** The state of segments that the mode was made of. */
  private segmentEpoch = 0;
  /** The block that is next, as far as it is known; the one whose successor it is to become, how that was left, and where it started. */
  private block: Block | null = null;
  private from: Block | null = null;
  private fromTaken = false;
  private fromBase = 0;
  /** The next block is the interpreter's; it is worth remembering where it lies. */
  private here = false;
  private jumping = false;
  /** The block of the string instruction under way, and the instructions kept back from the budget to stop it early. */
  private repeating: Block | null = null;
  private held = 0;
  /** Runs after which a block becomes a function of its own; tests set it to 0. */
  hot = HOT;
  /** Blocks with runs since the last look at the mix, and counts of instructions that ran outside whole blocks. */
  private ran: Block[] = [];
  private readonly extra = new Float64Array(16);
  /** Most instructions that regions may have run since their counters were looked at. */
  private uncounted = 0;
  private readonly classes = new MixClasses();
  /** Runs after which a region is compiled; tests set it to 0. */
  regionHot = REGION_HOT;
  /** Compiled regions; null in a tier that does without. */
  readonly regions: Regions | null;
  private readonly wayHost: WayHost = {
    fixed: (block) => !this.isProgram(block),
    behind: (block, base, cpl, next) => this.behindInWay(block, base, cpl, next),
    notes: new Int32Array(2),
  };

  constructor(cpu: Cpu, compiling: boolean) {
    this.cpu = cpu;
    this.code = new BlockCache(cpu, (block) => this.dropped(block));
    if (compiling) this.hot = NEVER;
    this.regions = compiling ? new Regions(cpu.memory, () => cpu.icount) : null;
  }

  run(untilIcount: number): void {
    const cpu = this.cpu;
    const S = cpu.state;
    cpu.stopRequested = false;
    cpu.runLimit = untilIcount;
    for (;;) {
      const now = cpu.icount;
      if (now >= cpu.runLimit || cpu.shutdown !== null || cpu.stopRequested) return;
      const stretch = Math.min(cpu.runLimit - now, MAX_STRETCH);
      cpu.countTarget = now + stretch;
      S[STATE_LEFT] = stretch;
      this.uncounted += stretch;
      if (this.uncounted > MAX_STRETCH) {
        this.regions?.gather();
        this.uncounted = stretch;
      }
      if (!this.stretch()) return;
    }
  }

  /** Run until the budget is used; false when the processor halted, shut down or was asked to stop. */
  private stretch(): boolean {
    const cpu = this.cpu;
    const S = cpu.state;
    while (S[STATE_LEFT] > 0) {
      if (cpu.inhibit) {
        // One instruction in the shadow of STI or MOV SS, then look at interrupts and HLT again.
        cpu.inhibit = false;
        this.mode = this.currentMode();
        this.step();
        if (cpu.shutdown !== null || cpu.stopRequested) return false;
        continue;
      }
      if (!this.attend()) return false;
      if (this.stepping()) this.step();
      else this.loop();
      if (cpu.shutdown !== null || cpu.stopRequested) return false;
    }
    return true;
  }

  /** Interrupts and halting, between instructions. False: nothing to execute. */
  private attend(): boolean {
    const cpu = this.cpu;
    // A task switch into a TSS with T set traps before anything else.
    if (cpu.pendingDebug !== 0) this.trap(false);
    if (cpu.nmi && !cpu.nmiBlocked) {
      cpu.nmi = false;
      cpu.halted = false;
      deliverInterrupt(cpu, NMI);
    } else if (cpu.intr && (cpu.state[STATE_EFLAGS] & IF) !== 0) {
      cpu.halted = false;
      deliverInterrupt(cpu, cpu.host.intAck());
    }
    this.mode = this.currentMode();
    return !cpu.halted && cpu.shutdown === null;
  }

  /** Is there anything to do between instructions but going on? */
  private attentionDue(): boolean {
    const cpu = this.cpu;
    return (
      cpu.halted ||
      cpu.stopRequested ||
      cpu.shutdown !== null ||
      cpu.inhibit ||
      cpu.pendingDebug !== 0 ||
      (cpu.nmi && !cpu.nmiBlocked) ||
      (cpu.intr && (cpu.state[STATE_EFLAGS] & IF) !== 0) ||
      this.stepping()
    );
  }

  /**
   * The shadow of STI or MOV SS is over when nothing waits that it could hold back: the next instruction is within the
   * budget, so nothing can come up before its end.
   */
  private endShadow(): void {
    const { cpu } = this;
    if (cpu.intr || cpu.nmi || cpu.pendingDebug !== 0 || cpu.state[STATE_LEFT] <= 0 || this.stepping()) return;
    cpu.inhibit = false;
  }

  /** Must instructions run one at a time (TF, RF, breakpoints)? */
  private stepping(): boolean {
    const cpu = this.cpu;
    return (cpu.state[STATE_EFLAGS] & (TF | RF)) !== 0 || cpu.watching || hasCodeBreakpoints(cpu);
  }

  private currentMode(): number {
    const cpu = this.cpu;
    const { attr, base, limit } = cpu;
    let mode = attr[CS] & 0x4000 ? 0 : MODE_CODE16;
    if (!(attr[SS] & 0x4000)) mode |= MODE_STACK16;
    if (cpu.cpl === 3) mode |= MODE_USER;
    const flat =
      (base[CS] | base[SS] | base[DS] | base[ES]) === 0 &&
      limit[CS] === 0xffff_ffff &&
      limit[SS] === 0xffff_ffff &&
      limit[DS] === 0xffff_ffff &&
      limit[ES] === 0xffff_ffff &&
      // Readable code; writable expand-up data.
      (attr[CS] & 0x1a) === 0x1a &&
      (attr[SS] & 0x1e) === 0x12 &&
      (attr[DS] & 0x1e) === 0x12 &&
      (attr[ES] & 0x1e) === 0x12;
    return flat ? mode : mode | MODE_NONFLAT;
  }

  /**
   * Run blocks until the budget is used or something needs attention. In small functions: the host compiles each when
   * it is worth it, and where a path is met late, only one of them falls back.
   */
  private loop(): void {
    this.segmentEpoch = this.cpu.segmentEpoch;
    this.block = null;
    this.from = null;
    this.here = false;
    this.jumping = false;
    while (this.look() && this.chain());
  }

  /** Do what is due before a block runs plainly, and what else can run; false when the loop is over. */
  private look(): boolean {
    const S = this.cpu.state;
    for (;;) {
      const left = S[STATE_LEFT];
      let { block } = this;
      if (block === null) {
        // Nothing is fetched beyond the last instruction asked for: its page may not be there.
        if (left <= 0) return false;
        block = this.fetch();
        if (block === null) return false;
        this.block = block;
      }
      if (block.count > left) {
        if (block.count !== DROPPED) {
          if (left > 0) this.step();
          return false;
        }
        this.block = null;
        continue;
      }
      if (this.regions !== null && this.inRegion(this.regions, block, left)) {
        this.block = null;
        continue;
      }
      this.here = false;
      this.jumping = false;
      if (block.end < END_SYNC) return true;
      if (!this.alone(block)) return false;
    }
  }

  /** The block at CS:EIP, now known as the successor of the one before; null when a fault has been delivered. */
  private fetch(): Block | null {
    const { cpu } = this;
    const base = cpu.state[STATE_EIP];
    let block: Block;
    try {
      block = this.code.find(this.mode);
    } catch (error) {
      if (error !== guestFault) throw error;
      this.faulted(null, -1, base, 0);
      return null;
    }
    if (this.ran.length >= MAX_RAN) this.settle();
    const from = this.from;
    if (from !== null) {
      if (this.regions !== null) from.led((base - ~this.fromBase) | 0);
      link(from, this.fromTaken, (base ^ this.fromBase) >>> 12 === 0, block, base, cpu.memory.epoch);
      this.from = null;
    }
    return block;
  }

  /** Run the region that can be entered at a block, or make one when it is time; false when the block is to run. */
  private inRegion(regions: Regions, block: Block, left: number): boolean {
    const S = this.cpu.state;
    const base = S[STATE_EIP];
    if (block.region === null) {
      if (!block.isHot(this.regionHot)) return false;
      this.plan(block, base, this.mode);
      // What no region can begin with stays the interpreter's.
      if (block.planAt === NEVER && block.region === null && block.end < END_SYNC) this.compile(block, base);
    }
    const { region } = block;
    if (region === null || left < region.total || this.here) return false;
    if (this.jumping) regions.remember(base, block.host, region, block.entry, (this.mode & MODE_USER) !== 0);
    if (!block.worthEntering()) return false;
    const how = regions.run(region, block.entry);
    if (block.entered(left - S[STATE_LEFT]) && block.fn === null && block.end < END_SYNC) this.compile(block, base);
    // A region that was left where it was entered has to be passed by: nothing else would change.
    this.here = how === LEFT_BEFORE || (S[STATE_LEFT] === left && S[STATE_EIP] === base);
    this.jumping = how === LEFT_JUMPING;
    return true;
  }

  /** Run a block that is not plain, and set the one behind it if it is known; false when the loop is over. */
  private alone(block: Block): boolean {
    const { cpu } = this;
    const S = cpu.state;
    const base = S[STATE_EIP];
    const left = S[STATE_LEFT];
    this.block = null;
    if (block.end === END_PROBED) {
      this.block = this.tell(block);
      // Told once: a region could leave where it was entered, and the telling would begin again.
      this.here = true;
      return true;
    }
    if (block.runs++ === 0) this.ran.push(block);
    const { cpl } = cpu;
    try {
      if (block.end === END_REPEAT) return !this.repeat(block, base);
      this.sync(block, base);
    } catch (error) {
      if (error !== guestFault) throw error;
      this.faulted(block, 0, base, left);
      return false;
    }
    return this.behind(block, base, cpl);
  }

  /** What is due behind an instruction that calls system helpers; sets the block behind it if it is known, false when the loop is over. */
  private behind(block: Block, base: number, cpl: number): boolean {
    const { cpu } = this;
    if (cpu.inhibit) this.endShadow();
    if (this.attentionDue()) return false;
    if (cpu.segmentEpoch !== this.segmentEpoch || cpu.cpl !== cpl) this.newMode();
    const { far } = block;
    const S = cpu.state;
    if (far !== null && block.farEip === S[STATE_EIP] && block.farEpoch === cpu.memory.epoch && far.mode === this.mode)
      this.block = far;
    else {
      this.from = block;
      this.fromTaken = false;
      this.fromBase = ~base;
    }
    return true;
  }

  private behindInWay(block: Block, base: number, cpl: number, next: Block | null): number {
    this.block = null;
    if (!this.behind(block, base, cpl)) return WAY_OVER;
    const met = this.block as Block | null;
    return met !== null && met === next && met.count <= this.cpu.state[STATE_LEFT] ? 0 : WAY_ON;
  }

  /** Report that a probed address is about to execute; its instructions are those of the block given back. */
  private tell(block: Block): Block {
    if (block.runs++ === 0) this.ran.push(block);
    block.probe?.();
    return block.probed as Block;
  }

  private newMode(): void {
    this.segmentEpoch = this.cpu.segmentEpoch;
    this.mode = this.currentMode();
  }

  /** Run plain blocks, from the present one on, until one is to be looked at; false when the loop is over. */
  private chain(): boolean {
    const { cpu, hot, regionHot } = this;
    let { segmentEpoch } = this;
    const S = cpu.state;
    const { memory } = cpu;
    const compiling = this.regions !== null;
    let block = this.block as Block;
    let base = 0;
    let left = 0;
    let i = 0;
    try {
      for (;;) {
        base = S[STATE_EIP];
        left = S[STATE_LEFT];
        const runs = block.runs++;
        if (runs === 0) this.ran.push(block);
        if (runs === hot || (runs === 0 && block.heat > hot && block.fn === null)) this.compile(block, base);
        let result: number | undefined;
        if (block.fn !== null) {
          i = IN_FUNCTION;
          result = block.fn();
          if (block.way !== null) {
            if (result === WAY_OVER) return false;
            if (result === WAY_ON) return true;
            segmentEpoch = this.segmentEpoch;
            if ((result as number) >= WAY_LEFT) {
              const n = ((result as number) - WAY_LEFT) >> 2;
              result = (result as number) & 3;
              base = block.way.eips[n];
              block = block.way.blocks[n];
              left = S[STATE_LEFT];
            }
          }
          if (result === BLOCK_DROPPED) {
            this.aborted(block, S[STATE_OP] + 1, base, left);
            return true;
          }
        } else {
          const { ops } = block;
          for (i = 0; i < block.n; i++) {
            const op = ops[i];
            result = op.f(op);
            if (cpu.segmentEpoch !== segmentEpoch) {
              i++;
              break;
            }
          }
          if (i !== block.n || cpu.segmentEpoch !== segmentEpoch) {
            this.aborted(block, i, base, left);
            return true;
          }
        }
        left -= block.count;
        S[STATE_LEFT] = left;
        if (block.end === END_FALL) {
          S[STATE_EIP] = base + block.length;
          result = 0;
        }
        let next: Block | null = result === 1 ? block.taken : result === 0 ? block.next : null;
        if (next === null) {
          if (block.farEip !== S[STATE_EIP] || block.farEpoch !== memory.epoch) {
            this.from = block;
            // Indirect branches may go elsewhere next time: only `far` remembers them.
            this.fromTaken = result === 1;
            this.fromBase = result === 2 ? ~base : base;
            this.block = null;
            return true;
          }
          next = block.far as Block;
        }
        block = next;
        if (block.end === END_PROBED && block.count <= left) {
          block = this.tell(block);
          if (block.end < END_SYNC) continue;
          this.here = true;
          this.block = block;
          return true;
        }
        if (
          block.count > left ||
          block.end >= END_SYNC ||
          (compiling && (block.region !== null || block.isHot(regionHot)))
        ) {
          this.block = block;
          return true;
        }
      }
    } catch (error) {
      if (error !== guestFault) throw error;
      if (i === IN_FUNCTION && block.way !== null) this.faultedInWay(block.way, base);
      else this.faulted(block, i === IN_FUNCTION ? S[STATE_OP] : i, base, left);
      return false;
    }
  }

  /** One repeated string instruction; true when the budget, or a store into its own bytes, ended it with iterations left. */
  private repeat(block: Block, base: number): boolean {
    const { cpu } = this;
    const S = cpu.state;
    const op = block.ops[0];
    const before = cpu.icount;
    this.repeating = block;
    const unfinished = op.f(op) === 1;
    this.release();
    if (this.isProgram(block)) this.extra[op.form.cls] += cpu.icount - before;
    S[STATE_LEFT]--;
    if (unfinished) S[STATE_EFLAGS] |= RF;
    else S[STATE_EIP] = base + block.length;
    return unfinished;
  }

  /** The one instruction of a block that calls system helpers; eip is behind it meanwhile. */
  private sync(block: Block, base: number): void {
    const { cpu } = this;
    const S = cpu.state;
    const op = block.ops[0];
    const before = cpu.icount;
    S[STATE_EIP] = base + block.length;
    S[STATE_CODE] = block.host;
    if (op.form.string) this.repeating = block;
    const result = op.f(op);
    if (op.form.string) this.release();
    // REP INS and OUTS say by 1 that iterations are left.
    if (result === 1) {
      S[STATE_EIP] = base;
      S[STATE_EFLAGS] |= RF;
    }
    if (op.form.string && this.isProgram(block)) this.extra[op.form.cls] += cpu.icount - before;
    S[STATE_LEFT]--;
  }

  /**
   * Execute one instruction, with the debug checks around it. Between the iterations of a repeated one RF is set: what
   * comes there saves it so, and a breakpoint on the instruction is met once.
   */
  private step(): void {
    const cpu = this.cpu;
    const S = cpu.state;
    const flags = S[STATE_EFLAGS];
    const stepped = (flags & TF) !== 0;
    const base = S[STATE_EIP];
    const left = S[STATE_LEFT];
    const pending = cpu.pendingDebug;
    let block: Block | null = null;
    let i = -1;
    try {
      if (cpu.dr[7] & 0xff && hasCodeBreakpoints(cpu)) checkCodeBreakpoint(cpu, (cpu.base[CS] + base) | 0);
      S[STATE_EFLAGS] &= ~RF;
      block = this.code.find(this.mode | MODE_SINGLE);
      if (this.ran.length >= MAX_RAN) this.settle();
      if (block.end === END_PROBED) {
        block.probe?.();
        block = block.probed as Block;
      }
      if (block.runs++ === 0) this.ran.push(block);
      const op = block.ops[0];
      i = 0;
      // A REP traps after each iteration that is stepped or meets a data breakpoint.
      if (op.form.string && (stepped || cpu.watching)) this.hold();
      if (block.end === END_SYNC) this.sync(block, base);
      else if (block.end === END_REPEAT) this.repeat(block, base);
      else {
        op.f(op);
        S[STATE_LEFT]--;
        if (block.end === END_FALL) S[STATE_EIP] = base + block.length;
      }
    } catch (error) {
      if (error !== guestFault) throw error;
      // Data breakpoints are traps of instructions that complete.
      cpu.pendingDebug = pending;
      this.faulted(block, i, base, left);
      return;
    }
    // INT and INT3, and INTO when taken, have cleared TF on their way in: they are not stepped.
    const entered = block.end === END_SYNC && /^int/.test(block.ops[0].form.names[0]) && !(S[STATE_EFLAGS] & TF);
    const due = stepped && !entered;
    if ((due || cpu.pendingDebug !== 0) && !cpu.inhibit) this.trap(due);
  }

  /** Keep all but the current instruction back from the budget: a repeated instruction stops after this iteration. */
  private hold(): void {
    const { cpu } = this;
    const surplus = Math.max(0, cpu.state[STATE_LEFT] - 1);
    this.held += surplus;
    cpu.state[STATE_LEFT] -= surplus;
    cpu.countTarget -= surplus;
  }

  /** A repeated instruction is over: give back what was held, as far as the run's limit allows. */
  private release(): void {
    const { cpu } = this;
    this.repeating = null;
    if (this.held === 0) return;
    const back = Math.min(this.held, Math.max(0, cpu.runLimit - cpu.icount - cpu.state[STATE_LEFT]));
    cpu.state[STATE_LEFT] += back;
    cpu.countTarget += back;
    this.held = 0;
  }

  /** Deliver the debug trap that is due behind an instruction. */
  private trap(stepped: boolean): void {
    const cpu = this.cpu;
    try {
      debugTrap(cpu, stepped);
    } catch (error) {
      if (error !== guestFault) throw error;
      deliverException(cpu, cpu.faultVector, cpu.faultCode);
    }
  }

  /** The instruction at ops[i] faulted (-1: its fetch did): make the state that of its start, and deliver. */
  private faulted(block: Block | null, i: number, base: number, left: number): void {
    const cpu = this.cpu;
    const S = cpu.state;
    this.release();
    if (block === null || i < 0) S[STATE_EIP] = base;
    else {
      const op = block.ops[i];
      S[STATE_EIP] = base + op.off;
      block.runs--;
      if (block.end < END_SYNC) {
        S[STATE_LEFT] = left - op.idx;
        this.countPart(block, i);
      } else if (this.isProgram(block)) this.extra[op.form.cls] += left - S[STATE_LEFT];
    }
    deliverException(cpu, cpu.faultVector, cpu.faultCode);
  }

  private faultedInWay({ blocks, eips }: Way, base: number): void {
    const { notes } = this.wayHost;
    const n = notes[NOTE_BLOCK];
    const block = blocks[n];
    const i = block.end === END_SYNC ? 0 : this.cpu.state[STATE_OP];
    this.faulted(block, i, n === 0 ? base : eips[n], notes[NOTE_LEFT]);
  }

  /** The block was dropped, or its mode changed, by its own operation i - 1, which has completed. */
  private aborted(block: Block, i: number, base: number, left: number): void {
    const S = this.cpu.state;
    const last = block.ops[i - 1];
    if (!last.form.branch) S[STATE_EIP] = base + last.end;
    S[STATE_LEFT] = left - last.idx - 1;
    block.runs--;
    this.countPart(block, i);
    this.newMode();
    this.block = null;
  }

  /** Add the first n operations of a block to the mix. */
  private countPart(block: Block, n: number): void {
    if (!this.isProgram(block)) return;
    for (let i = 0; i < n; i++) this.extra[this.classes.of(block.ops[i])]++;
  }

  /** Whether a block is program text: the mix leaves out the kernel's and the vsyscall page's instructions. */
  private isProgram(block: Block): boolean {
    return block.host < RAM_BASE || this.cpu.memory.kernelText[(block.host - RAM_BASE) >>> 12] === 0;
  }

  /** Compile a region from a block on. */
  private plan(block: Block, eip: number, mode: number): void {
    const named = block.planned;
    block.planned = true;
    block.planAt = NEVER;
    if (block.end === END_SYNC || block.end === END_PROBED || mode & ~MODE_USER || !this.mayJoin(block)) return;
    const plan = planRegion<Block>(block, eip, (la) => this.warm(la, mode), named);
    if (plan === null) return;
    this.regions?.compile([plan], (mode & MODE_USER) !== 0);
    if (!named && block.region === null) block.planAt = block.runs + block.heat;
  }

  /** A block at a linear address that has run often enough to be part of a region. */
  private warm(la: number, mode: number): Block | null {
    const block = this.code.known(la, mode);
    return block !== null && block.runs + block.heat >= this.regionHot >> WARM_SHIFT && this.mayJoin(block)
      ? block
      : null;
  }

  /** Can a block be part of a region? The ways into the kernel are left again after a few instructions: no gain there. */
  private mayJoin(block: Block): boolean {
    return block.host >= RAM_BASE && this.isProgram(block);
  }

  private compile(block: Block, eip: number): void {
    if (block.count === DROPPED) return;
    const handlers = this.code.handlerSet((block.mode & MODE_USER) !== 0);
    if (!compileWay(block, eip, handlers, this.wayHost)) block.fn = handlers.compile(block.ops, block);
  }

  invalidateFrame(pfn: number): void {
    this.code.frames.invalidate(pfn);
  }

  codeWritten(pfn: number, offset: number): void {
    this.code.frames.written(pfn, offset);
  }

  private dropped(block: Block): void {
    for (const region of block.regions) this.regions?.drop(region);
    if (block === this.repeating) this.hold();
  }

  /** Add the runs of blocks to the counts and forget the blocks, which may be dropped ones. */
  private settle(): void {
    const { extra } = this;
    for (const block of this.ran) {
      if (this.isProgram(block)) for (const op of block.ops) extra[this.classes.of(op)] += block.runs;
      block.heat += block.runs;
      block.runs = 0;
    }
    this.ran = [];
  }

  flushMix(counts: Float64Array): void {
    this.settle();
    for (let i = 0; i < counts.length; i++) counts[i] += this.extra[i];
    this.extra.fill(0);
    this.regions?.flushMix(counts);
  }
}

/** Make the engine that executes on `cpu` by blocks of handlers. */
export function createEngine(cpu: Cpu): Engine {
  return new Tier0(cpu, false);
}

/** The same, and hot code is compiled to WebAssembly. */
export function createCompiler(cpu: Cpu): Engine {
  return new Tier0(cpu, true);
}
