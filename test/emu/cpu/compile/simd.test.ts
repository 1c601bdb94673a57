// SSE instructions in compiled regions against the oracle: single instructions and random programs, from registers and
// memory that hold numbers of every kind and under many settings of MXCSR; what regions leave to others lies in between.
import { expect, test } from "vitest";
import { isSupported, meaningOf } from "../../../../src/emu/cpu/compile/meaning.ts";
import { type Cpu, EBX, ECX, type Engine, ESI, ESP } from "../../../../src/emu/cpu/cpu.ts";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { decode } from "../../../../src/emu/cpu/isa/decode.ts";
import type { Form } from "../../../../src/emu/cpu/isa/forms.ts";
import { instructionSet } from "../../../../src/emu/cpu/isa/table.ts";
import { XMM_BYTES } from "../../../../src/emu/cpu/simd/state.ts";
import { RAM_BASE } from "../../../../src/emu/machine/memory.ts";
import { bareCpu, CODE, DATA, HOLE, place, quietHost, RAM, Random, STACK, stateOf } from "../isa/bench-machine.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;
const ALONE = SLOW ? 40 : 10;
const PROGRAMS = SLOW ? 4_000 : 300;
const LENGTH = 10;
const LIMIT = 200;
const REGISTERS = 128;
const CR0 = 0x8001_0011 | 0;
const CR4 = 0x600;

/** Rows on XMM registers, without the ends of programs and the like. */
const forms = instructionSet.forms.filter((f) => f.options.vector !== undefined && !f.sync);

/** PE noted, nothing noted, the other roundings, FZ, DAZ, exceptions unmasked. */
const SETTINGS = [
  0x1fa0, 0x1fa0, 0x1fa0, 0x1fa0, 0x1f80, 0x1fbf, 0x3fa0, 0x5fa0, 0x7fa0, 0x9fa0, 0x1fe0, 0x9fe0, 0x0fa0, 0x1f20,
  0x1e80, 0x1ba0, 0x17a0,
];
const DOUBLES = [
  0,
  -0,
  0,
  -0,
  0,
  -0,
  1,
  -1,
  0.1,
  3,
  2 ** -1022,
  2 ** -1074,
  -1.5 * 2 ** -1030,
  Number.MAX_VALUE,
  2 ** 1023,
].concat(
  [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 31,
    -(2 ** 31),
    2 ** 31 - 0.5,
    2.5,
    -3.5,
    2 ** -149,
    2 ** 127,
  ],
  [2 ** 128, 2 ** -126, 1.9999999999 * 2 ** -127, 2 ** -511, 2 ** 512],
);
const SINGLES = [
  0,
  -0,
  1,
  -1,
  0.1,
  3,
  2 ** -126,
  2 ** -149,
  -1.5 * 2 ** -130,
  1.99 * 2 ** 127,
  2 ** -63,
  2 ** 64,
].concat([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 31, -(2 ** 31), 2.5, -3.5, 8_388_609, 2 ** 30]);
const NANS = [0x7fc0_0000, 0x7fa0_0000, 0xffc0_0001, 0x7ff8_0000, 0x7ff0_0001, 0xfff4_0000];

/** Sixteen bytes at a time: doubles, singles, integers, bytes of few kinds; edges and ordinary numbers. */
function operands(random: Random, bytes: number, edges: number): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  for (let at = 0; at < bytes; at += 16) {
    const kind = random.below(8);
    const ordinary = () => (random.next() / 2 ** 31) * 2 ** (random.below(24) - 8);
    for (let i = at; i < at + 16; i += kind < 4 ? 8 : 4) {
      const edge = random.chance(edges);
      if (kind < 4) view.setFloat64(i, edge ? random.pick(DOUBLES) : ordinary(), true);
      else if (kind < 6) view.setFloat32(i, edge ? random.pick(SINGLES) : ordinary(), true);
      else if (kind === 6) view.setInt32(i, random.chance(50) ? random.next() : random.below(40) - 20, true);
      else view.setInt32(i, Math.imul(random.pick([0, 0x80, 0xff, 1, 0x41]), 0x0101_0101) ^ random.below(3), true);
      if (edge && random.chance(20)) view.setUint32(i + (kind < 4 ? 4 : 0), random.pick(NANS), true);
    }
  }
  return out;
}

