// The x87 around its arithmetic (which native.test.ts holds to a real processor): images in memory, restart after page
// faults, availability, and mathematical identities that need no reference.
import { describe, expect, test } from "vitest";
import { EAX, EBX } from "../../../src/emu/cpu/cpu.ts";
import { add, div, mul } from "../../../src/emu/cpu/fpu/arith.ts";
import { F80, fromDouble } from "../../../src/emu/cpu/fpu/float80.ts";
import { sqrt } from "../../../src/emu/cpu/fpu/roots.ts";
import { FloatEnv, toDouble } from "../../../src/emu/cpu/fpu/round.ts";
import { atan2, exp2MinusOne, logTimes, sineCosine } from "../../../src/emu/cpu/fpu/transcendental.ts";
import { DATA, KCODE, TABLE, World } from "./sys-world.ts";

const words = new DataView(new ArrayBuffer(8));

function f80(value: number): F80 {
  const x = new F80();
  words.setFloat64(0, value);
  fromDouble(x, words.getInt32(0), words.getInt32(4));
  return x;
}

function number(x: F80): number {
  const env = new FloatEnv();
  toDouble(env, x);
  words.setUint32(0, env.hi);
  words.setUint32(4, env.lo);
  return words.getFloat64(0);
}

/** An operation at 53-bit precision, as a double. */
function at53(act: (env: FloatEnv, out: F80) => void): number {
  const env = new FloatEnv();
  env.precision = 53;
  const out = new F80();
  act(env, out);
  return number(out);
}

test("at 53 bits of precision +, -, *, / and square roots are those of IEEE doubles", () => {
  let seed = 1;
  const next = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (seed / 2 ** 32 - 0.5) * 2 ** ((seed >>> 7) % 60);
  };
  for (let n = 0; n < 2000; n++) {
    const [a, b] = [next(), next()];
    expect(at53((env, out) => add(env, out, f80(a), f80(b), 0))).toBe(a + b);
    expect(at53((env, out) => add(env, out, f80(a), f80(b), 1))).toBe(a - b);
    expect(at53((env, out) => mul(env, out, f80(a), f80(b)))).toBe(a * b);
    expect(at53((env, out) => div(env, out, f80(a), f80(b)))).toBe(a / b);
    expect(at53((env, out) => sqrt(env, out, f80(Math.abs(a))))).toBe(Math.sqrt(Math.abs(a)));
  }
});

test("functions agree with the host's to its accuracy", () => {
  const env = new FloatEnv();
  const [s, c] = [new F80(), new F80()];
  for (const x of [1e-9, 0.1, 0.5, 1, 2, 3, 10, 100, -0.7, -5]) {
    expect(sineCosine(env, s, c, f80(x))).toBe(true);
    expect(number(s)).toBeCloseTo(Math.sin(x), 14);
    expect(number(c)).toBeCloseTo(Math.cos(x), 14);
    atan2(env, s, f80(x), f80(-2));
    expect(number(s)).toBeCloseTo(Math.atan2(x, -2), 14);
    logTimes(env, s, f80(Math.abs(x)), f80(1));
    expect(number(s)).toBeCloseTo(Math.log2(Math.abs(x)), 14);
    if (Math.abs(x) < 1) {
      exp2MinusOne(env, s, f80(x));
      expect(number(s)).toBeCloseTo(2 ** x - 1, 14);
    }
  }
  expect(sineCosine(env, s, c, f80(2 ** 63))).toBe(false);
});

test("FXSAVE and FXRSTOR carry the whole state; a misaligned image is #GP", () => {
  const w = new World();
  w.code(`
start:  fninit
        fldpi
        fld1
        fxsave [DATA]
        fninit
        fldz
        fxrstor [DATA]
        faddp st1, st0
        fstp qword [DATA + 0x400]
        fnstsw ax
        fxsave [DATA + 8]
gp:     mov ebx, 1
        hlt`);
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.at("start", 0);
  w.run();
  words.setUint32(0, w.get(DATA + 0x404));
  words.setUint32(4, w.get(DATA + 0x400));
  expect(words.getFloat64(0)).toBe(Math.PI + 1);
  // Abridged tags: R6 and R7 in use; TOP 6.
  expect(w.get(DATA + 4) & 0xff).toBe(0xc0);
  expect((w.get(DATA) >>> 27) & 7).toBe(6);
  expect(w.cpu.r[EBX]).toBe(1);
});

describe("FNSAVE and FRSTOR", () => {
  test.each([
    ["", 28],
    ["o16 ", 14],
  ])("%sformat", (prefix, size) => {
    const w = new World();
    const save = prefix === "" ? "fnsave [DATA]" : `db 0x66, 0xdd, 0x35\n dd DATA`;
    const restore = prefix === "" ? "frstor [DATA]" : `db 0x66, 0xdd, 0x25\n dd DATA`;
    w.code(
      `start: fninit\n fldpi\n fld1\n ${save}\n fnstsw [DATA + 0x100]\n ${restore}\n fnstsw [DATA + 0x102]\n fstp tword [DATA + 0x200]\n hlt`,
    );
    w.at("start", 0);
    w.run();
    // After FNSAVE as after FNINIT; after FRSTOR as before.
    expect(w.get(DATA + 0x100)).toBe(0x3000_0000);
    expect(w.get(DATA + size + 4)).toBe(0x8000_0000);
    expect(w.get(DATA + 0x204)).toBe(0x8000_0000);
    expect(w.get(DATA + 0x208) & 0xffff).toBe(0x3fff);
  });
});

test("FNSTENV names the last instruction and its operand, and masks exceptions", () => {
  const w = new World();
  w.code(`
start:  fninit
        push 0x0340
        fldcw [esp]
here:   fld dword [DATA + 64]
        fnstenv [DATA]
        fnstcw [DATA + 32]
        hlt`);
  w.at("start", 0);
  w.run();
  expect(w.get(DATA) & 0xffff).toBe(0x340);
  expect([w.get(DATA + 12), w.get(DATA + 16), w.get(DATA + 20)]).toEqual([
    w.symbols.here,
    (0x105 << 16) | KCODE,
    DATA + 64,
  ]);
  expect(w.get(DATA + 32) & 0xffff).toBe(0x37f);
});

test("a store that faults on its second page pops nothing, writes nothing, and runs again", () => {
  const w = new World();
  w.page(DATA + 0x1000, 0);
  w.code(`
start:  fninit
        fld1
        fstp tword [DATA + 0xffc]
        fnstsw ax
        hlt
pf:     fnstsw ax
        mov ebx, eax
        mov ecx, [DATA + 0xffc]
        mov dword [TABLE + 4 * ((DATA + 0x1000) >> 12)], DATA + 0x1007
        add esp, 4
        iretd`);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[EBX] & 0x3800).toBe(7 << 11);
  expect(w.cpu.r[1]).toBe(0);
  expect(w.cpu.r[EAX] & 0x3800).toBe(0);
  expect(w.get(DATA + 0x1000)).toBe(0x8000_0000);
  expect(TABLE).toBe(0x2000);
});

test("CR0.EM makes every x87 instruction #NM, FWAIT only with MP and TS", () => {
  const w = new World();
  w.code("start: mov eax, cr0\n or eax, 4\n mov cr0, eax\n fwait\n inc ecx\n fld1\nnm: mov ebx, [esp]\n hlt");
  w.gate(7, 0xe, KCODE, w.symbols.nm);
  w.at("start", 0);
  w.cpu.r[1] = 0;
  w.run();
  expect(w.cpu.r[1]).toBe(1);
  expect(w.cpu.r[EBX]).toBe(w.symbols.nm - 2);
});
