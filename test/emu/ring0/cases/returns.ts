// IRET in all its ways, POPF, SYSENTER and SYSEXIT.
import type { Case } from "../harness.ts";
import { ACCESS, accessOf, CODE, FREE, FREE2, putFlat, putSegment, SMALL32 } from "../layout.ts";
import { KINDS } from "./segments.ts";

/** IRET from ring 0 with words pushed in this order. */
const iret = (name: string, words: readonly (number | string)[], more: Partial<Case> = {}): Case => ({
  name: `iret ${name}`,
  setup: words.map((w) => `push dword ${w}`).join("\n"),
  code: "iretd",
  ...more,
});

const FROM = [0, 1, 3] as const;
const DATA_OF = [0x10, 0x21, 0x32, 0x43] as const;

const selectors: Case[] = [
  iret("same", [2, "KCODE", "TARGET"]),
  iret("null", [2, 0, "TARGET"]),
  iret("null rpl3", [2, 3, "TARGET"]),
  iret("behind gdt", [2, 0x200, "TARGET"]),
  iret("behind ldt", [2, 0x44, "TARGET"]),
  iret("ldt", [2, 0x14, "TARGET"], { pokes: putFlat(0x14, ACCESS.codeXR), watch: [accessOf(0x14)] }),
  iret("behind limit", [2, FREE, 0xf11], { pokes: putSegment(FREE, CODE, 0xf10, ACCESS.codeXR, SMALL32) }),
  iret("outer behind limit", ["UDATA", "STACK3", 2, FREE + 3, 0xf11], {
    pokes: putSegment(FREE, CODE, 0xf10, ACCESS.codeXR | 0x60, SMALL32),
  }),
  ...KINDS.flatMap(([kind, access]) => [
    iret(`to ${kind}`, [2, FREE, "TARGET"], { pokes: putFlat(FREE, access) }),
    iret(`to ${kind} absent`, [2, FREE, "TARGET"], { pokes: putFlat(FREE, access & 0x7f) }),
  ]),
  ...FROM.flatMap((ring) =>
    FROM.flatMap((rpl) =>
      FROM.flatMap((dpl) =>
        [ACCESS.codeXR, ACCESS.confXR].map(
          (access): Case => ({
            name: `iret cpl${ring} rpl${rpl} ${access === ACCESS.confXR ? "conforming" : "code"} dpl${dpl}`,
            pokes: putFlat(FREE, access | (dpl << 5)),
            ring,
            code: `push ${DATA_OF[rpl]}\n push STACK3 - 64\n push 2\n push ${FREE + rpl}\n push TARGET\n iretd`,
          }),
        ),
      ),
    ),
  ),
];

const outer = (name: string, ss: number | string, more: Partial<Case> = {}): Case =>
  iret(`outer ss ${name}`, [ss, "STACK3", 2, "UCODE", "TARGET"], more);

const stacks: Case[] = [
  outer("good", "UDATA"),
  outer("null", 0),
  outer("null rpl3", 3),
  outer("rpl0", 0x40),
  outer("dpl0", 0x13),
  outer("code", 0x3b),
  outer("system", 0x4b),
  outer("behind gdt", 0x203),
  outer("read-only", FREE + 3, { pokes: putFlat(FREE, ACCESS.dataR | 0x60) }),
  outer("absent", FREE + 3, { pokes: putFlat(FREE, (ACCESS.dataRW & 0x7f) | 0x60) }),
  outer("16-bit", "USTACK16"),
  outer("accessed", FREE + 3, { pokes: putFlat(FREE, ACCESS.dataRW | 0x60), watch: [accessOf(FREE)] }),
  iret("outer ss 16-bit high half", ["USTACK16", 0x1234_c000, 2, "UCODE", "TARGET"]),
  iret("outer ss and cs bad", [0, "STACK3", 2, 0x203, "TARGET"]),
  iret("outer drops segments", ["UDATA", "STACK3", 2, "UCODE", "TARGET"], {
    pokes: [...putFlat(FREE, ACCESS.dataRW | 0x20), ...putFlat(FREE2, ACCESS.confXR)],
    setup: `mov eax, KDATA\n mov ds, ax\n mov eax, ${FREE + 1}\n mov es, ax\n mov eax, ${FREE2}\n mov fs, ax\n mov eax, UDATA\n mov gs, ax\n push UDATA\n push STACK3\n push 2\n push UCODE\n push TARGET`,
  }),
  { name: "iret 16 same", setup: "push word 2\n push word KCODE16\n push word 0xf00", code: "o16 iret" },
  {
    name: "iret 16 outer",
    setup: "push word UDATA\n push word 0xc800\n push word 2\n push word UCODE16\n push word 0xf00",
    code: "o16 iret",
  },
  {
    name: "iret 16 keeps high flags",
    setup: "push 0x240002\n popfd\n push word 0x8d7\n push word KCODE16\n push word 0xf00",
    code: "o16 iret",
  },
];

