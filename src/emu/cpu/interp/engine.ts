// The instruction engine (tier 0): decoded basic blocks, cached by physical address and privilege mode, chained inside
// their page, dropped when their frame is written; stops exactly at a given instruction count.
import { PAGE_SIZE, RAM_BASE, SUPER_READ, USER_READ } from "../../machine/memory.ts";
import { planRegion } from "../compile/region.ts";
import { type HeldBlock, LEFT_BEFORE, LEFT_JUMPING, type Region, Regions } from "../compile/regions.ts";
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
import { GP, guestFault, NMI, raise } from "../fault.ts";
import { IF, RF, TF } from "../flags.ts";
import { deliverException, deliverInterrupt } from "../gates.ts";
import {
  admitted,
  decode,
  KEY_REP_SHIFT,
  MAX_LENGTH,
  MODE_CODE16,
  MODE_NONFLAT,
  MODE_SINGLE,
  MODE_STACK16,
  MODE_USER,
  Op,
} from "../isa/decode.ts";
import { BAD_OPCODE } from "../isa/table.ts";
import { protectCodeFrame, translate } from "../mmu.ts";
import { MixClasses } from "./classes.ts";
import { BLOCK_DROPPED, type BlockFunction, HandlerSet } from "./handlers.ts";

/** How a block ends. */
const END_BRANCH = 0;
const END_FALL = 1;
/** One instruction that calls system helpers: state is exact around it and checked after it. */
const END_SYNC = 2;
/** One repeated string instruction. */
const END_REPEAT = 3;
/** A probed address: report it, then run `probed`. */
const END_PROBED = 4;

/** Runs after which a block becomes a function of its own. */
const HOT = 400;
/** Runs after which a region is compiled from it on, and such blocks that are compiled at once. */
const REGION_HOT = 3000;
/** More runs than any block has. */
const NEVER = Number.POSITIVE_INFINITY;
/** In place of an operation's number: the block's function is running. */
const IN_FUNCTION = -2;

/** More than any mode value. */
const MODES = 64;

/** Longest block in instructions. */
const MAX_BLOCK = 64;
/** More than any budget: the count of a block that has been dropped. */
const DROPPED = 0x7fff_ffff;
/** Largest stretch between two looks at the clock. */
const MAX_STRETCH = 0x3fff_ffff;

const CACHE_BITS = 16;
const CACHE_SIZE = 1 << CACHE_BITS;

/** Where the cache keeps the block at a host address: the high bits of a product, which all address bits reach. */
function slotOf(host: number, mode: number): number {
  return Math.imul(host ^ (mode << 26), 0x9e37_79b1) >>> (32 - CACHE_BITS);
}

class Block implements HeldBlock {
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
  probe = 0;
  probed: Block | null = null;
  region: Region | null = null;
  entry = 0;
  regions: Region[] = [];
  /** Runs at which a region is planned from here; after that it must be one that can be entered here. */
  planAt = 0;
  planned = false;

  constructor(ops: Op[], count: number, length: number, end: number, host: number, host2: number, mode: number) {
    this.ops = ops;
    this.n = ops.length;
    this.count = count;
    this.length = length;
    this.end = end;
    this.host = host;
    this.host2 = host2;
    this.mode = mode;
  }
}

/** Shift and words of the map of code bytes in a frame: one bit per 32 bytes. */
const GRANULE_SHIFT = 5;
const GRANULE_WORDS = 4;
/** Writes beside code in a frame before its code is dropped so that writes there become fast; grows fourfold each time. */
const FIRST_PATIENCE = 64;

/** The code of one physical frame. */
class CodeFrame {
  blocks: Block[] = [];
  readonly map = new Int32Array(GRANULE_WORDS);
  /** Writes that hit no code since the frame's code was last dropped. */
  writes = 0;
  patience = FIRST_PATIENCE;

  /** Mark bytes [from, to) of the frame as code. */
  mark(from: number, to: number): void {
    for (let g = from >> GRANULE_SHIFT; g <= (to - 1) >> GRANULE_SHIFT; g++) this.map[g >> 5] |= 1 << (g & 31);
  }

  marked(offset: number): boolean {
    const g = offset >> GRANULE_SHIFT;
    return (this.map[g >> 5] & (1 << (g & 31))) !== 0;
  }
}

