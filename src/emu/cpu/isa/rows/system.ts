// System instructions: segment registers, descriptor tables, control and debug registers, ports, HLT, CPUID, MSRs,
// and the x87 escapes. Protection rules live in the helpers that these call.

import { UD } from "../../fault.ts";
import { ZF } from "../../flags.ts";
import { CS, DS, ES, FS, GS, SS } from "../../state.ts";
import type { Row } from "../forms.ts";
import { and, constant, type Expr, eq, ltu, ne, or, shl, zx } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { X87_MEMORY } from "../x87-names.ts";
import { hex, row } from "./row.ts";

const field = (f: "imm2" | "index"): Expr => ({ k: "field", f });

/** A 16-bit system register into r16/r32 (zero-extended) or m16. */
function storeWord(m: Sem, v: Expr): void {
  if (m.isMemory(0)) m.store(16, m.address(), v);
  else m.set(0, v);
}

function linear(m: Sem, bytes: number, write: boolean): Expr {
  return m.linear(m.address(), bytes, write);
}

/** CS and the two numbers without a register: #UD before the operand is looked at. */
function movToSegment(m: Sem): void {
  m.if(or(eq(field("index"), constant(CS)), ltu(constant(GS), field("index"))), () => m.raise(UD, -1));
  m.call("loadSegment", field("index"), m.get(1));
}

const loadFar = (seg: number) => (m: Sem) => {
  const off = m.load(m.size, m.address());
  const sel = m.load(16, m.address(m.size >> 3));
  m.call("loadSegment", constant(seg), sel);
  m.set(0, off);
};

/** LAR, LSL: result and ZF. */
const look = (helper: string) => (m: Sem) => {
  const sel = m.let(m.get(1));
  const visible = m.call(`${helper}Visible`, sel);
  m.if(visible, () => m.set(0, zx(m.size, m.call(helper, sel))));
  m.flagBits(ZF, shl(visible, constant(6)));
};

const verify = (helper: string) => (m: Sem) => {
  const ok = m.call(helper, m.get(0));
  m.flagBits(ZF, shl(ok, constant(6)));
};

/** Memory is written only when the RPL is raised. */
function arpl(m: Sem): void {
  const r = m.call("arpl", m.let(m.get(0)), m.get(1));
  const raised = m.let(ne(r, constant(-1)));
  m.if(raised, () => m.set(0, zx(16, r)));
  m.flagBits(ZF, shl(raised, constant(6)));
}

const portIn = (m: Sem) => {
  const port = m.let(m.get(1));
  const bytes = constant(m.kind(0).size >> 3);
  m.call("checkIo", port, bytes);
  m.set(0, m.call("portIn", port, bytes));
};

const portOut = (m: Sem) => {
  const port = m.let(m.get(0));
  const bytes = constant(m.kind(1).size >> 3);
  m.call("checkIo", port, bytes);
  m.call("portOut", port, bytes, m.get(1));
};

/** #GP(0) unless CPL is 0, then the rest. */
const ring0 = (body: (m: Sem) => void) => (m: Sem) => {
  m.privileged();
  body(m);
};

/** CR0, CR2, CR3 and CR4: the others are #UD at any privilege. */
const existing = (body: (m: Sem) => void) => (m: Sem) => {
  const n = field("index");
  m.if(or(ltu(constant(4), n), eq(n, constant(1))), () => m.raise(UD, -1));
  ring0(body)(m);
};

const table = (helper: string, write: boolean, privileged: boolean) => (m: Sem) => {
  if (privileged) m.privileged();
  m.call(helper, linear(m, 6, write), constant(m.size));
};

/** Outside flat segments: the limit and the right to write, for the operand that ModRM.reg says. */
function checkX87Operand(m: Sem, opcode: number): void {
  X87_MEMORY[opcode - 0xd8].forEach((operand, n) => {
    if (operand === null) return;
    const image = (m.size === 32 ? 28 : 14) + (/frstor|fnsave/.test(operand.name) ? 80 : 0);
    const write = /^(fi?stp?|fisttp|fbstp|fnst(cw|sw|env)|fnsave)$/.test(operand.name);
    m.if(eq(and(field("imm2"), constant(0x38)), constant(n << 3)), () => linear(m, operand.bytes || image, write));
  });
}

const x87 = (opcode: number) => (m: Sem) => {
  const modrm = field("imm2");
  const segmented = m.spec.ea !== 0 && (m.spec.segmented || m.spec.nonFlat);
  if (segmented) {
    m.call("x87Ready", constant(opcode), modrm);
    checkX87Operand(m, opcode);
  }
  const la = m.spec.ea === 0 ? constant(0) : linear(m, segmented ? 0 : 1, false);
  m.call("x87", constant(opcode), modrm, la, constant(m.size));
  if (segmented) m.call("x87Operand", constant(opcode), modrm, m.ea());
};

const SEG = { sync: true, cls: "seg" } as const;
const PRIV = { sync: true, cls: "priv" } as const;
const PRIV_Z = { ...PRIV, w: "Z" } as const;
/** MOV of control and debug registers takes its operand for a register whatever ModRM.mod says. */
const ANY_MOD = { ...PRIV, anyMod: true } as const;

