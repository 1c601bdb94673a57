// Do the engines made from the one table agree, form by form? The interpreter against the oracle, on random programs.
import { describe, expect, it } from "vitest";
import { type Cpu, ECX, EDI, type Engine, ESI } from "../../../../src/emu/cpu/cpu.ts";
import { bareCpu, DATA, firstDifference, quietHost, Random, stateOf } from "./bench-machine.ts";
import { randomRegisters } from "./random-code.ts";
import { load, ordinary, type Program, program } from "./random-programs.ts";

const LIMIT = 200;

describe("interpreter and oracle", () => {
  const a = bareCpu(quietHost, "oracle");
  const b = bareCpu();

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
      for (let n = 0; n < 4; n++) compare(program(random, [form], 1), n, (cpu) => cpu.run(LIMIT));
    }
  });

  it("agree on sequences", () => {
    const random = new Random(2);
    for (let n = 0; n < 600; n++) compare(program(random, ordinary, 16), n, (cpu) => cpu.run(LIMIT));
  });

  it("agree when every block is compiled to a function", () => {
    const random = new Random(4);
    const engine = b.engine as Engine & { hot: number };
    const usual = engine.hot;
    engine.hot = 0;
    for (const form of ordinary) {
      for (let n = 0; n < 2; n++)
        compare(program(random, [form, ...ordinary.slice(0, 8)], 4), n, (cpu) => cpu.run(LIMIT));
    }
    for (let n = 0; n < 600; n++) compare(program(random, ordinary, 16), n, (cpu) => cpu.run(LIMIT));
    engine.hot = usual;
  });

  it("agree on long repeated moves and fills, cut anywhere", () => {
    const random = new Random(5);
    for (let n = 0; n < 250; n++) {
      const opcode = random.pick([[0xa4], [0xa5], [0x66, 0xa5], [0xaa], [0xab], [0x66, 0xab]]);
      const bytes = Uint8Array.from([...(random.chance(15) ? [0xfd] : []), 0xf3, ...opcode, 0xf4]);
      const registers = randomRegisters(random);
      registers[ECX] = random.below(2500);
      registers[ESI] = DATA + random.below(0x3000);
      // Sometimes close to the source, on either side.
      registers[EDI] = random.chance(40) ? registers[ESI] + random.below(40) - 20 : DATA + random.below(0x3800);
      const p = { bytes, text: `${Buffer.from(bytes).toString("hex")} ${registers}`, registers, flags: 2 };
      const cuts = new Random(n);
      compare(
        p,
        n,
        (cpu) => {
          while (!cpu.halted && cpu.icount < 3000) cpu.run(Math.min(3000, cpu.icount + 1 + cuts.below(1500)));
        },
        3000,
      );
    }
  });

  it("agree when the run is cut at any instruction", () => {
    const random = new Random(3);
    for (let n = 0; n < 300; n++) {
      const cuts = new Random(n);
      compare(program(random, ordinary, 12), n, (cpu) => {
        while (!cpu.halted && cpu.shutdown === null && cpu.icount < LIMIT) {
          const until = Math.min(cpu.icount + 1 + cuts.below(7), LIMIT);
          const before = cpu.icount;
          cpu.run(until);
          if (!cpu.halted && cpu.shutdown === null && cpu.icount !== until) {
            throw new Error(`stopped at ${cpu.icount}, not ${until}, from ${before}`);
          }
        }
      });
    }
  });
});
