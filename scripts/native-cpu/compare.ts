// Where the emulator and the real processor disagree about one instruction, in words; undefined flags are not compared.
import { decode, MODE_USER, type Op } from "../../src/emu/cpu/isa/decode.ts";
import { type Case, type Inputs, type Outputs, SIGNAL_TRAP, WINDOW } from "./cases.ts";
import { isTranscendental } from "./x87-forms.ts";

const FLAG_BITS: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 4, C: 1 };
const RF = 0x1_0000;
const VECTOR_GP = 13;
const VECTOR_PF = 14;

function decodeCase(c: Case): Op | null {
  const bytes = new Uint8Array(32).fill(0xcc);
  bytes.set(c.code);
  return decode(bytes, 0, bytes.length, 0, MODE_USER);
}

function hex(value: number): string {
  return (value >>> 0).toString(16);
}

/**
 * Cases whose answer says nothing: results that the manual leaves undefined, the order of two faulting operands, and
 * #GP for addresses that wrap at 4 GiB, where the emulator (like a processor without that check) goes on.
 */
export function isUndecided(c: Case, inputs: Inputs, want: Outputs): boolean {
  if (c.kind === "sequence") return want.signal !== SIGNAL_TRAP;
  const op = decodeCase(c);
  if (op === null) return true;
  const name = op.form.names[0];
  if (c.kind === "x87") {
    // FYL2XP1 outside its range.
    const [opcode, modrm] = c.code;
    const exponent = inputs.fpu[36] | ((inputs.fpu[37] & 0x7f) << 8);
    if (exponent === 0x7fff) return false;
    return opcode === 0xd9 && modrm === 0xf9 && exponent >= 0x3ffd;
  }
  if (/^sh[lr]d/.test(name) && op.form.size === 16) {
    const count = op.form.operands.some((o) => o.at === "imm") ? op.imm : inputs.regs[1];
    return (count & 31) > 16;
  }
  if (/^cmps/.test(name)) return want.trap === VECTOR_PF;
  return want.signal === 11 && want.trap === VECTOR_GP && op.form.sync === false && op.seg !== 1 && op.seg !== 4;
}

/** Flags that this instruction leaves undefined. */
function undefinedFlags(op: Op): number {
  let mask = 0;
  for (const letter of op.form.options.u ?? "") mask |= FLAG_BITS[letter] ?? 0;
  return mask;
}

function compareBytes(what: string, want: Uint8Array, got: Uint8Array, out: string[]): void {
  const parts: string[] = [];
  for (let i = 0; i < want.length; i++)
    if (want[i] !== got[i]) parts.push(`${hex(i)}: ${hex(want[i])} got ${hex(got[i])}`);
  if (parts.length) out.push(`${what} ${parts.join(", ")}`);
}

/** Units in the last place between two registers of an FNSAVE image, 2^64 when signs or exponents are too far apart. */
function ulps(want: DataView, got: DataView, at: number): bigint {
  const [ws, gs] = [want.getUint16(at + 8, true), got.getUint16(at + 8, true)];
  const [wm, gm] = [want.getBigUint64(at, true), got.getBigUint64(at, true)];
  if (ws === gs) return wm > gm ? wm - gm : gm - wm;
  const top = 1n << 63n;
  if ((ws ^ gs) & 0x8000 || Math.abs(ws - gs) !== 1) return 1n << 64n;
  // Across a power of two: the larger starts at 2^63 of the next exponent.
  const [low, high] = ws < gs ? [wm, gm] : [gm, wm];
  return (1n << 64n) - low + 2n * (high - top);
}

function compareFpu(c: Case, want: Uint8Array, got: Uint8Array, out: string[]): void {
  const w = new DataView(want.buffer, want.byteOffset, want.length);
  const g = new DataView(got.buffer, got.byteOffset, got.length);
  const approximate = isTranscendental(c.code[0], c.code[1]);
  for (const [offset, name] of [
    [0, "cw"],
    [4, "sw"],
    [8, "tw"],
  ] as const) {
    // C1 says how the last bit was rounded, which an ulp of freedom leaves open.
    const mask = name === "sw" && approximate ? 0xfdff : 0xffff;
    const [a, b] = [w.getUint16(offset, true) & mask, g.getUint16(offset, true) & mask];
    if (a !== b) out.push(`${name} ${hex(a)} got ${hex(b)}`);
  }
  for (let i = 0; i < 8; i++) {
    const at = 28 + 10 * i;
    const distance = ulps(w, g, at);
    if (distance > (approximate && i < 2 ? 1n : 0n)) {
      const show = (v: DataView) => `${hex(v.getUint16(at + 8, true))}:${v.getBigUint64(at, true).toString(16)}`;
      out.push(`st${i} ${show(w)} got ${show(g)}`);
    }
  }
}

/** The differences; none means agreement. */
export function differences(c: Case, want: Outputs, got: Outputs): string[] {
  const out: string[] = [];
  // Linux reports #DE with trap number 0 and #MF with 16, both as SIGFPE.
  if (want.signal !== got.signal || want.trap !== got.trap) {
    if (!(c.kind === "x87" && want.signal === SIGNAL_TRAP && got.signal === SIGNAL_TRAP)) {
      return [`signal ${want.signal} trap ${want.trap} got ${got.signal} ${got.trap}`];
    }
  }
  if (want.trap === VECTOR_PF && (want.error !== got.error || want.cr2 !== got.cr2)) {
    out.push(`error ${want.error} cr2 ${hex(want.cr2)} got ${got.error} ${hex(got.cr2)}`);
  }
  const op = c.kind === "sequence" ? null : decodeCase(c);
  const completed = want.signal === SIGNAL_TRAP;
  let flags = 0xcd5 | (completed ? 0 : RF);
  if (completed && op !== null) flags &= ~undefinedFlags(op);
  // Sequences hold logical operations, which leave AF undefined.
  if (c.kind === "sequence") flags &= ~FLAG_BITS.A;
  if (c.kind === "x87") flags &= ~RF;
  else if (want.eip !== got.eip) out.push(`eip ${hex(want.eip)} got ${hex(got.eip)}`);
  if ((want.eflags ^ got.eflags) & flags) out.push(`eflags ${hex(want.eflags & flags)} got ${hex(got.eflags & flags)}`);
  for (let i = 0; i < 8; i++)
    if (want.regs[i] !== got.regs[i]) out.push(`r${i} ${hex(want.regs[i])} got ${hex(got.regs[i])}`);
  const window = want.window.slice();
  const found = got.window.slice();
  // The measured PUSHF pushed the TF that stepped it.
  if (op !== null && /^pushf/.test(op.form.names[0]) && completed) {
    for (const bytes of [window, found]) bytes[want.regs[4] - WINDOW + 1] &= ~1;
  }
  compareBytes("memory", window, found, out);
  if (c.kind === "x87" && completed) compareFpu(c, want.fpu, got.fpu, out);
  return out;
}
