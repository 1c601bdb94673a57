// Single step, breakpoints on instructions and data, RF, general detection, DR6 and DR7.
import type { Case } from "../harness.ts";
import {
  ACCESS,
  ALIAS,
  endOf,
  KCODE,
  type Poke,
  putResume,
  putVector,
  putVectorLabel,
  START_CR4,
  TARGET,
} from "../layout.ts";

const STEPS = putResume(1);
const step = (name: string, code: string, more: Partial<Case> = {}): Case => ({
  name: `step ${name}`,
  flags: 0x102,
  code,
  ...more,
  pokes: [...STEPS, ...(more.pokes ?? [])],
});
/** Ends stepping, so that the case's end is not stepped too. */
const QUIET = "push 2\n popfd";

const steps: Case[] = [
  step("plain", `nop\n nop\n ${QUIET}`),
  step("ring 3", `nop\n ${QUIET}`, { ring: 3 }),
  step("by popf", `push 0x102\n popfd\n nop\n ${QUIET}`, { flags: 2 }),
  step("mov ss", `mov eax, ss\n mov ss, ax\n nop\n ${QUIET}`),
  step("pop ss", `push ss\n pop ss\n nop\n ${QUIET}`),
  step("lss", `mov [DATA], esp\n mov [DATA + 4], ss\n lss esp, [DATA]\n nop\n ${QUIET}`),
  step("sti", `sti\n nop\n ${QUIET}`),
  step("mov ds", `mov eax, ds\n mov ds, ax\n ${QUIET}`),
  step("into int", "int 0x40", {}),
  step("into int and on", `int 0x41\n nop\n ${QUIET}`, {
    pokes: putVectorLabel(0x41, KCODE, "back", ACCESS.int),
    code: `int 0x41\n nop\n ${QUIET}\n int 0xff\nback: nop\n iretd`,
  }),
  step("over fault", `ud2`, {}),
  step("fault and on", "", {
    pokes: putVectorLabel(6, KCODE, "skip", ACCESS.int),
    code: `ud2\n nop\n ${QUIET}\n int 0xff\nskip: add dword [esp], 2\n iretd`,
  }),
  step("rep stos", `mov edi, DATA\n mov ecx, 3\n rep stosd\n ${QUIET}`),
  step("rep stos of none", `mov edi, DATA\n mov ecx, 0\n rep stosd\n ${QUIET}`),
  step("far jmp", `jmp KCODE:n\nn: ${QUIET}`),
  step("far call gate", "call 0x103:0", {
    ring: 3,
    pokes: [
      [0x11_3000 + 0x100, `${KCODE << 16} + (in & 0xffff)`],
      [0x11_3000 + 0x104, `0xec00 + (in & 0xffff0000)`],
    ],
    code: `call 0x103:0\n nop\nin: ${QUIET}`,
  }),
  step("jmp", `jmp n\n nop\nn: ${QUIET}`),
  step("iret sets", `push 0x102\n push cs\n push n\n iretd\nn: nop\n ${QUIET}`, { flags: 2 }),
  step("iret clears", "push 2\n push cs\n push n\n iretd\nn: nop"),
  step("popf clears", "push 2\n popfd\n nop"),
  step("pushf shows", `pushfd\n pop eax\n ${QUIET}`),
  step("hlt", `nop\n ${QUIET}`),
  step("sysenter", "sysenter", {
    ring: 3,
    setup:
      "xor edx, edx\n mov ecx, 0x174\n mov eax, 8\n wrmsr\n mov ecx, 0x175\n mov eax, STACK0\n wrmsr\n mov ecx, 0x176\n mov eax, n\n wrmsr",
    code: `sysenter\nn: nop\n ${QUIET}`,
  }),
  step("div fault", "xor ecx, ecx\n div ecx"),
  step("page fault", `mov eax, [${ALIAS + 0x3000}]`),
  step("int3", "int3"),
  step("int1", "db 0xf1\n nop", { pokes: putVector(1, KCODE, endOf(1), ACCESS.int), flags: 2 }),
  step("task switch", "jmp SEL_TSSB:0"),
];

/** DR7 for breakpoint n: type 0 execute, 1 write, 2 I/O, 3 read or write; bytes 1, 2, 4. */
const dr7 = (n: number, type: number, bytes = 1, enable = 1): number =>
  ((enable << (2 * n)) | (type << (16 + 4 * n)) | ((bytes - 1) << (18 + 4 * n)) | 0x400) >>> 0;
const arm = (address: number | string, value: number, n = 0): string =>
  `mov eax, ${address}\n mov dr${n}, eax\n mov eax, ${value}\n mov dr7, eax\n mov eax, 0`;

