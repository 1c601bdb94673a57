// Loading segment registers: type, privilege, presence, limit of the tables; what the loaded segment then allows.
import type { Case } from "../harness.ts";
import {
  ACCESS,
  accessOf,
  DATA,
  FREE,
  FREE_LDT,
  LDT,
  LDT_LIMIT,
  type Poke,
  putFlat,
  putSegment,
  putVector,
  SEL_TSSD,
  SMALL32,
  START_LDT,
  WORK,
} from "../layout.ts";

/** Every kind of descriptor, by name: access byte without DPL, and D/G bits. */
export const KINDS: readonly [string, number][] = Object.entries(ACCESS);

/** A case whose first instruction under test is the second of its code has its own label t. */
const at = (seg: string, selector: number | string): Pick<Case, "setup" | "code"> => ({
  setup: `mov eax, ${selector}`,
  code: `mov ${seg}, ax`,
});

/** As flat as its kind can be: expand-down segments begin behind the first page. */
const flat = (access: number) => putSegment(FREE, 0, (access & 0x1c) === 0x14 ? 0 : 0xf_ffff, access);

const kinds: Case[] = ["ds", "ss", "fs"].flatMap((seg) =>
  KINDS.flatMap(([kind, access]) => [
    { name: `load ${seg} ${kind}`, pokes: flat(access), ...at(seg, FREE), watch: [accessOf(FREE)] },
    { name: `load ${seg} ${kind} absent`, pokes: flat(access & 0x7f), ...at(seg, FREE), watch: [accessOf(FREE)] },
  ]),
);

const RINGS = [0, 1, 2, 3] as const;

const privileges: Case[] = ["ds", "ss"].flatMap((seg) =>
  RINGS.flatMap((ring) =>
    RINGS.flatMap((rpl) =>
      RINGS.filter((dpl) => seg === "ds" || ring + rpl + dpl < 5 || ring === 3).map((dpl) => ({
        name: `load ${seg} cpl${ring} rpl${rpl} dpl${dpl}`,
        pokes: putFlat(FREE, ACCESS.dataRW | (dpl << 5)),
        ring,
        code: `mov eax, ${FREE + rpl}\n mov ${seg}, ax`,
      })),
    ),
  ),
);

const code: Case[] = [ACCESS.codeXR, ACCESS.confXR].flatMap((access) =>
  ([0, 3] as const).flatMap((ring) =>
    ([0, 3] as const).flatMap((rpl) =>
      ([0, 3] as const).map((dpl) => ({
        name: `load es ${access === ACCESS.confXR ? "conforming" : "code"} cpl${ring} rpl${rpl} dpl${dpl}`,
        pokes: putFlat(FREE, access | (dpl << 5)),
        ring,
        code: `mov eax, ${FREE + rpl}\n mov es, ax`,
      })),
    ),
  ),
);

const tables: Case[] = [
  { name: "load ds null", ...at("ds", 0) },
  { name: "load ds null rpl3", ...at("ds", 3) },
  { name: "load ss null", ...at("ss", 0) },
  { name: "load ss null rpl3", ...at("ss", 3) },
  { name: "load ss null cpl3 rpl3", ring: 3, code: "mov eax, 3\n mov ss, ax" },
  { name: "load ds behind gdt", ...at("ds", 0x200) },
  { name: "load ss behind gdt", ...at("ss", 0x203) },
  { name: "load ds last gdt", pokes: putFlat(0x1f8, ACCESS.dataRW), ...at("ds", 0x1f8) },
  {
    name: "load ds in the ldt",
    pokes: putFlat(FREE_LDT, ACCESS.dataRW),
    ...at("ds", FREE_LDT),
    watch: [accessOf(FREE_LDT)],
  },
  { name: "load ss in the ldt", pokes: putFlat(FREE_LDT, ACCESS.dataRW), ...at("ss", FREE_LDT) },
  { name: "load ds ldt 0", pokes: putFlat(4, ACCESS.dataRW), ...at("ds", 4) },
  { name: "load ds behind ldt", ...at("ds", ((LDT_LIMIT + 1) & 0xfff8) | 4) },
  { name: "load ds no ldt", pokes: [...putFlat(FREE_LDT, ACCESS.dataRW), [START_LDT, 0]], ...at("ds", FREE_LDT) },
  {
    name: "load ds ldt limit cuts descriptor",
    pokes: [...putFlat(FREE_LDT, ACCESS.dataRW), ...putSegment(0x78, LDT, 0x16, ACCESS.ldt, 0)],
    ...at("ds", FREE_LDT),
  },
  { name: "mov cs", code: "db 0x8e, 0xc8" },
  { name: "mov segment 6", code: "db 0x8e, 0xf0" },
  { name: "mov from segment 7", code: "db 0x8c, 0xf8" },
  { name: "les register", code: "db 0xc4, 0xc0" },
  { name: "pop ds bad", setup: "push 0x201", code: "pop ds" },
  { name: "pop ds good", setup: "push 0x43", code: "pop ds" },
  { name: "pop es null", setup: "push 1", code: "pop es" },
  { name: "pop ss bad", setup: "push 0x43", code: "pop ss" },
  { name: "pop fs 16", setup: "push 0xffff0043", code: "o16 pop fs" },
  {
    name: "lds bad leaves register",
    setup: `mov dword [DATA], 1\n mov word [DATA + 4], 0x1f9`,
    code: "lds ebx, [DATA]",
  },
  { name: "lss good", setup: `mov dword [DATA], STACK - 64\n mov word [DATA + 4], KDATA`, code: "lss esp, [DATA]" },
  { name: "lss bad", setup: `mov dword [DATA], STACK - 64\n mov word [DATA + 4], UDATA`, code: "lss esp, [DATA]" },
  { name: "lgs good", setup: `mov dword [DATA], 77\n mov word [DATA + 4], UDATA`, code: "lgs edx, [DATA]" },
  { name: "push segment", setup: "push 0x12345678\n pop eax", code: "push ds\n push ss\n push cs" },
  {
    name: "accessed bit kept clear by fault",
    pokes: putFlat(FREE, ACCESS.dataRW | 0x20),
    ring: 3,
    code: `mov eax, ${FREE + 3}\n mov ds, ax`,
    watch: [accessOf(FREE)],
  },
];

