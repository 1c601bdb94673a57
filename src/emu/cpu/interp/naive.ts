// One instruction in the plainest way: its IR evaluated statement by statement. Flags are computed one by one from their
// definitions, memory goes through the slow paths only, nothing is cached but the IR itself.
import { PAGE_SIZE, SUPER_READ, USER_READ } from "../../machine/memory.ts";
import type { Cpu } from "../cpu.ts";
import { GP, guestFault, raise, SS_FAULT } from "../fault.ts";
import { AF, CF, OF, PF, parityEven, SF, ZF } from "../flags.ts";
import { fpuExact } from "../fpu/fpu.ts";
import { deliverException } from "../gates.ts";
import {
  admitted,
  BYTE_INDEX,
  decode,
  KEYS_PER_FORM,
  MAX_LENGTH,
  MODE_CODE16,
  MODE_NONFLAT,
  MODE_STACK16,
  type Op,
  specOf,
} from "../isa/decode.ts";
import type { Addr, Expr, RegRef, Size, Stmt } from "../isa/ir.ts";
import { binary, unary } from "../isa/operators.ts";
import { Sem, type Spec } from "../isa/sem.ts";
import {
  readSlow8,
  readSlow16,
  readSlow32,
  translate,
  translateForWrite,
  writeSlow8,
  writeSlow16,
  writeSlow32,
} from "../mmu.ts";
import { vectorOperations } from "../simd/operations.ts";
import { CS, ECX, SS, STATE_CODE, STATE_EFLAGS } from "../state.ts";
import { type Helper, helpers } from "./helpers.ts";

/** The x87 by its exact routines alone. */
const x87 = (cpu: Cpu, opcode: number, modrm: number, la: number, size: number): number => {
  fpuExact(cpu, opcode, modrm, la, size === 16 ? 16 : 32);
  return 0;
};
type Helpers = Readonly<Record<string, Helper | ((...args: number[]) => number)>>;

/** What instructions mean: their IR and the helpers that it calls. */
export interface Meaning {
  irOf(op: Op): readonly Stmt[];
  readonly helpers: Helpers;
}

/** IR by form id and specialisation. */
const cache = new Map<number, readonly Stmt[]>();

function irOf(op: Op): readonly Stmt[] {
  const id = op.form.id * KEYS_PER_FORM + op.key;
  let stmts = cache.get(id);
  if (stmts === undefined) {
    const m = new Sem(op.form, specOf(op.key));
    op.form.sem(m);
    stmts = m.stmts;
    cache.set(id, stmts);
  }
  return stmts;
}

/** The instruction table's. */
export const tableMeaning: Meaning = { irOf, helpers: { ...helpers, x87 } };

function sext(size: Size, v: number): number {
  return size === 32 ? v | 0 : (v << (32 - size)) >> (32 - size);
}

function mask(size: Size): number {
  return size === 32 ? -1 : (1 << size) - 1;
}

/** Thrown to end an instruction at a jump. */
const jumped = { jumped: true };

class Evaluation {
  private readonly cpu: Cpu;
  private readonly op: Op;
  private readonly spec: Spec;
  private readonly start: number;
  private readonly user: boolean;
  private readonly tmps: number[] = [];
  private readonly cells: number[] = [];

  private readonly helpers: Helpers;

  constructor(cpu: Cpu, op: Op, start: number, helpers: Helpers) {
    this.helpers = helpers;
    this.cpu = cpu;
    this.op = op;
    this.spec = specOf(op.key);
    this.start = start;
    this.user = cpu.cpl === 3;
  }

  run(stmts: readonly Stmt[]): void {
    for (const s of stmts) this.stmt(s);
  }

  private number(ref: RegRef, size: Size): number {
    if ("fixed" in ref) return ref.fixed;
    const index = ref.slot === "a" ? this.op.a : this.op.b;
    return size === 8 ? BYTE_INDEX.indexOf(index) : size === 16 ? index / 2 : index;
  }

  private readReg(n: number, size: Size): number {
    const { r } = this.cpu;
    if (size === 32) return r[n];
    if (size === 16) return r[n] & 0xffff;
    return n < 4 ? r[n] & 0xff : (r[n - 4] >>> 8) & 0xff;
  }

  private writeReg(n: number, size: Size, v: number): void {
    const { r } = this.cpu;
    if (size === 32) r[n] = v;
    else if (size === 16) r[n] = (r[n] & ~0xffff) | (v & 0xffff);
    else if (n < 4) r[n] = (r[n] & ~0xff) | (v & 0xff);
    else r[n - 4] = (r[n - 4] & ~0xff00) | ((v & 0xff) << 8);
  }

