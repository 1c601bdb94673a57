// An instruction in two pages inside a region, whose second page leads elsewhere when the region is entered again.
import { expect, test } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import type { Region } from "../../../../src/emu/cpu/compile/regions.ts";
import { type Cpu, EBX, ECX, type Engine } from "../../../../src/emu/cpu/cpu.ts";
import { bareCpu, CODE, DATA, place, quietHost, reset, stateOf } from "../isa/bench-machine.ts";

const LOOPS = 200;
/** The second page's frames, and the page table's entry. */
const FRAMES = [CODE + 0x1000, DATA];
const ENTRY = 0x5000 + 4 * ((CODE + 0x1000) >> 12);
const START = CODE + 0xff0;

/** The immediate operand of the second instruction lies in the second page, and all that follows. */
function program(value: number): Uint8Array {
  const source = `again: test ebx, ebx\n${"nop\n".repeat(12)}add ebx, ${value}\ndec ecx\njnz again\nhlt`;
  return assemble(source, { origin: START }).bytes;
}

function load(cpu: Cpu): void {
  reset(cpu);
  const [first, second] = [program(0x1111_1111), program(0x0202_0202)];
  const here = CODE + 0x1000 - START;
  place(cpu, START, first);
  place(cpu, FRAMES[1], second.subarray(here));
}

function runIn(cpu: Cpu, frame: number): void {
  cpu.memory.view.setUint32(cpu.memory.ramBase + ENTRY, frame | 7, true);
  cpu.memory.dropPage((CODE + 0x1000) >> 12);
  cpu.eip = START;
  cpu.r[EBX] = 0;
  cpu.r[ECX] = LOOPS;
  cpu.halted = false;
  cpu.run(cpu.icount + 10_000);
  expect(cpu.halted).toBe(true);
}

/** Regions alive that hold an instruction in two pages which is not their first. */
function straddling(cpu: Cpu): number {
  const { regions } = cpu.engine as Engine & { regions: { live: (Region | null)[] } };
  return regions.live.filter((r) => r?.plan.blocks.some((b, i) => i > 0 && b.code.host2 >= 0)).length;
}

test("a region's instruction in two pages is the one that is mapped now", () => {
  const oracle = bareCpu(quietHost, "oracle");
  const compiling = bareCpu(quietHost, "compile");
  (compiling.engine as Engine & { regionHot: number }).regionHot = 20;
  for (const cpu of [oracle, compiling]) load(cpu);
  let inside = 0;
  for (const turn of [0, 0, 1, 1, 0, 1]) {
    for (const cpu of [oracle, compiling]) runIn(cpu, FRAMES[turn]);
    expect(compiling.r[EBX] >>> 0).toBe(Math.imul(LOOPS, [0x1111_1111, 0x0202_0202][turn]) >>> 0);
    expect(stateOf(compiling)).toBe(stateOf(oracle));
    inside += straddling(compiling);
  }
  expect(inside).toBeGreaterThan(0);
});
