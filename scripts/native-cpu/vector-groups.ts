// What is run on the real processor: every row of the instruction table at every operand size, with a register and with
// a memory operand, under every prefix that means something to it; and the rows that a ring-3 program cannot compare.
import type { Form } from "../../src/emu/cpu/isa/forms.ts";
import { instructionSet } from "../../src/emu/cpu/isa/table.ts";

/** Register operand, memory operand, or neither. */
export type Shape = "reg" | "mem" | "none";

/** Rows and shapes that cannot be compared, and why. */
export interface Excluded {
  readonly name: string;
  readonly code: string;
  readonly why: string;
}

/** One encoding under one combination of prefixes; all its vectors together are one line of the fixture. */
export interface Group {
  /** "name code operands size shape prefix": names the group for good, and seeds its vectors. */
  readonly key: string;
  readonly form: Form;
  readonly shape: Shape;
  /** Prefix bytes in hexadecimal, without the operand-size prefix that the form itself needs; "mix" for random ones. */
  readonly prefix: string;
  /** ModRM.reg for x87 memory forms, whole ModRM for x87 register forms, -1 for others. */
  readonly modrm: number;
  /** Runs between FXRSTOR and FXSAVE instead of alone under TF. */
  readonly fp: boolean;
}

const WHY_NOT: readonly (readonly [RegExp, string])[] = [
  [/^sysenter$/, "enters the host's kernel"],
  [/^sysexit$/, "#UD in the host's long mode, #GP in legacy mode"],
  [/^(sgdt|sidt|sldt|str|smsw)$/, "the host's kernel answers in the processor's stead (UMIP)"],
  [/^cpuid$/, "the processor's identity"],
  [/^(rdtsc|rdpmc)$/, "the processor's clock and counters"],
  [/^(monitor|mwait)$/, "in ring 3 as the host has set it"],
  [/^int1$/, "its #DB is the measuring driver's own"],
];

/** Why a form cannot be compared natively, or null. */
export function whyNot(form: Form): string | null {
  for (const [name, why] of WHY_NOT) if (name.test(form.names[0])) return why;
  return null;
}

/** Is it an escape to the x87? */
export function isX87(form: Form): boolean {
  return form.names[0].startsWith("esc");
}

/** Does it work on x87, MMX or XMM state? */
export function isFp(form: Form): boolean {
  return form.options.cls === "x87" || form.options.cls === "simd";
}

function hex(bytes: readonly number[]): string {
  return bytes.map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** Segment overrides and the address-size prefix. */
const ADDRESS_PREFIXES = ["26", "2e", "36", "3e", "64", "65", "67", "mix"];

function prefixesOf(form: Form, shape: Shape): string[] {
  const list = [""];
  const name = form.names[0];
  // BSWAP of 16 bits is undefined; where prefixes select the row, 66 would be another.
  if (!form.sized && !form.exact && !/^(bswap|fxsave|fxrstor)$/.test(name)) list.push("66");
  const implicit = form.string || form.moffs || /^(xlatb|maskmov)/.test(name);
  if (shape === "mem" || implicit) list.push(...ADDRESS_PREFIXES);
  // AMD reads LOCK MOV CR0 as MOV CR8, and ignores LOCK before VERW.
  if (form.modrm && name !== "verw" && !form.operands.some((o) => o.at === "creg")) list.push("f0");
  if (form.string) list.push("f2", "f3", "f367", "f236");
  if (/^(loop|jecxz)/.test(name)) list.push("67");
  return list;
}

function shapesOf(form: Form): Shape[] {
  const rm = form.operands.find((o) => o.at === "rm");
  if (rm === undefined) return form.modrm ? ["reg"] : ["none"];
  const shapes: Shape[] = [];
  if (rm.register) shapes.push("reg");
  if (rm.memory) shapes.push("mem");
  return shapes;
}

function keyOf(form: Form, shape: Shape, prefix: string, code: string): string {
  const selector = form.exact ? `${form.mandatory === 0 ? "np" : hex([form.mandatory])}:` : "";
  const digit = form.digit >= 0 ? `/${form.digit}` : "";
  const operands = form.operands.map((o) => o.text).join(",") || "-";
  return `${form.names[0].replaceAll(" ", "_")} ${selector}${code}${digit} ${operands} ${form.size} ${shape} ${prefix || "-"}`;
}

function x87Groups(form: Form): Group[] {
  const groups: Group[] = [];
  const add = (shape: Shape, prefix: string, modrm: number, code: string) =>
    groups.push({ key: keyOf(form, shape, prefix, code), form, shape, prefix, modrm, fp: true });
  for (let op = 0; op < 8; op++) {
    for (const prefix of prefixesOf(form, "mem")) add("mem", prefix, op, `${hex(form.opcode)}/${op}`);
  }
  for (let modrm = 0xc0; modrm < 0x100; modrm++) add("reg", "", modrm, hex([...form.opcode, modrm]));
  return groups;
}

/** Every group of the instruction table. */
export function allGroups(): Group[] {
  const groups: Group[] = [];
  for (const form of instructionSet.forms) {
    if (whyNot(form) !== null) continue;
    if (isX87(form)) {
      groups.push(...x87Groups(form));
      continue;
    }
    for (const shape of shapesOf(form)) {
      for (const prefix of prefixesOf(form, shape)) {
        const key = keyOf(form, shape, prefix, hex(form.opcode));
        groups.push({ key, form, shape, prefix, modrm: -1, fp: isFp(form) });
      }
    }
  }
  return groups;
}

/** What allGroups leaves out. */
export function excludedRows(): Excluded[] {
  const rows: Excluded[] = [];
  const code = (form: Form) => hex(form.opcode) + (form.digit >= 0 ? ` /${form.digit}` : "");
  for (const form of instructionSet.forms) {
    const why = whyNot(form);
    // One line for both operand sizes.
    if (why !== null && rows.at(-1)?.code !== code(form)) rows.push({ name: form.names[0], code: code(form), why });
  }
  rows.push({ name: "bswap", code: "66 0fc8", why: "of 16 bits: undefined" });
  rows.push({ name: "mov", code: "f0 0f20, f0 0f22", why: "AMD reads LOCK MOV CR0 as MOV CR8" });
  rows.push({ name: "verw", code: "f0 0f00 /5", why: "AMD ignores the LOCK" });
  return rows;
}
