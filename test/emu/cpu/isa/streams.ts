// Random streams of instructions for fast-check: made from the table, with branches within, foreign bytes and odd prefixes
// between them, operands at page edges and in the code itself; and what they look like to a reader.
import fc from "fast-check";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import type { Form } from "../../../../src/emu/cpu/isa/forms.ts";
import { instructionSet } from "../../../../src/emu/cpu/isa/table.ts";
import { CODE, DATA, HOLE, Random, READ_ONLY, STACK } from "./bench-machine.ts";
import { ALIAS, RAM, type Setup } from "./one-world.ts";
import { randomInstruction } from "./random-code.ts";

const { forms } = instructionSet;
/** Forms that call system helpers come seldom: most end a stream soon. */
const ordinary = forms.filter((f) => !f.sync);
const system = forms.filter((f) => f.sync);
const strings = forms.filter((f) => f.string && !f.sync);
const stores = forms.filter((f) => /^(?:mov|inc|xor|push|fst|fstp|xchg)$/.test(f.names[0]) && !f.sync);

interface Item {
  readonly bytes: Uint8Array;
  /** Direct branch: the number of the item it goes to, modulo their count. */
  readonly to: number;
  readonly relBytes: number;
}

const fromForms = (list: readonly Form[]): fc.Arbitrary<Item> =>
  fc
    .record({
      form: fc.constantFrom(...list),
      seed: fc.integer({ min: 0, max: 0xffff }),
      prefix: fc.option(fc.constantFrom(0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x65), { freq: 12 }),
      to: fc.nat(40),
    })
    .map(({ form, seed, prefix, to }) => {
      const bytes = randomInstruction(new Random(seed), form);
      const all = prefix === null ? bytes : Uint8Array.of(prefix, ...bytes);
      return { bytes: all, to, relBytes: form.relBytes };
    });

const foreign: fc.Arbitrary<Item> = fc
  .uint8Array({ minLength: 1, maxLength: 4 })
  .map((bytes) => ({ bytes, to: 0, relBytes: 0 }));

/** Stores into the stream itself: through its own page or through the other mapping of it. */
const selfWriting: fc.Arbitrary<Item> = fc
  .record({ base: fc.constantFrom(CODE, ALIAS), offset: fc.nat(0x40), page: fc.nat(1), value: fc.nat(255) })
  .map(({ base, offset, page, value }) => {
    const at = base + 0x1000 * page + (page ? offset - 0x20 : offset);
    return { bytes: Uint8Array.of(0xc6, 0x05, at, at >> 8, at >> 16, 0, value), to: 0, relBytes: 0 };
  });

const item = fc.oneof(
  { weight: 20, arbitrary: fromForms(ordinary) },
  { weight: 4, arbitrary: fromForms(strings) },
  { weight: 4, arbitrary: fromForms(stores) },
  { weight: 3, arbitrary: fromForms(system) },
  { weight: 2, arbitrary: foreign },
  { weight: 1, arbitrary: selfWriting },
);

const value = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: DATA, max: DATA + 0x3000 }) },
  { weight: 3, arbitrary: fc.constantFrom(0, 1, -1, 7, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fff_ffff, -0x8000_0000) },
  { weight: 2, arbitrary: edge() },
  { weight: 1, arbitrary: fc.integer() },
);

/** Around the beginnings of pages with different rights, and of the stream's own. */
function edge(): fc.Arbitrary<number> {
  const pages = [DATA + 0x1000, HOLE, HOLE + 0x1000, READ_ONLY + 0x1000, RAM, CODE + 0x1000, ALIAS, ALIAS + 0x1000, 0];
  return fc.tuple(fc.constantFrom(...pages), fc.integer({ min: -6, max: 6 })).map(([page, by]) => page + by);
}

export interface Stream extends Setup {
  readonly text: string;
}

const dataBreakpoint = fc
  .record({ at: fc.oneof(value, edge()), rw: fc.constantFrom(1, 3), length: fc.constantFrom(0, 1, 3) })
  .map(({ at, rw, length }) => [at, 0, 0, 0, 2 | (rw << 16) | (length << 18)]);
