// Task switches to and from 16-bit task states, and stacks that a 16-bit task state names.
import type { Case } from "../harness.ts";
import {
  ACCESS,
  accessOf,
  FREE,
  KCODE16,
  KDATA,
  KSTACK16,
  type Poke,
  putGate,
  putSegment,
  putVector,
  putVectorLabel,
  SEL_TSS16A,
  SEL_TSS16B,
  SEL_TSSA,
  START_TR,
  TARGET,
  TSS16A,
  TSS16B,
  TSSA,
} from "../layout.ts";

interface State {
  ip?: number | string;
  flags?: number;
  cs?: number;
  ss?: number;
  sp?: number;
  ds?: number;
  es?: number;
  ldt?: number;
}

/** A 16-bit task at `at`; `ip` may be a label's offset in CODE. */
const state = (at: number, s: State = {}): Poke[] => {
  const high = (v: number | string) => (typeof v === "number" ? v << 16 : `(${v} - CODE) << 16`);
  const ds = s.ds ?? KDATA;
  return [
    [at + 0, 0x9ff0 << 16],
    [at + 4, (0xaff0 << 16) | KSTACK16],
    [at + 8, 0x21],
    [at + 12, high(s.ip ?? 0xf00)],
    [at + 16, (0x1111 << 16) | (s.flags ?? 2)],
    [at + 20, 0x3333_2222],
    [at + 24, ((s.sp ?? 0xeff0) << 16) | 0x4444],
    [at + 28, 0x6666_5555],
    [at + 32, ((s.es ?? 0) << 16) | 0x7777],
    [at + 36, ((s.ss ?? KSTACK16) << 16) | (s.cs ?? KCODE16)],
    [at + 40, ((s.ldt ?? 0) << 16) | ds],
  ];
};

const WATCH = [
  accessOf(SEL_TSSA),
  accessOf(SEL_TSS16A),
  accessOf(SEL_TSS16B),
  ...[0, 12, 16, 24, 36, 40].map((o) => TSS16A + o),
];
const task = (name: string, more: Partial<Case>): Case => ({
  name: `task16 ${name}`,
  code: `jmp SEL_TSS16A:0`,
  watch: WATCH,
  ...more,
  pokes: [...state(TSS16A), ...state(TSS16B), ...(more.pokes ?? [])],
});

const NT = "push 0x4002\n popfd";
const gate = putVector(0x40, SEL_TSS16A, 0, ACCESS.task | 0x60);
const busy = putSegment(SEL_TSS16A, TSS16A, 0x2b, ACCESS.tss16Busy, 0);
/** The case begins in the 16-bit task B. */
const inside: Poke[] = [[START_TR, SEL_TSS16B]];

