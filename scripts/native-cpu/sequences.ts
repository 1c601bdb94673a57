// Cases of several instructions in a row: what one leaves in the lazy flags and partial registers is what the next one
// finds. Only instructions whose flags are all defined (AF aside), so that the real processor's answer is the only one.
import type { Form } from "../../src/emu/cpu/isa/forms.ts";
import { instructionSet } from "../../src/emu/cpu/isa/table.ts";
import { type Case, CODE_BYTES, Random, WINDOW, WINDOW_BYTES } from "./cases.ts";

const ESP = 4;
const LONGEST = 12;
/** Enough room for the last instruction, a jump before it and the INT3. */
const ROOM = 20;

/** They read AF, change ESP freely, or need pointers of their own. */
const EXCLUDED =
  /^(pushf|popf|lahf|sahf|daa|das|aaa|aas|aam|aad|xlat|enter|leave|cmpxchg8b|bound|ud|kcall|esc|fwait|nop)/;

function isUsable(form: Form): boolean {
  if (form.sync || form.branch || form.string || form.moffs) return false;
  if (form.names.some((name) => EXCLUDED.test(name))) return false;
  if (form.operands.some((o) => ["source", "dest", "sreg", "fixedseg", "creg", "dreg", "far"].includes(o.at)))
    return false;
  return (form.options.u ?? "").replace("A", "") === "";
}

const FORMS = instructionSet.forms.filter(isUsable);
/** More weight for what computes flags and what reads them. */
const CARRYING = FORMS.filter((f) =>
  /^(adc|sbb|rc[lr]|ro[lr]|inc|dec|neg|cmov|set|add|sub|cmp|shl|shr|sar|stc|clc|cmc)/.test(f.names[0]),
);

function number(bytes: number[], count: number, value: number): void {
  for (let i = 0; i < count; i++) bytes.push((value >>> (8 * i)) & 0xff);
}

/** A register of `size` bits that is not part of ESP. */
function register(random: Random, size: number): number {
  const n = random.below(8);
  return size !== 8 && n === ESP ? 0 : n;
}

/** One instruction, memory operands at absolute addresses in the window. */
function encode(random: Random, form: Form): number[] {
  const bytes: number[] = [];
  const rm = form.operands.find((o) => o.at === "rm");
  const reg = form.operands.find((o) => o.at === "reg");
  if (form.sized && form.size === 16) bytes.push(0x66);
  const opcode = form.opcode.slice();
  const opreg = form.operands.find((o) => o.at === "opreg");
  if (opreg) {
    const n = register(random, opreg.size);
    opcode[opcode.length - 1] += form.options.skipFirst === true && n === 0 ? 1 : n;
  }
  bytes.push(...opcode);
  if (form.modrm) {
    const field = (form.digit >= 0 ? form.digit : register(random, reg?.size ?? 32)) << 3;
    if (rm?.memory === true && (!rm.register || random.below(4) === 0)) {
      bytes.push(field | 5);
      number(bytes, 4, WINDOW + random.below(WINDOW_BYTES - 8));
    } else bytes.push(0xc0 | field | register(random, rm?.size ?? 32));
  }
  for (const count of [form.immBytes, form.imm2Bytes]) {
    number(bytes, count, random.below(2) === 0 ? random.word() : random.pick([0, 1, -1, 0x7f, 0x80]));
  }
  return bytes;
}

/** All cases; `factor` scales their number. */
export function sequenceCases(firstSeed: number, factor: number): Case[] {
  const random = new Random(firstSeed);
  const cases: Case[] = [];
  for (let n = 0; n < 3000 * factor; n++) {
    const code: number[] = [];
    const length = 3 + random.below(LONGEST - 2);
    for (let i = 0; i < length && code.length < CODE_BYTES - ROOM; i++) {
      const next = encode(random, random.pick(random.below(2) === 0 ? CARRYING : FORMS));
      // Now and then a conditional jump over it.
      if (random.below(8) === 0) code.push(0x70 + random.below(16), next.length);
      code.push(...next);
    }
    // PUSHA at most twelve times stays inside the window's pages.
    const fixed = new Map([[ESP, WINDOW + 0x60 + 4 * random.below(24)]]);
    cases.push({ seed: firstSeed + n, code: Uint8Array.from(code), kind: "sequence", fixed });
  }
  return cases;
}
