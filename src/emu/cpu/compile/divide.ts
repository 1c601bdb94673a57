// DIV and IDIV: quotients that fit; the others leave the region.
import type { Expr } from "../isa/ir.ts";
import type { Opcode } from "./assembler.ts";
import { SCRATCH, WIDE } from "./layout.ts";
import type { Values } from "./values.ts";

/** EDX:EAX by a 32-bit divisor; what would raise #DE leaves. */
export function divide64(l: Values, id: number, fn: string, [hi, lo, d]: readonly Expr[]): void {
  const { asm } = l;
  const signed = fn[0] === "i";
  const extend: Opcode = signed ? "extends" : "extendu";
  const remainder = fn.includes("rem");
  l.v(hi);
  asm.op("extendu");
  asm.const64(32);
  asm.op("shl64");
  l.v(lo);
  asm.op("extendu");
  asm.op("or64");
  asm.set(WIDE);
  if (!remainder) {
    l.pushSite();
    l.v(d);
    asm.op("eqz");
    if (signed) {
      // -2^63 by -1 would trap here; no quotient of it fits.
      l.v(hi);
      asm.const(0x8000_0000);
      asm.op("eq");
      asm.op("or");
    }
    l.leaveIf();
  }
  asm.get(WIDE);
  l.v(d);
  asm.op(extend);
  asm.op(remainder ? (signed ? "rems64" : "remu64") : signed ? "divs64" : "divu64");
  if (!remainder) {
    asm.set(WIDE + 1);
    l.pushSite();
    asm.get(WIDE + 1);
    asm.get(WIDE + 1);
    asm.op("wrap");
    asm.op(extend);
    asm.op("ne64");
    l.leaveIf();
    asm.get(WIDE + 1);
  }
  asm.op("wrap");
  asm.set(l.tmp(id));
}

/** AX or DX:AX by a divisor of 8 or 16 bits; what would raise #DE leaves. */
export function divideNarrow(l: Values, id: number, fn: string, [n, d]: readonly Expr[]): void {
  const { asm } = l;
  const signed = fn[0] === "i";
  const remainder = fn.includes("rem");
  const wide = fn.endsWith("16");
  const divisor = () => {
    l.v(d);
    if (signed) asm.op(wide ? "sx16" : "sx8");
  };
  if (!remainder) {
    l.pushSite();
    l.v(d);
    asm.op("eqz");
    if (signed) {
      l.v(n);
      asm.const(0x8000_0000);
      asm.op("eq");
      asm.op("or");
    }
    l.leaveIf();
  }
  l.v(n);
  divisor();
  asm.op(remainder ? (signed ? "rems" : "remu") : signed ? "divs" : "divu");
  if (!remainder) {
    asm.set(SCRATCH);
    l.pushSite();
    asm.get(SCRATCH);
    if (signed) {
      asm.get(SCRATCH);
      asm.op(wide ? "sx16" : "sx8");
      asm.op("ne");
    } else {
      asm.const(wide ? 0xffff : 0xff);
      asm.op("gtu");
    }
    l.leaveIf();
    asm.get(SCRATCH);
  }
  asm.set(l.tmp(id));
}
