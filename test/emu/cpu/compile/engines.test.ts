// Do compiled regions do what the instruction table says? Regions against the oracle, on random programs, with
// every block compiled before its first run.
import { describe, expect, it } from "vitest";
import type { Cpu, Engine } from "../../../../src/emu/cpu/cpu.ts";
import { bareCpu, firstDifference, HOLE, quietHost, Random, stateOf } from "../isa/bench-machine.ts";
import { randomRegisters } from "../isa/random-code.ts";
import { load, ordinary, type Program, program } from "../isa/random-programs.ts";

const LIMIT = 200;

function compilingCpu(): Cpu {
  const cpu = bareCpu(quietHost, "compile");
  (cpu.engine as Engine & { regionHot: number }).regionHot = 0;
  return cpu;
}

describe("regions and oracle", () => {
  const a = bareCpu(quietHost, "oracle");
  const b = compilingCpu();

  const compare = (p: Program, seed: number, run: (cpu: Cpu) => void, limit = LIMIT) => {
    load(a, p, seed);
    load(b, p, seed);
    a.run(limit);
    run(b);
    expect(stateOf(b), p.text).toBe(stateOf(a));
    expect(firstDifference(a, b), p.text).toBe(-1);
  };

  it("agree on each form alone", () => {
    const random = new Random(1);
    for (const form of ordinary) {
      compare(program(random, [form], 1), 0, (cpu) => cpu.run(LIMIT));
    }
  });

  it("agree on each form among others", () => {
    const random = new Random(4);
    for (const form of ordinary)
      compare(program(random, [form, ...ordinary.slice(0, 8)], 5), 1, (cpu) => cpu.run(LIMIT));
  });

  it("agree on sequences", () => {
    const random = new Random(2);
    for (let n = 0; n < 150; n++) compare(program(random, ordinary, 16), n, (cpu) => cpu.run(LIMIT));
  });

  it("agree when the run is cut at any instruction", () => {
    const random = new Random(3);
    for (let n = 0; n < 120; n++) {
      const cuts = new Random(n);
      compare(program(random, ordinary, 12), n, (cpu) => {
        while (!cpu.halted && cpu.shutdown === null && cpu.icount < LIMIT) {
          const until = Math.min(cpu.icount + 1 + cuts.below(20), LIMIT);
          cpu.run(until);
          if (!cpu.halted && cpu.shutdown === null) expect(cpu.icount).toBe(until);
        }
      });
    }
  });

  it("agree on the flags of INC and DEC where a fault follows before others are set", () => {
    const random = new Random(5);
    const setters = [[0x01, 0xd8], [0x29, 0xd8], [0x31, 0xc0], [0xd1, 0xe0], [0x83, 0xf8, 0x05], [0xf9], [0x40]];
    const between = [[], [0x89, 0xc2], [0x88, 0xe5], [0x8d, 0x49, 0x01], [0x0f, 0xb6, 0xc9], [0x66, 0x0f, 0xef, 0xc0]];
    for (let n = 0; n < 60; n++) {
      const register = random.pick([1, 2]);
      const parts = [
        random.pick(setters),
        [random.pick([0x40, 0x48]) | register],
        random.pick(between),
        // A load that faults, then what sets all flags.
        [0xa1, HOLE & 0xff, (HOLE >> 8) & 0xff, HOLE >> 16, 0],
        [0x01, 0xd8],
      ];
      const bytes = Uint8Array.from([...parts.flat(), 0x90, 0x90, 0xf4]);
      const registers = randomRegisters(random);
      registers[register] = random.pick([0, -1, 0x7fff_ffff, -0x8000_0000, 15, 16]);
      compare({ bytes, text: JSON.stringify(parts), registers, flags: random.next() & 0x8d5 }, n, (cpu) =>
        cpu.run(LIMIT),
      );
    }
  });

  it("agree on the flags of rotates and shifts where a fault follows before others are set", () => {
    const random = new Random(6);
    // ADD, STC, CMC, INC, CMP; then rotates and shifts by one, CL, an immediate.
    const others = [[0x01, 0xd8], [0xf9], [0xf5], [0x41], [0x83, 0xfa, 0x05], [0x89, 0xc1], [0x0f, 0x92, 0xc3]];
    const turning = (): number[] => {
      const modrm = 0xc0 | (random.below(8) << 3) | random.below(3);
      const count = random.pick([0, 1, 5, 31, 32, 33]);
      const narrow = random.pick([[], [], [], [0x66]]);
      if (random.below(6) === 0) return [0x0f, random.pick([0xa4, 0xac]), 0xc2, count];
      return random.pick([
        [...narrow, 0xd1, modrm],
        [0xd3, modrm],
        [...narrow, 0xc1, modrm, count],
        [0xc1, modrm, count],
      ]);
    };
    const load = [0xa1, HOLE & 0xff, (HOLE >> 8) & 0xff, HOLE >> 16, 0];
    for (let n = 0; n < 300; n++) {
      const parts = Array.from({ length: 5 }, () => (random.below(3) === 0 ? random.pick(others) : turning()));
      const bytes = Uint8Array.from([...parts.flat(), ...load, 0x01, 0xd8, 0x90, 0x90, 0xf4]);
      const flags = random.next() & 0x8d5;
      compare({ bytes, text: JSON.stringify(parts), registers: randomRegisters(random), flags }, n, (cpu) =>
        cpu.run(LIMIT),
      );
    }
  });
});