export const task16Cases: readonly Case[] = [
  task("jmp", {}),
  task("call", { code: "call SEL_TSS16A:0" }),
  task("int", { pokes: gate, code: "int 0x40" }),
  task("iret", { pokes: [...busy, [TSSA, SEL_TSS16A]], setup: NT, code: "iretd" }),
  task("jmp gate", { pokes: putGate(FREE, SEL_TSS16A, 0, ACCESS.task), code: "jmp FREE:0" }),
  task("call gate", { pokes: putGate(FREE, SEL_TSS16A, 0, ACCESS.task), code: "call FREE:0" }),
  task("jmp busy", { pokes: busy }),
  task("iret not busy", { pokes: [[TSSA, SEL_TSS16A]], setup: NT, code: "iretd" }),
  task("jmp absent", { pokes: putSegment(SEL_TSS16A, TSS16A, 0x2b, ACCESS.tss16 & 0x7f, 0) }),
  task("jmp short limit", { pokes: putSegment(SEL_TSS16A, TSS16A, 0x2a, ACCESS.tss16, 0) }),
  task("cpl3 dpl0", { ring: 3 }),
  task("cpl3 dpl3", {
    ring: 3,
    pokes: putSegment(SEL_TSS16A, TSS16A, 0x2b, ACCESS.tss16 | 0x60, 0),
    code: "call SEL_TSS16A + 3:0",
  }),
  task("flags", { pokes: state(TSS16A, { flags: 0x0ed7 }) }),
  task("keeps the page directory", { code: "jmp SEL_TSS16A:0" }),
  task("new ldt", { pokes: state(TSS16A, { ldt: 0x78 }) }),
  task("clears fs and gs", { setup: "mov eax, UDATA\n mov fs, ax\n mov gs, ax" }),
  task("ring 3", { pokes: state(TSS16A, { cs: 0x93, ss: 0xab, sp: 0xcff0, ds: 0x43 }) }),
  task("ds behind gdt", { pokes: [...state(TSS16A, { ds: 0x200 }), ...putVector(10, SEL_TSS16B, 0, ACCESS.task)] }),
  task("ss null", { pokes: [...state(TSS16A, { ss: 0 }), ...putVector(10, SEL_TSS16B, 0, ACCESS.task)] }),
  task("cs null", { pokes: [...state(TSS16A, { cs: 0 }), ...putVector(10, SEL_TSS16B, 0, ACCESS.task)] }),
  task("exception with code", {
    pokes: putVector(13, SEL_TSS16A, 0, ACCESS.task),
    code: "mov eax, 0x201\n mov ds, ax",
  }),
  task("call and back", {
    pokes: state(TSS16A, { ip: "back" }),
    code: "call SEL_TSS16A:0\n int 0xff\nback: db 0xcd, 0xfe, 0xcf\n int 0xff",
  }),
  task("int and back", {
    pokes: [...gate, ...state(TSS16A, { ip: "back" })],
    code: "int 0x40\n int 0xff\nback: iretd",
  }),
  task("from 16 to 32", {
    pokes: inside,
    code: "jmp SEL_TSSB:0",
    watch: [accessOf(SEL_TSS16B), ...[0, 12, 16, 20, 24, 28, 32, 36, 40].map((o) => TSS16B + o)],
  }),
  task("from 16 to 32 by call", {
    pokes: inside,
    code: "call SEL_TSSB:0",
    watch: [accessOf(SEL_TSS16B), accessOf(0x50), 0x11_6400, ...[12, 16].map((o) => TSS16B + o)],
  }),
  task("from 16 to 16", {
    pokes: inside,
    watch: [accessOf(SEL_TSS16B), accessOf(SEL_TSS16A), ...[12, 16, 24, 36].map((o) => TSS16B + o)],
  }),
  task("16 to 16 and back", {
    pokes: [...inside, ...state(TSS16A, { ip: "back" })],
    setup: "jmp KCODE16:u - CODE\n bits 16\nu: mov ax, KSTACK16\n mov ss, ax\n mov sp, 0x8ff0",
    code: "call SEL_TSS16A:0\n int 0xff\nback: iret\n bits 32",
  }),
  task("stack of ring 0", { ring: 3, pokes: inside, code: "int 0x40" }),
  task("stack of ring 1 limit cuts", {
    ring: 3,
    pokes: [
      ...inside,
      ...putSegment(SEL_TSS16B, TSS16B, 8, ACCESS.tss16, 0),
      ...putVector(0x40, 0x18, TARGET, ACCESS.int | 0x60),
    ],
    code: "int 0x40",
  }),
  task("stack of ring 1 limit holds", {
    ring: 3,
    pokes: [
      ...inside,
      ...putSegment(SEL_TSS16B, TSS16B, 9, ACCESS.tss16, 0),
      ...putVector(0x40, 0x18, TARGET, ACCESS.int | 0x60),
    ],
    code: "int 0x40",
  }),
  task("stack for a call gate", {
    ring: 3,
    pokes: [...inside, ...putGate(FREE, 8, TARGET, ACCESS.call | 0x60)],
    code: "call FREE + 3:0",
  }),
  task("ports without a map", { ring: 3, pokes: inside, code: "in al, 0x80" }),
  task("handler in 16-bit task sees flags", {
    pokes: [...gate, ...putVectorLabel(0x41, 8, "h", ACCESS.int)],
    code: "int 0x41\n int 0xff\nh: int 0x40",
  }),
];
