// What a ring-0 program can do to the machine, one small program each, with how the run must end: what the command reports.
import { AREA, KERNEL_BASE, PHYS } from "../../src/emu/kernel/entry/layout.ts";
import type { RunOptions } from "../../src/emu/run.ts";

export interface Hazard {
  readonly name: string;
  readonly source: string;
  readonly options?: Partial<RunOptions>;
  /** How the trace says that it ended. */
  readonly ended: RegExp;
  /** What the command exits with. */
  readonly status: number;
  /** What the guest's kernel says. */
  readonly says?: RegExp;
}

const EXIT = "mov eax, 1\nxor ebx, ebx\nint 0x80\n";
const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;

const fill = (from: number, bytes: number, value: number): string =>
  `mov edi, ${hex(from)}\nmov ecx, ${bytes / 4}\nmov eax, ${hex(value)}\nrep stosd\n`;

/** Calls the vsyscall page with a number. */
const direct = (nr: number): string => `
  mov esi, esp
  lodsd
  lea esi, [esi+eax*4+4]
environment:
  lodsd
  test eax, eax
  jnz environment
auxiliary:
  lodsd
  mov edx, eax
  lodsd
  cmp edx, 32
  jne auxiliary
  mov ecx, eax
  mov eax, ${nr}
  call ecx
  mov ebx, eax
  neg ebx
  mov eax, 1
  int 0x80
`;

export const HAZARDS: readonly Hazard[] = [
  {
    name: "overwrites the IDT",
    source: `${fill(KERNEL_BASE + PHYS.IDT, 0x800, 0)}int 0x80`,
    ended: /^dead: triple fault: exception 13 while delivering a double fault, eip 0x/,
    status: 124,
  },
  {
    name: "overwrites the GDT",
    source: `${fill(KERNEL_BASE + PHYS.GDT, 0x100, 0)}${EXIT}`,
    ended: /^dead: triple fault: exception 13 while delivering a double fault/,
    status: 124,
  },
  {
    name: "overwrites the kernel's entry code",
    source: `cli\n${fill(KERNEL_BASE + PHYS.TEXT, 0x1000, 0xf4f4_f4f4)}${EXIT}`,
    ended: /^dead: processor halted with interrupts off$/,
    status: 124,
  },
  {
    name: "overwrites the kernel's page directory",
    source: `mov eax, cr3\nlea edi, [eax+${hex(KERNEL_BASE)}]\nmov ecx, 1024\nxor eax, eax\nrep stosd\nmov eax, cr3\nmov cr3, eax\n${EXIT}`,
    ended: /^dead: triple fault: exception 14 while delivering a double fault/,
    status: 124,
  },
  {
    name: "overwrites the TSS of the double fault, then pushes on an absent page",
    source: `${fill(AREA.DF_TSS, 104, 0xffff_ffff)}and esp, -4096\nsub esp, 0x3000\npush eax\n${EXIT}`,
    ended: /^dead: triple fault/,
    status: 124,
  },
  {
    name: "switches CR3",
    source: `mov eax, 0x123000\nmov cr3, eax\n${EXIT}`,
    ended: /^dead: triple fault: exception 14 while delivering a double fault/,
    status: 124,
  },
  {
    name: "switches paging off",
    source: `mov eax, cr0\nand eax, 0x7fffffff\nmov cr0, eax\n${EXIT}`,
    ended: /^dead: triple fault/,
    status: 124,
  },
  {
    name: "leaves protected mode",
    source: `mov eax, cr0\nand eax, 0x7ffffffe\nmov cr0, eax\n${EXIT}`,
    ended: /^dead: CR0.PE cleared: real mode is not emulated$/,
    status: 124,
  },
  {
    name: "loads an empty GDT",
    source: `lgdt [empty]\n${EXIT}empty:\ndd 0, 0`,
    ended: /^dead: triple fault/,
    status: 124,
  },
  {
    name: "loads a null selector into DS, which the ways in use",
    source: `xor eax, eax\nmov ds, ax\nmov eax, 20\nint 0x80\n${EXIT}`,
    ended: /^signal 9$/,
    status: 137,
  },
  {
    name: "loads a stack segment that is none",
    source: `xor eax, eax\nmov ss, ax\n${EXIT}`,
    ended: /^signal 11$/,
    status: 139,
  },
  {
    name: "halts with interrupts off",
    source: "cli\nhlt",
    ended: /^dead: processor halted with interrupts off$/,
    status: 124,
  },
  {
    name: "loops with interrupts off",
    source: "cli\nforever:\njmp forever",
    ended: /^dead: 1000000000 instructions with interrupts off$/,
    status: 124,
  },
  {
    name: "loops with interrupts off, under the NMI watchdog",
    source: "cli\nforever:\njmp forever",
    options: { nmiWatchdog: true },
    ended: /^signal 9$/,
    status: 137,
    says: /^NMI watchdog: no timer interrupt for 0\.3 s, eip 0x80480[0-9a-f]+, p \(1000\): killed$/,
  },
  {
    name: "switches interrupts off again and again, under the NMI watchdog",
    source: "forever:\ncli\nmov ecx, 100000\nspin:\ndec ecx\njnz spin\njmp forever",
    options: { nmiWatchdog: true },
    ended: /^signal 9$/,
    status: 137,
    says: /^NMI watchdog: .*: killed$/,
  },
  {
    name: "masks the timer and loops, under the NMI watchdog",
    source: "mov al, 0xff\nout 0x21, al\nforever:\njmp forever",
    options: { nmiWatchdog: true },
    ended: /^dead: NMI watchdog: no timer interrupt for 0\.3 s, eip 0x80480[0-9a-f]+, p \(1000\)$/,
    status: 124,
    says: /^NMI watchdog: .*: killed$/,
  },
  {
    name: "calls a number that does not exist",
    source: direct(1000),
    ended: /^exit 38$/,
    status: 38,
  },
  {
    name: "calls a number that does not exist, as published",
    source: direct(1000),
    options: { kernel: "kml-4.0-published" },
    ended: /^signal 11$/,
    status: 139,
  },
  {
    name: "calls a number far outside the table",
    source: direct(0x1000_0000),
    ended: /^signal (11|4)$/,
    status: 139,
  },
  {
    name: "executes SYSENTER: it is in ring 3 from then on",
    source: `mov eax, 20\nmov ebp, esp\nmov edx, back\nmov ecx, esp\nsysenter\nback:\ncli\n${EXIT}`,
    ended: /^signal 11$/,
    status: 139,
  },
  {
    name: "writes through copy-on-write with CR0.WP clear: its parent sees it",
    source: `
      mov dword [bss], 5
      mov eax, 2
      int 0x80
      test eax, eax
      jz child
      mov ebx, eax
      mov eax, 7
      xor ecx, ecx
      xor edx, edx
      int 0x80
      mov eax, 1
      mov ebx, [bss]
      int 0x80
    child:
      mov eax, cr0
      and eax, ~0x10000
      mov cr0, eax
      mov dword [bss], 77
      or eax, 0x10000
      mov cr0, eax
      ${EXIT}`,
    ended: /^exit 77$/,
    status: 77,
  },
  {
    name: "reads the kernel's memory, itself and by write(2)",
    source: `
      mov eax, [${hex(KERNEL_BASE + PHYS.GDT + 0x60)}]
      mov [bss], eax
      mov eax, 4
      mov ebx, 1
      mov ecx, ${hex(KERNEL_BASE + PHYS.GDT + 0x60)}
      mov edx, 8
      int 0x80
      mov ebx, eax
      mov eax, 1
      int 0x80`,
    ended: /^exit 8$/,
    status: 8,
  },
];