  private ea(): number {
    const { op } = this;
    const spec = this.spec;
    const wide = spec.addr16 ? 16 : 32;
    let off = op.md;
    if (spec.ea === 2 || spec.ea === 3) off += this.readReg(op.mb, wide);
    if (spec.ea >= 3) off += this.readReg(op.mi, wide) << op.ms;
    return spec.addr16 ? off & 0xffff : off | 0;
  }

  private bit(flag: number): number {
    return this.cpu.getEflags() & flag ? 1 : 0;
  }

  private condition(cc: number): number {
    const s = this.bit(SF);
    const o = this.bit(OF);
    const z = this.bit(ZF);
    const c = this.bit(CF);
    const values = [o, c, z, c | z, s, this.bit(PF), s ^ o, z | (s ^ o)];
    return values[cc >> 1] ^ (cc & 1);
  }

  private value(e: Expr): number {
    switch (e.k) {
      case "const":
        return e.v;
      case "field":
        return e.f === "index" ? this.op.b : this.op[e.f];
      case "reg":
        return this.readReg(this.number(e.reg, e.size), e.size);
      case "tmp":
        return this.tmps[e.id];
      case "ea":
        return this.ea();
      case "vreg":
        return this.op[e.slot];
      case "sel":
        return this.cpu.sel[e.seg] & 0xffff;
      case "next":
        return this.cut(this.start + this.op.end);
      case "target":
        return this.cut(this.start + this.op.end + this.op.imm);
      case "flag":
        if (e.f === "df") return (this.cpu.state[STATE_EFLAGS] >> 10) & 1;
        return this.bit({ cf: CF, pf: PF, af: AF, zf: ZF, sf: SF, of: OF }[e.f]);
      case "cond":
        return this.condition(e.cc);
      case "un":
        return unary(e.op, this.value(e.a));
      case "bin":
        return binary(e.op, this.value(e.a), this.value(e.b));
    }
  }

  private cut(target: number): number {
    return this.op.form.size === 16 ? target & 0xffff : target | 0;
  }

  private linear(at: Addr, bytes: number, write: boolean): number {
    const { cpu } = this;
    const seg = at.seg === "op" ? this.op.seg : at.seg;
    const off = this.value(at.off) >>> 0;
    const attr = cpu.attr[seg];
    const vector = seg === SS ? SS_FAULT : GP;
    const code = (attr & 8) !== 0;
    if (attr === 0 || (write ? code || (attr & 2) === 0 : code && (attr & 2) === 0)) raise(cpu, vector, 0);
    const last = off + bytes - 1;
    const limit = cpu.limit[seg];
    if (bytes > 0) {
      if (!code && attr & 4) {
        if (off <= limit || last > (attr & 0x4000 ? 0xffff_ffff : 0xffff)) raise(cpu, vector, 0);
      } else if (last > limit && !(limit === 0xffff_ffff && cpu.base[seg] === 0)) {
        // A flat segment wraps around; elsewhere nothing lies beyond the limit.
        raise(cpu, vector, 0);
      }
    }
    return (cpu.base[seg] + off) | 0;
  }

  private read(size: Size, la: number): number {
    if (size === 8) return readSlow8(this.cpu, la, this.user);
    return size === 16 ? readSlow16(this.cpu, la, this.user) : readSlow32(this.cpu, la, this.user);
  }

  private write(size: Size, la: number, v: number): void {
    if (size === 8) writeSlow8(this.cpu, la, v, this.user);
    else if (size === 16) writeSlow16(this.cpu, la, v, this.user);
    else writeSlow32(this.cpu, la, v, this.user);
  }

  private setFlags(which: number, v: number): void {
    this.cpu.setEflags((this.cpu.getEflags() & ~which) | (v & which));
  }

  private szp(size: Size, r: number): number {
    return (sext(size, r) < 0 ? SF : 0) | ((r & mask(size)) === 0 ? ZF : 0) | (parityEven(r & 0xff) ? PF : 0);
  }

  /** Flags of a + b + carry or a - b - borrow, from exact arithmetic. */
  private addSub(s: Stmt & { k: "flagsAdd" | "flagsSub" }): void {
    const { size } = s;
    const a = this.value(s.a);
    const b = this.value(s.b);
    const r = this.value(s.r);
    const minus = s.k === "flagsSub";
    const ua = (a & mask(size)) >>> 0;
    const ub = (b & mask(size)) >>> 0;
    // The carry in is what the result shows beyond a and b.
    const c = (minus ? a - b - r : r - a - b) & 1;
    const exact = minus ? ua - ub - c : ua + ub + c;
    const signed = minus ? sext(size, a) - sext(size, b) - c : sext(size, a) + sext(size, b) + c;
    const low = minus ? (a & 15) - (b & 15) - c : (a & 15) + (b & 15) + c;
    const flags =
      this.szp(size, r) |
      (exact < 0 || exact > mask(size) >>> 0 ? CF : 0) |
      (signed !== sext(size, r) ? OF : 0) |
      (low < 0 || low > 15 ? AF : 0);
    this.setFlags(CF | OF | AF | SF | ZF | PF, flags);
  }

