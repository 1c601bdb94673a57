// Memory operands that lie where earlier ones of their block lay: loads, stores and changes of their registers at random,
// in loops, on pages that may be written, only be read, or are absent. Regions against the oracle.
import { expect, test } from "vitest";
import { type Cpu, EBX, ECX, EDI, type Engine, ESI, ESP } from "../../../../src/emu/cpu/cpu.ts";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import {
  bareCpu,
  CODE,
  DATA,
  firstDifference,
  HOLE,
  place,
  quietHost,
  Random,
  READ_ONLY,
  reset,
  STACK,
  stateOf,
} from "../isa/bench-machine.ts";

const PROGRAMS = process.env["KMLAB_SLOW"] ? 4_000 : 400;
const LIMIT = 300;
const ROUNDS = 4;
/** mov eax, [ebx]; mov eax, [esi]; jmp behind: then the pages may be read, but not yet written, without help. */
const READ_FIRST = [0x8b, 0x03, 0x8b, 0x06, 0xeb, 0x00];

/** One instruction around EBX, ESI, ESP or EBX + 4 * ECX. */
function instruction(random: Random): number[] {
  const r = random.pick([EBX, EBX, EBX, ESI]);
  const d = (4 * random.below(4) + (random.chance(5) ? random.below(4) : 0) - 8) & 0xff;
  const operand = (reg: number) =>
    random.chance(70)
      ? [0x40 | (reg << 3) | r, d]
      : random.chance(50)
        ? [0x44 | (reg << 3), 0x24, d & 0x1f]
        : [0x44 | (reg << 3), 0x8b, d];
  const value = random.pick([0, 2]);
  const step = random.pick([4, -4, 8]) & 0xff;
  switch (random.below(16)) {
    case 0:
    case 1:
      return [0x8b, ...operand(value)];
    case 2:
    case 3:
      return [0x89, ...operand(value)];
    case 4:
      return [random.pick([0x88, 0x8a]), ...operand(value)];
    case 5:
      return [0x0f, 0xb7, ...operand(value)];
    case 6:
      return [0x83, ...operand(random.pick([0, 5])), 5];
    case 7:
      return [0x83, random.pick([0xc0, 0xe8]) | r, step];
    case 8:
      return [random.pick([0x40, 0x48]) | r];
    case 9:
      return [0x8d, 0x40 | (r << 3) | random.pick([EBX, ESI]), step];
    case 10:
      return random.pick([[0x89, 0xde], [0x50], [0x5a], [0x41], [0x49], [0x0f, 0x44, 0xde], [0xd3, 0xe3]]);
    case 11:
    case 12:
      return [0xf2, 0x0f, random.pick([0x10, 0x11, 0x58]), ...operand(0)];
    case 13:
      return [0x0f, random.pick([0x28, 0x29]), ...operand(1)];
    case 14:
      return [random.pick([0xdd, 0xd9]), ...operand(random.pick([0, 3]))];
    default:
      return [0x01, ...operand(value)];
  }
}

function load(cpu: Cpu, code: Uint8Array, seed: number): void {
  const random = new Random(seed);
  reset(cpu);
  place(cpu, CODE, code);
  place(
    cpu,
    DATA,
    Uint8Array.from({ length: 0x3000 }, () => random.next()),
  );
  const pointer = () =>
    random.pick([DATA + 0x40, DATA + 0x80, DATA + 0xff0, READ_ONLY + 0x20, HOLE - 0x18]) + 4 * random.below(3);
  cpu.r[EBX] = pointer();
  cpu.r[ESI] = random.chance(40) ? cpu.r[EBX] : pointer();
  cpu.r[ECX] = random.below(4);
  cpu.r[ESP] = STACK - 0x40;
  cpu.r[EDI] = ROUNDS;
  cpu.simd.mxcsr = 0x1fa0;
}

test("blocks that come back to their places end as the oracle says", () => {
  const oracle = bareCpu(quietHost, "oracle");
  const compiling = bareCpu(quietHost, "compile");
  (compiling.engine as Engine & { regionHot: number }).regionHot = 0;
  const random = new Random(11);
  let ended = 0;
  for (let n = 0; n < PROGRAMS; n++) {
    const parts = Array.from({ length: 2 + random.below(9) }, () => instruction(random));
    const body = parts.flat();
    const code = Uint8Array.from([...READ_FIRST, ...body, 0x4f, 0x75, -(body.length + 3) & 0xff, 0xf4]);
    const text = parts.map((p) => disassemble(Uint8Array.from([...p, 0x90, 0x90, 0x90, 0x90]), 0).text).join("\n");
    for (const cpu of [oracle, compiling]) {
      load(cpu, code, n);
      cpu.run(LIMIT);
    }
    expect(stateOf(compiling), text).toBe(stateOf(oracle));
    expect(firstDifference(compiling, oracle), text).toBe(-1);
    if (oracle.eip === CODE + code.length) ended++;
  }
  // The others fault.
  expect(ended).toBeGreaterThan(PROGRAMS / 5);
});