/** One instruction of a form: its operand a register or memory at EBX, mostly aligned, sometimes at the page's end. */
function instruction(random: Random, form: Form): number[] {
  const out: number[] = [];
  if (form.mandatory) out.push(form.mandatory);
  out.push(...form.opcode);
  if (form.modrm) {
    const rm = form.operands.find((o) => o.at === "rm");
    const reg = form.digit >= 0 ? form.digit : random.below(8);
    const inMemory = rm?.memory === true && (!rm.register || random.chance(50));
    if (!inMemory) out.push(0xc0 | (reg << 3) | (form.options.rm ?? random.below(8)));
    else if (random.chance(90))
      out.push(0x43 | (reg << 3), 16 * random.below(8) + (random.chance(85) ? 0 : random.below(16)));
    else out.push(0x46 | (reg << 3), random.below(16));
  }
  for (let i = 0; i < form.immBytes; i++) out.push(random.chance(70) ? random.below(20) : random.next() & 0xff);
  return out;
}

interface Program {
  readonly code: Uint8Array;
  readonly text: string;
  readonly mxcsr: number;
  readonly data: Uint8Array;
  readonly xmm: Int32Array;
}

function programOf(random: Random, parts: readonly number[][], edges: number): Program {
  return {
    code: Uint8Array.from([...parts.flat(), 0x90, 0x90, 0xf4]),
    text: parts.map((p) => disassemble(Uint8Array.from([...p, 0x90, 0x90, 0x90, 0x90]), 0).text).join("\n"),
    mxcsr: random.pick(SETTINGS),
    data: operands(random, 0x100, edges),
    xmm: new Int32Array(operands(random, REGISTERS, edges).buffer),
  };
}

function load(cpu: Cpu, p: Program): void {
  cpu.invalidateFrame(CODE >> 12);
  cpu.memory.dropEntries(true);
  place(cpu, CODE, p.code);
  place(cpu, DATA, p.data);
  place(cpu, HOLE - 0x100, p.data);
  cpu.cr0 = CR0;
  cpu.cr4 = CR4;
  cpu.fpu.init();
  cpu.simd.load(Int32Array.from([...p.xmm, p.mxcsr]));
  cpu.r.fill(0);
  cpu.r[EBX] = DATA;
  cpu.r[ESI] = HOLE - 16;
  cpu.r[ECX] = 0x8000_0001 | 0;
  cpu.r[ESP] = STACK;
  cpu.setEflags(2);
  cpu.eip = CODE;
  cpu.icount = 0;
  cpu.halted = false;
}

const oracle = bareCpu(quietHost, "oracle");
const compiling = bareCpu(quietHost, "compile");
(compiling.engine as Engine & { regionHot: number }).regionHot = 0;

const ram = (cpu: Cpu) => Buffer.from(cpu.memory.buffer, RAM_BASE, RAM);

function compare(p: Program, run = (cpu: Cpu) => cpu.run(LIMIT)): void {
  load(oracle, p);
  oracle.run(LIMIT);
  load(compiling, p);
  run(compiling);
  const text = `mxcsr ${p.mxcsr.toString(16)} xmm ${[...p.xmm].map((v) => (v >>> 0).toString(16)).join(" ")}\n${p.text}`;
  expect(stateOf(compiling), text).toBe(stateOf(oracle));
  expect(ram(compiling).equals(ram(oracle)), text).toBe(true);
}

test("nearly all SSE and SSE2 rows on XMM registers have a compiled form", () => {
  const random = new Random(5);
  const missing = new Set<string>();
  for (const form of forms.filter((f) => f.aSize === 128 || f.bSize === 128)) {
    const bytes = Uint8Array.from([...instruction(random, form), ...new Array(16).fill(0x90)]);
    const op = decode(bytes, 0, bytes.length, 0, 0);
    if (op !== null && !isSupported(op, meaningOf(op))) missing.add(form.names[0]);
  }
  const approximations = ["rsqrtps", "rsqrtss", "rcpps", "rcpss"];
  const mmx = ["cvtpi2ps", "cvtpi2pd", "cvttps2pi", "cvttpd2pi", "cvtps2pi", "cvtpd2pi", "movq2dq", "movdq2q"];
  for (const name of [...approximations, ...mmx, "maskmovdqu"]) missing.delete(name);
  expect([...missing]).toEqual([]);
});

