// Encoding one instruction: choose among the forms of a mnemonic the shortest that its operands fit, and write its bytes.
import { InputError } from "../../../errors.ts";
import type { Form, OperandKind } from "../isa/forms.ts";
import { instructionSet } from "../isa/table.ts";
import { isX87Name, X87_MEMORY, X87_WAITING, x87RegisterCode } from "../isa/x87-names.ts";
import { EBP, EBX, EDI, ESI, ESP } from "../state.ts";
import type { Memory, Operand } from "./operands.ts";

export interface EncodeContext {
  readonly bits: 16 | 32;
  /** Address of the instruction. */
  readonly at: number;
  /** May a jump whose distance is open be short? */
  readonly short: boolean;
  readonly where: string;
  /** Prefix bytes written before it: lock, rep, segment; and sizes forced by o16 o32 a16 a32. */
  readonly prefixes: readonly number[];
  readonly forceSize: 0 | 16 | 32;
  readonly forceAddress: 0 | 16 | 32;
}

const fits8 = (v: number): boolean => v >= -128 && v <= 127;

/** A value as the two's complement of `bits`, or NaN when it does not fit. */
function wrap(v: number, bits: number): number {
  if (bits === 32) return v >= -0x8000_0000 && v <= 0xffff_ffff ? v | 0 : Number.NaN;
  if (v < -(2 ** (bits - 1)) || v >= 2 ** bits) return Number.NaN;
  return v >= 2 ** (bits - 1) ? v - 2 ** bits : v;
}

function immediateFits(kind: OperandKind, o: Operand & { k: "imm" }): boolean {
  const v = o.value;
  if (kind.encoded === 1 && kind.of > 8) {
    if (o.bytes > 1 && o.bytes * 8 !== kind.of) return false;
    return o.bytes === 1
      ? fits8(wrap(v.value, kind.of)) || fits8(wrap(v.value, 8))
      : !v.placed && fits8(wrap(v.value, kind.of));
  }
  if (o.bytes !== 0 && o.bytes !== kind.encoded) return false;
  return !Number.isNaN(wrap(v.value, 8 * kind.encoded));
}

const BANKS = { mm: "mmx", xmm: "xmm" } as const;

function matches(kind: OperandKind, o: Operand, form: Form): boolean {
  switch (kind.at) {
    case "rm":
      if (o.k === "mm" || o.k === "xmm") return kind.register && kind.bank === BANKS[o.k];
      if (o.k === "gpr") {
        if (!kind.register || kind.bank !== "general") return false;
        return (
          o.size === kind.size ||
          (o.size === 32 && kind.size === 16 && (form.bIsIndex || /^l(ar|sl)$/.test(form.names[0])))
        );
      }
      return o.k === "mem" && kind.memory && (o.bytes === 0 || kind.bytes === 0 || o.bytes === kind.bytes);
    case "reg":
      if (o.k === "mm" || o.k === "xmm") return kind.bank === BANKS[o.k];
      return o.k === "gpr" && kind.bank === "general" && o.size === kind.size;
    case "opreg":
      return o.k === "gpr" && o.size === kind.size;
    case "fixed":
      return o.k === "gpr" && o.n === kind.reg && o.size === kind.size;
    case "fixedseg":
      return o.k === "seg" && o.n === kind.reg;
    case "sreg":
      return o.k === "seg";
    case "creg":
      return o.k === "cr";
    case "dreg":
      return o.k === "dr";
    case "one":
      return o.k === "imm" && !o.value.placed && o.value.value === 1;
    case "imm":
    case "imm2":
      return o.k === "imm" && immediateFits(kind, o);
    case "rel":
      return o.k === "imm";
    case "far":
      return o.k === "far";
    case "moffs":
      return o.k === "mem" && o.mem.base < 0 && o.mem.index < 0 && (o.bytes === 0 || o.bytes === kind.bytes);
    default:
      return false;
  }
}

class Bytes {
  readonly list: number[] = [];
  put(v: number, bytes: number): void {
    for (let i = 0; i < bytes; i++) this.list.push(Math.floor(v / 2 ** (8 * i)) & 0xff);
  }
}

