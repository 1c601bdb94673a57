// Modules: the functions of several regions, with the helper functions that compiled flags need, into one table.
import { AF, CF, OF, PF, SF, ZF } from "../flags.ts";
import { Assembler, Bytes } from "./assembler.ts";
import { HELPER_FUNCTIONS } from "./flags.ts";
import { TYPE_REGION } from "./jumps.ts";
import { KIND_ADD, KIND_DEC, KIND_INC, KIND_SUB } from "./layout.ts";
import { x87Routines } from "./x87.ts";

const NO_ROUTINES = { types: [], bodies: [] };
const I32 = 0x7f;
const FUNCTION = 0x60;
const TYPE_THREE = 1;
const TYPE_TWO = 2;

/** Functions of one type each: parameters of int32, result int32. */
const PARAMETERS = [1, 3, 2];

function section(module: Bytes, id: number, fill: (s: Bytes) => void): void {
  const s = new Bytes();
  fill(s);
  module.byte(id);
  module.sized(s);
}

/** @param more further types, behind those of PARAMETERS */
function start(more: readonly (readonly number[])[] = []): Bytes {
  const module = new Bytes();
  for (const b of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) module.byte(b);
  section(module, 1, (s) => {
    s.u(PARAMETERS.length + more.length);
    for (const n of PARAMETERS) {
      s.byte(FUNCTION);
      s.u(n);
      for (let i = 0; i < n; i++) s.byte(I32);
      s.u(1);
      s.byte(I32);
    }
    for (const type of more) for (const b of type) s.byte(b);
  });
  section(module, 2, (s) => {
    s.u(2);
    s.text("e");
    s.text("m");
    s.byte(2);
    s.byte(0);
    s.u(0);
    s.text("e");
    s.text("t");
    s.byte(1);
    s.byte(0x70);
    s.byte(0);
    s.u(0);
  });
  return module;
}

/** A function's body: locals of int32, then code. */
function body(locals: number, code: (asm: Assembler) => void): Bytes {
  const asm = new Assembler();
  const out = new Bytes();
  if (locals === 0) out.u(0);
  else {
    out.u(1);
    out.u(locals);
    out.byte(I32);
  }
  code(asm);
  asm.end();
  out.append(asm.out);
  return out;
}

/** (kind, result, second word) -> aux word: auxOf() of layout.ts. */
function auxFunction(): Bytes {
  const [kind, r, b, up, a, c, group] = [0, 1, 2, 3, 4, 5, 6];
  return body(4, (asm) => {
    asm.get(kind);
    asm.op("eqz");
    asm.if();
    asm.get(b);
    asm.op("return");
    asm.end();
    asm.const(24);
    asm.get(kind);
    asm.const(3);
    asm.op("and");
    asm.tee(c);
    asm.const(3);
    asm.op("shl");
    asm.op("sub");
    asm.const(0);
    asm.get(c);
    asm.const(2);
    asm.op("ne");
    asm.op("select");
    asm.set(up);
    asm.get(kind);
    asm.const(~3);
    asm.op("and");
    asm.set(group);
    const shifted = () => {
      asm.set(c);
      asm.get(c);
      asm.get(up);
      asm.op("shl");
      asm.const(0xc000_0000);
      asm.op("and");
      asm.get(c);
      asm.const(8);
      asm.op("and");
      asm.op("or");
      asm.op("return");
    };
    asm.get(group);
    asm.const(KIND_ADD);
    asm.op("eq");
    asm.if();
    asm.get(r);
    asm.get(b);
    asm.op("sub");
    asm.tee(a);
    asm.get(b);
    asm.op("and");
    asm.get(a);
    asm.get(b);
    asm.op("or");
    asm.get(r);
    asm.const(-1);
    asm.op("xor");
    asm.op("and");
    asm.op("or");
    shifted();
    asm.end();
    asm.get(group);
    asm.const(KIND_SUB);
    asm.op("eq");
    asm.if();
    asm.get(r);
    asm.get(b);
    asm.op("add");
    asm.const(-1);
    asm.op("xor");
    asm.tee(a);
    asm.get(b);
    asm.op("and");
    asm.get(a);
    asm.get(b);
    asm.op("or");
    asm.get(r);
    asm.op("and");
    asm.op("or");
    shifted();
    asm.end();
    // INC and DEC: the carry stays, the overflow is at one result, the half carry at one nibble.
    asm.get(b);
    asm.const(0x8000_0000);
    asm.op("and");
    asm.tee(c);
    asm.get(c);
    asm.const(1);
    asm.op("shr");
    asm.op("xor");
    asm.const(0x8000_0000);
    asm.get(up);
    asm.op("sar");
    asm.const(0x7fff_ffff);
    asm.get(up);
    asm.op("sar");
    asm.get(group);
    asm.const(KIND_INC);
    asm.op("eq");
    asm.op("select");
    asm.get(r);
    asm.op("eq");
    asm.const(30);
    asm.op("shl");
    asm.op("xor");
    asm.get(r);
    asm.const(15);
    asm.op("and");
    asm.const(15);
    asm.const(0);
    asm.get(group);
    asm.const(KIND_DEC);
    asm.op("eq");
    asm.op("select");
    asm.op("eq");
    asm.const(3);
    asm.op("shl");
    asm.op("or");
  });
}