test("each instruction alone, with operands of every kind", () => {
  const random = new Random(1);
  for (const form of forms) for (let n = 0; n < ALONE; n++) compare(programOf(random, [instruction(random, form)], 40));
});

test("scalar arithmetic and comparison of every pair of edges", () => {
  const arithmetic = [0x51, 0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f];
  const wrong: string[] = [];
  for (const wide of [true, false]) {
    const prefix = wide ? 0xf2 : 0xf3;
    const codes = [
      ...arithmetic.map((opcode) => [prefix, 0x0f, opcode, 0xc1]),
      ...[0, 1, 2, 5, 7].map((predicate) => [prefix, 0x0f, 0xc2, 0xc1, predicate]),
      wide ? [0x66, 0x0f, 0x2e, 0xc1] : [0x0f, 0x2f, 0xc1],
      [prefix, 0x0f, 0x5a, 0xc1],
      [prefix, 0x0f, 0x2c, 0xc1],
    ];
    const edges = wide ? DOUBLES : SINGLES;
    const values = [...new Set(edges.map((v) => (Object.is(v, -0) ? "-0" : `${v}`)))].map(Number);
    for (const code of codes) {
      const p = programOf(new Random(1), [code], 0);
      for (const a of values) {
        // Anew: a region that is left again and again is passed by.
        for (const cpu of [oracle, compiling]) load(cpu, p);
        for (const b of values) {
          const states = [oracle, compiling].map((cpu) => {
            const { f32, f64 } = cpu.simd;
            for (const [n, v] of [a, b].entries()) {
              if (wide) f64[(XMM_BYTES >> 3) + 2 * n] = v;
              else f32[(XMM_BYTES >> 2) + 4 * n] = v;
            }
            cpu.simd.mxcsr = 0x1fa0;
            cpu.setEflags(2);
            cpu.r.fill(0);
            cpu.eip = CODE;
            cpu.icount = 0;
            cpu.halted = false;
            cpu.run(LIMIT);
            const { i32 } = cpu.simd;
            const at = XMM_BYTES >> 2;
            return `${i32[at]} ${i32[at + 1]} ${cpu.simd.mxcsr} ${cpu.r[0]} ${cpu.getEflags()} ${cpu.icount}`;
          });
          if (states[0] !== states[1]) wrong.push(`${p.text} ${a} ${b}: ${states.join(", not ")}`);
        }
      }
    }
  }
  expect(wrong.slice(0, 5)).toEqual([]);
});

test("programs, whole and cut anywhere", () => {
  const random = new Random(2);
  const usual = forms.filter((f) => f.aSize === 128 || f.bSize === 128);
  for (let n = 0; n < PROGRAMS; n++) {
    const parts = Array.from({ length: 1 + random.below(LENGTH) }, () =>
      random.chance(90)
        ? instruction(random, random.pick(usual))
        : random.pick([[0x41], [0x01, 0xc8], [0x0f, 0x97, 0xc2]]),
    );
    const p = programOf(random, parts, random.pick([0, 0, 10]));
    compare(p);
    const cuts = new Random(n);
    compare(p, (cpu) => {
      while (!cpu.halted && cpu.shutdown === null && cpu.icount < LIMIT)
        cpu.run(Math.min(cpu.icount + 1 + cuts.below(6), LIMIT));
    });
  }
});

test("SSE that the system does not allow faults in a region as elsewhere", () => {
  const random = new Random(3);
  // addsd xmm0, xmm1; pxor xmm2, xmm2; movaps [ebx], xmm0
  const parts = [
    [0xf2, 0x0f, 0x58, 0xc1],
    [0x66, 0x0f, 0xef, 0xd2],
    [0x0f, 0x29, 0x03],
  ];
  for (const [cr0, cr4] of [
    [CR0 | 4, CR4],
    [CR0 | 8, CR4],
    [CR0, 0],
  ]) {
    for (let first = 0; first < parts.length; first++) {
      const p = programOf(random, parts.slice(first), 0);
      const states = [oracle, compiling].map((cpu) => {
        load(cpu, p);
        cpu.cr0 = cr0;
        cpu.cr4 = cr4;
        cpu.run(LIMIT);
        return stateOf(cpu);
      });
      expect(states[1]).toBe(states[0]);
    }
  }
});
