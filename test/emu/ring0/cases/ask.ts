// LAR, LSL, VERR, VERW and ARPL: every descriptor type, and privileges.
import type { Case } from "../harness.ts";
import { ACCESS, FREE, type Poke, putFlat, putSegment } from "../layout.ts";

/** The four answers for the selector in ECX: AX's flags by PUSHFD, values in EDX and EBX. */
const ask = (selector: number) => `mov ecx, ${selector}
  mov edx, 0x11111111
  mov ebx, 0x22222222
  lar edx, ecx
  pushfd
  pop ebp
  lsl ebx, ecx
  pushfd
  pop esi
  verr cx
  pushfd
  pop edi
  verw cx
  pushfd
  pop eax`;

const one = (name: string, pokes: readonly Poke[], selector: number, ring: 0 | 1 | 2 | 3 = 0): Case => ({
  name: `ask ${name}`,
  pokes,
  ring,
  code: ask(selector),
});

const types: Case[] = Array.from({ length: 32 }, (_, type) => [
  one(`type ${type}`, putSegment(FREE, 0x1234_5678, 0x5_4321, 0x80 | type, 0xd0), FREE),
  one(`type ${type} bytes`, putSegment(FREE, 0, 0x5_4321, 0x60 | type, 0x40), FREE + 3, 3),
]).flat();

const RINGS = [0, 1, 3] as const;
const privileges: Case[] = [ACCESS.dataRW, ACCESS.codeXR, ACCESS.confXR, ACCESS.tss].flatMap((access) =>
  RINGS.flatMap((ring) =>
    RINGS.flatMap((rpl) =>
      RINGS.map((dpl) =>
        one(
          `${access.toString(16)} cpl${ring} rpl${rpl} dpl${dpl}`,
          putFlat(FREE, access | (dpl << 5)),
          FREE + rpl,
          ring,
        ),
      ),
    ),
  ),
);

const arpl = (name: string, destination: number, source: number): Case => ({
  name: `arpl ${name}`,
  code: `mov eax, ${destination}\n mov ecx, ${source}\n arpl ax, cx`,
});

export const askCases: readonly Case[] = [
  ...types,
  ...privileges,
  one("null", [], 0),
  one("null rpl3", [], 3),
  one("behind gdt", [], 0x200),
  one("behind ldt", [], 0x44),
  arpl("raises", 0x1234_0008, 3),
  arpl("equal", 0x0b, 3),
  arpl("lower", 0x0b, 1),
  {
    name: "arpl memory",
    setup: "mov dword [DATA], 0x80000010",
    code: "mov ecx, 2\n arpl [DATA], cx\n mov eax, [DATA]",
  },
  { name: "lar 16", code: "mov ecx, KCODE\n mov eax, -1\n lar ax, cx" },
  { name: "lsl 16", code: "mov ecx, KCODE\n mov eax, 0x12345678\n lsl ax, cx" },
  { name: "lar memory", setup: "mov word [DATA], KDATA", code: "lar eax, [DATA]" },
  {
    name: "lsl memory across page",
    setup: "mov dword [DATA + 0xffc], KDATA << 24\n mov dword [DATA1], 0",
    code: "lsl eax, [DATA + 0xfff]",
  },
];
