// Programs that make code for ever, in place or elsewhere, keep the compiler's regions, modules and bytes within bounds; a
// region is never entered once a byte of it has changed, through whichever mapping.
import { expect, it } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import type { Regions } from "../../../../src/emu/cpu/compile/regions.ts";
import { type Cpu, EAX, EBX, ECX, EDX, type Engine } from "../../../../src/emu/cpu/cpu.ts";
import { RAM_BASE } from "../../../../src/emu/machine/memory.ts";
import { bareCpu, CODE, DATA, place, quietHost, reset } from "../isa/bench-machine.ts";

type Compiling = Engine & { regionHot: number; regions: Regions };

function compilingCpu(): [Cpu, Compiling] {
  const cpu = bareCpu(quietHost, "compile");
  const engine = cpu.engine as Compiling;
  engine.regionHot = 0;
  return [cpu, engine];
}

it("code written over itself again and again leaves nothing behind", () => {
  const [cpu, engine] = compilingCpu();
  const { bytes } = assemble(
    "mov ecx, 300\nagain: mov [patch+1], ecx\npatch: mov eax, 0\nadd ebx, eax\nloop again\nhlt",
    { origin: CODE },
  );
  place(cpu, CODE, bytes);
  cpu.run(1e6);
  expect(cpu.halted).toBe(true);
  expect(cpu.r[EBX]).toBe((300 * 301) / 2);
  expect(engine.regions.size.regions).toBeLessThan(10);
  expect(engine.regions.size.modules).toBeLessThan(10);
});

it("many pieces of code: the oldest make room, and run again when they are asked for", () => {
  const [cpu, engine] = compilingCpu();
  const { bytes } = assemble(`nop\n${"inc eax\njmp $+2\n".repeat(400)}hlt`, { origin: CODE });
  engine.regions.limit = { modules: 50, bytes: 1 << 20 };
  for (let round = 1; round <= 3; round++) {
    reset(cpu);
    place(cpu, CODE, bytes);
    for (let again = 0; again < 2; again++) {
      cpu.eip = CODE;
      cpu.halted = false;
      cpu.r[EAX] = 0;
      cpu.run(cpu.icount + 1e6);
      expect(cpu.r[EAX]).toBe(400);
    }
    const { modules, regions, bytes: size } = engine.regions.size;
    expect(modules).toBeLessThanOrEqual(50);
    expect(regions).toBeLessThanOrEqual(50);
    expect(size).toBeLessThanOrEqual(1 << 20);
  }
});

it("more regions than there are places, then all of them dropped", () => {
  const [cpu, engine] = compilingCpu();
  engine.regions.limit = { modules: 40, bytes: 1 << 20 };
  const { bytes } = assemble("mov ebx, 7\nhlt", { origin: DATA });
  for (let n = 0; n < 2600; n++) {
    cpu.invalidateFrame(DATA >> 12);
    cpu.memory.u8.set(bytes, RAM_BASE + DATA);
    cpu.memory.u8[RAM_BASE + DATA + 1] = n;
    cpu.eip = DATA;
    cpu.halted = false;
    cpu.run(cpu.icount + 2);
    expect(cpu.r[EBX]).toBe(n & 0xff);
  }
  expect(engine.regions.size.regions).toBeLessThanOrEqual(40);
});

it("a store through another mapping of the frame", () => {
  const [cpu] = compilingCpu();
  // Linear page DATA + 0x1000 is the frame of CODE as well.
  const pte = RAM_BASE + 0x5000 + 4 * ((DATA + 0x1000) >> 12);
  cpu.memory.view.setUint32(pte, CODE | 7, true);
  const alias = DATA + 0x1000;
  const { bytes, symbols } = assemble(
    `mov ecx, 200\nagain: call f\nadd ebx, eax\nmov [f+1-${CODE}+${alias}], ecx\nloop again\nhlt\nalign 64\nf: mov eax, 0\nret`,
    { origin: CODE },
  );
  expect(symbols["f"]).toBeGreaterThan(CODE);
  place(cpu, CODE, bytes);
  cpu.run(1e5);
  expect(cpu.halted).toBe(true);
  // 0, then what was stored in the round before.
  expect(cpu.r[EBX]).toBe((200 * 201) / 2 - 1);
});

it("a region that is soon left again is passed by, and tried again from time to time", () => {
  const [cpu, engine] = compilingCpu();
  // CLI has no compiled form: every entry runs two or three instructions.
  const { bytes } = assemble("mov ecx, 5000\nagain: inc ebx\ncli\nloop again\nhlt", { origin: CODE });
  place(cpu, CODE, bytes);
  const enter = engine.regions.run.bind(engine.regions);
  let entries = 0;
  engine.regions.run = (region, entry) => {
    entries++;
    return enter(region, entry);
  };
  cpu.run(1e6);
  expect(cpu.halted).toBe(true);
  expect(cpu.r[EBX]).toBe(5000);
  expect(entries).toBeGreaterThan(2 * (5000 / 64));
  expect(entries).toBeLessThan(1000);
});

it("an instruction that lies in two pages is part of a region, and its bytes may change in both", () => {
  for (const where of [1, 2, 3, 4]) {
    const [cpu, engine] = compilingCpu();
    const start = CODE + 0x1000 - where;
    // The loop begins with the MOV across the boundary; EDX counts down to the round that changes its last byte.
    const { bytes } = assemble(
      "again: mov eax, 0x01020304\nadd ebx, eax\ndec edx\njne on\nmov byte [again+4], 0x77\non: dec ecx\njne again\nhlt",
      { origin: start },
    );
    place(cpu, start, bytes);
    const enter = engine.regions.run.bind(engine.regions);
    let entries = 0;
    engine.regions.run = (region, entry) => {
      entries++;
      return enter(region, entry);
    };
    cpu.eip = start;
    cpu.r[EBX] = 0;
    cpu.r[ECX] = 3000;
    cpu.r[EDX] = 2000;
    cpu.run(1e6);
    expect(cpu.halted).toBe(true);
    expect(cpu.r[EBX]).toBe((2000 * 0x01020304 + 1000 * 0x77020304) | 0);
    expect(entries).toBeLessThan(100);
  }
});