const EVERY = 0x0024_4ed7;
const flags: Case[] = [0, 1, 2, 3].flatMap((iopl) =>
  ([0, 1, 3] as const).flatMap((ring) => [
    {
      name: `iret flags set cpl${ring} iopl${iopl}`,
      ring,
      flags: iopl << 12,
      code: `push ${(EVERY | 0x3000) & ~0x4000}\n push cs\n push n\n iretd\nn:`,
    },
    {
      name: `iret flags clear cpl${ring} iopl${iopl}`,
      ring,
      flags: (iopl << 12) | 0x200,
      code: "push 0\n push cs\n push n\n iretd\nn:",
    },
    {
      name: `popf set cpl${ring} iopl${iopl}`,
      ring,
      flags: iopl << 12,
      code: `push ${EVERY | 0x3000}\n popfd\n nop`,
    },
    {
      name: `popf clear cpl${ring} iopl${iopl}`,
      ring,
      flags: (iopl << 12) | 0x4200,
      code: "push 0\n popfd",
    },
    { name: `popf 16 set cpl${ring} iopl${iopl}`, ring, flags: iopl << 12, code: "push 0x7ed7\n o16 popf" },
    { name: `cli cpl${ring} iopl${iopl}`, ring, flags: (iopl << 12) | 0x200, code: "cli" },
    { name: `sti cpl${ring} iopl${iopl}`, ring, flags: iopl << 12, code: "sti\n nop" },
    { name: `in cpl${ring} iopl${iopl}`, ring, flags: iopl << 12, code: "in al, 0x80\n mov al, 0" },
    { name: `out cpl${ring} iopl${iopl}`, ring, flags: iopl << 12, code: "out 0x80, al" },
    { name: `insb cpl${ring} iopl${iopl}`, ring, flags: iopl << 12, code: "mov edx, 0x80\n mov edi, DATA\n insb" },
    { name: `outsd cpl${ring} iopl${iopl}`, ring, flags: iopl << 12, code: "mov edx, 0x80\n mov esi, DATA\n outsd" },
  ]),
);

const special: Case[] = [
  { name: "popf vif vip rf vm", code: "push 0x1b0002\n popfd\n pushfd\n pop eax" },
  { name: "pushf has no rf vm", code: "pushfd\n pop eax" },
  { name: "iret rf", pokes: [], setup: "push 0x10002\n push KCODE\n push t", code: "iretd\n pushfd\n pop eax" },
  { name: "iret vif vip cpl0", setup: "push 0x180002\n push KCODE\n push TARGET", code: "iretd" },
  { name: "iret vif vip cpl3", ring: 3, code: "push 0x180002\n push UCODE\n push TARGET\n iretd" },
  { name: "iret vm cpl3", ring: 3, code: "push 0x20002\n push UCODE\n push TARGET\n iretd" },
  {
    name: "iret nt clears in image",
    setup: "push 0x4002\n push KCODE\n push n",
    code: "iretd\nn: pushfd\n pop eax\n and dword [esp - 4], 0\n push 2\n popfd",
  },
];

const sys = (cs: number, esp: string, eip: string) =>
  `xor edx, edx\n mov ecx, 0x174\n mov eax, ${cs}\n wrmsr\n inc ecx\n mov eax, ${esp}\n wrmsr\n inc ecx\n mov eax, ${eip}\n wrmsr\n mov edx, TARGET\n mov ecx, STACK3 - 32`;

const fast: Case[] = [
  { name: "sysenter", ring: 3, flags: 0x4ed5, setup: sys(8, "STACK0 - 16", "TARGET"), code: "sysenter" },
  { name: "sysenter cpl0", setup: sys(8, "STACK0 - 16", "TARGET"), code: "sysenter" },
  { name: "sysenter cs 0", ring: 3, setup: sys(0, "STACK0", "TARGET"), code: "sysenter" },
  { name: "sysenter cs 3", ring: 3, setup: sys(3, "STACK0", "TARGET"), code: "sysenter" },
  { name: "sysenter cs rpl", ring: 3, setup: sys(0xb, "STACK0", "TARGET"), code: "sysenter" },
  { name: "sysexit", setup: sys(8, "0", "0"), code: "sysexit" },
  { name: "sysexit flags", setup: `${sys(8, "0", "0")}\n push 0xed5\n popfd`, code: "sysexit" },
  { name: "sysexit keeps segments", setup: `${sys(8, "0", "0")}\n mov eax, KDATA\n mov ds, ax`, code: "sysexit" },
  { name: "sysexit cs 0", setup: sys(0, "0", "0"), code: "sysexit" },
  { name: "sysexit cs 3", setup: sys(3, "0", "0"), code: "sysexit" },
  { name: "sysexit cpl3", ring: 3, setup: sys(8, "0", "0"), code: "sysexit" },
  { name: "sysexit cpl1", ring: 1, setup: sys(8, "0", "0"), code: "sysexit" },
  {
    name: "sysenter msrs",
    setup: sys(0x1_000b, "0x12345678", "0x9abcdef0"),
    code: "mov ecx, 0x174\n rdmsr\n mov ebx, eax\n inc ecx\n rdmsr\n mov esi, eax\n inc ecx\n rdmsr",
  },
];

export const returnCases: readonly Case[] = [...selectors, ...stacks, ...flags, ...special, ...fast];
