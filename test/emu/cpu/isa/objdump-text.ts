// One spelling for two disassemblers: text of `objdump -d -M intel -w` and of disassemble(), brought to a common form.
// What is normalised, and nothing else:
// - spaces, symbols in <>, comments behind #, the word PTR;
// - size words of memory operands where disassemble() leaves them to a register operand;
// - ds: before an absolute address; segments are written inside the brackets; +0x0, +eiz*N (an index that is none);
// - sign of immediates: both modulo the operand's width;
// - registers st(i), st; string instructions by mnemonic and size instead of their fixed operands;
// - prefixes that select nothing: objdump names them (notrack, bnd, repz ret, cs, data16), disassemble() does not;
// - names: aliases in NAMES, comparisons of SSE by number instead of by name; 66 90 is XCHG AX, AX, which is NOP;
// - FCOM ST(0), ST(i) with its first operand; FWAIT before an x87 instruction, which objdump counts to it;
// - instructions of later processors that are older ones behind a prefix: TZCNT and LZCNT are BSF and BSR here;
// - MOV between a segment register and a general one: both operand sizes name it alike.

import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { X87_WAITING } from "../../../../src/emu/cpu/isa/x87-names.ts";

/** objdump's name to the table's. */
const NAMES: Readonly<Record<string, string>> = {
  pushf: "pushfd",
  popf: "popfd",
  pusha: "pushad",
  popa: "popad",
  iret: "iretd",
  xlat: "xlatb",
  ret: "ret",
  icebp: "int1",
  tzcnt: "bsf",
  lzcnt: "bsr",
};

const COMPARISONS = ["eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"];
const SIZES: Readonly<Record<string, string>> = {
  byte: "byte",
  word: "word",
  dword: "dword",
  fword: "",
  qword: "qword",
  tbyte: "tword",
  xmmword: "oword",
};
const STRING = /^(movs|cmps|stos|lods|scas|ins|outs)$/;
const IDLE = /^(?:notrack|bnd|data16|addr16|cs|ds|es|ss|fs|gs|rep|repz|repnz|xacquire|xrelease) /;

/** One operand of objdump. */
function operand(text: string): string {
  const memory = text.match(/^(?:(\w+) PTR )?(?:([c-gs]s):)?(\[.*\]|0x[0-9a-f]+)$/);
  if (memory && (memory[1] || memory[2] || text.startsWith("["))) {
    const [, size = "", segment = ""] = memory;
    let inner = memory[3].replace(/^\[|\]$/g, "");
    inner = inner
      .replace(/\+?eiz\*[1248]/, "")
      .replace(/^\+/, "")
      .replace(/(.)[+-]0x0$/, "$1")
      .replace(/\*1\b/, "");
    const bracket = memory[3].startsWith("[");
    const said = segment === "" || (segment === "ds" && !bracket) ? "" : `${segment}:`;
    const word = SIZES[size.toLowerCase()] ?? size.toLowerCase();
    return `${word}${word ? " " : ""}[${said}${inner}]`;
  }
  return text.replace(/st\((\d)\)/g, "st$1").replace(/^st$/, "st0");
}

/** Split at commas outside brackets. */
function operands(text: string): string[] {
  return text === "" ? [] : text.split(/,\s*(?![^[]*\])/);
}