/** Bit `from` of a local at position `to`, combined with what lies below. */
function moveBit(asm: Assembler, push: () => void, from: number, flag: number, first = false): void {
  push();
  asm.const(from);
  asm.op("shr");
  asm.const(1);
  asm.op("and");
  asm.const(31 - Math.clz32(flag));
  asm.op("shl");
  if (!first) asm.op("or");
}

/** (result, aux) -> the six flags at their places: arithFromLazy() of flags.ts. */
function arithFunction(): Bytes {
  const [r, aux] = [0, 1];
  return body(0, (asm) => {
    const get = (local: number) => () => asm.get(local);
    moveBit(asm, get(aux), 31, CF, true);
    moveBit(asm, get(aux), 3, AF);
    moveBit(
      asm,
      () => {
        asm.get(aux);
        asm.get(aux);
        asm.const(1);
        asm.op("shl");
        asm.op("xor");
      },
      31,
      OF,
    );
    moveBit(
      asm,
      () => {
        asm.get(r);
        asm.get(aux);
        asm.const(31);
        asm.op("shl");
        asm.op("xor");
      },
      31,
      SF,
    );
    moveBit(
      asm,
      () => {
        asm.get(r);
        asm.op("eqz");
      },
      0,
      ZF,
    );
    moveBit(
      asm,
      () => {
        asm.get(r);
        asm.get(aux);
        asm.const(8);
        asm.op("shr");
        asm.op("xor");
        asm.const(255);
        asm.op("and");
        asm.op("popcnt");
        asm.const(1);
        asm.op("xor");
      },
      0,
      PF,
    );
  });
}

/** (flags) -> aux word: lazyAux() of flags.ts. */
function lazyAuxFunction(): Bytes {
  return body(0, (asm) => {
    const push = () => asm.get(0);
    asm.get(0);
    asm.const(31);
    asm.op("shl");
    moveBit(
      asm,
      () => {
        asm.get(0);
        asm.get(0);
        asm.const(11);
        asm.op("shr");
        asm.op("xor");
      },
      0,
      1 << 30,
    );
    moveBit(asm, push, 4, 8);
    moveBit(asm, push, 7, 1);
    moveBit(
      asm,
      () => {
        asm.get(0);
        asm.const(PF);
        asm.op("xor");
      },
      2,
      0x100,
    );
  });
}

/**
 * A module that puts functions into the table at the given indices when it is instantiated.
 * @param x87 the functions call the x87's routines
 */
export function regionModule(
  bodies: readonly Bytes[],
  indices: readonly number[],
  x87: boolean,
): Uint8Array<ArrayBuffer> {
  const routines = x87 ? x87Routines() : NO_ROUTINES;
  const helpers = HELPER_FUNCTIONS + routines.bodies.length;
  const module = start(routines.types);
  section(module, 3, (s) => {
    s.u(helpers + bodies.length);
    s.u(TYPE_THREE);
    s.u(TYPE_TWO);
    s.u(TYPE_REGION);
    for (const n of routines.types.keys()) s.u(PARAMETERS.length + n);
    for (let i = 0; i < bodies.length; i++) s.u(TYPE_REGION);
  });
  section(module, 9, (s) => {
    s.u(indices.length);
    indices.forEach((index, n) => {
      s.u(0);
      s.byte(0x41);
      s.s(index);
      s.byte(0x0b);
      s.u(1);
      s.u(helpers + n);
    });
  });
  section(module, 10, (s) => {
    s.u(helpers + bodies.length);
    for (const b of [auxFunction(), arithFunction(), lazyAuxFunction()]) s.sized(b);
    for (const b of routines.bodies) s.sized(b);
    for (const b of bodies) s.sized(b);
  });
  return module.done();
}

/**
 * The module that is always there: exports "enter" (entry, index) -> way out, which calls into the table, and "stub",
 * which stands where there is no region and leaves at once.
 */
export function enterModule(wayOut: number): Uint8Array<ArrayBuffer> {
  const module = start();
  section(module, 3, (s) => {
    s.u(2);
    s.u(TYPE_TWO);
    s.u(TYPE_REGION);
  });
  section(module, 7, (s) => {
    s.u(2);
    for (const [n, name] of ["enter", "stub"].entries()) {
      s.text(name);
      s.byte(0);
      s.u(n);
    }
  });
  section(module, 10, (s) => {
    s.u(2);
    s.sized(
      body(0, (asm) => {
        asm.get(0);
        asm.get(1);
        asm.out.byte(0x11);
        asm.out.u(TYPE_REGION);
        asm.out.u(0);
      }),
    );
    s.sized(body(0, (asm) => asm.const(wayOut)));
  });
  return module.done();
}
