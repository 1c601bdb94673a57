// Memory operands that lie where earlier ones of their block lay: loads, stores and changes of their registers at random,
// in loops, on pages that may be written, only be read, or are absent. Regions against the oracle.
import { describe, expect, it, test } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import { meaningOf } from "../../../../src/emu/cpu/compile/meaning.ts";
import { accessesOf, guessed, type Window } from "../../../../src/emu/cpu/compile/places.ts";
import { type Cpu, EBX, ECX, EDI, type Engine, ESI, ESP } from "../../../../src/emu/cpu/cpu.ts";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { decode, type Op } from "../../../../src/emu/cpu/isa/decode.ts";
import {
  bareCpu,
  CODE,
  DATA,
  firstDifference,
  HOLE,
  place,
  quietHost,
  Random,
  READ_ONLY,
  reset,
  STACK,
  stateOf,
} from "../isa/bench-machine.ts";

const PROGRAMS = process.env["KMLAB_SLOW"] ? 4_000 : 400;
const LIMIT = 300;
const ROUNDS = 4;
/** mov eax, [ebx]; mov eax, [esi]; jmp behind: then the pages may be read, but not yet written, without help. */
const READ_FIRST = [0x8b, 0x03, 0x8b, 0x06, 0xeb, 0x00];

/** One instruction around EBX, ESI, ESP or EBX + 4 * ECX. */
function instruction(random: Random): number[] {
  const r = random.pick([EBX, EBX, EBX, ESI]);
  const d = (4 * random.below(4) + (random.chance(5) ? random.below(4) : 0) - 8) & 0xff;
  const operand = (reg: number) =>
    random.chance(70)
      ? [0x40 | (reg << 3) | r, d]
      : random.chance(50)
        ? [0x44 | (reg << 3), 0x24, d & 0x1f]
        : [0x44 | (reg << 3), 0x8b, d];
  const value = random.pick([0, 2]);
  const step = random.pick([4, -4, 8]) & 0xff;
  switch (random.below(16)) {
    case 0:
    case 1:
      return [0x8b, ...operand(value)];
    case 2:
    case 3:
      return [0x89, ...operand(value)];
    case 4:
      return [random.pick([0x88, 0x8a]), ...operand(value)];
    case 5:
      return [0x0f, 0xb7, ...operand(value)];
    case 6:
      return [0x83, ...operand(random.pick([0, 5])), 5];
    case 7:
      return [0x83, random.pick([0xc0, 0xe8]) | r, step];
    case 8:
      return [random.pick([0x40, 0x48]) | r];
    case 9:
      return [0x8d, 0x40 | (r << 3) | random.pick([EBX, ESI]), step];
    case 10:
      return random.pick([[0x89, 0xde], [0x50], [0x5a], [0x41], [0x49], [0x0f, 0x44, 0xde], [0xd3, 0xe3]]);
    case 11:
    case 12:
      return [0xf2, 0x0f, random.pick([0x10, 0x11, 0x58]), ...operand(0)];
    case 13:
      return [0x0f, random.pick([0x28, 0x29]), ...operand(1)];
    case 14:
      return [random.pick([0xdd, 0xd9]), ...operand(random.pick([0, 3]))];
    default:
      return [0x01, ...operand(value)];
  }
}

function load(cpu: Cpu, code: Uint8Array, seed: number): void {
  const random = new Random(seed);
  reset(cpu);
  place(cpu, CODE, code);
  place(
    cpu,
    DATA,
    Uint8Array.from({ length: 0x3000 }, () => random.next()),
  );
  const pointer = () =>
    random.pick([DATA + 0x40, DATA + 0x80, DATA + 0xff0, READ_ONLY + 0x20, HOLE - 0x18]) + 4 * random.below(3);
  cpu.r[EBX] = pointer();
  cpu.r[ESI] = random.chance(40) ? cpu.r[EBX] : pointer();
  cpu.r[ECX] = random.below(4);
  cpu.r[ESP] = STACK - 0x40;
  cpu.r[EDI] = ROUNDS;
  cpu.simd.mxcsr = 0x1fa0;
}

test("blocks that come back to their places end as the oracle says", () => {
  const oracle = bareCpu(quietHost, "oracle");
  const compiling = bareCpu(quietHost, "compile");
  (compiling.engine as Engine & { regionHot: number }).regionHot = 0;
  const random = new Random(11);
  let ended = 0;
  for (let n = 0; n < PROGRAMS; n++) {
    const parts = Array.from({ length: 2 + random.below(9) }, () => instruction(random));
    const body = parts.flat();
    const code = Uint8Array.from([...READ_FIRST, ...body, 0x4f, 0x75, -(body.length + 3) & 0xff, 0xf4]);
    const text = parts.map((p) => disassemble(Uint8Array.from([...p, 0x90, 0x90, 0x90, 0x90]), 0).text).join("\n");
    for (const cpu of [oracle, compiling]) {
      load(cpu, code, n);
      cpu.run(LIMIT);
    }
    expect(stateOf(compiling), text).toBe(stateOf(oracle));
    expect(firstDifference(compiling, oracle), text).toBe(-1);
    if (oracle.eip === CODE + code.length) ended++;
  }
  // The others fault.
  expect(ended).toBeGreaterThan(PROGRAMS / 5);
});

