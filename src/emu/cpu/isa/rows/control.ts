// Transfers of control: jumps, calls, returns, loops, software interrupts, far transfers, SYSENTER.
import { ECX } from "../../state.ts";
import type { Row } from "../forms.ts";
import { and, constant, type Expr, flag, isZero, lts, ne, or, sub, sx, xor, zx } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { CONDITION_READS, CONDITIONS, hex, row, withSuffixes } from "./row.ts";

/** Outside flat mode a near target beyond the limit of CS faults before anything changes. */
function checkTarget(m: Sem, to: Expr): void {
  if (m.spec.nonFlat) m.call("checkCsLimit", m.size === 16 ? zx(16, to) : to);
}

function direct(m: Sem): void {
  checkTarget(m, { k: "target" });
  m.jumpDirect();
}

const jcc = (cc: number) => (m: Sem) => m.if({ k: "cond", cc }, () => direct(m));

function jmpIndirect(m: Sem): void {
  const to = m.let(m.get(0));
  checkTarget(m, to);
  m.jump(to);
}

function callDirect(m: Sem): void {
  checkTarget(m, { k: "target" });
  m.push(m.next());
  m.jumpDirect();
}

function callIndirect(m: Sem): void {
  const to = m.let(m.get(0));
  checkTarget(m, to);
  m.push(m.next());
  m.jump(to);
}

const ret = (releases: boolean) => (m: Sem) => {
  const to = m.peek();
  checkTarget(m, to);
  const up = m.sp(m.size >> 3);
  const more = releases ? m.get(0) : constant(0);
  const top = releases ? ({ k: "bin", op: "add", a: up, b: more } as const) : up;
  m.setSp(m.spec.stack16 ? zx(16, top) : top);
  m.jump(to);
};

/** LOOP, LOOPE, LOOPNE: count down (E)CX, no flags. */
const loop = (also: Expr | null) => (m: Sem) => {
  const size = m.asize;
  const n = m.let(zx(size, sub(m.reg(ECX, size), constant(1))));
  const take = ne(n, constant(0));
  const taken = m.let(also ? and(take, also) : take);
  if (m.spec.nonFlat) m.if(taken, () => checkTarget(m, { k: "target" }));
  m.setReg(ECX, n, size);
  m.if(taken, () => m.jumpDirect());
};

function jecxz(m: Sem): void {
  m.if(isZero(m.reg(ECX, m.asize)), () => direct(m));
}

function bound(m: Sem): void {
  const size = m.size;
  const low = m.load(size, m.address());
  const high = m.load(size, m.address(size >> 3));
  const v = m.let(sx(size, m.get(0)));
  m.if(or(lts(v, sx(size, low)), lts(sx(size, high), v)), () => m.raise(5, -1));
}

const far = (helper: string) => (m: Sem) => {
  const size = constant(m.size);
  if (m.kind(0).at === "far") {
    const off: Expr = { k: "field", f: "imm" };
    m.call(helper, { k: "field", f: "imm2" }, m.size === 16 ? zx(16, off) : off, size);
  } else {
    const off = m.load(m.size, m.address());
    m.call(helper, m.load(16, m.address(m.size >> 3)), off, size);
  }
};

const sync = { sync: true } as const;
const PRIV = { sync: true, cls: "priv" } as const;

export const controlTable: readonly Row[] = [
  row("jmp", "eb", "Jb", direct, { branch: true, cls: "branch", v: true }),
  row("jmp", "e9", "Jv", direct, { branch: true, cls: "branch" }),
  ...CONDITIONS.flatMap((cond, cc) => {
    const options = { branch: true, cls: "branch", r: CONDITION_READS[cc >> 1] } as const;
    const names = withSuffixes("j", cond);
    return [
      row(names, hex(0x70 + cc), "Jb", jcc(cc), { ...options, v: true }),
      row(names, `0f ${hex(0x80 + cc)}`, "Jv", jcc(cc), options),
    ];
  }),
  row("loopne,loopnz", "e0", "Jb", loop(xor(flag("zf"), constant(1))), {
    branch: true,
    cls: "branch",
    v: true,
    r: "Z",
  }),
  row("loope,loopz", "e1", "Jb", loop(flag("zf")), { branch: true, cls: "branch", v: true, r: "Z" }),
  row("loop", "e2", "Jb", loop(null), { branch: true, cls: "branch", v: true }),
  row("jecxz,jcxz", "e3", "Jb", jecxz, { branch: true, cls: "branch", v: true }),
  row("call", "e8", "Jv", callDirect, { branch: true, cls: "branch" }),
  row("call", "ff /2", "Ev", callIndirect, { branch: true, cls: "indirect" }),
  row("jmp", "ff /4", "Ev", jmpIndirect, { branch: true, cls: "indirect" }),
  row("ret,retn", "c3", "", ret(false), { branch: true, cls: "ret", v: true }),
  row("ret,retn", "c2", "Iw", ret(true), { branch: true, cls: "ret", v: true }),
  row("call", "9a", "Ap", far("callFar"), PRIV),
  row("jmp", "ea", "Ap", far("jmpFar"), PRIV),
  row("call far", "ff /3", "Mp", far("callFar"), PRIV),
  row("jmp far", "ff /5", "Mp", far("jmpFar"), PRIV),
  row("retf", "cb", "", (m) => m.call("retFar", constant(m.size), constant(0)), { ...PRIV, v: true }),
  row("retf", "ca", "Iw", (m) => m.call("retFar", constant(m.size), m.get(0)), { ...PRIV, v: true }),
  row("int3", "cc", "", (m) => m.call("int3"), { ...PRIV, size: 32 }),
  row("int", "cd", "Ib", (m) => m.call("intN", m.get(0)), PRIV),
  row("into", "ce", "", (m) => m.if(flag("of"), () => m.call("into")), { ...PRIV, r: "O" }),
  row("int1,icebp", "f1", "", (m) => m.call("int1"), PRIV),
  row("iretw,iret/iretd,iret", "cf", "", (m) => m.call("iret", constant(m.size)), { ...PRIV, v: true }),
  row("bound", "62", "Gv Ma", bound, sync),
  row("sysenter", "0f 34", "", (m) => m.call("sysenter"), PRIV),
  row("sysexit", "0f 35", "", (m) => m.call("sysexit"), PRIV),
  row("ud2", "0f 0b", "", (m) => m.raise(6, -1), {}),
  row("ud1", "0f b9", "Gv Ev", (m) => m.raise(6, -1), {}),
  row("kcall", "0f 0a", "Ib", (m) => m.call("kcall", m.get(0)), PRIV),
];