  private loadVector(s: Stmt & { k: "vload" }): void {
    const la = this.linear(s.at, s.bytes, false);
    if (s.aligned && la & 15) raise(this.cpu, GP, 0);
    const words: number[] = [];
    if (s.bytes === 2) words.push(this.read(16, la));
    else for (let i = 0; i < s.bytes; i += 4) words.push(this.read(32, (la + i) | 0));
    while (s.wide && words.length < 4) words.push(0);
    this.cpu.simd.i32.set(words, this.value(s.to) >> 2);
  }

  private storeVector(s: Stmt & { k: "vstore" }): void {
    const la = this.linear(s.at, s.bytes, true);
    if (s.aligned && la & 15) raise(this.cpu, GP, 0);
    translateForWrite(this.cpu, la, s.bytes, this.user);
    const from = this.value(s.from) >> 2;
    if (s.bytes === 2) this.write(16, la, this.cpu.simd.i32[from]);
    else for (let i = 0; i < s.bytes >> 2; i++) this.write(32, (la + 4 * i) | 0, this.cpu.simd.i32[from + i]);
  }

  private stmt(s: Stmt): void {
    const { cpu, tmps } = this;
    switch (s.k) {
      case "let":
        tmps[s.id] = this.value(s.e);
        break;
      case "load":
        tmps[s.id] = this.read(s.size, this.linear(s.at, s.size >> 3, false));
        break;
      case "store":
        this.write(s.size, this.linear(s.at, s.size >> 3, true), this.value(s.e));
        break;
      case "linear":
        tmps[s.id] = this.linear(s.at, s.bytes, s.write);
        break;
      case "probeWrite":
        translateForWrite(cpu, this.linear(s.at, s.bytes, true), s.bytes, this.user);
        break;
      case "open": {
        const la = this.linear(s.at, s.size >> 3, true);
        translateForWrite(cpu, la, s.size >> 3, this.user);
        this.cells[s.id] = la;
        tmps[s.id] = this.read(s.size, la);
        break;
      }
      case "close":
        this.write(s.size, this.cells[s.id], this.value(s.e));
        break;
      case "setReg":
        this.writeReg(this.number(s.reg, s.size), s.size, this.value(s.e));
        break;
      case "flagsAdd":
      case "flagsSub":
        this.addSub(s);
        break;
      case "flagsInc":
      case "flagsDec": {
        const r = this.value(s.r);
        const inc = s.k === "flagsInc";
        const edge = inc ? 1 << (s.size - 1) : mask(s.size) >>> 1;
        const nibble = inc ? 0 : 15;
        const of = (r & mask(s.size)) >>> 0 === edge >>> 0 ? OF : 0;
        this.setFlags(OF | AF | SF | ZF | PF, this.szp(s.size, r) | of | ((r & 15) === nibble ? AF : 0));
        break;
      }
      case "flagsResult": {
        const flags =
          this.szp(s.size, this.value(s.r)) |
          (this.value(s.cf) ? CF : 0) |
          (this.value(s.of) ? OF : 0) |
          (this.value(s.af) ? AF : 0);
        this.setFlags(CF | OF | AF | SF | ZF | PF, flags);
        break;
      }
      case "flagsCfOf":
        this.setFlags(CF | OF, (this.value(s.cf) ? CF : 0) | (this.value(s.of) ? OF : 0));
        break;
      case "flagCf":
        this.setFlags(CF, this.value(s.v) ? CF : 0);
        break;
      case "flagBits":
        this.setFlags(s.mask, this.value(s.v));
        break;
      case "setDf":
        if (s.v) cpu.state[STATE_EFLAGS] |= 0x400;
        else cpu.state[STATE_EFLAGS] &= ~0x400;
        break;
      case "if":
        this.run(this.value(s.c) !== 0 ? s.yes : s.no);
        break;
      case "jump":
        cpu.eip = this.value(s.to);
        throw jumped;
      case "call":
        tmps[s.id] = (this.helpers[s.fn] as Helper)(cpu, ...s.args.map((a) => this.value(a)));
        break;
      case "vload":
        this.loadVector(s);
        break;
      case "vstore":
        this.storeVector(s);
        break;
      case "vec":
        vectorOperations[s.op](cpu.simd, this.value(s.d), this.value(s.s), s.bytes, this.value(s.imm));
        break;
      case "raise":
        raise(cpu, s.vector, this.value(s.code));
    }
  }
}

