// Ring-0 programs that do harm, made from seeds: streams of random bytes, and random damage to what the kernel and the processor
// live on. Each is a whole executable; what it ends as is of no matter, only that it ends.
import { AREA, KERNEL_BASE, PHYS, SELECTOR, TSS } from "../../src/emu/kernel/entry/layout.ts";
import { Random } from "../programs/random.ts";
import { staticElf } from "./static-elf.ts";

/** Where a program finds memory of its own: static-elf's bss. */
const BSS = 0x0810_0000;
export const BSS_BYTES = 0x8000;
const EXIT = "mov eax, 1\nxor ebx, ebx\nint 0x80\nhlt\n";

/** Opcodes that reach the system side more often than chance does; operands are random bytes behind them. */
const SYSTEM: readonly (readonly number[])[] = [
  [0xcf],
  [0xcb],
  [0xca],
  [0xcd, 0x80],
  [0xcd],
  [0xcc],
  [0xce],
  [0x0f, 0x34],
  [0x0f, 0x35],
  [0x0f, 0x00],
  [0x0f, 0x01],
  [0x0f, 0x20],
  [0x0f, 0x22],
  [0x0f, 0x23],
  [0x0f, 0x30],
  [0x8e],
  [0x1f],
  [0x07],
  [0x17],
  [0x0f, 0xa1],
  [0x0f, 0xa9],
  [0xea],
  [0x9a],
  [0xff],
  [0x9d],
  [0xf4],
  [0xfa],
  [0xfb],
  [0xe6],
  [0xee],
  [0xdb],
  [0xd9],
  [0xdd],
  [0x0f, 0xae],
  [0xf3, 0xa4],
  [0xf3, 0xab],
  [0xc8],
  [0x60],
  [0x61],
  [0x0f, 0x0a],
  [0x5c],
  [0xbc],
];

/** Values worth having in a register: addresses of everything, selectors, edges. */
const POINTERS: readonly number[] = [
  0,
  1,
  -1,
  0x7fff_ffff,
  0x8000_0000,
  BSS,
  BSS + BSS_BYTES - 2,
  0x0804_8054,
  0xbfff_f000,
  0xbfff_effc,
  0xb7ff_f000,
  KERNEL_BASE,
  KERNEL_BASE + PHYS.GDT,
  KERNEL_BASE + PHYS.IDT,
  KERNEL_BASE + PHYS.PGD,
  KERNEL_BASE + PHYS.TEXT,
  KERNEL_BASE + PHYS.TEXT + 0x8000,
  KERNEL_BASE + PHYS.TEXT + 0x1_0000,
  AREA.TSS,
  AREA.ESP0,
  AREA.NMI_TSS,
  AREA.DF_TSS,
  AREA.DF_STACK,
  0xc0ff_fffc,
  0xc100_0000,
  0xffff_fffc,
  SELECTOR.KERNEL_CS,
  SELECTOR.KERNEL_DS,
  SELECTOR.USER_CS,
  SELECTOR.TSS,
  SELECTOR.DF_TSS,
];

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;
const REGISTERS = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp"] as const;

function pointer(random: Random): number {
  return random.oneIn(3) ? random.next() : random.pick(POINTERS) + (random.oneIn(3) ? random.below(256) - 128 : 0);
}

function registers(random: Random): string {
  const lines = REGISTERS.map((name) => `mov ${name}, ${hex(pointer(random))}`);
  if (random.oneIn(8)) lines.push(`mov esp, ${hex(pointer(random))}`);
  return lines.join("\n");
}

/** Bytes of a stream, and how far apart are the places where it goes on after an exception. */
const STREAM_BYTES = 400;
const STRIDE = 7;

/**
 * Makes the program's exceptions its own: their handler, on a stack of its own, goes on a little further in the stream, whatever
 * the registers were.
 */
const SURVIVE = `
  mov eax, 186 ; sigaltstack
  mov ebx, altstack
  xor ecx, ecx
  int 0x80
  mov esi, signals
next_signal:
  movzx ebx, byte [esi]
  test ebx, ebx
  jz near ready
  mov eax, 67 ; sigaction
  mov ecx, action
  xor edx, edx
  int 0x80
  inc esi
  jmp next_signal
signals:
  db 4, 5, 7, 8, 11, 0
altstack:
  dd bss+0x6000, 0, 0x1000
action:
  dd caught, 0, 0x48000000, 0
caught:
  mov eax, [bss+0x5000]
  inc eax
  mov [bss+0x5000], eax
  cmp eax, ${Math.floor(STREAM_BYTES / STRIDE)}
  jae near done
  imul eax, eax, ${STRIDE}
  add eax, stream
  mov [esp+8+56], eax ; sigcontext.eip
  and dword [esp+8+64], ~0x4000 ; sigcontext.eflags
  ret
ready:
`;

/** A program whose text is random registers and some hundred random bytes, among them more system instructions than chance gives. */
export function randomStream(seed: number): Uint8Array {
  const random = new Random(seed);
  const bytes: number[] = [];
  while (bytes.length < STREAM_BYTES) {
    const kind = random.below(4);
    if (kind === 0) bytes.push(...random.pick(SYSTEM), random.below(256));
    else if (kind === 1) bytes.push(0xb8 + random.below(8), ...word(pointer(random)));
    else if (kind === 2) bytes.push(0xb8, ...word(random.below(470)), 0xcd, 0x80);
    else bytes.push(...Array.from({ length: 1 + random.below(12) }, () => random.below(256)));
  }
  return staticElf(`${SURVIVE}\n${registers(random)}\nstream:\ndb ${bytes.join(", ")}\ndone:\n${EXIT}`, BSS_BYTES);
}