class Tier0 implements Engine {
  private readonly cpu: Cpu;
  private readonly u8: Uint8Array;
  private readonly handlers: (HandlerSet | null)[] = [null, null];
  private readonly cache: (Block | null)[] = new Array(CACHE_SIZE).fill(null);
  private readonly blocks = new Map<number, Block>();
  private readonly byFrame = new Map<number, CodeFrame>();
  private mode = 0;
  /** The block of the string instruction under way, and the instructions kept back from the budget to stop it early. */
  private repeating: Block | null = null;
  private held = 0;
  /** Runs after which a block becomes a function of its own; tests set it to 0. */
  hot = HOT;
  /** Blocks with runs since the last look at the mix, and counts of instructions that ran outside whole blocks. */
  private ran: Block[] = [];
  private readonly extra = new Float64Array(16);
  private readonly classes = new MixClasses();
  /** Runs after which a region is compiled; tests set it to 0. */
  regionHot = REGION_HOT;
  /** Compiled regions; null in a tier that does without. */
  readonly regions: Regions | null;

  constructor(cpu: Cpu, compiling: boolean) {
    this.cpu = cpu;
    this.u8 = cpu.memory.u8;
    this.regions = compiling ? new Regions(cpu.memory) : null;
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

  /** Run blocks until the budget is used or something needs attention. */
  private loop(): void {
    const cpu = this.cpu;
    const S = cpu.state;
    const { memory } = cpu;
    const { hot } = this;
    let { mode } = this;
    let { cpl, segmentEpoch } = cpu;
    let block: Block | null = null;
    /** The block whose successor is being looked for, the way it was left, and where it started. */
    let from: Block | null = null;
    let fromTaken = false;
    let fromBase = 0;
    let base = 0;
    let left = 0;
    let i = 0;
    const { regions, regionHot } = this;
    /** The next block is the interpreter's; it is worth remembering where it lies. */
    let here = false;
    let jumping = false;
    try {
      for (;;) {
        base = S[STATE_EIP];
        left = S[STATE_LEFT];
        if (block === null) {
          // Nothing is fetched beyond the last instruction asked for: its page may not be there.
          if (left <= 0) return;
          i = -1;
          block = this.find(mode);
          if (from !== null) {
            link(from, fromTaken, (base ^ fromBase) >>> 12 === 0, block, base, memory.epoch);
            from = null;
          }
        }
        if (block.count > left) {
          if (block.count !== DROPPED) break;
          block = null;
          continue;
        }
        if (regions !== null && block.region === null && block.runs + block.heat >= block.planAt + regionHot)
          this.plan(block, base, mode);
        if (block.region !== null && left >= block.region.total && !here) {
          if (jumping) regions?.remember(base, block.host, block.region, block.entry, (mode & MODE_USER) !== 0);
          const how: number = (regions as Regions).run(block.region, block.entry);
          here = how === LEFT_BEFORE;
          jumping = how === LEFT_JUMPING;
          block = null;
          continue;
        }
        here = false;
        jumping = false;
        const runs = block.runs++;
        if (runs === 0) this.ran.push(block);
        const ops = block.ops;
        let result: number | undefined;
        if (block.end < END_SYNC) {
          if (runs === hot) this.compile(block);
          if (block.fn !== null) {
            const { count } = block;
            i = IN_FUNCTION;
            result = block.fn();
            if (result === BLOCK_DROPPED) {
              this.aborted(block, S[STATE_OP] + 1, base, left);
              ({ segmentEpoch } = cpu);
              mode = this.currentMode();
              this.mode = mode;
              block = null;
              continue;
            }
            S[STATE_LEFT] = left - count;
          } else {
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
              ({ segmentEpoch } = cpu);
              mode = this.currentMode();
              this.mode = mode;
              block = null;
              continue;
            }
            S[STATE_LEFT] = left - block.count;
          }
          if (block.end === END_FALL) {
            S[STATE_EIP] = base + block.length;
            result = 0;
          }
          let next: Block | null = result === 1 ? block.taken : result === 0 ? block.next : null;
          if (next === null) {
            if (block.farEip === S[STATE_EIP] && block.farEpoch === memory.epoch) next = block.far;
            else {
              from = block;
              // Indirect branches may go elsewhere next time: only `far` remembers them.
              fromTaken = result === 1;
              fromBase = result === 2 ? ~base : base;
            }
          }
          block = next;
        } else if (block.end === END_REPEAT) {
          i = 0;
          if (this.repeat(block, base)) return;
          block = null;
        } else if (block.end === END_SYNC) {
          i = 0;
          this.sync(block, base);
          if (cpu.inhibit) this.endShadow();
          if (this.attentionDue()) return;
          if (cpu.segmentEpoch !== segmentEpoch || cpu.cpl !== cpl) {
            ({ cpl, segmentEpoch } = cpu);
            mode = this.currentMode();
            this.mode = mode;
          }
          const { far }: Block = block;
          if (far !== null && block.farEip === S[STATE_EIP] && block.farEpoch === memory.epoch && far.mode === mode) {
            block = far;
          } else {
            from = block;
            fromTaken = false;
            fromBase = ~base;
            block = null;
          }
        } else {
          cpu.host.probe(block.probe);
          block = block.probed;
        }
      }
    } catch (error) {
      if (error !== guestFault) throw error;
      this.faulted(block, i === IN_FUNCTION ? S[STATE_OP] : i, base, left);
      return;
    }
    if (left > 0) this.step();
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
    this.extra[op.form.cls] += cpu.icount - before;
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
    if (op.form.string) this.extra[op.form.cls] += cpu.icount - before;
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
    let block: Block | null = null;
    let i = -1;
    try {
      if (cpu.dr[7] & 0xff && hasCodeBreakpoints(cpu)) checkCodeBreakpoint(cpu, (cpu.base[CS] + base) | 0);
      S[STATE_EFLAGS] &= ~RF;
      block = this.find(this.mode | MODE_SINGLE);
      if (block.end === END_PROBED) {
        cpu.host.probe(block.probe);
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
      } else this.extra[op.form.cls] += left - S[STATE_LEFT];
    }
    deliverException(cpu, cpu.faultVector, cpu.faultCode);
  }

