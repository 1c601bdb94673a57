// Cases for the integer instructions: every form of the instruction table that a user program can execute, with random
// encodings and operands, memory operands in a window across two pages, and some that fault.
import type { Form, OperandKind } from "../../src/emu/cpu/isa/forms.ts";
import { instructionSet } from "../../src/emu/cpu/isa/table.ts";
import { type Case, DATA, Random, READ_ONLY, UNMAPPED, WINDOW, WINDOW_BYTES } from "./cases.ts";

const ESP = 4;
const EBP = 5;
const ESI = 6;
const EDI = 7;
const ECX = 1;
const EBX = 3;

/** Not comparable: they enter the host's kernel, show the host's segments, clock or identity, or need the x87 harness. */
const EXCLUDED = new Set([
  "int",
  "int1",
  "iretw",
  "iretd",
  "iret",
  "sysenter",
  "sysexit",
  "call far",
  "jmp far",
  "retf",
  "cpuid",
  "rdtsc",
  "rdpmc",
  "rdmsr",
  "wrmsr",
  "les",
  "lds",
  "lss",
  "lfs",
  "lgs",
  "lar",
  "lsl",
  "verr",
  "verw",
  "arpl",
  "sldt",
  "str",
  "sgdt",
  "sidt",
  "smsw",
  "fwait",
  "fxsave",
  "fxrstor",
  "kcall",
  "in",
  "out",
  "insb",
  "insw",
  "insd",
  "outsb",
  "outsw",
  "outsd",
]);

function isExcluded(form: Form): boolean {
  // Vector instructions have cases of their own.
  if (form.needs !== 0) return true;
  if (form.names.some((name) => EXCLUDED.has(name) || name.startsWith("esc"))) return true;
  return form.operands.some((o) => ["far", "sreg", "fixedseg", "creg", "dreg"].includes(o.at));
}

/** Forms that get more cases: their results depend on operands in many ways. */
const RICH =
  /^(div|idiv|mul|imul|sh[lr]|sa[lr]|ro[lr]|rc[lr]|daa|das|aaa|aas|aad|aam|adc|sbb|shld|shrd|bsf|bsr|cmpxchg)/;

class Encoder {
  readonly bytes: number[] = [];
  readonly fixed = new Map<number, number>();
  private readonly random: Random;
  private readonly form: Form;

  constructor(random: Random, form: Form) {
    this.random = random;
    this.form = form;
  }

  /** Where a memory operand of some bytes shall lie. */
  private target(size: number): number {
    const random = this.random;
    const kind = random.below(20);
    if (kind === 0) return READ_ONLY + random.below(4096 - size);
    if (kind === 1) return UNMAPPED + random.below(2048);
    if (kind === 2 && size > 1) return DATA + 0x2000 - 1 - random.below(size - 1);
    if (kind < 6) return WINDOW + 0x80 - random.below(size + 1);
    return WINDOW + 16 + random.below(WINDOW_BYTES - 32 - size);
  }

  private number(bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.bytes.push((value >>> (8 * i)) & 0xff);
  }

  private immediate(bytes: number): void {
    const random = this.random;
    this.number(
      bytes,
      random.below(2) === 0 ? random.word() : random.pick([0, 1, 2, 7, 8, 15, 16, 31, 32, 33, 0x7f, 0x80, -1]),
    );
  }

  /** ModRM (and SIB) of a memory operand at `target`. */
  private memory(reg: number, target: number, addr16: boolean): void {
    const random = this.random;
    if (addr16) {
      const mod = random.below(3);
      const rm = random.below(8);
      this.bytes.push((mod << 6) | (reg << 3) | rm);
      if (mod === 1) this.number(1, random.word());
      if (mod === 2 || (mod === 0 && rm === 6)) this.number(2, random.word());
      return;
    }
    const mod = random.below(3);
    const rm = random.below(8);
    this.bytes.push((mod << 6) | (reg << 3) | rm);
    let base = rm;
    let address = 0;
    let index = -1;
    let scale = 0;
    if (rm === 4) {
      scale = random.below(4);
      index = random.below(8);
      base = random.below(8);
      this.bytes.push((scale << 6) | (index << 3) | base);
      if (index !== 4) {
        if (!this.fixed.has(index)) this.fixed.set(index, random.below(64) - 16);
        address += (this.fixed.get(index) ?? 0) << scale;
      }
    }
    const noBase = mod === 0 && base === 5;
    let displacement = 0;
    if (mod === 1) displacement = (random.word() << 24) >> 24;
    if (mod === 2) displacement = random.word() | 0;
    if (noBase) displacement = (target - address) | 0;
    else if (base === index && index !== 4) {
      // Base and index are one register: only the displacement can aim.
      if (mod === 2) displacement = (target - address - (this.fixed.get(base) ?? 0)) | 0;
    } else if (this.fixed.has(base)) {
      if (mod === 2) displacement = (target - address - (this.fixed.get(base) ?? 0)) | 0;
    } else this.fixed.set(base, (target - address - displacement) >>> 0);
    if (mod === 1) this.number(1, displacement);
    else if (mod === 2 || noBase) this.number(4, displacement);
  }

