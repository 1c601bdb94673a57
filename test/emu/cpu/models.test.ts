// Does each processor model have the instructions that its CPUID admits, and no others? Availability by CR0 and CR4.
import { describe, expect, it } from "vitest";
import { assemble } from "../../../src/emu/cpu/asm/assemble.ts";
import { Cpu, EAX, EBX, ECX, EDX } from "../../../src/emu/cpu/cpu.ts";
import { GP, MF, NM, UD } from "../../../src/emu/cpu/fault.ts";
import { stepNaive } from "../../../src/emu/cpu/interp/naive.ts";
import { CPU_MODELS, cpuModel } from "../../../src/emu/cpu/models.ts";
import { Memory } from "../../../src/emu/machine/memory.ts";
import { InputError } from "../../../src/errors.ts";
import { CODE, DATA, place, quietHost, RAM, reset } from "./isa/bench-machine.ts";

/** The vector that an instruction raises on a model, -1 for none. */
function vectorOf(model: string, text: string, prepare: (cpu: Cpu) => void = () => {}): number {
  const cpu = new Cpu(new Memory(RAM), quietHost, cpuModel(model));
  reset(cpu);
  cpu.cr4 = model === "pentium2" ? 0x200 : 0x600;
  cpu.r[EBX] = DATA;
  place(cpu, CODE, assemble(text, { origin: CODE }).bytes);
  prepare(cpu);
  return stepNaive(cpu);
}

/** An instruction of each group, and the first model that has it. */
const FIRST: readonly (readonly [string, string])[] = [
  ["paddb mm1, mm2", "pentium2"],
  ["pause", "pentium2"],
  ["prefetchnta byte [ebx]", "pentium2"],
  ["addps xmm1, xmm2", "pentium3"],
  ["pavgb mm1, mm2", "pentium3"],
  ["sfence", "pentium3"],
  ["addpd xmm1, xmm2", "pentium4"],
  ["paddb xmm1, xmm2", "pentium4"],
  ["paddq mm1, mm2", "pentium4"],
  ["movnti [ebx], eax", "pentium4"],
  ["clflush byte [ebx]", "pentium4"],
  ["mfence", "pentium4"],
  ["haddps xmm1, xmm2", "core2"],
  ["lddqu xmm1, [ebx]", "core2"],
  ["fisttp dword [ebx]", "core2"],
  ["monitor", "core2"],
  ["pshufb mm1, mm2", "core2"],
  ["palignr xmm1, xmm2, 3", "core2"],
];

describe("instructions by model", () => {
  const names = CPU_MODELS.map((m) => m.name);
  it.each(FIRST)("%s from %s on", (text, first) => {
    // FISTTP pops: there is a 1 to pop.
    const load = (cpu: Cpu) => {
      cpu.fpu.result.set(0, 0x3fff, 0x8000_0000, 0);
      cpu.fpu.push(cpu.fpu.result);
    };
    const prepare = text.startsWith("fisttp") ? load : undefined;
    for (const name of names)
      expect(vectorOf(name, text, prepare), name).toBe(names.indexOf(name) < names.indexOf(first) ? UD : -1);
  });

  it("refuses names it does not know", () => expect(() => cpuModel("i486")).toThrow(InputError));
});

