// What handlers call when the inline fast path does not hold: misaligned and page-crossing accesses, page-array misses,
// segment checks, read-modify-write with help. One runtime per privilege (user or supervisor accesses).
import { CPU_STATE } from "../../machine/memory.ts";
import type { Cpu } from "../cpu.ts";
import { GP, raise, SS_FAULT } from "../fault.ts";
import { DF as FLAG_DF, parityEven } from "../flags.ts";
import type { Op } from "../isa/decode.ts";
import { readSlow8, readSlow16, readSlow32, translateForWrite, writeSlow8, writeSlow16, writeSlow32 } from "../mmu.ts";
import { vectorOperations } from "../simd/operations.ts";
import { CS, EAX, ECX, EDI, ESI, SS, STATE_EFLAGS, STATE_EIP, STATE_LEFT, STATE_OP, STATE_SCRATCH } from "../state.ts";
import { BINDINGS } from "./emit.ts";
import { helpers, setArithFlags } from "./helpers.ts";

const SCRATCH8 = CPU_STATE + STATE_SCRATCH * 4;
const SCRATCH16 = SCRATCH8 >> 1;
const SCRATCH32 = SCRATCH8 >> 2;

/** The values of BINDINGS for handlers that access memory with the given privilege. */
export function makeRuntime(cpu: Cpu, user: boolean): unknown[] {
  const memory = cpu.memory;
  const { u8: U8, i32: I32, view } = memory;
  const S = cpu.state;
  const TR = memory.tlb[user ? 0 : 2];
  const TW = memory.tlb[user ? 1 : 3];
  const U16 = new Uint16Array(memory.buffer);
  const cpuBase = CPU_STATE;
  const parity = Uint8Array.from({ length: 256 }, (_, b) => parityEven(b));

  // eip and icount are those of the block's start while a block runs; slow paths need the instruction's own.
  const enter = (o: Op): void => {
    S[STATE_EIP] += o.off;
    S[STATE_LEFT] -= o.idx;
    S[STATE_OP] = o.idx;
  };
  const leave = (o: Op): void => {
    S[STATE_EIP] -= o.off;
    S[STATE_LEFT] += o.idx;
  };

  const segmentFault = (seg: number): never => raise(cpu, seg === SS ? SS_FAULT : GP, 0);

  /** Limit check of `bytes` bytes at `off`; 0 bytes are not checked. */
  const within = (seg: number, off: number, bytes: number): void => {
    if (bytes === 0) return;
    const attr = cpu.attr[seg];
    const first = off >>> 0;
    const last = first + bytes - 1;
    const limit = cpu.limit[seg];
    // Expand-down data: valid offsets lie above the limit.
    if ((attr & 0x1c) === 0x14) {
      if (first <= limit || last > (attr & 0x4000 ? 0xffff_ffff : 0xffff)) segmentFault(seg);
    } else if (last > limit && !(limit === 0xffff_ffff && cpu.base[seg] === 0)) {
      // A flat segment wraps around.
      segmentFault(seg);
    }
  };
  const lr = (seg: number, off: number, bytes: number): number => {
    const attr = cpu.attr[seg];
    // Unusable, or code that may only be executed.
    if (attr === 0 || (seg !== CS && (attr & 0x0a) === 0x08) || (seg === CS && (attr & 2) === 0)) segmentFault(seg);
    within(seg, off, bytes);
    return (cpu.base[seg] + off) | 0;
  };
  const lw = (seg: number, off: number, bytes: number): number => {
    if ((cpu.attr[seg] & 0x0a) !== 0x02) segmentFault(seg);
    within(seg, off, bytes);
    return (cpu.base[seg] + off) | 0;
  };

  const rs8 = (o: Op, la: number): number => {
    enter(o);
    const v = readSlow8(cpu, la, user);
    leave(o);
    return v;
  };
  const rs16 = (o: Op, la: number): number => {
    const e = TR[la >>> 12];
    if ((e & 0xfff) === 0 && (la & 0xfff) <= 0xffe) return view.getUint16((e + la) | 0, true);
    enter(o);
    const v = readSlow16(cpu, la, user);
    leave(o);
    return v;
  };
  const rs32 = (o: Op, la: number): number => {
    const e = TR[la >>> 12];
    if ((e & 0xfff) === 0 && (la & 0xfff) <= 0xffc) return view.getInt32((e + la) | 0, true);
    enter(o);
    const v = readSlow32(cpu, la, user);
    leave(o);
    return v;
  };
  const ws8 = (o: Op, la: number, v: number): void => {
    enter(o);
    writeSlow8(cpu, la, v, user);
    leave(o);
  };
  const ws16 = (o: Op, la: number, v: number): void => {
    const e = TW[la >>> 12];
    if ((e & 0xfff) === 0 && (la & 0xfff) <= 0xffe) view.setInt16((e + la) | 0, v, true);
    else {
      enter(o);
      writeSlow16(cpu, la, v, user);
      leave(o);
    }
  };
  const ws32 = (o: Op, la: number, v: number): void => {
    const e = TW[la >>> 12];
    if ((e & 0xfff) === 0 && (la & 0xfff) <= 0xffc) view.setInt32((e + la) | 0, v, true);
    else {
      enter(o);
      writeSlow32(cpu, la, v, user);
      leave(o);
    }
  };

  // Read-modify-write: the index of the cell in the array of its size, or of the scratch word, which then holds the
  // value and is written back by cm*.
  const open = (o: Op, la: number, bytes: number): number => {
    enter(o);
    const host = translateForWrite(cpu, la, bytes, user);
    const direct = host >= 0 && (host & (bytes - 1)) === 0 && !cpu.watching;
    if (!direct) {
      I32[SCRATCH32] =
        bytes === 1 ? readSlow8(cpu, la, user) : bytes === 2 ? readSlow16(cpu, la, user) : readSlow32(cpu, la, user);
    }
    leave(o);
    return direct ? host : -1;
  };
  const rw8 = (o: Op, la: number): number => {
    const host = open(o, la, 1);
    return host < 0 ? SCRATCH8 : host;
  };
  const rw16 = (o: Op, la: number): number => {
    const host = open(o, la, 2);
    return host < 0 ? SCRATCH16 : host >> 1;
  };
  const rw32 = (o: Op, la: number): number => {
    const host = open(o, la, 4);
    return host < 0 ? SCRATCH32 : host >> 2;
  };
  const pw = (o: Op, la: number, bytes: number): void => {
    enter(o);
    translateForWrite(cpu, la, bytes, user);
    leave(o);
  };

  // REP MOVS and REP STOS upwards: as many iterations as lie in the present pages and the budget, but one. Pages that
  // need help, and copies that overlap their source ahead, are left to the single iterations.
  const most = (shift: number, a: number, b: number): number =>
    Math.min(cpu.r[ECX] >>> 0, S[STATE_LEFT], (0x1000 - (a & 0xfff)) >> shift, (0x1000 - (b & 0xfff)) >> shift) - 1;
  const bulkMove = (shift: number): void => {
    const { r } = cpu;
    if (S[STATE_EFLAGS] & FLAG_DF) return;
    const read = TR[r[ESI] >>> 12];
    const write = TW[r[EDI] >>> 12];
    const n = most(shift, r[ESI], r[EDI]);
    if ((read | write) & 0xfff || n <= 0) return;
    const from = (read + r[ESI]) | 0;
    const to = (write + r[EDI]) | 0;
    const bytes = n << shift;
    if (to > from && to < from + bytes) return;
    U8.copyWithin(to, from, from + bytes);
    r[ESI] += bytes;
    r[EDI] += bytes;
    r[ECX] -= n;
    S[STATE_LEFT] -= n;
  };
  const bulkFill = (shift: number): void => {
    const { r } = cpu;
    if (S[STATE_EFLAGS] & FLAG_DF) return;
    const write = TW[r[EDI] >>> 12];
    const n = most(shift, r[EDI], r[EDI]);
    const to = (write + r[EDI]) | 0;
    if (write & 0xfff || n <= 0 || to & ((1 << shift) - 1)) return;
    const at = to >> shift;
    if (shift === 2) I32.fill(r[EAX], at, at + n);
    else if (shift === 1) U16.fill(r[EAX], at, at + n);
    else U8.fill(r[EAX], at, at + n);
    r[EDI] += n << shift;
    r[ECX] -= n;
    S[STATE_LEFT] -= n;
  };

  // Vector operands: between memory and the state block, whose byte offsets are host addresses.
  const vl2 = (o: Op, la: number, to: number): void => {
    I32[to >> 2] = rs16(o, la);
  };
  const vl4 = (o: Op, la: number, to: number): void => {
    const e = TR[la >>> 12];
    I32[to >> 2] = ((e | la) & 3) === 0 ? I32[(e + la) >> 2] : rs32(o, la);
  };
  const vl8 = (o: Op, la: number, to: number): void => {
    const e = TR[la >>> 12];
    const at = to >> 2;
    if ((e & 0xfff) === 0 && (la & 0xfff) <= 0xff8) {
      const host = (e + la) | 0;
      if ((la & 3) === 0) {
        I32[at] = I32[host >> 2];
        I32[at + 1] = I32[(host >> 2) + 1];
      } else {
        I32[at] = view.getInt32(host, true);
        I32[at + 1] = view.getInt32(host + 4, true);
      }
      return;
    }
    const low = rs32(o, la);
    I32[at + 1] = rs32(o, (la + 4) | 0);
    I32[at] = low;
  };
  const vl16 = (o: Op, la: number, to: number): void => {
    const e = TR[la >>> 12];
    const at = to >> 2;
    if ((e & 0xfff) === 0 && (la & 0xfff) <= 0xff0) {
      const host = (e + la) | 0;
      if ((la & 3) === 0) {
        const from = host >> 2;
        I32[at] = I32[from];
        I32[at + 1] = I32[from + 1];
        I32[at + 2] = I32[from + 2];
        I32[at + 3] = I32[from + 3];
      } else {
        I32[at] = view.getInt32(host, true);
        I32[at + 1] = view.getInt32(host + 4, true);
        I32[at + 2] = view.getInt32(host + 8, true);
        I32[at + 3] = view.getInt32(host + 12, true);
      }
      return;
    }
    const a = rs32(o, la);
    const b = rs32(o, (la + 4) | 0);
    const c = rs32(o, (la + 8) | 0);
    I32[at + 3] = rs32(o, (la + 12) | 0);
    I32[at] = a;
    I32[at + 1] = b;
    I32[at + 2] = c;
  };
  const vs2 = (o: Op, la: number, from: number): void => ws16(o, la, I32[from >> 2]);
  const vs4 = (o: Op, la: number, from: number): void => {
    const e = TW[la >>> 12];
    if (((e | la) & 3) === 0) I32[(e + la) >> 2] = I32[from >> 2];
    else ws32(o, la, I32[from >> 2]);
  };
  const vectorStore = (o: Op, la: number, from: number, bytes: number): void => {
    const e = TW[la >>> 12];
    if ((e & 0xfff) === 0 && (la & 0xfff) <= 0x1000 - bytes) {
      const host = (e + la) | 0;
      if ((la & 3) === 0) {
        for (let i = 0; i < bytes; i += 4) I32[(host + i) >> 2] = I32[(from + i) >> 2];
      } else {
        for (let i = 0; i < bytes; i += 4) view.setInt32(host + i, I32[(from + i) >> 2], true);
      }
      return;
    }
    pw(o, la, bytes);
    for (let i = 0; i < bytes; i += 4) ws32(o, (la + i) | 0, I32[(from + i) >> 2]);
  };
  const vs8 = (o: Op, la: number, from: number): void => vectorStore(o, la, from, 8);
  const vs16 = (o: Op, la: number, from: number): void => vectorStore(o, la, from, 16);

  const values: Readonly<Record<(typeof BINDINGS)[number], unknown>> = {
    cpu,
    H: helpers,
    S,
    R8: new Uint8Array(memory.buffer, cpuBase, 32),
    R16: new Uint16Array(memory.buffer, cpuBase, 16),
    U8,
    U16,
    I32,
    TR,
    TW,
    PARITY: parity,
    rs8,
    rs16,
    rs32,
    ws8,
    ws16,
    ws32,
    rw8,
    rw16,
    rw32,
    cm8: (o: Op, la: number): void => ws8(o, la, U8[SCRATCH8]),
    cm16: (o: Op, la: number): void => ws16(o, la, I32[SCRATCH32]),
    cm32: (o: Op, la: number): void => ws32(o, la, I32[SCRATCH32]),
    lr,
    lw,
    pw,
    fb: (mask: number, v: number): number => setArithFlags(cpu, mask, v),
    enter,
    leave,
    fault: (vector: number, code: number): never => raise(cpu, vector, code),
    bulkMove,
    bulkFill,
    // Helpers that store nothing: a block need not look whether it was dropped.
    K: helpers,
    X: cpu.simd,
    V: vectorOperations,
    vl2,
    vl4,
    vl8,
    vl16,
    vs2,
    vs4,
    vs8,
    vs16,
  };
  return BINDINGS.map((name) => values[name]);
}