const codeBreakpoint = fc
  .record({ at: fc.nat(40), also: fc.nat(40) })
  .map(({ at, also }) => [-1 - at, -1 - also, 0, 0, 2 | 8]);

/** Streams of at most `most` instructions. */
export function streams(most: number): fc.Arbitrary<Stream> {
  return fc
    .record({
      items: fc.array(item, { minLength: 1, maxLength: most, size: "max" }),
      ring: fc.constantFrom(0 as const, 3 as const),
      segments: fc.oneof(
        { weight: 8, arbitrary: fc.constant("flat" as const) },
        { weight: 1, arbitrary: fc.constantFrom("small data" as const, "16-bit code" as const) },
      ),
      start: fc.constantFrom(CODE, CODE + 0xfe8, CODE + 0xffb),
      registers: fc.array(value, { minLength: 8, maxLength: 8 }),
      count: fc.option(fc.nat(40), { freq: 4 }),
      stack: fc.oneof({ weight: 6, arbitrary: fc.constant(STACK) }, { weight: 1, arbitrary: value }),
      flags: fc.nat(0xcd5),
      extra: fc.constantFrom(0x200, 0x200, 0x200, 0, 0x3200, 0x300, 0x1_0200, 0x4_0200),
      fill: fc.nat(3),
      dr: fc.oneof(
        { weight: 6, arbitrary: fc.constant([] as number[]) },
        { weight: 1, arbitrary: dataBreakpoint },
        { weight: 1, arbitrary: codeBreakpoint },
      ),
    })
    .map(({ items, count, stack, flags, extra, dr, ...rest }) => {
      const { code, starts } = layOut(items, rest.start);
      const registers = [...rest.registers];
      if (count !== null) registers[1] = count;
      registers[4] = stack;
      const breakpoints = dr.map((v, n) => (n < 2 && v < 0 && dr[4] === 10 ? starts[(-1 - v) % starts.length] : v));
      const stream = { ...rest, code, resume: starts, registers, flags: (flags & 0xcd5) | extra | 2, dr: breakpoints };
      const text = listing(stream);
      return { ...stream, text, [fc.toStringMethod]: () => text };
    });
}

/** Items one behind the other, branches aimed at their targets, HLT at the end. */
function layOut(items: readonly Item[], origin: number): { code: Uint8Array; starts: number[] } {
  const starts: number[] = [];
  let at = origin;
  for (const { bytes } of items) {
    starts.push(at);
    at += bytes.length;
  }
  starts.push(at);
  const code = new Uint8Array(at - origin + 1);
  items.forEach(({ bytes, relBytes, to }, n) => {
    const from = starts[n] - origin;
    code.set(bytes, from);
    const next = starts[n + 1];
    const by = starts[to % starts.length] - next;
    for (let i = 0; i < relBytes; i++) code[next - origin - relBytes + i] = by >> (8 * i);
  });
  code[code.length - 1] = 0xf4;
  return { code, starts };
}

/** The stream as a reader wants it. */
function listing(s: Setup): string {
  const hex = (v: number) => (v >>> 0).toString(16);
  const lines = s.resume.map((at, n) => {
    const from = at - s.start;
    const bytes = s.code.subarray(from, n + 1 < s.resume.length ? s.resume[n + 1] - s.start : from + 1);
    const { text } = disassemble(s.code.subarray(from), at, s.segments === "16-bit code" ? 16 : 32);
    return `  ${hex(at)}  ${Buffer.from(bytes).toString("hex").padEnd(24)} ${text}`;
  });
  const registers = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"].map(
    (n, i) => `${n} ${hex(s.registers[i])}`,
  );
  const debug = s.dr.length > 0 ? ` dr ${s.dr.map(hex).join(" ")}` : "";
  return [
    `ring ${s.ring}, ${s.segments}, flags ${hex(s.flags)}, fill ${s.fill}${debug}`,
    registers.join(" "),
    ...lines,
  ].join("\n");
}
