// The disassembler: bytes to NASM-like text, by the decoder and the operand kinds of the instruction table.
import { registerNames, SEGMENTS } from "./asm/operands.ts";
import { FPU_REGS } from "./fpu/layout.ts";
import { BYTE_INDEX, decode, KEY_ADDR16, KEY_EA, MAX_LENGTH, MODE_CODE16, type Op } from "./isa/decode.ts";
import type { Form, OperandKind } from "./isa/forms.ts";
import type { Size } from "./isa/ir.ts";
import { BAD_LENGTH, BAD_OPCODE } from "./isa/table.ts";
import { X87_MEMORY, x87Register } from "./isa/x87-names.ts";
import { CS, DS, EBP, ES, ESP, FS, GS, SS, STATE_XMM } from "./state.ts";

const SIZE_WORDS: Readonly<Record<number, string>> = {
  1: "byte ",
  2: "word ",
  4: "dword ",
  8: "qword ",
  10: "tword ",
  16: "oword ",
};
const OVERRIDES: Readonly<Record<number, number>> = { 38: ES, 46: CS, 54: SS, 62: DS, 100: FS, 101: GS };

function hex(v: number): string {
  return `0x${(v >>> 0).toString(16)}`;
}

function signed(v: number): string {
  return v < 0 ? `-${hex(-v)}` : hex(v);
}

function registerName(index: number, size: Size): string {
  return registerNames(size)[size === 8 ? BYTE_INDEX.indexOf(index) : size === 16 ? index >> 1 : index];
}

function operandRegister(index: number, kind: OperandKind): string {
  if (kind.bank === "mmx") return `mm${(index - FPU_REGS) >> 4}`;
  if (kind.bank === "xmm") return `xmm${(index - 4 * STATE_XMM) >> 4}`;
  return registerName(index, kind.size);
}

/** "[gs:ebx+esi*4+0x10]". */
function memoryText(op: Op, override: number): string {
  const ea = op.key & KEY_EA;
  const names = registerNames(op.key & KEY_ADDR16 ? 16 : 32);
  const parts: string[] = [];
  if (ea === 2 || ea === 3) parts.push(names[op.mb]);
  // The decoder moves POP's ESP-based addresses by what the pop moves ESP.
  const popped = op.form.options.popEa && op.mb === ESP && (ea === 2 || ea === 3) && !(op.key & KEY_ADDR16);
  const disp = popped ? op.md - (op.form.size >> 3) : op.md;
  if (ea >= 3) parts.push(op.ms ? `${names[op.mi]}*${1 << op.ms}` : names[op.mi]);
  let text = parts.join("+");
  if (text === "") text = hex(disp);
  else if (disp !== 0) {
    const small = op.key & KEY_ADDR16 ? (disp << 16) >> 16 : disp;
    text += small < 0 ? `-${hex(-small)}` : `+${hex(small)}`;
  }
  return `[${override >= 0 ? `${SEGMENTS[override]}:` : ""}${text}]`;
}

interface Context {
  readonly op: Op;
  readonly address: number;
  readonly override: number;
}

