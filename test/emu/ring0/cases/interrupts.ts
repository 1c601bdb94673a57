// INT n, INT3, INTO, BOUND and exceptions through the IDT: gate types, privileges, targets, stacks, limits.
import type { Case } from "../harness.ts";
import {
  ACCESS,
  accessOf,
  CONFORMING,
  endOf,
  FREE,
  IDT,
  IDTR,
  KCODE,
  KCODE16,
  KLOW,
  type Poke,
  putFlat,
  putSegment,
  putVector,
  SEL_TSSA,
  SEL_TSSB,
  SMALL32,
  T,
  TARGET,
  TSSA,
} from "../layout.ts";
import { KINDS } from "./segments.ts";

const V = 0x40;
const FROM = [0, 1, 3] as const;
const END_LOW = endOf(V) - 0x10_0000;

/** INT 0x40 through a gate of this access byte to a selector. */
const through = (
  name: string,
  access: number,
  selector: number,
  more: Partial<Case> & { offset?: number } = {},
): Case => ({
  name: `int ${name}`,
  code: "int 0x40",
  ...more,
  pokes: [...putVector(V, selector, more.offset ?? endOf(V), access), ...(more.pokes ?? [])],
});

const types: Case[] = Array.from({ length: 32 }, (_, type) =>
  ([0, 3] as const).map((ring) =>
    through(
      `gate type ${type} cpl${ring}`,
      0xe0 | type,
      type === 5 ? SEL_TSSB : type === 6 || type === 7 ? KLOW : KCODE,
      {
        ring,
        flags: 0x4200,
        offset: type === 6 || type === 7 ? END_LOW : endOf(V),
      },
    ),
  ),
).flat();

const gates: Case[] = [ACCESS.int, ACCESS.trap, ACCESS.task].flatMap((access) =>
  FROM.flatMap((ring) =>
    FROM.map((dpl) =>
      through(
        `gate ${access.toString(16)} cpl${ring} dpl${dpl}`,
        access | (dpl << 5),
        access === ACCESS.task ? SEL_TSSB : KCODE,
        {
          ring,
        },
      ),
    ),
  ),
);

const sources: Case[] = [
  ["int3", "int3", 3],
  ["int 3", "db 0xcd, 3", 3],
  ["into", "mov al, 0x7f\n inc al\n into", 4],
  ["into not taken", "xor eax, eax\n into", 4],
  ["int1", "db 0xf1", 1],
  ["int 1", "int 1", 1],
  ["int 13", "int 13", 13],
  ["bound", "bound eax, [DATA]", 5],
  ["ud2", "ud2", 6],
  ["div", "xor ecx, ecx\n div ecx", 0],
].flatMap(([name, code, vector]) =>
  ([0, 3] as const).flatMap((ring) =>
    ([0, 3] as const).map((dpl) => ({
      name: `source ${name} cpl${ring} dpl${dpl}`,
      pokes: putVector(Number(vector), KCODE, endOf(Number(vector)), ACCESS.int | (dpl << 5)),
      ring,
      flags: 0x200,
      code: String(code),
    })),
  ),
);