/** Accesses through a segment of base DATA in FS (or GS for code): offset, bytes, write. */
const bounded = (name: string, pokes: Poke[], accesses: readonly [string, string][], seg = "fs"): Case[] =>
  accesses.map(([what, code]) => ({
    name: `access ${name} ${what}`,
    pokes,
    setup: `mov eax, ${FREE}\n mov ${seg}, ax`,
    code,
  }));

const up = putSegment(FREE, DATA, 0xff, ACCESS.dataRW, SMALL32);
const readOnly = putSegment(FREE, DATA, 0xff, ACCESS.dataR, SMALL32);
const down = putSegment(FREE, DATA, 0xff, ACCESS.downRW, SMALL32);
const down16 = putSegment(FREE, DATA, 0xff, ACCESS.downRW, 0);
const pages = putSegment(FREE, DATA, 0, ACCESS.dataRW, 0xc0);
const readable = putSegment(FREE, DATA, 0xff, ACCESS.codeXR, SMALL32);

/** #SS through a task gate, for stacks on which no handler could run. */
const BY_TASK = putVector(12, SEL_TSSD, 0, ACCESS.task);

const accesses: Case[] = [
  ...bounded("up", up, [
    ["byte at limit", "mov al, [fs:0xff]"],
    ["byte behind", "mov al, [fs:0x100]"],
    ["word at limit", "mov ax, [fs:0xfe]"],
    ["word across", "mov ax, [fs:0xff]"],
    ["dword at limit", "mov eax, [fs:0xfc]"],
    ["dword across", "mov eax, [fs:0xfd]"],
    ["write across", "mov [fs:0xfd], eax"],
    ["wraps", "mov eax, [fs:0xfffffffe]"],
    ["rmw across", "add [fs:0xfd], eax"],
    ["fld across", "fld qword [fs:0xfc]"],
    ["movs source", "mov esi, 0x100\n fs movsb"],
    ["cmpxchg8b across", "db 0x64, 0x0f, 0xc7, 0x0d\n dd 0xfc"],
    ["bound across", "bound eax, [fs:0xfc]"],
    ["sgdt across", "sgdt [fs:0xfb]"],
    ["lgdt across", "lgdt [fs:0xfb]"],
    ["lea ignores", "lea eax, [fs:0x100]"],
    ["invlpg ignores", "invlpg [fs:0x100]"],
    ["bit string behind", "mov eax, 0x800\n bt [fs:0], eax"],
    ["xlat behind", "mov ebx, 0x100\n mov al, 0\n db 0x64, 0xd7"],
  ]),
  ...bounded("read-only", readOnly, [
    ["read", "mov eax, [fs:0]"],
    ["write", "mov [fs:0], eax"],
    ["rmw", "or byte [fs:0], 0"],
    ["cmpxchg", "cmpxchg [fs:0], eax"],
  ]),
  ...bounded("down", down, [
    ["at limit", "mov al, [fs:0xff]"],
    ["above", "mov al, [fs:0x100]"],
    ["dword across", "mov eax, [fs:0xfd]"],
    ["top", "mov al, [fs:0xffffffff]"],
    ["past top", "mov eax, [fs:0xfffffffd]"],
  ]),
  ...bounded("down16", down16, [
    ["at limit", "mov al, [fs:0xff]"],
    ["above", "mov al, [fs:0x100]"],
    ["past 64k", "mov al, [fs:0x10000]"],
    ["word across 64k", "mov ax, [fs:0xffff]"],
  ]),
  ...bounded("granular", pages, [
    ["last", "mov al, [fs:0xfff]"],
    ["behind", "mov al, [fs:0x1000]"],
  ]),
  ...bounded("code", readable, [
    ["read", "mov al, [fs:0]"],
    ["write", "mov [fs:0], al"],
    ["limit", "mov al, [fs:0x100]"],
  ]),
  { name: "access null ds read", setup: "xor eax, eax\n mov ds, ax", code: "mov al, [0]" },
  { name: "access null es write", setup: "xor eax, eax\n mov es, ax", code: "mov [es:0], al" },
  { name: "access null es stos", setup: "xor eax, eax\n mov es, ax\n mov edi, DATA", code: "stosd" },
  { name: "access cs write", code: "mov [cs:DATA], eax" },
  { name: "access cs read", code: "mov eax, [cs:CODE]" },
  {
    name: "access execute-only cs",
    pokes: putFlat(FREE, ACCESS.codeX),
    setup: `jmp ${FREE}:t`,
    code: "mov eax, [cs:CODE]",
  },
  {
    name: "access stack limit push",
    pokes: [...putSegment(FREE, 0x11_0000, 0x8fff, ACCESS.dataRW, SMALL32), ...BY_TASK],
    setup: `mov eax, ${FREE}\n mov ss, ax\n mov esp, 0x9002`,
    code: "push eax",
  },
  {
    name: "access stack limit by ebp",
    pokes: putSegment(FREE, 0x11_0000, 0x8fff, ACCESS.dataRW, SMALL32),
    setup: `mov eax, ${FREE}\n mov ss, ax\n mov esp, 0x8ff0\n mov ebp, 0x9000`,
    code: "mov al, [ebp]",
  },
  {
    name: "access stack 16 wraps",
    setup: `mov eax, KSTACK16\n mov ss, ax\n mov esp, 0x12340000`,
    code: "push eax\n mov ebx, esp\n mov eax, KDATA\n mov ss, ax\n mov esp, STACK",
  },
  {
    name: "access stack 16 across its end",
    pokes: BY_TASK,
    setup: `mov eax, KSTACK16\n mov ss, ax\n mov esp, 0x12340002`,
    code: "push eax",
  },
  {
    name: "access stack down push at limit",
    pokes: [...putSegment(FREE, 0x11_0000, 0x8fff, ACCESS.downRW, SMALL32), ...BY_TASK],
    setup: `mov eax, ${FREE}\n mov ss, ax\n mov esp, 0x9002`,
    code: "push eax",
  },
];