function operandText(kind: OperandKind, i: number, form: Form, c: Context): string {
  const { op } = c;
  switch (kind.at) {
    case "rm": {
      if ((op.key & KEY_EA) === 0) return operandRegister(op.a, kind);
      // A register of the same size says it; the extensions have two sizes.
      const says = (o: OperandKind) => ["reg", "opreg", "fixed", "sreg"].includes(o.at) && o.text !== "CL";
      const said = form.operands.some((o) => says(o) && o.size === kind.size);
      const sizeless = !said || /^mov[sz]x/.test(form.names[0]);
      const far = /far$/.test(form.names[0]);
      const word = sizeless && kind.bytes && !far && form.names[0] !== "lea" ? (SIZE_WORDS[kind.bytes] ?? "") : "";
      return word + memoryText(op, c.override);
    }
    case "reg":
      return operandRegister(op.b, kind);
    case "opreg":
      return registerName(op.a, kind.size);
    case "fixed":
      return registerNames(kind.size)[kind.reg];
    case "fixedseg":
      return SEGMENTS[kind.reg];
    case "sreg":
      return SEGMENTS[op.b] ?? "(bad)";
    case "creg":
      return `cr${op.b}`;
    case "dreg":
      return `dr${op.b}`;
    case "one":
      return "1";
    case "imm": {
      const prefix = form.names[0] === "push" ? (form.size === 16 ? "word " : "dword ") : "";
      if (kind.encoded === 1 && kind.of > 8) return prefix + signed(op.imm);
      return prefix + hex(kind.of === 32 ? op.imm : op.imm & (kind.of === 8 ? 0xff : 0xffff));
    }
    case "imm2":
      return hex(op.imm2);
    case "rel": {
      const target = (c.address + op.end + op.imm) | 0;
      return hex(form.size === 16 ? target & 0xffff : target);
    }
    case "far":
      return `${hex(op.imm2)}:${hex(form.size === 16 ? op.imm & 0xffff : op.imm)}`;
    case "moffs":
      return memoryText(op, c.override);
    default:
      return `(${kind.text}${i})`;
  }
}

function x87Text(op: Op, c: Context): string {
  const opcode = op.form.opcode[0];
  const modrm = op.imm2;
  if (modrm < 0xc0) {
    const found = X87_MEMORY[opcode - 0xd8][(modrm >> 3) & 7];
    return found ? `${found.name} ${SIZE_WORDS[found.bytes] ?? ""}${memoryText(op, c.override)}` : "(bad)";
  }
  const found = x87Register(opcode, modrm);
  if (!found) return "(bad)";
  const st = `st${modrm & 7}`;
  const operands = { "0": ` st0, ${st}`, i: ` ${st}, st0`, "1": ` ${st}`, "": "", ax: " ax" }[found.operands];
  return found.name + operands;
}

/**
 * Disassemble one instruction.
 * @param bytes at least the instruction's bytes (15 suffice)
 * @param address its address, for branch targets
 * @returns NASM-like text, which assemble() accepts, and its length; "(bad)" with length 1 when it is none
 */
export function disassemble(bytes: Uint8Array, address: number, bits: 16 | 32 = 32): { text: string; length: number } {
  const op = decode(bytes, 0, Math.min(bytes.length, MAX_LENGTH), 0, bits === 16 ? MODE_CODE16 : 0);
  if (op === null || op.form === BAD_OPCODE || op.form === BAD_LENGTH) return { text: "(bad)", length: 1 };
  const { form } = op;
  let override = -1;
  let prefix = "";
  for (const b of bytes.subarray(0, op.end)) {
    if (b in OVERRIDES) override = OVERRIDES[b];
    else if (b === 0xf0) prefix += "lock ";
    else if (b === 0xf2 && form.string) prefix += "repne ";
    else if (b === 0xf3 && form.string) prefix += "rep ";
    else if (b !== 0x66 && b !== 0x67 && b !== 0xf2 && b !== 0xf3) break;
  }
  const hasMemory = (op.key & KEY_EA) !== 0;
  if (hasMemory) {
    const stack = (op.mb === EBP || op.mb === ESP) && [2, 3].includes(op.key & KEY_EA);
    if (override === (stack ? SS : DS)) override = -1;
  } else if (override >= 0 && (form.string || form.names[0] === "xlatb")) prefix += `${SEGMENTS[override]} `;
  const c: Context = { op, address, override };
  if (form.names[0].startsWith("esc")) return { text: prefix + x87Text(op, c), length: op.end };
  const operands = form.operands.map((kind, i) => operandText(kind, i, form, c)).join(", ");
  const named = form.names.some((n) => /[wd]$/.test(n));
  const open = form.operands.length === 0 ? !named : form.operands.every((o) => o.at === "rel" || o.at === "far");
  const size = form.sized && form.size !== bits && open ? `o${form.size} ` : "";
  return { text: `${prefix}${size}${form.names[0]}${operands ? ` ${operands}` : ""}`, length: op.end };
}