/** Host address of one byte of code, by the page array or the page tables. */
function hostOfCode(cpu: Cpu, la: number, user: boolean): number {
  const entry = cpu.memory.tlb[user ? USER_READ : SUPER_READ][la >>> 12];
  return entry & 0xfff ? translate(cpu, la, false, user) : (entry + la) | 0;
}

/** What CS:EIP decodes to: the bytes of its page, and of the next if they do not suffice. Raises the fetch's faults. */
function fetch(cpu: Cpu): Op {
  const user = cpu.cpl === 3;
  const { u8 } = cpu.memory;
  const la = (cpu.base[CS] + cpu.eip) | 0;
  const reach = cpu.limit[CS] - (cpu.eip >>> 0) + 1;
  if (reach <= 0) raise(cpu, GP, 0);
  // A flat segment wraps around.
  const most = cpu.limit[CS] === 0xffff_ffff && cpu.base[CS] === 0 ? MAX_LENGTH : Math.min(reach, MAX_LENGTH);
  let mode = cpu.attr[CS] & 0x4000 ? 0 : MODE_CODE16;
  if (!(cpu.attr[SS] & 0x4000)) mode |= MODE_STACK16;
  // Everything segmented: checks that hold trivially for flat segments are made all the same.
  mode |= MODE_NONFLAT;
  const host = hostOfCode(cpu, la, user);
  cpu.state[STATE_CODE] = host;
  const inPage = Math.min(most, PAGE_SIZE - (la & 0xfff));
  let op = decode(u8, host, host + inPage, 0, mode);
  if (op === null && inPage < most) {
    const bytes = new Uint8Array(MAX_LENGTH);
    bytes.set(u8.subarray(host, host + inPage));
    const next = hostOfCode(cpu, ((la | 0xfff) + 1) | 0, user);
    bytes.set(u8.subarray(next, next + most - inPage), inPage);
    op = decode(bytes, 0, most, 0, mode);
  }
  // The rest of it lies beyond the limit.
  return op === null ? raise(cpu, GP, 0) : admitted(op, cpu.features);
}

/**
 * Execute one instruction (one iteration of a repeated one) at CS:EIP; raises its faults, with EIP then at its start.
 * The count of retired instructions, interrupts, debug traps and breakpoints are left to the caller.
 * @param before called between the fetch and the first effect
 * @param meaning another one, to see whether tests notice
 */
export function executeNaive(cpu: Cpu, before?: (op: Op) => void, meaning: Meaning = tableMeaning): Op {
  const start = cpu.eip;
  try {
    const op = fetch(cpu);
    before?.(op);
    const end = (start + op.end) | 0;
    const { rep, addr16 } = specOf(op.key);
    const count = addr16 ? cpu.r[ECX] & 0xffff : cpu.r[ECX];
    const repeated = op.form.string && rep !== 0;
    if (op.form.sync) cpu.eip = end;
    if (!(repeated && count === 0)) {
      try {
        new Evaluation(cpu, op, start, meaning.helpers).run(meaning.irOf(op));
        if (!op.form.sync) cpu.eip = end;
      } catch (error) {
        if (error !== jumped) throw error;
      }
    } else cpu.eip = end;
    if (repeated && count !== 0) {
      const left = (count - 1) & (addr16 ? 0xffff : -1);
      cpu.r[ECX] = addr16 ? (cpu.r[ECX] & ~0xffff) | left : left;
      const zero = (cpu.getEflags() & ZF) !== 0;
      const stop = op.form.options.rep === "repcc" && zero !== (rep === 3);
      cpu.eip = left === 0 || stop ? end : start;
    }
    return op;
  } catch (error) {
    if (error === guestFault) cpu.eip = start;
    throw error;
  }
}

/**
 * Execute one instruction and count it, or deliver the exception it raises.
 * @returns the vector of the exception delivered, or -1
 */
export function stepNaive(cpu: Cpu, meaning: Meaning = tableMeaning): number {
  try {
    executeNaive(cpu, undefined, meaning);
    cpu.icount++;
    return -1;
  } catch (error) {
    if (error !== guestFault) throw error;
    const vector = cpu.faultVector;
    deliverException(cpu, vector, cpu.faultCode);
    return vector;
  }
}
