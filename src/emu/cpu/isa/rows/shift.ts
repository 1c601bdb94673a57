// Shifts, rotates, double shifts, bit tests and bit scans.
import type { Row } from "../forms.ts";
import {
  add,
  and,
  bit,
  clz,
  constant,
  ctz,
  type Expr,
  flag,
  isZero,
  msb,
  not,
  or,
  sar,
  shl,
  shr,
  sub,
  sx,
  xor,
  zx,
} from "../ir.ts";
import type { Cell, Sem } from "../sem.ts";
import { ALL, row } from "./row.ts";

const one = constant(1);

/** The count operand modulo 32, and `body` run only when it is not 0 (a count of 0 changes no flag). */
function counted(m: Sem, index: number, body: (n: Expr, cell: Cell, v: Expr) => void): void {
  const cell = m.open(0);
  if (m.kind(index).at === "one") {
    body(one, cell, cell.value);
    return;
  }
  const n = m.let(and(m.get(index), constant(31)));
  m.if(
    isZero(n),
    () => {},
    () => body(n, cell, cell.value),
  );
}

function shiftLeft(m: Sem): void {
  counted(m, 1, (n, cell, v) => {
    const wide = m.let(shl(v, n));
    const r = m.let(zx(m.size, wide));
    const cf = m.let(m.size === 32 ? bit(v, sub(constant(32), n)) : bit(wide, constant(m.size)));
    cell.write(r);
    m.flagsResult(r, cf, xor(msb(m.size, r), cf));
  });
}

function shiftRight(m: Sem): void {
  counted(m, 1, (n, cell, v) => {
    const r = m.let(shr(v, n));
    cell.write(r);
    m.flagsResult(r, bit(v, sub(n, one)), msb(m.size, v));
  });
}

function shiftArithmetic(m: Sem): void {
  counted(m, 1, (n, cell, v) => {
    const s = m.let(sx(m.size, v));
    const r = m.let(zx(m.size, sar(s, n)));
    cell.write(r);
    m.flagsResult(r, and(sar(s, sub(n, one)), one), constant(0));
  });
}

/** Rotate count within the operand: the 5-bit count modulo 8 or 16. */
function within(m: Sem, n: Expr): Expr {
  return m.size === 32 ? n : m.let(and(n, constant(m.size - 1)));
}

function rotateLeft(m: Sem): void {
  counted(m, 1, (count, cell, v) => {
    const n = within(m, count);
    const r = m.let(zx(m.size, or(shl(v, n), shr(v, sub(constant(m.size), n)))));
    const cf = m.let(and(r, one));
    cell.write(r);
    m.emit({ k: "flagsCfOf", cf, of: xor(msb(m.size, r), cf) });
  });
}

function rotateRight(m: Sem): void {
  counted(m, 1, (count, cell, v) => {
    const n = within(m, count);
    const r = m.let(zx(m.size, or(shr(v, n), shl(v, sub(constant(m.size), n)))));
    const cf = m.let(msb(m.size, r));
    cell.write(r);
    m.emit({ k: "flagsCfOf", cf, of: xor(cf, bit(r, constant(m.size - 2))) });
  });
}

/** Rotate through carry, as a rotate of size + 1 bits. */
const throughCarry = (left: boolean) => (m: Sem) => {
  counted(m, 1, (count, cell, v) => {
    const size = m.size;
    const old = m.let(flag("cf"));
    let r: Expr;
    let cf: Expr;
    if (size === 32) {
      const rest = m.let(sub(constant(32), count));
      if (left) {
        r = or(or(shl(v, count), shl(old, sub(count, one))), shr(shr(v, one), rest));
        cf = bit(v, rest);
      } else {
        r = or(or(shr(v, count), shl(old, rest)), shl(shl(v, one), rest));
        cf = bit(v, sub(count, one));
      }
    } else {
      const n = count.k === "const" ? count : m.call("modu", count, constant(size + 1));
      const wide = m.let(or(v, shl(old, constant(size))));
      const rest = sub(constant(size + 1), n);
      const turned = m.let(left ? or(shl(wide, n), shr(wide, rest)) : or(shr(wide, n), shl(wide, rest)));
      r = zx(size, turned);
      cf = bit(turned, constant(size));
    }
    r = m.let(r);
    cf = m.let(cf);
    cell.write(r);
    const of = left ? xor(msb(size, r), cf) : xor(msb(size, r), bit(r, constant(size - 2)));
    m.emit({ k: "flagsCfOf", cf, of });
  });
};

