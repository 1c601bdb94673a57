// What ring 0 alone may do, control registers and their illegal values, MSRs, ports and the I/O bitmap, #NM and #UD.
import type { Case } from "../harness.ts";
import { ACCESS, type Poke, putSegment, SEL_TSSA, START_CR0, START_CR4, TSSA } from "../layout.ts";

const PRIVILEGED: readonly [string, string][] = [
  ["hlt", "hlt"],
  ["clts", "clts"],
  ["lgdt", "lgdt [GDTR]"],
  ["lidt", "lidt [IDTR]"],
  ["lldt", "lldt [START_LDT]"],
  ["ltr", "ltr [START_TR]"],
  ["ltr bad", "mov eax, 0x200\n ltr ax"],
  ["lmsw", "mov eax, 1\n lmsw ax"],
  ["smsw", "smsw eax"],
  ["sldt", "sldt eax"],
  ["str", "str eax"],
  ["sgdt", "sgdt [DATA]"],
  ["sidt", "sidt [DATA]"],
  ["mov from cr0", "mov eax, cr0"],
  ["mov from cr2", "mov eax, cr2"],
  ["mov from cr3", "mov eax, cr3"],
  ["mov from cr4", "mov eax, cr4"],
  ["mov to cr0", "mov cr0, eax"],
  ["mov to cr3", "mov cr3, eax"],
  ["mov from dr0", "mov eax, dr0"],
  ["mov from dr7", "mov eax, dr7"],
  ["mov to dr7", "mov dr7, eax"],
  ["mov from dr4", "mov eax, dr4"],
  ["invlpg", "invlpg [DATA]"],
  ["invd", "invd"],
  ["wbinvd", "wbinvd"],
  ["rdmsr", "mov ecx, 0x174\n rdmsr"],
  ["wrmsr", "mov ecx, 0x174\n wrmsr"],
  ["sysexit", "sysexit"],
  ["verr", "verr ax"],
  ["lar", "lar eax, ax"],
];

const privileged: Case[] = PRIVILEGED.flatMap(([name, code]) =>
  ([1, 3] as const).map((ring) => ({ name: `ring ${ring} ${name}`, ring, flags: 0x3000, code: `mov eax, 0\n${code}` })),
);

const cr = (name: string, code: string, more: Partial<Case> = {}): Case => ({ name: `cr ${name}`, code, ...more });
const setCr0 = (value: number) => `mov eax, ${value}\n mov cr0, eax`;

const control: Case[] = [
  cr("0 pg without pe", setCr0(0x8000_0030)),
  cr("0 nw without cd", setCr0(0xa001_0031)),
  cr("0 nw and cd", setCr0(0xe001_0031)),
  cr("0 et cannot be cleared", setCr0(0x8001_0021)),
  cr("0 undefined bits", setCr0(0x8001_0031 | 0x0ff0_ffc0)),
  cr("0 all defined", setCr0(0x8005_003f)),
  cr("0 readback", `${setCr0(0xe005_003f)}\n mov ebx, cr0\n smsw ecx`),
  cr("2", "mov eax, 0x12345678\n mov cr2, eax\n mov ebx, cr2"),
  cr("3 bits", "mov eax, PD + 0x18\n mov cr3, eax\n mov ebx, cr3"),
  cr("3 ignored bits", "mov eax, PD + 0xfe7\n mov cr3, eax\n mov ebx, cr3"),
  cr("4 tsd de pse", "mov eax, 0x1c\n mov cr4, eax\n mov ebx, cr4"),
  cr("4 reserved 31", "mov eax, 0x80000000\n mov cr4, eax"),
  cr("4 reserved 12", "mov eax, 0x1000\n mov cr4, eax"),
  cr("4 smep", "mov eax, 0x100000\n mov cr4, eax"),
  cr("1", "db 0x0f, 0x20, 0xc8"),
  cr("5 write", "db 0x0f, 0x22, 0xe8"),
  cr("7", "db 0x0f, 0x20, 0xf8"),
  cr("mov ignores mod", "db 0x0f, 0x20, 0x00"),
  cr("lmsw sets", "mov eax, 0xe\n lmsw ax\n mov ebx, cr0"),
  cr("lmsw cannot clear pe", "xor eax, eax\n lmsw ax\n mov ebx, cr0"),
  cr("lmsw ignores high", "mov eax, 0xfff0\n lmsw ax\n mov ebx, cr0"),
  cr("lmsw memory", "mov word [DATA], 9\n lmsw [DATA]\n mov ebx, cr0"),
  cr("smsw 16", "mov eax, -1\n smsw ax"),
  cr("smsw memory", "mov dword [DATA], -1\n smsw [DATA]\n mov eax, [DATA]"),
  cr("clts", "clts\n mov eax, cr0", { pokes: [[START_CR0, 0x8001_0039]] }),
  cr("sgdt", "sgdt [DATA]\n mov eax, [DATA]\n mov bx, [DATA + 4]"),
  cr("sidt 16", "o16 sidt [DATA]\n mov eax, [DATA]\n mov bx, [DATA + 4]"),
  cr(
    "lgdt 16",
    "mov word [DATA], 0x1ff\n mov dword [DATA + 2], GDT | 0xff000000\n o16 lgdt [DATA]\n sgdt [DATA]\n mov eax, [DATA]\n mov ebx, [DATA + 4]",
  ),
  cr("lgdt register", "db 0x0f, 0x01, 0xd0"),
  cr("lidt register", "db 0x0f, 0x01, 0xd8"),
  cr("invlpg register", "db 0x0f, 0x01, 0xf8"),
  cr("sldt 32", "mov eax, -1\n sldt eax"),
  cr("str memory", "mov dword [DATA], -1\n str [DATA]\n mov eax, [DATA]"),
];

