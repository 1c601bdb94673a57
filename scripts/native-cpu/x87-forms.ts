// Cases for the x87: every encoding of D8-DF, the arithmetic and the functions more often.
import { type Case, Random, WINDOW, WINDOW_BYTES } from "./cases.ts";

/** Encodings that are invalid on the processor measured or mean something else there: SSE3's FISTTP, reserved ones. */
function isReserved(opcode: number, modrm: number): boolean {
  const op = (modrm >>> 3) & 7;
  if (modrm < 0xc0) {
    if (op === 1 && (opcode === 0xdb || opcode === 0xdd || opcode === 0xdf)) return true;
    return (
      (opcode === 0xd9 && op === 1) || (opcode === 0xdb && (op === 4 || op === 6)) || (opcode === 0xdd && op === 5)
    );
  }
  if (opcode === 0xd9) return (op === 2 && modrm !== 0xd0) || [0xe2, 0xe3, 0xe6, 0xe7, 0xef].includes(modrm);
  if (opcode === 0xda) return op >= 4 && modrm !== 0xe9;
  if (opcode === 0xdb) return op === 7 || (op === 4 && modrm !== 0xe2 && modrm !== 0xe3);
  if (opcode === 0xdd) return op >= 6;
  if (opcode === 0xde) return op === 3 && modrm !== 0xd9;
  if (opcode === 0xdf) return op === 7 || (op === 4 && modrm !== 0xe0);
  return false;
}

/** Transcendental functions: compared within an error bound, not bit by bit. */
export function isTranscendental(opcode: number, modrm: number): boolean {
  return opcode === 0xd9 && [0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff].includes(modrm);
}

/** All x87 cases; `factor` scales their number. */
export function x87Cases(firstSeed: number, factor: number): Case[] {
  const cases: Case[] = [];
  const random = new Random(firstSeed);
  let seed = firstSeed;
  const push = (bytes: number[], fixed: [number, number][]) => {
    cases.push({ seed: seed++, code: Uint8Array.from(bytes), kind: "x87", fixed: new Map(fixed) });
  };
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (let op = 0; op < 8; op++) {
      const memory = (op << 3) | 3;
      if (!isReserved(opcode, memory)) {
        const environment = (opcode === 0xd9 || opcode === 0xdd) && op >= 4;
        for (let n = 0; n < (environment ? 12 : 40) * factor; n++) {
          const offset = random.below(4) === 0 ? 0x7c - random.below(8) : random.below(WINDOW_BYTES - 112);
          push([opcode, memory], [[3, WINDOW + offset]]);
        }
      }
      for (let i = 0; i < 8; i++) {
        const modrm = 0xc0 | (op << 3) | i;
        if (isReserved(opcode, modrm)) continue;
        const single = opcode === 0xd9 && op >= 4;
        const count = single ? (op >= 6 ? 60 : 12) : opcode === 0xd8 || opcode === 0xdc || opcode === 0xde ? 16 : 6;
        for (let n = 0; n < count * factor; n++) push([opcode, modrm], []);
      }
    }
  }
  return cases;
}