export const systemTable: readonly Row[] = [
  row("mov", "8c", "Uv Sw", (m) => storeWord(m, m.call("selector", field("index"))), { cls: "seg" }),
  row("mov", "8e", "Sw Ew", movToSegment, { segment: true, cls: "seg" }),
  row("les", "c4", "Gv Mp", loadFar(ES), SEG),
  row("lds", "c5", "Gv Mp", loadFar(DS), SEG),
  row("lss", "0f b2", "Gv Mp", loadFar(SS), SEG),
  row("lfs", "0f b4", "Gv Mp", loadFar(FS), SEG),
  row("lgs", "0f b5", "Gv Mp", loadFar(GS), SEG),
  row("arpl", "63", "Ew Gw", arpl, PRIV_Z),
  row("sldt", "0f 00 /0", "Uv", (m) => storeWord(m, m.call("sldt")), PRIV),
  row("str", "0f 00 /1", "Uv", (m) => storeWord(m, m.call("str")), PRIV),
  row(
    "lldt",
    "0f 00 /2",
    "Ew",
    ring0((m) => m.call("lldt", m.get(0))),
    PRIV,
  ),
  row(
    "ltr",
    "0f 00 /3",
    "Ew",
    ring0((m) => m.call("ltr", m.get(0))),
    PRIV,
  ),
  row("verr", "0f 00 /4", "Ew", verify("verr"), PRIV_Z),
  row("verw", "0f 00 /5", "Ew", verify("verw"), PRIV_Z),
  row("sgdt", "0f 01 /0", "Ms", table("sgdt", true, false), { ...PRIV, v: true }),
  row("sidt", "0f 01 /1", "Ms", table("sidt", true, false), { ...PRIV, v: true }),
  row("lgdt", "0f 01 /2", "Ms", table("lgdt", false, true), { ...PRIV, v: true }),
  row("lidt", "0f 01 /3", "Ms", table("lidt", false, true), { ...PRIV, v: true }),
  row("smsw", "0f 01 /4", "Uv", (m) => storeWord(m, zx(m.size, m.call("cr0"))), PRIV),
  row(
    "lmsw",
    "0f 01 /6",
    "Ew",
    ring0((m) => m.call("lmsw", m.get(0))),
    PRIV,
  ),
  row(
    "invlpg",
    "0f 01 /7",
    "Mb",
    ring0((m) => m.call("invlpg", m.linear(m.address(), 0, false))),
    PRIV,
  ),
  row("lar", "0f 02", "Gv Ew", look("lar"), PRIV_Z),
  row("lsl", "0f 03", "Gv Ew", look("lsl"), PRIV_Z),
  row(
    "clts",
    "0f 06",
    "",
    ring0((m) => m.call("clts")),
    PRIV,
  ),
  row("invd", "0f 08", "", (m) => m.privileged(), PRIV),
  row("wbinvd", "0f 09", "", (m) => m.privileged(), PRIV),
  row(
    "mov",
    "0f 20",
    "Rd Cd",
    existing((m) => m.set(0, m.call("readCr", field("index")))),
    ANY_MOD,
  ),
  row(
    "mov",
    "0f 22",
    "Cd Rd",
    existing((m) => m.call("writeCr", field("index"), m.get(1))),
    ANY_MOD,
  ),
  row("mov", "0f 21", "Rd Dd", (m) => m.set(0, m.call("readDr", field("index"))), ANY_MOD),
  row("mov", "0f 23", "Dd Rd", (m) => m.call("writeDr", field("index"), m.get(1)), ANY_MOD),
  row(
    "wrmsr",
    "0f 30",
    "",
    ring0((m) => m.call("wrmsr")),
    PRIV,
  ),
  row("rdtsc", "0f 31", "", (m) => m.call("rdtsc"), PRIV),
  row(
    "rdmsr",
    "0f 32",
    "",
    ring0((m) => m.call("rdmsr")),
    PRIV,
  ),
  row("rdpmc", "0f 33", "", (m) => m.call("rdpmc"), PRIV),
  row("cpuid", "0f a2", "", (m) => m.call("cpuid"), PRIV),
  row(
    "hlt",
    "f4",
    "",
    ring0((m) => m.call("hlt")),
    PRIV,
  ),
  row("cli", "fa", "", (m) => m.call("cli"), { cls: "priv", w: "I" }),
  row("sti", "fb", "", (m) => m.call("sti"), { ...PRIV, w: "I" }),
  row("in", "e4", "AL Ib", portIn, PRIV),
  row("in", "e5", "eAX Ib", portIn, PRIV),
  row("in", "ec", "AL DX", portIn, PRIV),
  row("in", "ed", "eAX DX", portIn, PRIV),
  row("out", "e6", "Ib AL", portOut, PRIV),
  row("out", "e7", "Ib eAX", portOut, PRIV),
  row("out", "ee", "DX AL", portOut, PRIV),
  row("out", "ef", "DX eAX", portOut, PRIV),
  row("fwait,wait", "9b", "", (m) => m.call("fwait"), { cls: "x87" }),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
    row(`esc${n}`, hex(0xd8 + n), "F", x87(0xd8 + n), { cls: "x87", w: "ZPC", v: true }),
  ),
  row("fxsave", "0f ae /0", "Mx", (m) => m.call("fxsave", linear(m, 512, true)), { ...PRIV, cls: "x87" }),
  row("fxrstor", "0f ae /1", "Mx", (m) => m.call("fxrstor", linear(m, 512, false)), { ...PRIV, cls: "x87" }),
];