/** Stacks too small for what a transfer on the same level pushes or takes. */
const smallStack = (name: string, access: number, esp: number, code: string): Case => ({
  name: `small stack ${name}`,
  pokes: [...putSegment(FREE, WORK, 0x8fff, access, SMALL32), ...BY_TASK],
  setup: `mov eax, ${FREE}\n mov ss, ax\n mov esp, ${esp}`,
  code,
});
const smallStacks: Case[] = [
  smallStack("far call", ACCESS.dataRW, 4, "call KCODE:TARGET"),
  smallStack("far call at the limit", ACCESS.dataRW, 0x9000, "call KCODE:TARGET"),
  smallStack("int", ACCESS.dataRW, 8, "int 0x40"),
  smallStack("exception", ACCESS.dataRW, 8, "ud2"),
  smallStack("exception with code", ACCESS.dataRW, 8, "mov eax, 0x200\n mov ds, ax"),
  smallStack("near call", ACCESS.dataRW, 2, "call $ + 5"),
  smallStack("pushad", ACCESS.dataRW, 16, "pushad"),
  smallStack("enter", ACCESS.dataRW, 2, "enter 8, 0"),
  smallStack("far call expand-down", ACCESS.downRW, 0x9004, "call KCODE:TARGET"),
  smallStack("retf expand-down", ACCESS.downRW, 0x8ffc, "retf"),
  smallStack("iret expand-down", ACCESS.downRW, 0x8ffc, "iretd"),
  smallStack("pop expand-down", ACCESS.downRW, 0x8ffc, "pop eax"),
  smallStack("popad", ACCESS.dataRW, 0x8ff0, "popad"),
  smallStack("leave", ACCESS.dataRW, 0x8ff0, "mov ebp, 0x9000\n leave"),
];

export const segmentCases: readonly Case[] = [...kinds, ...privileges, ...code, ...tables, ...accesses, ...smallStacks];