describe("availability", () => {
  const with0 = (bits: number) => (cpu: Cpu) => {
    cpu.cr0 |= bits;
  };
  const without4 = (cpu: Cpu) => {
    cpu.cr4 = 0;
  };
  it("SSE: CR0.EM, CR4.OSFXSR and CR0.TS, in this order", () => {
    expect(vectorOf("core2", "addps xmm1, xmm2", with0(4))).toBe(UD);
    expect(vectorOf("core2", "addps xmm1, xmm2", without4)).toBe(UD);
    expect(vectorOf("core2", "addps xmm1, xmm2", with0(8))).toBe(NM);
    expect(vectorOf("core2", "addps xmm1, xmm2", with0(12))).toBe(UD);
  });
  it("MMX: CR0.EM, CR0.TS, a pending x87 exception; never CR4", () => {
    expect(vectorOf("core2", "paddb mm1, mm2", with0(4))).toBe(UD);
    expect(vectorOf("core2", "paddb mm1, mm2", with0(8))).toBe(NM);
    expect(vectorOf("core2", "paddb mm1, mm2", without4)).toBe(-1);
    const pending = (cpu: Cpu) => {
      cpu.cr0 |= 0x20;
      cpu.fpu.setCw(0x340);
      cpu.fpu.sw = 1;
      cpu.fpu.updateSummary();
    };
    expect(vectorOf("core2", "paddb mm1, mm2", pending)).toBe(MF);
  });
  it("moves to general registers and fences need no floating-point unit", () => {
    expect(vectorOf("core2", "movnti [ebx], eax", with0(12))).toBe(-1);
    expect(vectorOf("core2", "mfence", with0(12))).toBe(-1);
  });
  it("unmasked exceptions: #XM, or #UD without CR4.OSXMMEXCPT", () => {
    const unmask = (cpu: Cpu) => {
      cpu.simd.mxcsr = 0;
      cpu.simd.f32[64] = 1;
    };
    expect(vectorOf("core2", "divss xmm0, xmm1", unmask)).toBe(19);
    expect(
      vectorOf("core2", "divss xmm0, xmm1", (cpu) => {
        unmask(cpu);
        cpu.cr4 = 0x200;
      }),
    ).toBe(UD);
  });
  it("alignment of 16-byte operands, before paging", () => {
    const aside = (cpu: Cpu) => {
      cpu.r[EBX] = -15;
    };
    expect(vectorOf("core2", "movaps xmm0, [ebx]", aside)).toBe(GP);
    expect(vectorOf("core2", "movups xmm0, [ebx]", aside)).toBe(14);
  });
  it("MXCSR: reserved bits, and DAZ where there is none", () => {
    const value = (v: number) => (cpu: Cpu) => void cpu.memory.writePhys32(DATA, v);
    expect(vectorOf("core2", "ldmxcsr [ebx]", value(0x1fc0))).toBe(-1);
    expect(vectorOf("pentium3", "ldmxcsr [ebx]", value(0x1fc0))).toBe(GP);
    expect(vectorOf("core2", "ldmxcsr [ebx]", value(0x1_1f80))).toBe(GP);
  });
});

describe("CPUID", () => {
  const words = (model: string, leaf: number, subleaf = 0): number[] => {
    const cpu = new Cpu(new Memory(RAM), quietHost, cpuModel(model));
    reset(cpu);
    cpu.r[EAX] = leaf;
    cpu.r[ECX] = subleaf;
    place(cpu, CODE, assemble("cpuid", { origin: CODE }).bytes);
    stepNaive(cpu);
    return [EAX, EBX, ECX, EDX].map((r) => cpu.r[r] >>> 0);
  };
  it("names and features", () => {
    const bytes = [2, 3, 4].flatMap((n) => words("core2", 0x8000_0000 + n));
    const text = Buffer.from(Uint32Array.from(bytes).buffer).toString("latin1");
    expect(text.replaceAll("\0", "").trim()).toBe("Intel(R) Core(TM)2 CPU          6600  @ 2.40GHz");
    expect(words("pentium4", 1)[3] & 0x0780_0000).toBe(0x0780_0000);
    expect(words("pentium3", 1)[3] & 0x0780_0000).toBe(0x0380_0000);
    expect(words("core2", 1)[2]).toBe(0x209);
  });
  it("caches: leaf 4 where there is one, until type 0", () => {
    const l2 = words("core2", 4, 2);
    const sets = l2[2] + 1;
    const ways = (l2[1] >>> 22) + 1;
    const line = (l2[1] & 0xfff) + 1;
    expect((sets * ways * line) / 1024).toBe(4096);
    expect(words("core2", 4, 3)[0]).toBe(0);
    expect(words("pentium3", 4)).toEqual(words("pentium3", 2));
  });
  it("leaves beyond the last answer as the last", () => {
    expect(words("pentium2", 0x8000_0000)).toEqual(words("pentium2", 2));
    expect(words("core2", 0x8000_0000)[0]).toBe(0x8000_0004);
  });
});