  /** The block was dropped, or its mode changed, by its own operation i - 1, which has completed. */
  private aborted(block: Block, i: number, base: number, left: number): void {
    const S = this.cpu.state;
    const last = block.ops[i - 1];
    if (!last.form.branch) S[STATE_EIP] = base + last.end;
    S[STATE_LEFT] = left - last.idx - 1;
    block.runs--;
    this.countPart(block, i);
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

  /** The block at CS:EIP; raises the fetch's faults. */
  private find(mode: number): Block {
    const cpu = this.cpu;
    const eip = cpu.state[STATE_EIP];
    let la = eip;
    if (mode & MODE_NONFLAT) {
      if (eip >>> 0 > cpu.limit[CS]) raise(cpu, GP, 0);
      la = (eip + cpu.base[CS]) | 0;
    }
    const user = (mode & MODE_USER) !== 0;
    const e = cpu.memory.tlb[user ? USER_READ : SUPER_READ][la >>> 12];
    const host = e & 0xfff ? translate(cpu, la, false, user) : (e + la) | 0;
    const slot = slotOf(host, mode);
    const cached = this.cache[slot];
    if (
      cached !== null &&
      cached.host === host &&
      cached.mode === mode &&
      cached.count !== DROPPED &&
      cached.host2 < 0
    ) {
      return cached;
    }
    const key = host * MODES + mode;
    let block = this.blocks.get(key);
    if (block !== undefined && block.host2 >= 0 && block.host2 !== this.hostOfNext(la, user)) {
      drop(block);
      block = undefined;
    }
    if (block === undefined) {
      block = this.build(host, la, mode);
      if (host >= RAM_BASE) this.blocks.set(key, block);
    }
    if (mode & MODE_NONFLAT && (eip >>> 0) + block.length - 1 > cpu.limit[CS]) raise(cpu, GP, 0);
    this.cache[slot] = block;
    return block;
  }

  /** Host address of the page behind the one that holds `la`. */
  private hostOfNext(la: number, user: boolean): number {
    return translate(this.cpu, ((la | 0xfff) + 1) | 0, false, user);
  }

  /** Decode the block that starts at a host address. */
  private build(host: number, la: number, mode: number): Block {
    const cpu = this.cpu;
    const probe = host >= RAM_BASE ? cpu.probes.get(host - RAM_BASE) : undefined;
    if (probe === undefined) return this.decodeBlock(host, la, mode);
    const probed = this.decodeBlock(host, la, mode);
    // It needs the same budget, so that nothing is reported that then has to be stepped to.
    const block = new Block([], probed.count, probed.length, END_PROBED, host, probed.host2, mode);
    block.probe = probe;
    block.probed = probed;
    this.register(block);
    return block;
  }

  private decodeBlock(host: number, la: number, mode: number): Block {
    const cpu = this.cpu;
    const user = (mode & MODE_USER) !== 0;
    const single = (mode & (MODE_SINGLE | MODE_NONFLAT)) !== 0;
    const handlers = this.handlerSet(user);
    const limit = (host | 0xfff) + 1;
    const { probes } = cpu;
    const probing = probes.size > 0;
    const ops: Op[] = [];
    let off = 0;
    let end = END_FALL;
    let host2 = -1;
    if (host >= RAM_BASE) protectCodeFrame(cpu.memory, (host - RAM_BASE) >>> 12);
    for (;;) {
      const at = host + off;
      if (at === limit || ops.length === MAX_BLOCK) break;
      if (probing && off > 0 && probes.has(at - RAM_BASE)) break;
      let op = decode(this.u8, at, limit, off, mode);
      if (op === null) {
        if (ops.length > 0) break;
        host2 = this.hostOfNext(la, user);
        op = this.decodeAcross(host, limit, host2, mode);
      }
      op = admitted(op, cpu.features);
      // MOV to SS casts a shadow; the other segment loads may stand among ordinary instructions.
      const sync = op.form.sync || (op.form.segment && op.form.modrm && op.b === SS);
      const solo = sync || (op.form.string && op.key >> KEY_REP_SHIFT !== 0);
      if (solo && ops.length > 0) break;
      op.f = handlers.get(op.form, op.key);
      op.idx = ops.length;
      ops.push(op);
      off = op.end;
      if (solo) end = sync ? END_SYNC : END_REPEAT;
      else if (op.form.branch) end = END_BRANCH;
      if (solo || op.form.branch || single || host2 >= 0) break;
    }
    const block = new Block(ops, ops.length, off, end, host, host2, mode);
    this.register(block);
    return block;
  }

  /** An instruction whose bytes lie in two pages. */
  private decodeAcross(host: number, limit: number, host2: number, mode: number): Op {
    const bytes = new Uint8Array(2 * MAX_LENGTH);
    const first = limit - host;
    bytes.set(this.u8.subarray(host, limit));
    bytes.set(this.u8.subarray(host2, host2 + MAX_LENGTH), first);
    if (host2 >= RAM_BASE) protectCodeFrame(this.cpu.memory, (host2 - RAM_BASE) >>> 12);
    return decode(bytes, 0, first + MAX_LENGTH, 0, mode) ?? new Op(BAD_OPCODE, nothing);
  }

  /** Compile a region from a block on. */
  private plan(block: Block, eip: number, mode: number): void {
    const { planned } = block;
    block.planned = true;
    block.planAt = NEVER;
    if (block.end >= END_SYNC) return;
    if (mode & ~MODE_USER || block.host2 >= 0 || block.host < RAM_BASE || (planned && block.region !== null)) return;
    const read = this.cpu.memory.tlb[mode & MODE_USER ? USER_READ : SUPER_READ];
    const plan = planRegion<Block>(
      block,
      eip,
      (la) => {
        const e = read[la >>> 12];
        if (e & 0xfff) return null;
        const found = this.blocks.get(((e + la) | 0) * MODES + mode);
        return found !== undefined && found.end < END_SYNC && found.host2 < 0 ? found : null;
      },
      planned,
    );
    if (plan === null) return;
    this.regions?.compile([plan], (mode & MODE_USER) !== 0);
    if (!planned && block.region === null) block.planAt = block.runs + block.heat;
  }

  private compile(block: Block): void {
    if (block.count !== DROPPED) block.fn = this.handlerSet((block.mode & MODE_USER) !== 0).compile(block.ops, block);
  }

  private register(block: Block): void {
    const first = Math.min(block.length || 1, PAGE_SIZE - (block.host & 0xfff));
    this.registerPart(block, block.host, first);
    if (block.host2 >= 0) this.registerPart(block, block.host2, block.length - first);
  }

  private registerPart(block: Block, host: number, length: number): void {
    if (host < RAM_BASE) return;
    const frame = (host - RAM_BASE) >>> 12;
    let code = this.byFrame.get(frame);
    if (code === undefined) {
      code = new CodeFrame();
      this.byFrame.set(frame, code);
    }
    code.blocks.push(block);
    code.mark(host & 0xfff, (host & 0xfff) + Math.max(length, 1));
  }

  private handlerSet(user: boolean): HandlerSet {
    const i = user ? 1 : 0;
    this.handlers[i] ??= new HandlerSet(this.cpu, user);
    return this.handlers[i];
  }

  invalidateFrame(pfn: number): void {
    this.cpu.memory.codeFrames[pfn] = 0;
    const code = this.byFrame.get(pfn);
    if (code === undefined) return;
    for (const block of code.blocks) this.forget(block);
    code.blocks = [];
    code.map.fill(0);
    code.writes = 0;
  }

  private forget(block: Block): void {
    if (block.count === DROPPED) return;
    this.blocks.delete(block.host * MODES + block.mode);
    for (const region of block.regions) this.regions?.drop(region);
    drop(block);
    if (block === this.repeating) this.hold();
  }

  codeWritten(pfn: number, offset: number): void {
    const code = this.byFrame.get(pfn);
    if (code === undefined || code.blocks.length === 0) {
      this.cpu.memory.codeFrames[pfn] = 0;
      return;
    }
    const last = Math.min(offset + 3, 0xfff);
    if (code.marked(offset) || code.marked(last)) {
      const start = RAM_BASE + pfn * PAGE_SIZE;
      const kept = code.blocks.filter((block) => !overlaps(block, start, offset, last));
      if (kept.length < code.blocks.length) {
        for (const block of code.blocks) if (overlaps(block, start, offset, last)) this.forget(block);
        code.blocks = kept;
        code.map.fill(0);
        for (const block of kept) this.remark(code, block, start);
        if (kept.length === 0) this.cpu.memory.codeFrames[pfn] = 0;
        return;
      }
    }
    if (++code.writes < code.patience) return;
    code.patience *= 4;
    this.invalidateFrame(pfn);
  }

  private remark(code: CodeFrame, block: Block, start: number): void {
    const [from, to] = extent(block, start);
    code.mark(from, to);
  }

  flushMix(counts: Float64Array): void {
    for (const block of this.ran) {
      if (this.isProgram(block)) for (const op of block.ops) counts[this.classes.of(op)] += block.runs;
      block.heat += block.runs;
      block.runs = 0;
      if (block.fn === null && block.heat > this.hot && block.end < END_SYNC) this.compile(block);
    }
    this.ran = [];
    for (let i = 0; i < counts.length; i++) counts[i] += this.extra[i];
    this.extra.fill(0);
    this.regions?.flushMix(counts);
  }
}

function nothing(): undefined {
  return undefined;
}

/** The bytes that a block takes of the frame at host address `start`: [from, to). */
function extent(block: Block, start: number): readonly [number, number] {
  const from = block.host & 0xfff;
  const first = Math.min(Math.max(block.length, 1), PAGE_SIZE - from);
  return (block.host & ~0xfff) === start ? [from, from + first] : [0, Math.max(block.length - first, 1)];
}

function overlaps(block: Block, start: number, first: number, last: number): boolean {
  const [from, to] = extent(block, start);
  return first < to && last >= from;
}

/**
 * Remember `to`, at `eip`, as the successor of `from`: for good when both lie in one linear page (which then holds both
 * wherever it is mapped), otherwise while the page arrays' epoch lasts.
 */
function link(from: Block, taken: boolean, near: boolean, to: Block, eip: number, epoch: number): void {
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
function drop(block: Block): void {
  block.n = 0;
  block.count = DROPPED;
  block.next = null;
  block.taken = null;
  block.far = null;
  block.farEpoch = -1;
}

/** Make the engine that executes on `cpu` by blocks of handlers. */
export function createEngine(cpu: Cpu): Engine {
  return new Tier0(cpu, false);
}

/** The same, and hot code is compiled to WebAssembly. */
export function createCompiler(cpu: Cpu): Engine {
  return new Tier0(cpu, true);
}