/** ModRM, SIB and displacement of a memory operand. */
function putMemory(out: Bytes, reg: number, mem: Memory, address: 16 | 32, where: string): void {
  const bad = (): never => {
    throw new InputError(`${where}: that address has no encoding`);
  };
  const { disp } = mem;
  const value = wrap(disp.value, address);
  if (Number.isNaN(value)) bad();
  const put = (mod: number, rm: number) => out.put((mod << 6) | (reg << 3) | rm, 1);
  if (address === 16) {
    if (mem.base < 0 && mem.index < 0) {
      put(0, 6);
      out.put(value, 2);
      return;
    }
    const set = [mem.base, mem.index].filter((n) => n >= 0).sort((a, b) => a - b);
    const shapes = [[EBX, ESI], [EBX, EDI], [EBP, ESI], [EBP, EDI], [ESI], [EDI], [EBP], [EBX]];
    const rm = shapes.findIndex((s) => s.length === set.length && s.every((n, i) => n === set[i]));
    if (rm < 0 || mem.scale !== 1) bad();
    const mod = !disp.placed && value === 0 && rm !== 6 ? 0 : !disp.placed && fits8(value) ? 1 : 2;
    put(mod, rm);
    out.put(value, mod === 0 ? 0 : mod);
    return;
  }
  let { base, index, scale } = mem;
  if (index === ESP) {
    if (scale !== 1 || base === ESP) bad();
    [base, index] = [index, base];
  }
  if (base < 0 && index >= 0 && scale === 1) {
    base = index;
    index = -1;
  } else if (base < 0 && index >= 0 && scale === 2) {
    base = index;
    scale = 1;
  }
  const sib = index >= 0 || base === ESP;
  if (base < 0) {
    put(0, index >= 0 ? 4 : 5);
    if (index >= 0) out.put((Math.log2(scale) << 6) | (index << 3) | 5, 1);
    out.put(value, 4);
    return;
  }
  const mod = !disp.placed && value === 0 && base !== EBP ? 0 : !disp.placed && fits8(value) ? 1 : 2;
  put(mod, sib ? 4 : base);
  if (sib) out.put((Math.log2(scale) << 6) | ((index >= 0 ? index : 4) << 3) | base, 1);
  out.put(value, mod === 0 ? 0 : mod === 1 ? 1 : 4);
}

function addressSize(operands: readonly Operand[], c: EncodeContext): 16 | 32 {
  if (c.forceAddress !== 0) return c.forceAddress;
  const m = operands.find((o) => o.k === "mem");
  return m?.k === "mem" && m.mem.size !== 0 ? m.mem.size : c.bits;
}

function putPrefixes(
  out: Bytes,
  operands: readonly Operand[],
  c: EncodeContext,
  address: 16 | 32,
  size66: boolean,
): void {
  for (const p of c.prefixes) out.put(p, 1);
  const m = operands.find((o) => o.k === "mem");
  if (m?.k === "mem" && m.mem.seg >= 0) {
    const defaultSeg = m.mem.base === EBP || (m.mem.base === ESP && m.mem.size === 32) ? 2 : 3;
    if (m.mem.seg !== defaultSeg) out.put([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65][m.mem.seg], 1);
  }
  if (size66) out.put(0x66, 1);
  if (address !== c.bits) out.put(0x67, 1);
}

/** The bytes of one form, or null when a value does not fit after all. */
function write(form: Form, operands: readonly Operand[], c: EncodeContext): number[] | null {
  const out = new Bytes();
  const jcxz = form.names.includes("jcxz");
  const address = jcxz && c.forceAddress === 0 ? c.bits : addressSize(operands, c);
  putPrefixes(
    out,
    operands,
    c,
    address,
    form.sized && form.size !== c.bits && !(form.relBytes === 1 && c.forceSize === 0),
  );
  const opcode = [...form.opcode];
  form.operands.forEach((kind, i) => {
    const o = operands[i];
    if (kind.at === "opreg" && o.k === "gpr") opcode[opcode.length - 1] += o.n;
  });
  if (form.mandatory !== 0) out.put(form.mandatory, 1);
  for (const b of opcode) out.put(b, 1);
  if (form.modrm) {
    const find = (...ats: string[]) => form.operands.findIndex((k) => ats.includes(k.at));
    const r = find("reg", "sreg", "creg", "dreg");
    const ro = operands[r];
    const reg = form.digit >= 0 ? form.digit : ro && "n" in ro ? ro.n : 0;
    const e = operands[find("rm")];
    if (e === undefined) out.put(0xc0 | (reg << 3) | (form.options.rm ?? 0), 1);
    else if (e.k === "gpr" || e.k === "mm" || e.k === "xmm") out.put(0xc0 | (reg << 3) | e.n, 1);
    else if (e.k === "mem") putMemory(out, reg, e.mem, address, c.where);
  }
  for (const [i, kind] of form.operands.entries()) {
    const o = operands[i];
    if (kind.at === "moffs" && o.k === "mem") out.put(wrap(o.mem.disp.value, address), address >> 3);
    else if (kind.at === "far" && o.k === "far") {
      out.put(wrap(o.offset.value, 8 * kind.encoded), kind.encoded);
      out.put(o.selector.value, 2);
    } else if ((kind.at === "imm" || kind.at === "imm2") && o.k === "imm") out.put(o.value.value, kind.encoded);
    else if (kind.at === "rel" && o.k === "imm") {
      const distance = (o.value.value - (c.at + out.list.length + kind.encoded)) | 0;
      const only = kind.encoded === 1 && !c.short && o.distance !== "short";
      if (kind.encoded === 1 && (only || !fits8(distance))) return null;
      out.put(distance, kind.encoded);
    }
  }
  return out.list;
}

