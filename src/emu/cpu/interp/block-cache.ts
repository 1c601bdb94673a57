// Decoded blocks by host address and mode: found at CS:EIP, decoded when they are met first, dropped when their bytes change.
import { RAM_BASE, SUPER_READ, USER_READ } from "../../machine/memory.ts";
import { type Cpu, CS, SS, STATE_EIP, TALLY } from "../cpu.ts";
import { GP, raise } from "../fault.ts";
import {
  admitted,
  decode,
  KEY_REP_SHIFT,
  MAX_LENGTH,
  MODE_NONFLAT,
  MODE_SINGLE,
  MODE_USER,
  Op,
} from "../isa/decode.ts";
import { BAD_OPCODE } from "../isa/table.ts";
import { protectCodeFrame, translate } from "../mmu.ts";
import { pushesOf } from "../tally.ts";
import { Block, DROPPED, drop, END_BRANCH, END_FALL, END_PROBED, END_REPEAT, END_SYNC } from "./block.ts";
import { CodeFrames } from "./code-frames.ts";
import { HandlerSet } from "./handlers.ts";

/** More than any mode value. */
const MODES = 64;

/** Longest block in instructions. */
const MAX_BLOCK = 64;
const CACHE_BITS = 16;
const CACHE_SIZE = 1 << CACHE_BITS;

/** Most instructions kept decoded; then all code is dropped, so that a program of endless code finds an end here. */
const MAX_HELD = 1 << 20;
/** What a block counts as besides its instructions. */
const BLOCK_COST = 4;

/** Where the cache keeps the block at a host address: the high bits of a product, which all address bits reach. */
function slotOf(host: number, mode: number): number {
  return Math.imul(host ^ (mode << 26), 0x9e37_79b1) >>> (32 - CACHE_BITS);
}

/** The decoded code of one processor. */
export class BlockCache {
  readonly frames: CodeFrames;
  private readonly cpu: Cpu;
  private readonly u8: Uint8Array;
  private readonly handlers: (HandlerSet | null)[] = [null, null];
  private readonly cache: (Block | null)[] = new Array(CACHE_SIZE).fill(null);
  private readonly blocks = new Map<number, Block>();
  private readonly forget: (block: Block) => void;
  /** Instructions kept decoded, and what their blocks count as; and the most of it, lower in tests. */
  private held = 0;
  most = MAX_HELD;

  /** @param dropped called with every block that has been dropped because its bytes change */
  constructor(cpu: Cpu, dropped: (block: Block) => void) {
    this.cpu = cpu;
    this.u8 = cpu.memory.u8;
    this.forget = (block) => {
      if (block.count === DROPPED) return;
      this.blocks.delete(block.host * MODES + block.mode);
      this.held -= block.ops.length + BLOCK_COST;
      drop(block);
      dropped(block);
    };
    this.frames = new CodeFrames(cpu.memory, this.forget);
  }

  /** Blocks that can be found, and what they hold. */
  get size(): { blocks: number; held: number; listed: number } {
    return { blocks: this.blocks.size, held: this.held, listed: this.frames.listed };
  }

  private keep(block: Block): void {
    this.held += block.ops.length + BLOCK_COST;
    this.frames.register(block);
  }

  /** The block at CS:EIP; raises the fetch's faults. */
  find(mode: number): Block {
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
      this.forget(block);
      block = undefined;
    }
    if (block === undefined) {
      if (this.held > this.most) this.frames.invalidateAll();
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
    this.keep(block);
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
    const counted = cpu.counting && host >= RAM_BASE && cpu.memory.kernelText[(host - RAM_BASE) >>> 12] !== 0;
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
      if (counted) countPushes(op, cpu.tally);
      op.idx = ops.length;
      ops.push(op);
      off = op.end;
      if (solo) end = sync ? END_SYNC : END_REPEAT;
      else if (op.form.branch) end = END_BRANCH;
      if (solo || op.form.branch || single || host2 >= 0) break;
    }
    const block = new Block(ops, ops.length, off, end, host, host2, mode);
    this.keep(block);
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

  /**
   * The known block of straight code at a linear address, or null; changes nothing.
   * @param mode flat, 32 bits
   */
  known(la: number, mode: number): Block | null {
    const e = this.cpu.memory.tlb[mode & MODE_USER ? USER_READ : SUPER_READ][la >>> 12];
    if (e & 0xfff) return null;
    const found = this.blocks.get(((e + la) | 0) * MODES + mode);
    return found !== undefined && found.end !== END_SYNC && found.end !== END_PROBED ? found : null;
  }

  /** Handlers for a privilege. */
  handlerSet(user: boolean): HandlerSet {
    const i = user ? 1 : 0;
    this.handlers[i] ??= new HandlerSet(this.cpu, user);
    return this.handlers[i];
  }
}

/** The operation's pushes are added to the tally when it has completed. */
function countPushes(op: Op, tally: Int32Array): void {
  const pushes = pushesOf(op.form);
  if (pushes === 0) return;
  const { f } = op;
  op.pushes = pushes;
  op.f = (o) => {
    const result = f(o);
    tally[TALLY.pushes] += pushes;
    return result;
  };
}

function nothing(): undefined {
  return undefined;
}