function word(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
}

/** What a program may damage. */
export const DAMAGES = ["GDT", "IDT", "TSS", "page tables", "CR0", "CR3", "kernel stacks"] as const;
export type Damage = (typeof DAMAGES)[number];

const store = (at: string, value: number): string => `mov dword [${at}], ${hex(value)}\n`;

/** A descriptor or gate word: random, or one with its important fields plausible. */
function tableWord(random: Random): number {
  return random.oneIn(2) ? random.next() : (random.next() & 0x00ff_00ff) | 0x00cf_8900 | (random.below(16) << 8);
}

/** One piece of damage, as assembler text. */
const HARM: Readonly<Record<Damage, (random: Random) => string>> = {
  GDT: (r) => store(hex(KERNEL_BASE + PHYS.GDT + 4 * r.below(64)), tableWord(r)),
  IDT: (r) => {
    const vector = r.oneIn(2) ? r.pick([0x80, 0x30, 14, 8, 13, 6, 2]) : r.below(256);
    return store(hex(KERNEL_BASE + PHYS.IDT + 8 * vector + 4 * r.below(2)), tableWord(r));
  },
  TSS: (r) =>
    store(
      hex(r.pick([AREA.TSS, AREA.DF_TSS, AREA.NMI_TSS, AREA.ESP0, AREA.DF_STACK]) + 4 * r.below(TSS.BYTES / 4)),
      r.oneIn(2) ? pointer(r) : r.next(),
    ),
  "page tables": (r) => {
    // An entry of the directory, or of a table that one of its entries names; CR3 is reloaded so that it counts.
    const directory = `mov eax, cr3\nmov edx, eax\nadd eax, ${hex(KERNEL_BASE)}\n`;
    const entry = r.pick([32, 0x2ff, 0x300, 0x301, r.below(1024)]);
    const bits = r.pick([0, 1, 3, 7, 0x83, 0x1e3, r.next() & 0xfff]);
    const value = (r.below(0x6000) << 12) | bits;
    const table = `mov eax, [eax+${hex(4 * r.pick([32, 0x2ff]))}]\nand eax, 0xfffff000\nadd eax, ${hex(KERNEL_BASE)}\n`;
    const where = r.oneIn(2) ? directory : directory + table;
    return `${where}${store(`eax+${hex(4 * entry)}`, value)}${r.oneIn(3) ? "" : "mov cr3, edx\n"}`;
  },
  CR0: (r) =>
    `mov eax, cr0\nxor eax, ${hex(r.oneIn(2) ? 1 << r.pick([0, 1, 2, 3, 5, 16, 18, 30, 31]) : r.next())}\nmov cr0, eax\n`,
  CR3: (r) => {
    const flip = `xor eax, ${hex(1 << r.below(32))}`;
    const value = r.pick([flip, flip, `mov eax, ${hex(r.below(0x1000) << 12)}`, `mov eax, ${hex(PHYS.PGD)}`]);
    return `mov eax, cr3\n${value}\nmov cr3, eax\n`;
  },
  // A child does it to its own stack and to that of its parent, which sleeps on it: thread_info, bodies, the frame at the top.
  "kernel stacks": (r) => {
    const many = (stack: string) =>
      Array.from({ length: r.between(1, 30) }, () => store(`${stack}+${r.below(2048) * 4 - 8184}`, pointer(r))).join(
        "",
      );
    return `
  mov edi, [${hex(AREA.ESP0)}]
  mov eax, ${r.pick([2, 190])}
  int 0x80
  test eax, eax
  jnz near parent
  ${many("edi")}
  mov edi, [${hex(AREA.ESP0)}]
  ${many("edi")}
  mov eax, 1
  int 0x80
parent:
  mov ebx, eax
  mov eax, 7
  xor ecx, ecx
  xor edx, edx
  int 0x80
`;
  },
};

/** Everything that the kernel must do for a program that it may then find damaged: calls both ways, faults, ticks, a child. */
const WORK = `
  mov esi, bss
  mov eax, 20
  int 0x80
  mov dword [esi+0x4000], 1
  mov eax, 48
  mov ebx, 10
  mov ecx, handler
  int 0x80
  mov eax, 20
  int 0x80
  mov ebx, eax
  mov ecx, 10
  mov eax, 37
  int 0x80
  mov ecx, 4000
spin:
  dec ecx
  jnz spin
  push eax
  lea esp, [esp-4096]
  push eax
  lea esp, [esp+4100]
  mov eax, 2
  int 0x80
  test eax, eax
  jz child
  xor ebx, ebx
  mov eax, 7
  mov ecx, esi
  xor edx, edx
  int 0x80
`;
const HANDLER = "handler:\nret\nchild:\nmov eax, 1\nxor ebx, ebx\nint 0x80\nhlt\n";

/** A program that works, does some damage of one kind, and works on. */
export function damaged(damage: Damage, seed: number): Uint8Array {
  const random = new Random(seed);
  const times = ["CR0", "CR3", "kernel stacks"].includes(damage) ? 1 : random.between(1, 6);
  const harm = Array.from({ length: times }, () => HARM[damage](random)).join("");
  const again = WORK.replaceAll("spin", "spin_again");
  return staticElf(`${random.oneIn(3) ? "" : WORK}${harm}${again}${EXIT}${HANDLER}`, BSS_BYTES);
}