const targets: Case[] = [
  through("gate absent", ACCESS.int & 0x7f, KCODE),
  through("task gate absent", ACCESS.task & 0x7f, SEL_TSSB),
  through("gate absent and closed", (ACCESS.int & 0x7f) | 0, KCODE, { ring: 3 }),
  through("to null", ACCESS.int | 0x60, 0, { ring: 3 }),
  through("to null rpl3", ACCESS.int | 0x60, 3, { ring: 3 }),
  through("to behind gdt", ACCESS.int | 0x60, 0x200),
  through("to one in the ldt", ACCESS.int | 0x60, 0x14, {
    pokes: putFlat(0x14, ACCESS.codeXR),
    watch: [accessOf(0x14)],
  }),
  through("to behind ldt", ACCESS.int | 0x60, 0x44),
  through("target rpl ignored", ACCESS.int | 0x60, KCODE + 3, { ring: 3 }),
  through("behind limit", ACCESS.int | 0x60, FREE, { pokes: putSegment(FREE, 0, 0x100, ACCESS.codeXR, SMALL32) }),
  through("behind limit inner", ACCESS.int | 0x60, FREE, {
    ring: 3,
    pokes: putSegment(FREE, 0, 0x100, ACCESS.codeXR, SMALL32),
  }),
  ...KINDS.map(([kind, access]) =>
    through(`to ${kind}`, ACCESS.int | 0x60, FREE, { pokes: putFlat(FREE, access), ring: 3, offset: TARGET }),
  ),
  ...KINDS.map(([kind, access]) =>
    through(`to ${kind} absent`, ACCESS.int | 0x60, FREE, { pokes: putFlat(FREE, access & 0x7f) }),
  ),
  ...FROM.flatMap((ring) =>
    FROM.flatMap((dpl) =>
      [ACCESS.codeXR, ACCESS.confXR].map((access) =>
        through(
          `from cpl${ring} to ${access === ACCESS.confXR ? "conforming" : "code"} dpl${dpl}`,
          ACCESS.int | 0x60,
          FREE,
          {
            ring,
            pokes: putFlat(FREE, access | (dpl << 5)),
            offset: TARGET,
          },
        ),
      ),
    ),
  ),
  through("16-bit gate", ACCESS.int16 | 0x60, KCODE16, { offset: 0xf00 }),
  through("16-bit gate inner", ACCESS.int16 | 0x60, KCODE16, { offset: 0xf00, ring: 3 }),
  through("16-bit gate ignores high offset", ACCESS.int16 | 0x60, KCODE16, { offset: 0x9999_0f00 }),
  through("32-bit gate to 16-bit code", ACCESS.int | 0x60, KCODE16, { offset: 0xf00, ring: 3 }),
];

/** Through a gate to ring 1, whose stack in the TSS is bad; ring 0's is good. */
const toRing1 = (name: string, pokes: readonly Poke[], more: Partial<Case> = {}): Case =>
  through(name, ACCESS.int | 0x60, 0x18, { ring: 3, offset: TARGET, ...more, pokes });

const ss1 = (value: number): Poke => [TSSA + T.ss0 + 8, value];
const esp1 = (value: number): Poke => [TSSA + T.esp0 + 8, value];

const stacks: Case[] = [
  toRing1("stack good", []),
  toRing1("stack ss null", [ss1(0)]),
  toRing1("stack ss null rpl1", [ss1(1)]),
  toRing1("stack ss rpl3", [ss1(0x23)]),
  toRing1("stack ss dpl3", [ss1(0x41)]),
  toRing1("stack ss dpl0", [ss1(0x11)]),
  toRing1("stack ss code", [ss1(0x19)]),
  toRing1("stack ss system", [ss1(SEL_TSSA + 1)]),
  toRing1("stack ss behind gdt", [ss1(0x201)]),
  toRing1("stack ss behind ldt", [ss1(0x45)]),
  toRing1("stack ss ldt", [ss1(0x15), ...putFlat(0x14, ACCESS.dataRW | 0x20)]),
  toRing1("stack ss read-only", [ss1(FREE + 1), ...putFlat(FREE, ACCESS.dataR | 0x20)]),
  toRing1("stack ss absent", [ss1(FREE + 1), ...putFlat(FREE, (ACCESS.dataRW & 0x7f) | 0x20)]),
  toRing1("stack ss absent and read-only", [ss1(FREE + 1), ...putFlat(FREE, (ACCESS.dataR & 0x7f) | 0x20)]),
  toRing1("stack limit", [
    ss1(FREE + 1),
    esp1(0xb00e),
    ...putSegment(FREE, 0x11_0000, 0xb00c, ACCESS.dataRW | 0x20, SMALL32),
  ]),
  toRing1("stack at limit", [
    ss1(FREE + 1),
    esp1(0xb000),
    ...putSegment(FREE, 0x11_0000, 0xafff, ACCESS.dataRW | 0x20, SMALL32),
  ]),
  toRing1("stack esp small", [
    ss1(FREE + 1),
    esp1(0x12),
    ...putSegment(FREE, 0x11_a000, 0xfff, ACCESS.dataRW | 0x20, SMALL32),
  ]),
  toRing1("stack down", [
    ss1(FREE + 1),
    esp1(0xb000),
    ...putSegment(FREE, 0x11_0000, 0xafdf, ACCESS.downRW | 0x20, SMALL32),
  ]),
  toRing1("stack down too low", [
    ss1(FREE + 1),
    esp1(0xb000),
    ...putSegment(FREE, 0x11_0000, 0xafec, ACCESS.downRW | 0x20, SMALL32),
  ]),
  toRing1("stack 16-bit", [
    ss1(FREE + 1),
    esp1(0xabcd_b000),
    ...putSegment(FREE, 0x11_0000, 0xffff, ACCESS.dataRW | 0x20, 0),
  ]),
  toRing1("stack 16-bit from 0", [
    ss1(FREE + 1),
    esp1(0xabcd_0000),
    ...putSegment(FREE, 0x11_0000, 0xffff, ACCESS.dataRW | 0x20, 0),
  ]),
  toRing1("stack page absent", [esp1(0x40_3000)]),
  toRing1("stack second page absent", [esp1(0x40_0008)]),
  toRing1("stack page read-only", [esp1(0x40_0800), [0x11_2000, 0x11_f005]]),
  toRing1("stack page supervisor", [esp1(0x40_0800), [0x11_2000, 0x11_f003]]),
  toRing1("tss limit cuts ss1", putSegment(SEL_TSSA, TSSA, 16, ACCESS.tss, 0)),
  toRing1("tss limit holds ss1", putSegment(SEL_TSSA, TSSA, 17, ACCESS.tss, 0)),
  {
    name: "exception to ring 1",
    ring: 3,
    pokes: putVector(13, 0x18, TARGET, ACCESS.int),
    code: "mov eax, 0x200\n mov ds, ax",
  },
];