const msr: Case[] = [
  ["read unknown", "mov ecx, 0x12345\n rdmsr"],
  ["write unknown", "mov ecx, 0x12345\n wrmsr"],
  ["sysenter cs", "mov ecx, 0x174\n mov eax, 0x1234\n mov edx, 0\n wrmsr\n xor eax, eax\n rdmsr"],
].map(([name, code]) => ({ name: `msr ${name}`, code }));

const tsc: Case[] = [
  { name: "rdtsc tsd cpl3", ring: 3, pokes: [[START_CR4, 4]], code: "rdtsc" },
  { name: "rdtsc tsd cpl0", pokes: [[START_CR4, 4]], code: "rdtsc\n mov eax, 0\n mov edx, 0" },
  { name: "rdtsc cpl3", ring: 3, code: "rdtsc\n mov eax, 0\n mov edx, 0" },
  { name: "rdpmc cpl3", ring: 3, code: "mov ecx, 0\n rdpmc" },
];

/** x87 and FWAIT against MP, EM, TS. */
const nm: Case[] = [0, 2, 4, 6, 8, 10, 12, 14].flatMap((bits) =>
  [
    ["fninit", "fninit"],
    ["fwait", "fwait"],
    ["fld", "fld dword [DATA]"],
    ["fnstsw", "fnstsw ax"],
  ].map(([name, code]) => ({
    name: `nm ${name} mp${(bits >> 1) & 1} em${(bits >> 2) & 1} ts${(bits >> 3) & 1}`,
    pokes: [[START_CR0, (0x8001_0031 | bits) >>> 0]] as Poke[],
    code: `t2: ${code}`,
  })),
);
const fpu: Case[] = [
  { name: "mf ne", setup: "fninit\n mov word [DATA], 0x37b\n fldcw [DATA]\n fldz\n fld1\n fdivrp", code: "fwait" },
  {
    name: "mf not by fnstsw",
    setup: "fninit\n mov word [DATA], 0x37b\n fldcw [DATA]\n fldz\n fld1\n fdivrp",
    code: "fnstsw ax\n fnclex\n fwait",
  },
  { name: "nm fxsave ts", pokes: [[START_CR0, 0x8001_0039]], code: "fxsave [DATA]" },
  { name: "fxsave unaligned", code: "fxsave [DATA + 8]" },
];

