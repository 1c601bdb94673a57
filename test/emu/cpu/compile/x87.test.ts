// x87 instructions in compiled regions and in the interpreter against the naive evaluator, which knows the exact routines
// only: random programs from random register stacks, with what regions leave to others in between.
import { expect, test } from "vitest";
import { Cpu, EBX, type Engine } from "../../../../src/emu/cpu/cpu.ts";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { FPU_C1, FPU_REGS } from "../../../../src/emu/cpu/fpu/layout.ts";
import { stepNaive } from "../../../../src/emu/cpu/interp/naive.ts";
import { Memory } from "../../../../src/emu/machine/memory.ts";
import {
  bareCpu,
  CODE,
  DATA,
  firstDifference,
  place,
  quietHost,
  RAM,
  Random,
  reset,
  stateOf,
} from "../isa/bench-machine.ts";

const PROGRAMS = process.env["KMLAB_SLOW"] ? 3_000 : 500;
/** Most instructions of a program: the first that a region leaves to the interpreter takes the rest with it. */
const LENGTH = 16;
const LIMIT = 400;
/** Registers, TOP, control word, last instruction; the status word is compared apart. */
const WORDS = (FPU_C1 - FPU_REGS) >> 2;
const SW_WORD = 33;

const CONTROL_WORDS = [0x37f, 0x37f, 0x37f, 0xf7f, 0x77f, 0x27f, 0x340];

/** One instruction: mostly arithmetic, loads and stores; some that regions leave to the interpreter; some on integers. */
function instruction(random: Random): number[] {
  const slot = random.below(24) * 8;
  const memory = (opcode: number, op: number) => [opcode, 0x43 | (op << 3), slot & 0x7f];
  const i = random.below(8);
  const kind = random.below(30);
  const op = random.below(8);
  if (kind < 4) return memory(0xdc, op);
  if (kind < 6) return memory(random.pick([0xd8, 0xda, 0xde]), op);
  if (kind < 9) return memory(random.pick([0xd9, 0xdd, 0xdb, 0xdf]), 0);
  if (kind < 12) return memory(random.pick([0xd9, 0xdd, 0xdd, 0xdb, 0xdf]), 2 + random.below(2));
  if (kind === 12) return memory(random.pick([0xdb, 0xdf]), random.pick([5, 7]));
  if (kind < 17) return [0xd8, 0xc0 | random.below(64)];
  if (kind < 19) return [random.pick([0xdc, 0xde]), random.pick([0xc0, 0xc8, 0xe0, 0xe8, 0xf0, 0xf8]) | i];
  if (kind < 21) return [0xd9, random.pick([0xc0, 0xc8]) | i];
  if (kind === 21) return [0xdd, random.pick([0xd0, 0xd8, 0xe0, 0xe8]) | i];
  if (kind === 22)
    return [random.pick([0xdb, 0xdf]), random.pick([0xe8, 0xf0]) | i, 0x0f, 0x90 | random.below(16), 0xc1];
  if (kind === 23) return [0xd9, random.pick([0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xeb, 0xee, 0xfa, 0xfa, 0xfc, 0xf6, 0xf7])];
  if (kind === 24) return [0xdf, 0xe0];
  if (kind === 25) return [0xd9, 0x6b, random.below(8) * 2 - 16];
  if (kind === 26) return [random.pick([0xd9, 0xdd]), 0x7b, slot & 0x7f];
  if (kind === 27) return [0xda, random.pick([0xe9, 0xc0 | i]), 0x9b];
  if (kind === 28) return [0x01, 0xc8 | random.pick([1, 2])];
  return [0xdd, 0xc0 | i];
}

/** Numbers that mostly do not over- or underflow, in the three formats of memory. */
function data(random: Random): Uint8Array {
  const bytes = new Uint8Array(0x200);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 8) {
    const kind = random.below(8);
    const value = (random.next() / 2 ** 31) * 2 ** (random.below(40) - 20);
    if (kind < 5) view.setFloat64(at, value, true);
    else if (kind === 5) view.setFloat32(at, value, true);
    else if (kind === 6) view.setInt32(at, random.next() >> random.below(31), true);
  }
  for (let at = 0; at < 16; at += 2) view.setUint16(at, random.pick(CONTROL_WORDS), true);
  return bytes;
}

function load(cpu: Cpu, code: Uint8Array, seed: number): void {
  const random = new Random(seed);
  reset(cpu);
  place(cpu, CODE, code);
  place(cpu, DATA, data(random));
  cpu.r[EBX] = DATA + 16;
  const { fpu } = cpu;
  fpu.init();
  fpu.top = random.below(8);
  for (let i = 0; i < 8; i++) {
    const exp = random.below(20) === 0 ? 0 : 0x3fff + random.below(64) - 32;
    const special = random.below(24) === 0;
    if (exp === 0) fpu.st(i).set(0, 0, 0, 0);
    else if (special) fpu.st(i).set(random.below(2), 0x7fff, random.pick([0x8000_0000, 0xc000_0000]), random.below(2));
    else fpu.st(i).set(random.below(2), exp, (random.next() | 0x8000_0000) >>> 0, random.next() >>> 0);
  }
  fpu.used = 0;
  const held = random.below(7);
  for (let i = 0; i < held; i++) fpu.markUsed(i);
}

function programOf(random: Random): { code: Uint8Array; text: string } {
  const parts = Array.from({ length: 1 + random.below(LENGTH) }, () => instruction(random));
  return {
    code: Uint8Array.from([...parts.flat(), 0x90, 0x90, 0xf4]),
    text: parts.map((p) => disassemble(Uint8Array.from([...p, 0x90, 0x90, 0x90, 0x90]), 0).text).join("\n"),
  };
}

function compilingCpu(): Cpu {
  const cpu = new Cpu(new Memory(RAM), quietHost, undefined, "compile");
  (cpu.engine as Engine & { regionHot: number }).regionHot = 0;
  return cpu;
}

test("x87 programs end the same in regions, in the interpreter and in the naive evaluator", () => {
  const naive = bareCpu();
  const others = [compilingCpu(), bareCpu()];
  const random = new Random(7);
  let ended = 0;
  for (let n = 0; n < PROGRAMS; n++) {
    const { code, text } = programOf(random);
    load(naive, code, n);
    while (!naive.halted && naive.shutdown === null && naive.icount < LIMIT) stepNaive(naive);
    for (const cpu of others) {
      load(cpu, code, n);
      // A second run meets the regions that the first has made.
      for (let again = 0; again < 2; again++) {
        if (again) load(cpu, code, n);
        cpu.fpu.executed = LIMIT;
        cpu.run(LIMIT);
        expect(stateOf(cpu), text).toBe(stateOf(naive));
        expect(cpu.fpu.status, text).toBe(naive.fpu.status);
        const differing = [];
        for (let i = 0; i < WORDS; i++)
          if (i !== SW_WORD && i % 4 !== (i < 32 ? 3 : 4) && cpu.fpu.words[i] !== naive.fpu.words[i]) differing.push(i);
        expect(differing, text).toEqual([]);
        expect(firstDifference(cpu, naive), text).toBe(-1);
      }
    }
    // At the HLT of the program, not at that of a fault's handler.
    if (naive.eip === CODE + code.length) ended++;
  }
  expect(ended).toBeGreaterThan(PROGRAMS / 2);
});