/** objdump's text in the common form; prefixes that select nothing are kept apart by the caller through `theirs`. */
export function fromObjdump(text: string): string {
  let rest = text
    .replace(/\s*#.*$/, "")
    .replace(/\s*<[^>]*>/g, "")
    .trim()
    .replace(/\s+/g, " ");
  let prefix = "";
  for (;;) {
    const word = rest.match(
      /^(lock|rep|repz|repnz|notrack|bnd|data16|addr16|cs|ds|es|ss|fs|gs|xacquire|xrelease) (?=\S)/,
    );
    if (!word) break;
    rest = rest.slice(word[0].length);
    if (word[1] === "lock") prefix += "lock ";
    else if (/^rep/.test(word[1]) && /^(movs|cmps|stos|lods|scas|ins|outs)\b/.test(rest)) {
      prefix += word[1] === "repnz" ? "repne " : "rep ";
    } else if (IDLE.test(word[0])) continue;
  }
  const space = rest.indexOf(" ");
  let name = space < 0 ? rest : rest.slice(0, space);
  const list = operands(space < 0 ? "" : rest.slice(space + 1)).map(operand);
  if (STRING.test(name)) {
    const size = list.join(" ").match(/\b(byte|word|dword) \[/)?.[1] ?? "dword";
    const source = list.find((o) => /\b(?:esi|si|ebx|bx)\]/.test(o))?.match(/\[([c-gs]s):/)?.[1];
    const segment = source !== undefined && source !== "ds" ? `${source} ` : "";
    return `${prefix}${segment}${name}${size[0]}`;
  }
  if (name === "xlat") list.length = 0;
  if (name === "xchg" && list[0] === "ax" && list[1] === "ax") return `${prefix}nop`;
  // Targets are printed without 0x.
  if (list.length === 1 && /^[0-9a-f]+$/.test(list[0]) && /^(?:j|call|loop|xbegin)/.test(name))
    list[0] = `0x${list[0]}`;
  if (/^fcomp?$/.test(name) && list.length === 1 && list[0].startsWith("st")) list.unshift("st0");
  if (name === "mov" && /^[c-gs]s$/.test(list[0])) list[1] = list[1].replace(/^e(?=..$)/, "");
  const compare = name.match(/^cmp(eq|lt|le|unord|neq|nlt|nle|ord)(ps|pd|ss|sd)$/);
  if (compare) {
    name = `cmp${compare[2]}`;
    list.push(`0x${COMPARISONS.indexOf(compare[1]).toString(16)}`);
  }
  name = NAMES[name] ?? name;
  return `${prefix}${name}${list.length ? ` ${list.join(", ")}` : ""}`;
}

/** Do the two texts say the same? `ours` is disassemble()'s, `theirs` fromObjdump()'s. */
export function sameText(ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  const a = parts(ours);
  const b = parts(theirs);
  if (a.length !== b.length || a[0] !== b[0]) return false;
  const narrow = / (?:[abcd][xlh]|[sd]i|[sb]p)(?:,|$)| (?:word|byte) |^o16/.test(ours) ? 0xffff : -1;
  return a.every((x, i) => i === 0 || sameOperand(x, b[i], narrow));
}

function parts(text: string): string[] {
  const match = text.match(/^((?:(?:lock|rep|repne|o16|cs|ss|es|fs|gs) )*\S+)\s*(.*)$/);
  return match ? [match[1].replace(/^o16 /, ""), ...operands(match[2])] : [text];
}

/** How one instruction of objdump's compares. "absent": the table does not have it; "bad": neither has. */
export type Verdict = "same" | "absent" | "bad" | "length" | "text";

/** One instruction as objdump has it, beside the disassembler. */
export function compareOne(
  address: number,
  bytes: Uint8Array,
  text: string,
): { verdict: Verdict; ours: string; theirs: string; lengths: number[] } {
  const one = disassemble(bytes, address);
  if (bytes[0] === 0x9b && bytes.length > 1 && one.length === 1) {
    const [name, rest = ""] = text.split(/ (.*)/);
    const inner = compareOne(address + 1, bytes.subarray(1), `${X87_WAITING[name] ?? name} ${rest}`);
    return { ...inner, lengths: [1, ...inner.lengths] };
  }
  const ours = one.text;
  const theirs = fromObjdump(text);
  const of = (verdict: Verdict) => ({ verdict, ours, theirs, lengths: [one.length] });
  if (ours.endsWith("(bad)")) return of(text.includes("(bad)") ? "bad" : "absent");
  if (one.length !== bytes.length) return of("length");
  return of(sameText(ours, theirs) ? "same" : "text");
}

const SIZE_WORD = /^(?:byte|word|dword|qword|tword|oword) /;

function sameOperand(ours: string, theirs: string, mask: number): boolean {
  if (ours === theirs) return true;
  const plain = ours.replace(/^(?:dword|word) (?=-?0x)/, "");
  if (/^-?0x[0-9a-f]+$/.test(plain) && /^-?0x[0-9a-f]+$/.test(theirs)) {
    const [a, b] = [plain, theirs].map((t) => (t.startsWith("-") ? -Number(t.slice(1)) : Number(t)));
    return ((a - b) & mask) === 0 && (mask === -1 || Math.abs(a) <= 0xffff_ffff);
  }
  return !SIZE_WORD.test(ours) && ours === theirs.replace(SIZE_WORD, "");
}