const INVALID: readonly [string, string][] = [
  ["ud2", "ud2"],
  ["ud1", "db 0x0f, 0xb9, 0xc0"],
  ["0f ff", "db 0x0f, 0xff, 0xc0"],
  ["0f 04", "db 0x0f, 0x04"],
  ["lock nop", "db 0xf0, 0x90"],
  ["lock mov", "db 0xf0, 0x89, 0x05\n dd DATA"],
  ["lock add register", "db 0xf0, 0x01, 0xc0"],
  ["lock cmp", "db 0xf0, 0x39, 0x05\n dd DATA"],
  ["lock bt", "db 0xf0, 0x0f, 0xa3, 0x05\n dd DATA"],
  ["lea register", "db 0x8d, 0xc0"],
  ["bound register", "db 0x62, 0xc0"],
  ["cmpxchg8b register", "db 0x0f, 0xc7, 0xc8"],
  ["pop group 1", "db 0x8f, 0xc8"],
  ["ff /7", "db 0xff, 0xf8"],
  ["fe /2", "db 0xfe, 0xd0"],
  ["c6 /1", "db 0xc6, 0xc8, 0"],
  ["0f 00 /6", "db 0x0f, 0x00, 0xf0"],
  ["0f ba /0", "db 0x0f, 0xba, 0xc0, 0"],
  ["sse without osfxsr", "db 0x0f, 0x57, 0xc0"],
  ["sse2", "db 0x66, 0x0f, 0x57, 0xc0"],
  ["mov cr0 lock", "db 0xf0, 0x0f, 0x22, 0xc0"],
];
const invalid: Case[] = INVALID.flatMap(([name, code]) =>
  ([0, 3] as const).map((ring) => ({ name: `ud ${name} cpl${ring}`, ring, code })),
);

const tooLong: Case[] = [
  { name: "15 bytes", code: `${"db 0x66\n".repeat(14)} nop` },
  { name: "16 bytes", code: `${"db 0x66\n".repeat(15)} nop` },
  { name: "15 bytes lock prefixes", code: `${"db 0x3e\n".repeat(14)} nop` },
];

/** I/O permission bitmap: TSSA with the given limit and map base; bits set by pokes. */
const io = (
  name: string,
  code: string,
  bits: readonly Poke[] = [],
  limit = 0x8f,
  base = 0x68,
  more: Partial<Case> = {},
): Case => ({
  name: `io ${name}`,
  ring: 3,
  ...more,
  pokes: [...putSegment(SEL_TSSA, TSSA, limit, ACCESS.tss, 0), [TSSA + 100, base << 16], ...bits],
  code: `${code}\n mov eax, 0`,
});
const map = (offset: number, value: number): Poke => [TSSA + 0x68 + offset, value];

const bitmap: Case[] = [
  io("byte allowed", "in al, 0x80"),
  io("byte denied", "in al, 0x80", [map(16, 1)]),
  io("byte beside denied", "in al, 0x80", [map(16, 0xfffe)]),
  io("word allowed", "in ax, 0x80", [map(16, 0xfffc)]),
  io("word second denied", "in ax, 0x80", [map(16, 2)]),
  io("dword allowed", "in eax, 0x80", [map(16, 0xf0)]),
  io("dword fourth denied", "in eax, 0x80", [map(16, 8)]),
  io("dword across bytes denied", "in eax, 0x86", [map(16, 0x100)]),
  io("dword across bytes allowed", "in eax, 0x86", [map(16, 0xfc3f)]),
  io("write denied", "out 0x80, al", [map(16, 1)]),
  io("dx denied", "mov edx, 0x85\n out dx, ax", [map(16, 0x40)]),
  io("insb denied", "mov edx, 0x80\n mov edi, DATA\n insb", [map(16, 1)]),
  io("rep outsb count 0 denied", "mov edx, 0x80\n mov esi, DATA\n mov ecx, 0\n rep outsb", [map(16, 1)]),
  io("limit holds both bytes", "in al, 0x80", [], 0x68 + 17),
  io("limit cuts second byte", "in al, 0x80", [], 0x68 + 16),
  io("limit cuts first byte", "in al, 0x80", [], 0x68 + 15),
  io("base behind limit", "in al, 0", [], 0x8f, 0x90),
  io("base at limit", "in al, 0", [], 0x8f, 0x8f),
  io("base ffff", "in al, 0", [], 0x8f, 0xffff),
  io("base in the tss", "in al, 0x80", [], 0x8f, 0),
  io("map page absent", `mov edx, 0xf000\n in al, dx`, [], 0x3fff, 0x68, {
    setup: "mov dword [PT0 + 4 * 0x118], 0\n mov eax, cr3\n mov cr3, eax",
  }),
  io("iopl 3 needs no map", "in al, 0x80", [map(16, 1)], 0x67, 0x68, { flags: 0x3000 }),
  io("ring 1 denied", "in al, 0x80", [map(16, 1)], 0x8f, 0x68, { ring: 1 }),
  io("ring 0 needs no map", "in al, 0x80", [map(16, 1)], 0x67, 0x68, { ring: 0 }),
];

export const privilegeCases: readonly Case[] = [
  ...privileged,
  ...control,
  ...msr,
  ...tsc,
  ...nm,
  ...fpu,
  ...invalid,
  ...tooLong,
  ...bitmap,
];