const double = (left: boolean) => (m: Sem) => {
  const other = m.let(m.get(1));
  counted(m, 2, (n, cell, v) => {
    let r: Expr;
    let cf: Expr;
    if (m.size === 32) {
      const rest = m.let(sub(constant(32), n));
      r = left ? or(shl(v, n), shr(other, rest)) : or(shr(v, n), shl(other, rest));
      cf = left ? bit(v, rest) : bit(v, sub(n, one));
    } else {
      const wide = m.let(left ? or(shl(v, constant(16)), other) : or(v, shl(other, constant(16))));
      r = left ? shr(shl(wide, n), constant(16)) : zx(16, shr(wide, n));
      cf = left ? bit(wide, sub(constant(32), n)) : bit(wide, sub(n, one));
    }
    r = m.let(r);
    cell.write(r);
    m.flagsResult(r, cf, xor(msb(m.size, r), msb(m.size, v)));
  });
};

/** Bit test, and what becomes of the bit. With a register index a memory operand is a bit string. */
const bitTest = (change: ((v: Expr, mask: Expr) => Expr) | null) => (m: Sem) => {
  const size = m.size;
  const index = m.let(m.get(1));
  const n = m.let(and(index, constant(size - 1)));
  let v: Expr;
  let cell: Cell | null = null;
  if (m.isMemory(0)) {
    let off = m.ea();
    if (m.kind(1).at === "reg") {
      const words = sar(sx(size, index), constant(size === 32 ? 5 : 4));
      off = add(off, shl(words, constant(size === 32 ? 2 : 1)));
      if (m.asize === 16) off = zx(16, off);
    }
    const at = m.segAddr("op", m.let(off));
    if (change) {
      cell = m.openAt(size, at);
      v = cell.value;
    } else v = m.load(size, at);
  } else {
    cell = m.open(0);
    v = cell.value;
  }
  if (change && cell) cell.write(zx(size, change(v, shl(one, n))));
  m.emit({ k: "flagCf", v: bit(v, n) });
};

const scan = (forward: boolean) => (m: Sem) => {
  const v = m.let(m.get(1));
  m.if(
    isZero(v),
    () => {},
    () => m.set(0, forward ? ctz(v) : sub(constant(31), clz(v))),
  );
  m.flagsLogic(v);
};

const SHIFT = { w: ALL, u: "OA", lock: false } as const;
const ROTATE = { w: "OC", u: "O", lock: false } as const;
const BITS = { w: "OSAPC", u: "OSAP" } as const;

function shiftRows(): Row[] {
  const list: readonly (readonly [string, number, (m: Sem) => void, boolean])[] = [
    ["rol", 0, rotateLeft, false],
    ["ror", 1, rotateRight, false],
    ["rcl", 2, throughCarry(true), false],
    ["rcr", 3, throughCarry(false), false],
    ["shl,sal", 4, shiftLeft, false],
    ["shr", 5, shiftRight, false],
    ["shl", 6, shiftLeft, true],
    ["sar", 7, shiftArithmetic, false],
  ];
  return list.flatMap(([name, digit, sem, alias]) => {
    const carry = digit === 2 || digit === 3;
    const options = { ...(digit < 4 ? ROTATE : SHIFT), alias, r: carry ? "C" : "" };
    const byOne = { ...options, u: digit < 4 ? "" : "A" };
    return [
      row(name, `d0 /${digit}`, "Eb 1", sem, byOne),
      row(name, `d1 /${digit}`, "Ev 1", sem, byOne),
      row(name, `c0 /${digit}`, "Eb Ib", sem, options),
      row(name, `c1 /${digit}`, "Ev Ib", sem, options),
      row(name, `d2 /${digit}`, "Eb CL", sem, options),
      row(name, `d3 /${digit}`, "Ev CL", sem, options),
    ];
  });
}

export const shiftTable: readonly Row[] = [
  ...shiftRows(),
  row("shld", "0f a4", "Ev Gv Ib", double(true), SHIFT),
  row("shld", "0f a5", "Ev Gv CL", double(true), SHIFT),
  row("shrd", "0f ac", "Ev Gv Ib", double(false), SHIFT),
  row("shrd", "0f ad", "Ev Gv CL", double(false), SHIFT),
  row("bt", "0f a3", "Ev Gv", bitTest(null), BITS),
  row("bt", "0f ba /4", "Ev Ib", bitTest(null), BITS),
  row("bts", "0f ab", "Ev Gv", bitTest(or), { ...BITS, lock: true }),
  row("bts", "0f ba /5", "Ev Ib", bitTest(or), { ...BITS, lock: true }),
  row(
    "btr",
    "0f b3",
    "Ev Gv",
    bitTest((v, mask) => and(v, not(mask))),
    { ...BITS, lock: true },
  ),
  row(
    "btr",
    "0f ba /6",
    "Ev Ib",
    bitTest((v, mask) => and(v, not(mask))),
    { ...BITS, lock: true },
  ),
  row("btc", "0f bb", "Ev Gv", bitTest(xor), { ...BITS, lock: true }),
  row("btc", "0f ba /7", "Ev Ib", bitTest(xor), { ...BITS, lock: true }),
  row("bsf", "0f bc", "Gv Ev", scan(true), { w: ALL, u: "OSAPC" }),
  row("bsr", "0f bd", "Gv Ev", scan(false), { w: ALL, u: "OSAPC" }),
];