const watch = (name: string, setup: string, code: string, more: Partial<Case> = {}): Case => ({
  name: `watch ${name}`,
  setup,
  code: `${code}\n nop\n mov ecx, 0x400\n mov dr7, ecx`,
  ...more,
  pokes: [...STEPS, ...(more.pokes ?? [])],
});

const data: Case[] = [
  watch("write", arm("DATA", dr7(0, 1)), "mov byte [DATA], 1"),
  watch("write does not see read", arm("DATA", dr7(0, 1)), "mov bl, [DATA]"),
  watch("read", arm("DATA", dr7(0, 3)), "mov bl, [DATA]"),
  watch("read-write sees write", arm("DATA", dr7(0, 3)), "mov [DATA], bl"),
  watch("rmw", arm("DATA", dr7(0, 1)), "inc byte [DATA]"),
  watch("rmw read-write", arm("DATA", dr7(0, 3)), "inc byte [DATA]"),
  watch("dword touches its last byte", arm("DATA + 3", dr7(0, 1)), "mov dword [DATA], 1"),
  watch("dword in front", arm("DATA + 4", dr7(0, 1)), "mov dword [DATA], 1"),
  watch("length 2 aligned down", arm("DATA + 1", dr7(0, 1, 2)), "mov byte [DATA], 1"),
  watch("length 4", arm("DATA", dr7(0, 1, 4)), "mov byte [DATA + 3], 1"),
  watch("length 4 aligned down", arm("DATA + 3", dr7(0, 1, 4)), "mov byte [DATA], 1"),
  watch("length 4 behind", arm("DATA", dr7(0, 1, 4)), "mov byte [DATA + 4], 1"),
  watch("across", arm("DATA + 4", dr7(0, 1, 4)), "mov dword [DATA + 2], 1"),
  watch("global enable", arm("DATA", dr7(0, 1, 1, 2)), "mov byte [DATA], 1"),
  watch("second register", arm("DATA", dr7(1, 1), 1), "mov byte [DATA], 1"),
  watch("third register", arm("DATA", dr7(2, 3, 4), 2), "mov byte [DATA], 1"),
  watch("fourth register", arm("DATA", dr7(3, 1, 2), 3), "mov byte [DATA + 1], 1"),
  watch(
    "two at once",
    `${arm("DATA", 0x400, 0)}\n${arm("DATA", (dr7(0, 1) | dr7(1, 3)) >>> 0, 1)}`,
    "mov byte [DATA], 1",
  ),
  watch(
    "dr6 keeps old bits",
    `${arm("DATA", dr7(0, 1))}\n mov eax, 0xffff0ff8\n mov dr6, eax\n mov eax, 0`,
    "mov byte [DATA], 1",
  ),
  watch("push", arm("STACK - 12", dr7(0, 1, 4)), "push 1\n push 2\n push 3\n push 4"),
  watch("movs", arm("DATA + 4", dr7(0, 1, 4)), "mov esi, DATA1\n mov edi, DATA\n mov ecx, 3\n rep movsd"),
  watch("from ring 3", arm("DATA", dr7(0, 1)), "", { ring: 3, code: "mov byte [DATA], 1\n nop" }),
  watch("data write by fault is none", arm("DATA", dr7(0, 1)), "", {
    code: "mov eax, 0x201\n mov [DATA], ds\n mov ds, ax",
  }),
  watch("and step", arm("DATA", dr7(0, 1)), "", { flags: 0x102, code: `mov byte [DATA], 1\n nop\n ${QUIET}` }),
  watch("mov ss holds it back", arm("DATA", dr7(0, 3, 2)), "mov word [DATA + 8], ss\n mov ss, [DATA + 8]", {}),
  watch("mov ss reads it", `mov word [DATA], ss\n ${arm("DATA", dr7(0, 3, 2))}`, "mov ss, [DATA]\n nop\n nop"),
  watch("faulting instruction reports nothing", arm("DATA", dr7(0, 3, 4)), "", {
    code: "mov esi, DATA\n mov edi, ALIAS + 0x3000\n movsd",
    pokes: putVector(14, KCODE, endOf(14), ACCESS.int),
  }),
  watch("dword across pages", arm("ALIAS + 0x1000", dr7(0, 1)), "mov [ALIAS + 0xffe], ebx"),
  watch("word across pages", arm("ALIAS + 0x1000", dr7(0, 1)), "mov [ALIAS + 0xfff], bx"),
  watch("dword across pages in front", arm("ALIAS + 0xfff", dr7(0, 3)), "mov ebx, [ALIAS + 0xffe]"),
  watch("not enabled", arm("DATA", 0x0001_0400), "mov byte [DATA], 1"),
];