const idtLimit = (limit: number): Poke => [IDTR, ((IDT & 0xffff) << 16) | limit];

const limits: Case[] = [
  { name: "idt limit cuts entry", pokes: [idtLimit(0x206)], code: "int 0x40\n ud2" },
  { name: "idt limit holds entry", pokes: [idtLimit(0x207)], code: "int 0x40" },
  { name: "idt limit cuts entry cpl3", ring: 3, pokes: [idtLimit(0x206)], code: "int 0x40\n ud2" },
];

const frames: Case[] = [
  { name: "frame flags", ring: 3, flags: 0x4ed5, code: "int 0x40" },
  {
    name: "frame flags trap",
    ring: 3,
    flags: 0x4ed5,
    pokes: putVector(V, KCODE, endOf(V), ACCESS.trap | 0x60),
    code: "int 0x40",
  },
  { name: "frame flags ac id", ring: 3, flags: 0x24_0202, code: "int 0x40" },
  {
    name: "frame 16-bit stack",
    setup: "mov eax, KSTACK16\n mov ss, ax\n mov esp, 0x77778ff0",
    code: "int 0x40\n mov eax, KDATA\n mov ss, ax",
  },
  { name: "frame 16-bit stack wraps", setup: "mov eax, KSTACK16\n mov ss, ax\n mov esp, 0x77770000", code: "int 0x40" },
  { name: "frame unaligned", setup: "mov esp, STACK - 61", code: "int 0x40" },
  {
    name: "frame crosses page absent",
    ring: 3,
    setup: "mov dword [TSSA + 12], ALIAS + 8",
    pokes: putVector(V, 0x18, TARGET, ACCESS.int | 0x60),
    code: "int 0x40",
  },
  { name: "frame from 16-bit code", setup: "jmp KCODE16:t - CODE", code: "int 0x40" },
  { name: "frame user 16-bit stack", ring: 3, code: "mov eax, USTACK16\n mov ss, ax\n mov esp, 0x1234cff0\n int 0x40" },
  {
    name: "frame fault with 16-bit gate",
    pokes: putVector(13, KCODE16, 0xf00, ACCESS.int16),
    code: "mov eax, 0x2fd\n mov ds, ax",
  },
  {
    name: "frame fault inner with 16-bit gate",
    ring: 3,
    pokes: putVector(13, KCODE16, 0xf00, ACCESS.int16),
    code: "hlt",
  },
  {
    name: "frame conforming handler keeps cpl",
    ring: 3,
    pokes: putVector(V, CONFORMING, TARGET, ACCESS.int | 0x60),
    code: "int 0x40",
  },
  { name: "frame lock in front of int", code: "db 0xf0, 0xcd, 0x40" },
  {
    name: "frame two bytes at page end",
    ring: 3,
    setup: "mov word [DATA + 0xfff], 0x40cd\n mov byte [DATA1], 0x40\n mov dword [PT1 + 4], 0\n jmp n\nn:",
    code: "mov eax, ALIAS + 0xfff\n jmp eax",
  },
];

export const interruptCases: readonly Case[] = [
  ...types,
  ...gates,
  ...sources,
  ...targets,
  ...stacks,
  ...limits,
  ...frames,
];
