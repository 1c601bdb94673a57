// Repeated string instructions, loops, calls and jumps in regions against the naive evaluator: every cut, every count.
import { expect, it } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import { type Cpu, ECX, EDI, type Engine, ESI, MIX_CLASSES } from "../../../../src/emu/cpu/cpu.ts";
import { stepNaive } from "../../../../src/emu/cpu/interp/naive.ts";
import {
  bareCpu,
  CODE,
  DATA,
  firstDifference,
  place,
  quietHost,
  Random,
  reset,
  stateOf,
} from "../isa/bench-machine.ts";

const naive = bareCpu();
const plain = bareCpu(quietHost, "interpret");
const compiling = bareCpu(quietHost, "compile");
const engine = compiling.engine as Engine & { regionHot: number };

const fill = Uint8Array.from({ length: 0x3000 }, (_, i) => i * 7);

function load(cpu: Cpu, bytes: Uint8Array, registers: readonly number[]): void {
  reset(cpu);
  place(cpu, CODE, bytes);
  place(cpu, DATA, fill);
  cpu.r.set(registers);
}

/** Run to HLT, stopping where `next` says, and compare with the naive evaluator. */
function compare(source: string, registers: readonly number[], hot: number, next: (now: number) => number): void {
  const { bytes } = assemble(source, { origin: CODE, symbols: { DATA } });
  load(naive, bytes, registers);
  while (!naive.halted && naive.shutdown === null) stepNaive(naive);
  engine.regionHot = hot;
  for (const cpu of [plain, compiling]) {
    load(cpu, bytes, registers);
    cpu.mix.flush();
    while (!cpu.halted && cpu.shutdown === null) {
      const until = next(cpu.icount);
      cpu.run(until);
      if (!cpu.halted) expect(cpu.icount).toBe(until);
    }
    expect(stateOf(cpu), source).toBe(stateOf(naive));
    expect(firstDifference(cpu, naive), source).toBe(-1);
    cpu.mix.flush();
  }
  expect([...compiling.mix.counts], `${source}: ${MIX_CLASSES}`).toEqual([...plain.mix.counts]);
}

const far = (now: number) => now + 1_000_000;

it("moves and fills of any length, overlapping, across pages, backwards", () => {
  const random = new Random(1);
  for (let n = 0; n < 60; n++) {
    const what = random.pick(["movsb", "movsw", "movsd", "stosb", "stosw", "stosd"]);
    const registers = [random.pick([0, 0x7f7f7f7f, 0x1234_5678]), 0, 3, 4, DATA + 0x3f00, 6, 0, 0];
    registers[ECX] = random.pick([0, 1, 2, random.below(40), random.below(900), random.below(3000)]);
    registers[ESI] = DATA + 0x400 + random.below(0x1800);
    registers[EDI] = random.chance(40) ? registers[ESI] + random.below(60) - 30 : DATA + 0x400 + random.below(0x1800);
    const source = `mov ebp, 3\nagain: ${random.chance(10) ? "std" : "cld"}\nmov ecx, ${registers[ECX]}\nrep ${what}\ncld\ndec ebp\njnz again\nhlt`;
    const cuts = new Random(n);
    compare(source, registers, 0, random.chance(50) ? far : (now) => now + 1 + cuts.below(700));
  }
});

const NESTED = `
  mov esi, 12
outer:
  mov ecx, 9
inner:
  mov eax, [DATA+4*ecx]
  test al, 1
  jz even
  add edx, eax
  jmp on
even:
  call half
on:
  mov [DATA+0x800+4*ecx], edx
  inc ebx
  loop inner
  push esi
  call [DATA+0x1000]
  pop esi
  cmp esi, 4
  jae more
  xor edi, esi
more:
  dec esi
  jnz outer
  hlt
half:
  shr eax, 1
  adc edx, eax
  ret
indirect:
  mov eax, esi
  and eax, 3
  jmp [DATA+0x1010+4*eax]
a: add ebx, 1
  ret
b: sbb ebx, edx
  ret
c: rol ebx, 3
  ret
d: neg ebx
  ret`;

it("loops, calls, tables of jumps: cut anywhere, promoted at any time", () => {
  const { symbols } = assemble(NESTED, { origin: CODE, symbols: { DATA } });
  const view = new DataView(fill.buffer);
  view.setUint32(0x1000, symbols["indirect"], true);
  for (const [i, name] of ["a", "b", "c", "d"].entries()) view.setUint32(0x1010 + 4 * i, symbols[name], true);
  const registers = [1, 2, 3, 4, DATA + 0x3f00, 6, 7, 8];
  for (const hot of [0, 2, 11]) {
    compare(NESTED, registers, hot, far);
    for (const step of [1, 3, 17, 60, 150]) compare(NESTED, registers, hot, (now) => now + step);
    const cuts = new Random(hot);
    compare(NESTED, registers, hot, (now) => now + 1 + cuts.below(200));
  }
});
