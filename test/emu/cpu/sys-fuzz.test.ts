// Nothing a guest does may make the processor throw or hang: random code in both rings, over random descriptors, gates,
// task segments and page tables, each run bounded in instructions.
import { expect, test } from "vitest";
import { Random } from "../../../scripts/native-cpu/cases.ts";
import { stepNaive } from "../../../src/emu/cpu/interp/naive.ts";
import { CODE, DATA, GDT, IDT, KCODE, KDATA, TABLE, TSS, TSS_B, TSS_DF, UCODE, UDATA, World } from "./sys-world.ts";

/** Opcodes that reach the system side more often than chance does. */
const SYSTEM_BYTES = [
  [0xcf],
  [0xcb],
  [0xca, 8, 0],
  [0xcd],
  [0xcc],
  [0xce],
  [0x0f, 0x34],
  [0x0f, 0x35],
  [0x0f, 0x00],
  [0x0f, 0x01],
  [0x0f, 0x22],
  [0x0f, 0x23],
  [0x0f, 0x30],
  [0x8e],
  [0x1f],
  [0x07],
  [0x17],
  [0xea],
  [0x9a],
  [0xff, 0x1d],
  [0xff, 0x2d],
  [0x9d],
  [0xf4],
  [0xfb],
  [0xdb],
  [0xd9],
  [0xdd],
  [0x0f, 0xae],
  [0xf3, 0xa4],
  [0xf2, 0xae],
  [0xc8],
  [0x60],
  [0x61],
  [0x0f, 0x0a],
];

function build(seed: number): World {
  const w = new World();
  const random = new Random(seed);
  const u8 = w.memory.u8;
  const at = (pa: number) => w.memory.ramBase + pa;
  const selectors = [KCODE, KDATA, UCODE, UDATA, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x5b, 0x63, 0x6c, 0x74];
  const word = () =>
    random.below(3) === 0
      ? DATA + random.below(0x1000)
      : random.below(2) === 0
        ? random.pick(selectors)
        : random.word();
  for (let selector = 0x40; selector < 0x80; selector += 4) w.put(GDT + selector, random.word());
  for (let vector = 0; vector < 256; vector++) {
    const kind = random.below(8);
    if (kind === 0) continue;
    const type = kind === 1 ? 5 : kind === 2 ? random.below(16) : random.pick([0xe, 0xf, 0xe, 6]);
    const selector =
      type === 5 ? random.pick([0x30, 0x38, 0x28]) : random.below(8) === 0 ? random.pick(selectors) : KCODE;
    w.gate(vector, type, selector, CODE + random.below(0x3000), random.pick([0, 3]));
  }
  for (const tss of [TSS_DF, TSS_B]) {
    w.task(tss, CODE + random.below(0x1000), 0x9000 + random.below(0x4000), random.below(4) === 0 ? random.word() : 2);
    if (random.below(3) === 0) w.put(tss + 4 * random.below(26), word());
  }
  if (random.below(4) === 0) w.put(TSS + 4 * random.below(26), word());
  for (let i = 0; i < 0x4000; i++) u8[at(CODE + i)] = random.word();
  for (let i = 0; i < 900; i++) {
    const bytes = random.pick(SYSTEM_BYTES);
    u8.set(bytes, at(CODE + random.below(0x3ff0)));
  }
  for (let i = 0; i < 0x1000; i += 4) w.put(DATA + i, word());
  for (let i = 0; i < 12; i++)
    w.put(TABLE + 4 * (8 + random.below(32)), (random.below(0x200) << 12) | random.below(128));
  w.symbols = { start: CODE + random.below(0x100) };
  const ring = random.pick([0, 0, 3] as const);
  w.at("start", ring, random.below(4) === 0 ? 0x3202 | (random.word() & 0x100) : 0x202);
  for (let i = 0; i < 8; i++) if (i !== 4) w.cpu.r[i] = word();
  w.memory.kernelText[CODE >>> 12] = 1;
  w.cpu.intr = random.below(2) === 0;
  w.cpu.nmi = random.below(8) === 0;
  expect(IDT).toBe(0x4000);
  return w;
}

const SEEDS = 80;
const INSTRUCTIONS = 1500;

test("random machines run to their bound, HLT or shutdown", () => {
  let retired = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const w = build(seed);
    for (let n = 0; n < 4; n++) {
      w.run(INSTRUCTIONS / 4);
      w.cpu.intr = true;
    }
    retired += w.cpu.icount;
    expect(w.cpu.icount).toBeLessThanOrEqual(INSTRUCTIONS);
  }
  expect(retired).toBeGreaterThan(SEEDS * 10);
});

test("the naive evaluation and the interpreter reach the same state", () => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= 40; seed++) {
    const [a, b] = [build(seed), build(seed)];
    for (const w of [a, b]) {
      w.cpu.intr = false;
      w.cpu.nmi = false;
      // The naive evaluation leaves debug traps to its caller.
      w.cpu.setEflags(w.cpu.getEflags() & ~0x100);
    }
    for (let n = 0; n < 200; n++) {
      if (a.cpu.shutdown !== null || a.cpu.halted || a.cpu.getEflags() & 0x1_0100 || a.cpu.pendingDebug !== 0) break;
      a.cpu.inhibit = false;
      const before = b.cpu.icount;
      // A fault is delivered without an instruction retired; the interpreter goes on to the handler's first.
      if (stepNaive(a.cpu) >= 0) break;
      b.run(1);
      b.cpu.inhibit = false;
      const [x, y] = [a, b].map((w) =>
        [...w.cpu.r, w.cpu.eip, w.cpu.getEflags(), w.cpu.cpl, w.cpu.trSel, ...w.cpu.sel].join(),
      );
      if (x !== y || b.cpu.icount !== before + 1) {
        wrong.push(`seed ${seed} step ${n}: ${x} against ${y}`);
        break;
      }
    }
  }
  expect(wrong).toEqual([]);
});
