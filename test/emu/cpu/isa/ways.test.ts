// Blocks of the kernel's text as one function: a run that is cut, interrupted, stopped or changed in the middle of such a way
// ends as on the engine that executes one instruction at a time, and what is told on it is told at the same instructions.
import { describe, expect, it } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import type { Cpu, Engine, Tier } from "../../../../src/emu/cpu/cpu.ts";
import { EDI } from "../../../../src/emu/cpu/cpu.ts";
import type { BlockCache } from "../../../../src/emu/cpu/interp/block-cache.ts";
import { RAM_BASE } from "../../../../src/emu/machine/memory.ts";
import { bareCpu, CODE, DATA, place, quietHost } from "./bench-machine.ts";

const { bytes, symbols } = assemble(
  `
x:
  mov eax, [DATA]
  push ecx
  call body
  pop edx
  test ecx, 7
  jne skip
  inc dword [DATA+8]
skip:
  cli
  mov ebx, ds
  mov ds, ebx
p:
  inc esi
  sti
  mov byte [edi], 5
  dec ecx
  jmp x
body:
  inc dword [DATA]
  kcall 5
  mov ebp, esp
again:
  mov dl, 1
  add eax, edx
  ret`,
  { origin: CODE, symbols: { DATA } },
);
/** Calls and instructions by which every way has long been a function. */
const WARM_CALLS = 20;
const WARM = 350;
const BEHIND = 700;

/** What happens in the calls after that. */
const ACTIONS: Readonly<Record<string, (cpu: Cpu, call: number) => void>> = {
  nothing: () => undefined,
  "the host writes into a block further on": (cpu) => {
    cpu.memory.u8[RAM_BASE + symbols["again"] + 1]++;
    cpu.invalidateFrame(CODE >>> 12);
  },
  "the guest writes into a block of it": (cpu, call) => {
    cpu.r[EDI] = call & 1 ? symbols["again"] + 1 : DATA + 16;
  },
  "an interrupt": (cpu) => {
    cpu.intr = true;
  },
  "fewer instructions than were asked for": (cpu, call) => cpu.shorten(call % 5),
  "a wish to stop": (cpu) => {
    cpu.stopRequested = true;
  },
  "a breakpoint": (cpu) => {
    cpu.dr[0] = symbols["again"];
    cpu.dr[7] |= 3;
  },
  "other page arrays": (cpu) => cpu.memory.dropEntries(true),
};

/** Everything that can be seen of a run that stops when its ways are warm, and then after the counts given. */
function run(tier: Tier, action: (cpu: Cpu, call: number) => void, stops: readonly number[]): unknown[] {
  const seen: unknown[] = [];
  let calls = 0;
  const cpu: Cpu = bareCpu(
    {
      ...quietHost,
      kcall: (n) => {
        seen.push(`kcall ${n} at ${cpu.icount}, ${cpu.eip}`);
        if (++calls > WARM_CALLS) action(cpu, calls);
      },
    },
    tier,
  );
  if (tier !== "oracle") Object.assign(cpu.engine, { hot: 4, regionHot: 4 });
  cpu.memory.kernelText[CODE >>> 12] = 1;
  cpu.probes.set(symbols["p"], () => seen.push(`probe at ${cpu.icount}, ${cpu.eip}`));
  place(cpu, CODE, bytes);
  cpu.r[EDI] = DATA + 16;
  for (const stop of [WARM, ...stops]) {
    for (let tries = 0; tries < 200 && cpu.icount < stop && !cpu.halted; tries++) cpu.run(stop);
    seen.push([cpu.icount, cpu.eip, cpu.getEflags(), cpu.halted, ...cpu.r, cpu.memory.readPhys32(DATA + 8)]);
    if (tier !== "oracle" && stop === WARM) expect(longest(cpu.engine)).toBeGreaterThan(4);
  }
  return seen;
}

/** Blocks of the longest way. */
function longest(engine: Engine): number {
  const { code } = engine as unknown as { code: BlockCache };
  const blocks = Object.values(code).find((value): value is Map<number, { way: { blocks: unknown[] } | null }> => {
    return value instanceof Map;
  });
  return Math.max(0, ...[...(blocks?.values() ?? [])].map(({ way }) => way?.blocks.length ?? 0));
}

describe.each(["interpret", "compile"] as const)("ways, %s", (tier) => {
  it.each(Object.keys(ACTIONS))("%s", (name) => {
    const action = ACTIONS[name];
    expect(run(tier, action, [BEHIND])).toEqual(run("oracle", action, [BEHIND]));
  });

  it("a stop after any instruction", () => {
    // A round is shorter and no divisor: the stops fall everywhere in it, with whole rounds between them.
    const stops = Array.from({ length: 60 }, (_, n) => WARM + 61 * n);
    const nothing = ACTIONS["nothing"];
    expect(run(tier, nothing, stops)).toEqual(run("oracle", nothing, stops));
  });
});
