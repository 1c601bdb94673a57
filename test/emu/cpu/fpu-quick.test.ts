// The x87's quick routines against its exact ones: the same bits in registers, tags, status, flags and memory whenever a
// quick routine says that it has done an instruction.
import { expect, test } from "vitest";
import { fpuExact } from "../../../src/emu/cpu/fpu/fpu.ts";
import { FPU_FIP, FPU_REGS, TAG_EMPTY } from "../../../src/emu/cpu/fpu/layout.ts";
import { RAM_BASE } from "../../../src/emu/machine/memory.ts";
import { DATA, World } from "./sys-world.ts";

/** Registers, TOP, status and control word; where the last instruction lies is the caller's to note. */
const COMPARED = (FPU_FIP - FPU_REGS) >> 2;
const SAMPLES = process.env["KMLAB_SLOW"] ? 2_000_000 : 250_000;

/** xorshift128: plain and quick enough for millions of operands. */
class Random {
  private a = 123_456_789;
  private b = 362_436_069;
  private c = 521_288_629;
  private d = 88_675_123;
  word(): number {
    const t = this.a ^ (this.a << 11);
    this.a = this.b;
    this.b = this.c;
    this.c = this.d;
    this.d = this.d ^ (this.d >>> 19) ^ t ^ (t >>> 8);
    return this.d;
  }
  below(n: number): number {
    return (this.word() >>> 0) % n;
  }
}

const SPECIAL: readonly (readonly [number, number, number])[] = [
  [0, 0, 0],
  [0, 0, 0],
  [0x7fff, 0x8000_0000, 0],
  [0x7fff, 0xc000_0000, 1],
  [0x7fff, 0x8000_0000, 1],
  [0, 0x4000_0000, 3],
  [0, 0x8000_0000, 0],
  [0x3fff, 0x4000_0000, 0],
];
const EDGES: readonly (readonly [number, number])[] = [
  [0x8000_0000, 0],
  [0x8000_0000, 1],
  [0xffff_ffff, 0xffff_ffff],
  [0xffff_ffff, 0xffff_fffe],
  [0xffff_ffff, 0xffff_fc00],
  [0xffff_ffff, 0xffff_fbff],
  [0x8000_0000, 0x0400],
  [0x8000_0000, 0x0401],
  [0x8000_0000, 0x0c00],
  [0x8000_0080, 0],
  [0xb504_f333, 0xf9de_6484],
  [0xc000_0000, 0],
];

/** One slot: exponent word and significand, mostly normal values that meet each other. */
function slot(random: Random, words: Int32Array, at: number): void {
  const kind = random.below(32);
  if (kind === 0) {
    const [exp, hi, lo] = SPECIAL[random.below(SPECIAL.length)];
    words.set([lo, hi, exp | (random.below(2) << 15) | (random.below(4) === 0 ? TAG_EMPTY : 0)], at);
    return;
  }
  if (kind < 3) {
    words.set([0, 0, random.below(2) << 15], at);
    return;
  }
  let [hi, lo] =
    random.below(3) === 0 ? EDGES[random.below(EDGES.length)] : [random.word() | 0x8000_0000, random.word()];
  if (random.below(4) === 0) lo = 0;
  if (random.below(8) === 0) lo = (lo + random.below(5) - 2) | 0;
  if (random.below(8) === 0) hi &= 0xffff_8000;
  const near = random.below(16);
  let exp = 0x3fff;
  if (near < 6) exp += random.below(5) - 2;
  else if (near < 11) exp += random.below(144) - 72;
  else if (near === 11) exp += [-1023, -1022, 1023, 1024, -127, -126, 127, 128][random.below(8)];
  else if (near === 12) exp = 1 + random.below(3);
  else if (near === 13) exp = 0x7ffe - random.below(3);
  else if (near === 14) exp += [14, 15, 16, 30, 31, 32, 62, 63, 64][random.below(9)];
  else exp = 1 + random.below(0x7ffe);
  words.set([lo, hi, exp | (random.below(2) << 15)], at);
}

test("quick and exact answers are the same to the bit", () => {
  const [one, two] = [new World(), new World()];
  const { quick, fpu } = one.cpu;
  // The keys of each form: its ST(i), or the ways to write its memory operand, which do not matter here.
  const keys: number[][] = Array.from({ length: Math.max(...quick.forms) >>> 8 }, () => []);
  quick.forms.forEach((form, key) => {
    if (form !== 0) keys[(form >>> 8) - 1].push(key);
  });
  const random = new Random();
  const host = RAM_BASE + DATA;
  const bytes = one.memory.u8;
  const i32 = new Int32Array(one.memory.buffer, host, 4);
  const differing: string[] = [];
  const done = keys.map(() => 0);
  const cws = [0x37f, 0x37f, 0x37f, 0x37f, 0xf7f, 0x77f, 0xb7f, 0x27f];
  for (let n = 0; n < SAMPLES && differing.length < 10; n++) {
    const key = keys[n % keys.length][random.below(keys[n % keys.length].length)];
    const form = quick.forms[key];
    const [opcode, modrm] = [0xd8 + (key >>> 8), key & 0xff];
    for (let i = 0; i < 8; i++) slot(random, fpu.words, 4 * i);
    // Tags that agree with the values.
    const { used } = fpu;
    fpu.used = used;
    fpu.sw = random.word() & 0x477f;
    fpu.top = random.below(8);
    // Loads need room.
    if (random.below(4)) fpu.free(7);
    fpu.setCw(cws[random.below(cws.length)]);
    slot(random, i32, 0);
    const shape = random.below(3);
    if (shape === 0) i32[1] = (i32[1] & ~0x7ff0_0000) | ((1023 + random.below(64) - 32) << 20);
    if (shape === 1) i32[0] = (i32[0] & ~0x7f80_0000) | ((127 + random.below(64) - 32) << 23);
    if (random.below(8) === 0) i32.fill(0, 0, 3);
    two.memory.u8.set(bytes.subarray(host, host + 16), host);
    two.cpu.fpu.copyFrom(fpu);
    const flags = random.word() & 0xcd5;
    one.cpu.setEflags(flags);
    two.cpu.setEflags(flags);
    const before = `${Array.from(fpu.words, (w) => (w >>> 0).toString(16))} ${Array.from(i32, (w) => (w >>> 0).toString(16))}`;
    const took = quick.exec(form >>> 8, modrm < 0xc0 ? host : (modrm & 7) << 4);
    if (took) {
      fpuExact(two.cpu, opcode, modrm, modrm < 0xc0 ? DATA : 0);
      done[n % keys.length]++;
    }
    let same = one.cpu.getEflags() === two.cpu.getEflags();
    for (let i = 0; i < COMPARED; i++) same &&= fpu.words[i] === two.cpu.fpu.words[i];
    for (let i = 0; i < 16; i++) same &&= bytes[host + i] === two.memory.u8[host + i];
    if (!same) {
      const after = [fpu, two.cpu.fpu].map(
        (f) => `${Array.from(f.words.subarray(0, 36), (w) => (w >>> 0).toString(16))}`,
      );
      differing.push(`${opcode.toString(16)} ${modrm.toString(16)} ${took}: ${before} => ${after.join(" | ")}`);
    }
  }
  expect(differing).toEqual([]);
  // The quick routines do most of this and decline the rest: none declines everything.
  for (const [n, count] of done.entries())
    expect(count, `form of ${keys[n][0].toString(16)}`).toBeGreaterThan(SAMPLES / keys.length / 8);
});
