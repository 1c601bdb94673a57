// Names of the x87 instructions by escape opcode and ModRM, for the assembler and the disassembler. What they do is in
// fpu/; the instruction table has one form per escape opcode.

/** A memory form: name and bytes of its operand (0 = an environment or state image). */
export interface X87Memory {
  readonly name: string;
  readonly bytes: number;
}

const m = (text: string): readonly (X87Memory | null)[] =>
  text.split(" ").map((t) => {
    if (t === "-") return null;
    const [name, bytes] = t.split(":");
    return { name, bytes: Number(bytes) };
  });

/** [opcode - 0xd8][ModRM.reg]. */
export const X87_MEMORY: readonly (readonly (X87Memory | null)[])[] = [
  m("fadd:4 fmul:4 fcom:4 fcomp:4 fsub:4 fsubr:4 fdiv:4 fdivr:4"),
  m("fld:4 - fst:4 fstp:4 fldenv:0 fldcw:2 fnstenv:0 fnstcw:2"),
  m("fiadd:4 fimul:4 ficom:4 ficomp:4 fisub:4 fisubr:4 fidiv:4 fidivr:4"),
  m("fild:4 fisttp:4 fist:4 fistp:4 - fld:10 - fstp:10"),
  m("fadd:8 fmul:8 fcom:8 fcomp:8 fsub:8 fsubr:8 fdiv:8 fdivr:8"),
  m("fld:8 fisttp:8 fst:8 fstp:8 frstor:0 - fnsave:0 fnstsw:2"),
  m("fiadd:2 fimul:2 ficom:2 ficomp:2 fisub:2 fisubr:2 fidiv:2 fidivr:2"),
  m("fild:2 fisttp:2 fist:2 fistp:2 fbld:10 fild:8 fbstp:10 fistp:8"),
];

/** Register forms: "0" = ST(0), ST(i); "i" = ST(i), ST(0); "1" = ST(i) alone; "" = none. */
export interface X87Register {
  readonly name: string;
  readonly operands: "0" | "i" | "1" | "" | "ax";
}

const group = (names: string, operands: X87Register["operands"]) =>
  names.split(" ").map((name) => (name === "-" ? null : { name, operands }));

/** [opcode - 0xd8][ModRM.reg], for opcodes whose registers go by ST(i). */
const BY_REGISTER: readonly (readonly (X87Register | null)[])[] = [
  group("fadd fmul fcom fcomp fsub fsubr fdiv fdivr", "0"),
  [{ name: "fld", operands: "1" }, { name: "fxch", operands: "1" }, null, null, null, null, null, null],
  group("fcmovb fcmove fcmovbe fcmovu - - - -", "0"),
  group("fcmovnb fcmovne fcmovnbe fcmovnu - fucomi fcomi -", "0"),
  group("fadd fmul - - fsubr fsub fdivr fdiv", "i"),
  [
    { name: "ffree", operands: "1" },
    null,
    { name: "fst", operands: "1" },
    { name: "fstp", operands: "1" },
    { name: "fucom", operands: "1" },
    { name: "fucomp", operands: "1" },
    null,
    null,
  ],
  group("faddp fmulp - - fsubrp fsubp fdivrp fdivp", "i"),
  [null, null, null, null, null, { name: "fucomip", operands: "0" }, { name: "fcomip", operands: "0" }, null],
];

/** Forms without operands: opcode and ModRM to name. */
const FIXED: readonly (readonly [number, number, string])[] = [
  [0xd9, 0xd0, "fnop"],
  [0xd9, 0xe0, "fchs"],
  [0xd9, 0xe1, "fabs"],
  [0xd9, 0xe4, "ftst"],
  [0xd9, 0xe5, "fxam"],
  [0xd9, 0xe8, "fld1"],
  [0xd9, 0xe9, "fldl2t"],
  [0xd9, 0xea, "fldl2e"],
  [0xd9, 0xeb, "fldpi"],
  [0xd9, 0xec, "fldlg2"],
  [0xd9, 0xed, "fldln2"],
  [0xd9, 0xee, "fldz"],
  [0xd9, 0xf0, "f2xm1"],
  [0xd9, 0xf1, "fyl2x"],
  [0xd9, 0xf2, "fptan"],
  [0xd9, 0xf3, "fpatan"],
  [0xd9, 0xf4, "fxtract"],
  [0xd9, 0xf5, "fprem1"],
  [0xd9, 0xf6, "fdecstp"],
  [0xd9, 0xf7, "fincstp"],
  [0xd9, 0xf8, "fprem"],
  [0xd9, 0xf9, "fyl2xp1"],
  [0xd9, 0xfa, "fsqrt"],
  [0xd9, 0xfb, "fsincos"],
  [0xd9, 0xfc, "frndint"],
  [0xd9, 0xfd, "fscale"],
  [0xd9, 0xfe, "fsin"],
  [0xd9, 0xff, "fcos"],
  [0xda, 0xe9, "fucompp"],
  [0xdb, 0xe2, "fnclex"],
  [0xdb, 0xe3, "fninit"],
  [0xde, 0xd9, "fcompp"],
  [0xdf, 0xe0, "fnstsw"],
];

/** The register form at an opcode and ModRM byte (>= 0xc0), or null. */
export function x87Register(opcode: number, modrm: number): X87Register | null {
  const fixed = FIXED.find(([op, rm]) => op === opcode && rm === modrm);
  if (fixed) return { name: fixed[2], operands: opcode === 0xdf ? "ax" : "" };
  return BY_REGISTER[opcode - 0xd8][(modrm >> 3) & 7];
}

/** Names that stand for WAIT and another instruction. */
export const X87_WAITING: Readonly<Record<string, string>> = {
  finit: "fninit",
  fclex: "fnclex",
  fstcw: "fnstcw",
  fstsw: "fnstsw",
  fstenv: "fnstenv",
  fsave: "fnsave",
};

/** Is this an x87 mnemonic? */
export function isX87Name(name: string): boolean {
  return (
    name in X87_WAITING ||
    FIXED.some((f) => f[2] === name) ||
    X87_MEMORY.some((row) => row.some((f) => f?.name === name)) ||
    BY_REGISTER.some((row) => row.some((f) => f?.name === name))
  );
}

/**
 * Encoding of a register form.
 * @param operands ST numbers as written; null stands for AX
 */
export function x87RegisterCode(name: string, operands: readonly (number | null)[]): readonly [number, number] | null {
  if (operands.length === 1 && operands[0] === null) return name === "fnstsw" ? [0xdf, 0xe0] : null;
  if (operands.length === 0) {
    const fixed = FIXED.find((f) => f[2] === name && f[0] !== 0xdf);
    if (fixed) return [fixed[0], fixed[1]];
  }
  const st = operands.map((n) => n ?? -1);
  for (let row = 0; row < 8; row++) {
    const reg = BY_REGISTER[row].findIndex((f) => f?.name === name);
    if (reg < 0) continue;
    const style = BY_REGISTER[row][reg]?.operands;
    const code = (i: number): readonly [number, number] => [0xd8 + row, 0xc0 | (reg << 3) | i];
    if (style === "1") {
      if (st.length === 1) return code(st[0]);
      if (st.length === 0 && name !== "fld") return code(1);
    } else if (st.length === 2) {
      if (style === "0" && st[0] === 0) return code(st[1]);
      if (style === "i" && st[1] === 0) return code(st[0]);
    } else if (st.length === 1) return code(st[0]);
    else if (st.length === 0 && (style === "i" || name.startsWith("fcom") || name.startsWith("fucom"))) return code(1);
  }
  return null;
}