  private stackPointers(): void {
    const random = this.random;
    const names = this.form.names.join(",");
    if (/push|pop|call|ret|enter|leave/.test(names)) {
      this.fixed.set(ESP, random.below(12) === 0 ? UNMAPPED + 64 : WINDOW + 80 + random.below(96));
      if (/leave|enter/.test(names)) this.fixed.set(EBP, WINDOW + 80 + random.below(96));
    }
    if (this.form.string || this.form.operands.some((o) => o.at === "source" || o.at === "dest")) {
      this.fixed.set(ESI, this.target(4));
      this.fixed.set(EDI, this.target(4));
      if (random.below(3) !== 0) this.fixed.set(ECX, random.below(5));
    }
    if (/xlat/.test(names)) this.fixed.set(EBX, WINDOW);
  }

  encode(): void {
    const { random, form } = this;
    const rm: OperandKind | undefined = form.operands.find((o) => o.at === "rm");
    const inMemory = rm?.memory === true && (!rm.register || random.below(3) !== 0);
    const names = form.names.join(",");
    this.stackPointers();
    if (form.options.rep !== undefined && random.below(2) === 0) this.bytes.push(random.pick([0xf2, 0xf3]));
    if (form.options.lock === true && inMemory && random.below(8) === 0) this.bytes.push(0xf0);
    const addr16 = inMemory && random.below(16) === 0;
    if (addr16) this.bytes.push(0x67);
    if ((inMemory || form.moffs) && random.below(10) === 0)
      this.bytes.push(random.pick([0x26, 0x36, 0x3e, 0x3e, 0x2e, 0x64]));
    if (form.sized && form.size === 16) this.bytes.push(0x66);
    const opcode = form.opcode.slice();
    if (form.operands.some((o) => o.at === "opreg")) {
      opcode[opcode.length - 1] += form.options.skipFirst === true ? 1 + random.below(7) : random.below(8);
    }
    this.bytes.push(...opcode);
    if (form.modrm) {
      const reg = form.digit >= 0 ? form.digit : random.below(8);
      if (inMemory) {
        // Bit strings reach far: keep the bit offset small.
        if (/^bt/.test(names) && form.digit < 0) this.fixed.set(reg, (random.below(256) - 128) >>> 0);
        this.memory(reg, this.target(rm.bytes || 4), addr16);
      } else this.bytes.push(0xc0 | (reg << 3) | random.below(8));
    }
    if (form.moffs) this.number(4, this.target(rm?.bytes || 4));
    // ENTER with a small frame and level.
    if (/^enter/.test(names)) {
      this.number(2, random.below(64));
      this.number(1, random.below(5));
      return;
    }
    this.immediate(form.immBytes);
    this.immediate(form.relBytes);
    this.immediate(form.imm2Bytes);
  }
}

/** All integer cases; `factor` scales their number. */
export function integerCases(firstSeed: number, factor: number): Case[] {
  const cases: Case[] = [];
  const random = new Random(firstSeed);
  let seed = firstSeed;
  for (const form of instructionSet.forms) {
    if (isExcluded(form)) continue;
    const privileged = form.sync && !/bound|popf|pushf|int3|into/.test(form.names.join(","));
    const count = privileged ? 2 : RICH.test(form.names[0]) ? 48 : 20;
    for (let n = 0; n < count * factor; n++) {
      const encoder = new Encoder(random, form);
      encoder.encode();
      if (encoder.bytes.length > 15) continue;
      cases.push({ seed: seed++, code: Uint8Array.from(encoder.bytes), kind: "single", fixed: encoder.fixed });
    }
  }
  return cases;
}
