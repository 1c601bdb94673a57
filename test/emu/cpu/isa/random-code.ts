// Random instructions of given forms, with operands that mostly lie in mapped memory.
import type { Form } from "../../../../src/emu/cpu/isa/forms.ts";
import { CODE, DATA, HOLE, type Random, READ_ONLY, STACK } from "./bench-machine.ts";

const INTERESTING = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, -0x8000_0000, -1, -2];

/** A register value: an edge, a pointer, or anything. */
export function randomValue(random: Random): number {
  const kind = random.below(10);
  if (kind < 4) return random.pick(INTERESTING);
  if (kind < 8) return DATA + random.below(0x3000);
  return random.next();
}

function immediate(random: Random, bytes: number): number[] {
  const v = random.chance(50) ? random.pick(INTERESTING) : random.next();
  return Array.from({ length: bytes }, (_, i) => (v >> (8 * i)) & 0xff);
}

/** Addresses at and around page edges, a hole and a read-only page now and then. */
function address(random: Random): number {
  if (random.chance(4)) return HOLE + random.below(16) - 4;
  if (random.chance(4)) return READ_ONLY + random.below(64);
  if (random.chance(10)) return DATA + 0x1000 - random.below(6);
  return DATA + random.below(0x2f00);
}

function le32(v: number): number[] {
  return [v & 0xff, (v >> 8) & 0xff, (v >> 16) & 0xff, (v >> 24) & 0xff];
}

/** ModRM and what follows, for a memory operand. */
function memory(random: Random, reg: number): number[] {
  const kind = random.below(10);
  if (kind < 4) return [(reg << 3) | 5, ...le32(address(random))];
  if (kind < 6) return [0x40 | (reg << 3) | 3, random.below(256)];
  if (kind < 8) {
    // [base + index * scale + disp8] around EBX, ESI, EDI, EBP or ESP.
    const sib = (random.below(4) << 6) | (random.pick([1, 4, 4, 0]) << 3) | random.pick([3, 6, 7, 5, 4]);
    return [0x40 | (reg << 3) | 4, sib, random.below(256)];
  }
  if (kind < 9) return [(reg << 3) | 4, (random.below(4) << 6) | (random.below(8) << 3) | 5, ...le32(address(random))];
  return [0x80 | (reg << 3) | random.pick([3, 6, 7]), ...le32(random.below(0x200) - 0x100)];
}

/** Bytes of one random instruction of a form, for 32-bit code. */
export function randomInstruction(random: Random, form: Form): Uint8Array {
  const out: number[] = [];
  if (form.sized && form.size === 16) out.push(0x66);
  const rm = form.operands.find((o) => o.at === "rm");
  const inMemory = rm?.memory === true && (!rm.register || random.chance(60));
  if (inMemory && random.chance(8)) out.push(random.pick([0x64, 0x65, 0x3e, 0x36]));
  if (form.string && random.chance(60)) out.push(random.pick([0xf2, 0xf3]));
  if (form.options.lock && inMemory && random.chance(10)) out.push(0xf0);
  if (form.mandatory) out.push(form.mandatory);
  const opcode = [...form.opcode];
  if (form.operands.some((o) => o.at === "opreg")) {
    opcode[opcode.length - 1] += form.options.skipFirst ? 1 + random.below(7) : random.below(8);
  }
  out.push(...opcode);
  if (form.modrm) {
    const reg = form.digit >= 0 ? form.digit : random.below(form.operands.some((o) => o.at === "sreg") ? 6 : 8);
    if (inMemory) out.push(...memory(random, reg));
    else out.push(0xc0 | (reg << 3) | (form.options.rm ?? random.below(8)));
  }
  if (form.moffs) out.push(...le32(address(random)));
  out.push(...immediate(random, form.immBytes), ...immediate(random, form.imm2Bytes));
  // Short forward branches, into what follows.
  if (form.relBytes) out.push(...[random.below(4), 0, 0, 0].slice(0, form.relBytes));
  return Uint8Array.from(out);
}

/** Register values to start from: pointers where addresses are made, small counts in ECX. */
export function randomRegisters(random: Random): number[] {
  const pointer = () => DATA + 0x400 + random.below(0x2800);
  return [
    randomValue(random),
    random.chance(70) ? random.below(40) : randomValue(random),
    randomValue(random),
    pointer(),
    STACK - 4 * random.below(64) - (random.chance(10) ? random.below(4) : 0),
    pointer(),
    pointer(),
    pointer(),
  ];
}

export { CODE };