/** The window of each access of a block, in order. */
function windowsOf(source: string, span = 512): Window[] {
  const { bytes } = assemble(source, { origin: CODE });
  const ops: Op[] = [];
  for (let at = 0; at < bytes.length; at = ops[ops.length - 1].end) {
    const op = decode(bytes, at, bytes.length, at, 0);
    if (op === null) throw new Error(`${source}: cut off`);
    ops.push(op);
  }
  return accessesOf(ops, ops.map(meaningOf), ops.length, span).flatMap((list) => list.map((a) => a?.window as Window));
}

describe("what lies beside what", () => {
  it.each([
    "mov ebx, esi",
    "lea ebx, [esi + 4]",
    "mov bl, 1",
    "mov bh, 1",
    "mov bx, si",
    "add ebx, esi",
    "and ebx, -16",
    "shl ebx, 1",
    "shl ebx, cl",
    "xchg ebx, esi",
    "cmovz ebx, esi",
    "setz bl",
    "bswap ebx",
    "imul ebx, esi",
    "movzx ebx, al",
    "neg ebx",
    "adc ebx, 0",
    "xadd ebx, esi",
    "cmpxchg ebx, esi",
    "sbb bl, 0",
  ])("%s: EBX is not what it was", (change) => {
    const [before, after] = windowsOf(`mov eax, [ebx + 4]\n${change}\nmov edx, [ebx + 4]`);
    expect(after).not.toBe(before);
    const [index, second] = windowsOf(`mov eax, [edi + 4 * ebx]\n${change}\nmov edx, [edi + 4 * ebx]`);
    expect(second).not.toBe(index);
  });

  it.each([
    ["esi", "lodsd"],
    ["edi", "stosd"],
    ["esi", "rep movsb"],
    ["edi", "rep movsb"],
    ["ecx", "rep stosb"],
    ["eax", "mul esi"],
    ["edx", "mul esi"],
    ["edx", "cdq"],
    ["eax", "fnstsw ax"],
    ["ebp", "leave"],
    ["esp", "mov esp, ebp"],
  ])("%s is not what it was behind %s", (register, change) => {
    const windows = windowsOf(`cmp dword [${register} + 4], 0\n${change}\ncmp dword [${register} + 4], 0`);
    expect(windows[windows.length - 1]).not.toBe(windows[0]);
  });

  it("follows what is added, and leaves the rest alone", () => {
    for (const source of [
      "mov eax, [ebx + 4]\nadd ebx, 8\nmov edx, [ebx - 4]",
      "mov eax, [ebx + 4]\ninc esi\nmov esi, [ebx + 8]",
      "push eax\npush edx\nmov [esp + 8], ebx\npop edx",
    ]) {
      const [first, ...others] = windowsOf(source);
      for (const window of others) expect(window, source).toBe(first);
    }
  });

  it("is no further away than asked for", () => {
    const [a, b, c] = windowsOf("mov eax, [ebx]\nmov eax, [ebx + 60]\nmov eax, [ebx + 64]", 64);
    expect(b).toBe(a);
    expect(c).not.toBe(a);
    expect(a.high - a.low).toBe(64);
  });

  it("says where a window lies, by what a register holds before the instruction that looks", () => {
    const [first] = windowsOf("add ebx, 8\nadd ebx, 4\nmov eax, [ebx + 4]\nmov eax, [ebx + 8]");
    expect(guessed(first)).toEqual({ register: EBX, from: 4, bytes: 8 });
    const [pushed] = windowsOf("push eax\npush eax");
    expect(guessed(pushed)).toEqual({ register: ESP, from: -8, bytes: 8 });
  });
});

/** Loads and stores from 8 below to 200 above EBX, which moves through three pages by an odd step. */
const WALK = `
again:
mov eax, [ebx - 8]
add eax, [ebx + 40]
mov [ebx + 200], eax
add [ebx + 100], ecx
push eax
pop edx
xor [ebx], edx
add ebx, 12
dec ecx
jnz again
hlt`;

test("what does not lie in one page is left for, and taken account of where it is frequent", () => {
  const oracle = bareCpu(quietHost, "oracle");
  const compiling = bareCpu(quietHost, "compile");
  (compiling.engine as Engine & { regionHot: number }).regionHot = 20;
  const { bytes } = assemble(WALK, { origin: CODE });
  for (const cpu of [oracle, compiling]) {
    reset(cpu);
    place(cpu, CODE, bytes);
    for (let round = 0; round < 12; round++) {
      cpu.r[EBX] = DATA + 0x100;
      cpu.r[ECX] = 900;
      cpu.eip = CODE;
      cpu.halted = false;
      cpu.run(cpu.icount + 100_000);
      expect(cpu.halted).toBe(true);
    }
  }
  expect(stateOf(compiling)).toBe(stateOf(oracle));
  expect(firstDifference(compiling, oracle)).toBe(-1);
  const engine = compiling.engine as Engine & { code: { known(la: number, mode: number): { span: number } | null } };
  // Of a block that crosses pages all the time, windows shrink.
  expect(engine.code.known(CODE, 0)?.span).toBeLessThan(512);
});