function x87(name: string, operands: readonly Operand[], c: EncodeContext): number[] {
  const bare = X87_WAITING[name] ?? name;
  const out = new Bytes();
  if (bare !== name) out.put(0x9b, 1);
  const m = operands[0];
  if (operands.length === 1 && m.k === "mem") {
    const found: { opcode: number; reg: number; bytes: number }[] = [];
    X87_MEMORY.forEach((row, n) => {
      row.forEach((f, reg) => {
        if (f?.name === bare && (m.bytes === 0 || f.bytes === 0 || f.bytes === m.bytes)) {
          found.push({ opcode: 0xd8 + n, reg, bytes: f.bytes });
        }
      });
    });
    if (found.length !== 1)
      throw new InputError(`${c.where}: ${name} needs ${found.length ? "a size word" : "another operand"}`);
    const address = addressSize(operands, c);
    putPrefixes(out, operands, c, address, false);
    out.put(found[0].opcode, 1);
    putMemory(out, found[0].reg, m.mem, address, c.where);
    return out.list;
  }
  const numbers = operands.map((o) => (o.k === "st" ? o.n : null));
  const code = x87RegisterCode(bare, numbers);
  if (code === null) throw new InputError(`${c.where}: ${name} does not take these operands`);
  out.put(code[0], 1);
  out.put(code[1], 1);
  return out.list;
}

/** Forms of a mnemonic whose operands fit, with their bytes. */
function candidates(name: string, operands: readonly Operand[], c: EncodeContext): { form: Form; bytes: number[] }[] {
  const list: { form: Form; bytes: number[] }[] = [];
  for (const form of instructionSet.byName.get(name) ?? []) {
    if (form.options.alias || form.operands.length !== operands.length) continue;
    if (c.forceSize !== 0 && form.sized && form.size !== c.forceSize) continue;
    if (!form.operands.every((kind, i) => matches(kind, operands[i], form))) continue;
    const bytes = write(form, operands, c);
    if (bytes) list.push({ form, bytes });
  }
  return list;
}

/** Without any register or size word, does the memory operand's size stay open between a byte and a word? */
function ambiguous(list: readonly { form: Form }[], operands: readonly Operand[]): boolean {
  const at = operands.findIndex((o) => o.k === "mem" && o.bytes === 0);
  if (at < 0) return false;
  const sizes = new Set(list.map(({ form }) => form.operands[at].bytes));
  return sizes.has(1) && sizes.size > 1;
}

/**
 * Encode one instruction.
 * Errors: InputError when no form fits, or an operand's size is open.
 */
export function encode(mnemonic: string, given: readonly Operand[], c: EncodeContext): number[] {
  let name = mnemonic;
  let operands = given;
  if (isX87Name(name)) return x87(name, operands, c);
  const first = operands[0];
  if ((name === "call" || name === "jmp") && first?.k === "mem" && first.far) name += " far";
  if ((name === "aam" || name === "aad") && operands.length === 0) {
    operands = [{ k: "imm", value: { value: 10, placed: false }, bytes: 0, distance: "" }];
  }
  if (name === "imul" && operands.length === 2 && operands[1].k === "imm") operands = [first, first, operands[1]];
  const list = candidates(name, operands, c);
  if (operands.length === 2 && (name === "xchg" || name === "test")) {
    list.push(...candidates(name, [operands[1], operands[0]], c));
  }
  if (list.length === 0) {
    const known = instructionSet.byName.has(name);
    throw new InputError(
      `${c.where}: ${known ? `${mnemonic} does not take these operands` : `"${mnemonic}" is no instruction`}`,
    );
  }
  if (ambiguous(list, operands)) throw new InputError(`${c.where}: ${mnemonic} needs byte, word or dword before [`);
  // Operands that leave the size open take the mode's own.
  const natural = list.filter(({ form }) => !form.sized || form.size === c.bits);
  const pool = natural.length > 0 ? natural : list;
  return pool.reduce((best, x) => (x.bytes.length < best.bytes.length ? x : best)).bytes;
}