const atLabel = (n = 0, more = 0) => arm("b", (dr7(n, 0) | more) >>> 0, n);
const code: Case[] = [
  watch("execute", atLabel(), "nop\nb: nop"),
  watch("execute with rf", "", "", {
    setup: atLabel(),
    code: "push 0x10002\n push KCODE\n push b\n iretd\nb: nop\n nop",
  }),
  watch("execute and step", atLabel(), "", { flags: 0x102, code: `nop\nb: nop\n ${QUIET}` }),
  watch("execute beats the instruction's fault", atLabel(), "", {
    code: "b: ud2",
    pokes: [...putVector(1, KCODE, endOf(1), ACCESS.int)],
  }),
  watch("execute middle of an instruction", arm("b + 1", dr7(0, 0)), "b: mov ebx, 5"),
  watch("execute prefix", arm("b", dr7(0, 0)), "b: es nop"),
  watch("execute behind mov ss", atLabel(), "mov ecx, ss\n mov ss, cx\nb: nop"),
  watch("execute in ring 3", atLabel(), "", { ring: 3, code: "nop\nb: nop" }),
  watch("execute rf returns", atLabel(), "", {
    pokes: putVectorLabel(1, KCODE, "h", ACCESS.int),
    code: "b: nop\n int 0xff\nh: int 0xfe\n or dword [esp + 8], 0x10000\n iretd",
  }),
  watch("execute loops without rf", atLabel(), "", {
    pokes: putVectorLabel(1, KCODE, "h", ACCESS.int),
    code: "b: nop\n int 0xff\nh: int 0xfe\n inc dword [DATA]\n cmp dword [DATA], 3\n jb again\n mov eax, 0x400\n mov dr7, eax\nagain: and dword [esp + 8], ~0x10000\n iretd",
  }),
  watch("execute rep", atLabel(), "", {
    pokes: putVectorLabel(1, KCODE, "h", ACCESS.int),
    code: "mov edi, DATA\n mov ecx, 3\nb: rep stosd\n int 0xff\nh: int 0xfe\n or dword [esp + 8], 0x10000\n iretd",
  }),
  watch("execute at branch target", atLabel(), "jmp b\n nop\nb: nop"),
  watch("execute at handler", arm(TARGET, dr7(0, 0)), "", {
    pokes: putVector(0x40, KCODE, TARGET, ACCESS.int),
    code: "int 0x40",
  }),
];

const registers: Case[] = [
  {
    name: "dr 7 fixed bits",
    code: "mov eax, 0xffffffff\n and eax, 0xffffdf00\n mov dr7, eax\n mov ebx, dr7\n mov eax, 0x400\n mov dr7, eax",
  },
  {
    name: "dr 6 fixed bits",
    code: "mov eax, 0\n mov dr6, eax\n mov ebx, dr6\n mov eax, 0xffffffff\n mov dr6, eax\n mov ecx, dr6",
  },
  { name: "dr 4 is 6", code: "mov eax, dr4\n mov ebx, dr5" },
  { name: "dr 4 with de", pokes: [[START_CR4, 8]], code: "mov eax, dr4" },
  { name: "dr 5 write with de", pokes: [[START_CR4, 8]], code: "mov eax, 0x400\n mov dr5, eax" },
  {
    name: "dr 0 to 3",
    code: "mov eax, 0x12345678\n mov dr0, eax\n inc eax\n mov dr1, eax\n inc eax\n mov dr2, eax\n inc eax\n mov dr3, eax\n mov ebx, dr0\n mov ecx, dr1\n mov edx, dr2\n mov esi, dr3",
  },
  { name: "dr general detect read", setup: "mov eax, 0x2400\n mov dr7, eax", code: "mov ebx, dr0" },
  { name: "dr general detect write", setup: "mov eax, 0x2400\n mov dr7, eax", code: "mov dr7, ebx" },
  {
    name: "dr general detect off in handler",
    setup: "mov eax, 0x2400\n mov dr7, eax",
    pokes: putVectorLabel(1, KCODE, "h", ACCESS.int),
    code: "mov ebx, dr0\nh: mov ecx, dr7\n mov edx, dr6",
  },
];

const io: Poke[] = [[START_CR4, 8]];
const ports: Case[] = [
  watch("port with de", arm(0x80, dr7(0, 2)), "out 0x80, al", { pokes: io }),
  watch("port read word", arm(0x81, dr7(0, 2)), "in ax, 0x80\n mov eax, 0", { pokes: io }),
  watch("port other", arm(0x82, dr7(0, 2)), "out 0x80, al", { pokes: io }),
];

export const debugCases: readonly Case[] = [...steps, ...data, ...code, ...registers, ...ports];
