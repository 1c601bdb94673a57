// Statements of the IR that set flags: operands or aux words into the locals of the lazy flags.
import type { Expr, Size, Stmt } from "../isa/ir.ts";
import { FN_ARITH, FN_LAZY_AUX } from "./flags.ts";
import { FA, FB, FR, KIND_ADD, KIND_AUX, KIND_DEC, KIND_INC, KIND_SUB, SCRATCH, sizeIndex } from "./layout.ts";
import type { Values } from "./values.ts";

/** A statement that sets flags. */
export function setFlags(l: Values, s: Stmt): void {
  const { asm, flags, op } = l;
  switch (s.k) {
    case "flagsAdd":
    case "flagsSub": {
      const kind = (s.k === "flagsAdd" ? KIND_ADD : KIND_SUB) + sizeIndex(s.size);
      l.v(s.a);
      asm.set(FA);
      l.v(s.b);
      asm.set(FB);
      result(l, s.r, s.size);
      flags.become(kind);
      // With a carry in, the operands do not say it all.
      if (op.form.options.r?.includes("C")) flags.toAux();
      break;
    }
    case "flagsInc":
    case "flagsDec": {
      flags.cf();
      asm.const(31);
      asm.op("shl");
      asm.set(FB);
      result(l, s.r, s.size);
      flags.become((s.k === "flagsInc" ? KIND_INC : KIND_DEC) + sizeIndex(s.size));
      break;
    }
    case "flagsResult":
      flagsResult(l, s);
      break;
    case "flagsCfOf":
      flags.toAux();
      l.v(s.cf);
      asm.tee(SCRATCH);
      asm.const(31);
      asm.op("shl");
      asm.get(SCRATCH);
      l.v(s.of);
      asm.op("xor");
      asm.const(30);
      asm.op("shl");
      asm.op("or");
      asm.get(FB);
      asm.const(0x3fff_ffff);
      asm.op("and");
      asm.op("or");
      asm.set(FB);
      flags.become(KIND_AUX);
      break;
    case "flagCf":
      flags.toAux();
      asm.get(FB);
      asm.const(0);
      asm.get(FB);
      asm.const(31);
      asm.op("shr");
      l.v(s.v);
      asm.op("xor");
      asm.op("sub");
      asm.const(0xc000_0000);
      asm.op("and");
      asm.op("xor");
      asm.set(FB);
      flags.become(KIND_AUX);
      break;
    case "flagBits":
      flags.toAux();
      asm.get(FR);
      asm.get(FB);
      asm.call(FN_ARITH);
      asm.const(~s.mask);
      asm.op("and");
      l.v(s.v);
      asm.const(s.mask);
      asm.op("and");
      asm.op("or");
      asm.tee(SCRATCH);
      asm.call(FN_LAZY_AUX);
      asm.set(FB);
      asm.const(0);
      asm.const(0x100);
      asm.get(SCRATCH);
      asm.const(0x40);
      asm.op("and");
      asm.op("select");
      asm.set(FR);
      flags.become(KIND_AUX);
  }
}

/** The result word: sign-extended from its size. */
function result(l: Values, r: Expr, size: Size): void {
  l.v(r);
  if (size === 8) l.asm.op("sx8");
  else if (size === 16) l.asm.op("sx16");
  l.asm.set(FR);
}

function flagsResult(l: Values, s: Stmt & { k: "flagsResult" }): void {
  const { asm, flags } = l;
  const zero = (e: Expr) => l.fold(e) === 0;
  const logic = zero(s.cf) && zero(s.of) && zero(s.af);
  if (logic) asm.const(0);
  else {
    l.v(s.cf);
    asm.tee(SCRATCH);
    asm.const(31);
    asm.op("shl");
    asm.get(SCRATCH);
    if (!zero(s.of)) {
      l.v(s.of);
      asm.op("xor");
    }
    asm.const(30);
    asm.op("shl");
    asm.op("or");
    if (!zero(s.af)) {
      l.v(s.af);
      asm.const(3);
      asm.op("shl");
      asm.op("or");
    }
  }
  asm.set(FB);
  result(l, s.r, s.size);
  flags.become(KIND_AUX, logic);
}
