// Task switches by JMP, CALL, IRET and gates: busy bits, back links, NT, what is saved, and every fault that the new task's
// state can raise.
import type { Case } from "../harness.ts";
import {
  ACCESS,
  accessOf,
  DATA,
  FREE,
  FREE2,
  FREE3,
  type Poke,
  putFlat,
  putGate,
  putSegment,
  putVector,
  SEL_TSSA,
  SEL_TSSB,
  SEL_TSSC,
  SEL_TSSD,
  SMALL32,
  T,
  TSSA,
  TSSB,
  TSSC,
} from "../layout.ts";
import { KINDS } from "./segments.ts";

const WATCH = [
  accessOf(SEL_TSSA),
  accessOf(SEL_TSSB),
  TSSB + T.link,
  TSSA + T.eip,
  TSSA + T.eflags,
  TSSA + T.esp,
  TSSA + T.cs,
  TSSA + T.ds,
  TSSA + T.link,
  TSSA + T.cr3,
];

const task = (name: string, more: Partial<Case>): Case => ({
  name: `task ${name}`,
  code: "jmp SEL_TSSB:0",
  watch: WATCH,
  ...more,
});
const b = (field: keyof typeof T, value: number | string): Poke => [TSSB + T[field], value];
const busyB = putSegment(SEL_TSSB, TSSB, 0x67, ACCESS.tssBusy, 0);
/** The back link of the current task, so that IRET with NT goes to TSSB. */
const linked: readonly Poke[] = [[TSSA + T.link, SEL_TSSB], ...busyB];
const gateB = putVector(0x40, SEL_TSSB, 0, ACCESS.task | 0x60);
const callGateB = putGate(FREE, SEL_TSSB, 0, ACCESS.task | 0x60);
const NT = "push 0x4002\n popfd";

/** The four ways, with what each needs. */
const WAYS: readonly [string, readonly Poke[], string, string][] = [
  ["jmp", [], "", "jmp SEL_TSSB:0x1234"],
  ["call", [], "", "call SEL_TSSB:0x1234"],
  ["int", gateB, "", "int 0x40"],
  ["iret", linked, NT, "iretd"],
  ["jmp gate", callGateB, "", "jmp FREE:0"],
  ["call gate", callGateB, "", "call FREE:0"],
];

/** A switch in each of the ways to a new task whose state is changed by pokes. */
const everyWay = (name: string, pokes: readonly Poke[], ways = WAYS): Case[] =>
  ways.map(([how, own, setup, code]) => task(`${how}: ${name}`, { pokes: [...own, ...pokes], setup, code }));
const threeWays = (name: string, pokes: readonly Poke[]) => everyWay(name, pokes, [WAYS[0], WAYS[1], WAYS[3]]);

const switches: Case[] = [
  ...everyWay("good", []),
  ...everyWay("all registers", [
    b("eax", 0x11111111),
    [TSSB + T.eax + 4, 0x22222222],
    [TSSB + T.eax + 8, 0x33333333],
    [TSSB + T.eax + 12, 0x44444444],
    [TSSB + T.esp + 4, 0x55555555],
    [TSSB + T.esp + 8, 0x66666666],
    [TSSB + T.esp + 12, 0x77777777],
    b("eflags", 0x0000_0ed7),
    b("fs", 0x43),
    b("gs", 0x13),
  ]),
  ...everyWay("new ldt", [
    b("ldt", FREE2),
    ...putSegment(FREE2, 0x11_4000, 0x3f, ACCESS.ldt, 0),
    b("ds", 0x17),
    ...putFlat(0x14, ACCESS.dataRW | 0x60),
  ]),
  ...everyWay("ring 3", [b("cs", 0x3b), b("ss", 0x43), b("ds", 0x43), b("es", 0x43)]),
  ...everyWay("ring 1", [b("cs", 0x19), b("ss", 0x21), b("ds", 0x43), b("es", 0)]),
  ...everyWay("trap bit", [b("trap", 0x68_0001), ...putVector(1, 8, 0x10_1000 + 10, ACCESS.int)]),
  ...everyWay("nt set in image", [b("eflags", 0x4002)]),
  ...everyWay("tf set in image", [b("eflags", 0x102)]),
  ...everyWay("vif and rf in image", [b("eflags", 0x19_0002)]),
  task("from ring 3 by call gate", { ring: 3, pokes: callGateB, code: "call FREE + 3:0" }),
  task("from ring 3 by int", { ring: 3, pokes: gateB, code: "int 0x40" }),
  task("int 0x40 saves flags of ring 3", { ring: 3, flags: 0x0ed7, pokes: gateB, code: "int 0x40" }),
  task("to itself", { code: "jmp SEL_TSSA:0" }),
  task("call to itself", { code: "call SEL_TSSA:0" }),
  task("and back by iret", { pokes: [b("eip", "back")], code: "call SEL_TSSB:0\n int 0xff\nback: int 0xfe\n iretd" }),
  task("int and back", { pokes: [...gateB, b("eip", "back")], code: "int 0x40\n int 0xff\nback: iretd" }),
  task("twice by int", {
    pokes: [...gateB, b("eip", "back")],
    code: "int 0x40\n int 0x40\n int 0xff\nback: iretd\n jmp back",
  }),
  task("back by jmp leaves busy", {
    pokes: [b("eip", "back")],
    code: "call SEL_TSSB:0\n int 0xff\nback: jmp SEL_TSSA:0",
  }),
  task("back by jmp", { pokes: [b("eip", "back")], code: "jmp SEL_TSSB:0\n int 0xff\nback: jmp SEL_TSSA:0" }),
  task("nested three deep", {
    pokes: [b("eip", "second"), [TSSC + T.eip, "third"]],
    code: "call SEL_TSSB:0\n int 0xff\nsecond: call SEL_TSSC:0\n iretd\nthird: int 0xfe\n iretd",
    watch: [accessOf(SEL_TSSA), accessOf(SEL_TSSB), accessOf(SEL_TSSC), TSSB, TSSC],
  }),
  task("sets ts", { setup: "clts", code: "jmp SEL_TSSB:0" }),
  task("clears local breakpoints", { setup: "mov eax, DATA\n mov dr0, eax\n mov eax, 0xd0703\n mov dr7, eax" }),
  task("other page directory", {
    pokes: [b("cr3", DATA)],
    setup: "mov esi, PD\n mov edi, DATA\n mov ecx, 1024\n rep movsd",
  }),
];

const jumps: Case[] = [
  task("jmp busy", { pokes: busyB }),
  task("call busy", { pokes: busyB, code: "call SEL_TSSB:0" }),
  task("int busy", { pokes: [...gateB, ...busyB], code: "int 0x40" }),
  task("iret not busy", { pokes: [[TSSA, SEL_TSSB]], setup: NT, code: "iretd" }),
  task("iret null link", { pokes: [[TSSA, 0]], setup: NT, code: "iretd" }),
  task("iret link in ldt", {
    pokes: [[TSSA, 0x14], ...putSegment(0x14, TSSB, 0x67, ACCESS.tssBusy, 0)],
    setup: NT,
    code: "iretd",
  }),
  task("iret link behind gdt", { pokes: [[TSSA, 0x200]], setup: NT, code: "iretd" }),
  task("iret link is code", { pokes: [[TSSA, 8]], setup: NT, code: "iretd" }),
  task("iret absent", {
    pokes: [[TSSA, SEL_TSSB], ...putSegment(SEL_TSSB, TSSB, 0x67, ACCESS.tssBusy & 0x7f, 0)],
    setup: NT,
    code: "iretd",
  }),
  task("iret in ring 3", { ring: 3, flags: 0x4002, pokes: linked, code: "iretd" }),
  task("jmp absent", { pokes: putSegment(SEL_TSSB, TSSB, 0x67, ACCESS.tss & 0x7f, 0) }),
  task("int absent", {
    pokes: [...gateB, ...putSegment(SEL_TSSB, TSSB, 0x67, ACCESS.tss & 0x7f, 0)],
    code: "int 0x40",
  }),
  task("jmp short limit", { pokes: putSegment(SEL_TSSB, TSSB, 0x66, ACCESS.tss, 0) }),
  task("call short limit", { pokes: putSegment(SEL_TSSB, TSSB, 0x66, ACCESS.tss, 0), code: "call SEL_TSSB:0" }),
  task("int short limit", { pokes: [...gateB, ...putSegment(SEL_TSSB, TSSB, 0x66, ACCESS.tss, 0)], code: "int 0x40" }),
  task("iret short limit", {
    pokes: [...linked, ...putSegment(SEL_TSSB, TSSB, 0x66, ACCESS.tssBusy, 0)],
    setup: NT,
    code: "iretd",
  }),
  task("granular limit", { pokes: putSegment(SEL_TSSB, TSSB, 0, ACCESS.tss, 0x80) }),
  task("in ldt", { pokes: putSegment(0x14, TSSB, 0x67, ACCESS.tss, 0), code: "jmp 0x14:0" }),
  task("gate to ldt", {
    pokes: [...putGate(FREE, 0x14, 0, ACCESS.task), ...putSegment(0x14, TSSB, 0x67, ACCESS.tss, 0)],
    code: "jmp FREE:0",
  }),
  task("gate to null", { pokes: putGate(FREE, 0, 0, ACCESS.task), code: "jmp FREE:0" }),
  task("gate behind gdt", { pokes: putGate(FREE, 0x200, 0, ACCESS.task), code: "jmp FREE:0" }),
  task("gate absent", { pokes: putGate(FREE, SEL_TSSB, 0, ACCESS.task & 0x7f), code: "jmp FREE:0" }),
  task("int gate to null", { pokes: putVector(0x40, 0, 0, ACCESS.task), code: "int 0x40" }),
  task("int gate to ldt", { pokes: putVector(0x40, 0x14, 0, ACCESS.task), code: "int 0x40" }),
  task("int gate to code", { pokes: putVector(0x40, 8, 0, ACCESS.task), code: "int 0x40" }),
  ...([0, 3] as const).flatMap((ring) =>
    ([0, 3] as const).flatMap((rpl) =>
      ([0, 3] as const).flatMap((dpl) => [
        task(`jmp cpl${ring} rpl${rpl} dpl${dpl}`, {
          ring,
          pokes: putSegment(SEL_TSSB, TSSB, 0x67, ACCESS.tss | (dpl << 5), 0),
          code: `jmp ${SEL_TSSB + rpl}:0`,
        }),
        task(`gate cpl${ring} rpl${rpl} dpl${dpl}`, {
          ring,
          pokes: putGate(FREE, SEL_TSSB, 0, ACCESS.task | (dpl << 5)),
          code: `call ${FREE + rpl}:0`,
        }),
      ]),
    ),
  ),
];

/** Faults of new states arrive in a task of their own, so that bad stacks do not hide them; what TSSB saved is shown. */
const HANDLED: readonly Poke[] = [10, 11, 12, 13].flatMap((v) => putVector(v, SEL_TSSD, 0, ACCESS.task));
const SAVED = [T.eip, T.eflags, T.esp, T.es, T.cs, T.ss, T.ds, T.ldt].map((field) => TSSB + field);
const WATCH_FAULT = [accessOf(SEL_TSSA), accessOf(SEL_TSSB), TSSB + T.link, ...SAVED, accessOf(SEL_TSSD)];
const faulty = (name: string, pokes: readonly Poke[]): Case[] =>
  threeWays(name, [...pokes, ...HANDLED]).map((c) => ({ ...c, watch: WATCH_FAULT }));
const faultyJump = (name: string, pokes: readonly Poke[], watch: readonly number[] = WATCH_FAULT): Case =>
  task(`jmp: ${name}`, { pokes: [...pokes, ...HANDLED], watch });

/** New states that fault behind the commit point: the fault is the new task's. */
const contents: Case[] = [
  ...faulty("ldt in ldt", [b("ldt", 0x14)]),
  ...faulty("ldt behind gdt", [b("ldt", 0x200)]),
  ...faulty("ldt of other type", [b("ldt", 8)]),
  ...faulty("ldt absent", [b("ldt", FREE2), ...putSegment(FREE2, 0x11_4000, 0x3f, ACCESS.ldt & 0x7f, 0)]),
  ...faulty("cs null", [b("cs", 0)]),
  ...faulty("cs behind gdt", [b("cs", 0x200)]),
  ...faulty("cs data", [b("cs", 0x10)]),
  ...faulty("cs system", [b("cs", SEL_TSSC)]),
  ...faulty("cs absent", [b("cs", FREE2), ...putFlat(FREE2, ACCESS.codeXR & 0x7f)]),
  ...faulty("cs rpl over dpl", [b("cs", 0x0b), b("ss", 0x43), b("ds", 0x43), b("es", 0x43)]),
  ...faulty("cs rpl under dpl", [b("cs", 0x38)]),
  ...faulty("cs conforming", [b("cs", 0x9b), b("ss", 0x43), b("ds", 0x43), b("es", 0x43)]),
  ...faulty("cs conforming dpl over rpl", [b("cs", FREE2), ...putFlat(FREE2, ACCESS.confXR | 0x60)]),
  ...faulty("ss null", [b("ss", 0)]),
  ...faulty("ss behind gdt", [b("ss", 0x200)]),
  ...faulty("ss code", [b("ss", 8)]),
  ...faulty("ss read-only", [b("ss", FREE2), ...putFlat(FREE2, ACCESS.dataR)]),
  ...faulty("ss absent", [b("ss", FREE2), ...putFlat(FREE2, ACCESS.dataRW & 0x7f)]),
  ...faulty("ss rpl", [b("ss", 0x13)]),
  ...faulty("ss dpl", [b("ss", 0x40)]),
  ...faulty("eip behind limit", [
    b("eip", 0x10_0000),
    b("cs", FREE2),
    ...putSegment(FREE2, 0, 0xff, ACCESS.codeXR, SMALL32),
  ]),
  ...["ds", "es", "fs", "gs"].flatMap((seg) => [
    faultyJump(`${seg} behind gdt`, [b(seg as "ds", 0x200)]),
    faultyJump(`${seg} absent`, [b(seg as "ds", FREE2), ...putFlat(FREE2, ACCESS.dataRW & 0x7f)]),
  ]),
  ...KINDS.map(([kind, access]) => faultyJump(`ds ${kind}`, [b("ds", FREE2), ...putFlat(FREE2, access)])),
  ...KINDS.map(([kind, access]) => faultyJump(`cs ${kind}`, [b("cs", FREE2), ...putFlat(FREE2, access)])),
  faultyJump("ds dpl under cpl", [b("cs", 0x3b), b("ss", 0x43), b("ds", 0x10), b("es", 0)]),
  faultyJump("ds rpl over dpl", [b("ds", 0x13)]),
  faultyJump("ldt changes before segments", [b("ldt", 0), b("ds", 0x14), ...putFlat(0x14, ACCESS.dataRW)]),
  faultyJump("several bad", [b("ds", 0x200), b("cs", 0x200), b("ss", 0x200), b("ldt", 0x200)]),
  faultyJump(
    "accessed bits",
    [b("ds", FREE2), ...putFlat(FREE2, ACCESS.dataRW), b("cs", FREE3), ...putFlat(FREE3, ACCESS.codeXR)],
    [accessOf(FREE2), accessOf(FREE3)],
  ),
];

/** Pages of the states. The old state is TSSA through a mapping that the case breaks. */
const aliasTss = (page: string): string => `mov esi, TSSB
  mov edi, DATA + 0xc00
  mov ecx, 26
  rep movsd
  mov dword [PT1], ${page}`;
const paged: Case[] = [
  task("new state absent", { pokes: putSegment(SEL_TSSB, 0x40_0c00, 0x67, ACCESS.tss, 0), setup: aliasTss("0") }),
  task("new state read-only jmp", {
    pokes: putSegment(SEL_TSSB, 0x40_0c00, 0x67, ACCESS.tss, 0),
    setup: aliasTss("DATA + 0x65"),
  }),
  task("new state supervisor", {
    pokes: putSegment(SEL_TSSB, 0x40_0c00, 0x67, ACCESS.tss, 0),
    setup: aliasTss("DATA + 3"),
  }),
  task("new state across absent page", { pokes: putSegment(SEL_TSSB, 0x40_1fc0, 0x67, ACCESS.tss, 0) }),
];

const exceptions: Case[] = [
  task("exception with code", { ring: 3, pokes: putVector(13, SEL_TSSB, 0, ACCESS.task), code: "hlt" }),
  task("exception without code", { pokes: putVector(6, SEL_TSSB, 0, ACCESS.task), code: "ud2" }),
  task("page fault", { pokes: putVector(14, SEL_TSSB, 0, ACCESS.task), code: "mov eax, [ALIAS + 0x3000]" }),
  task("exception to ring 3 task", {
    pokes: [
      ...putVector(13, SEL_TSSB, 0, ACCESS.task),
      b("cs", 0x3b),
      b("ss", 0x43),
      b("ds", 0x43),
      b("es", 0x43),
      b("esp", 0x11_d000),
    ],
    code: "mov eax, 0x201\n mov ds, ax",
  }),
  task("exception and bad stack page", {
    pokes: [
      ...putVector(13, SEL_TSSB, 0, ACCESS.task),
      b("esp", 0x40_3000),
      ...putVector(8, SEL_TSSD, 0, ACCESS.task),
      ...putVector(14, SEL_TSSC, 0, ACCESS.task),
    ],
    code: "mov eax, 0x201\n mov ds, ax",
  }),
  task("exception and bad task", {
    pokes: [...putVector(13, SEL_TSSB, 0, ACCESS.task), b("ds", 0x200), ...putVector(8, SEL_TSSD, 0, ACCESS.task)],
    code: "mov eax, 0x201\n mov ds, ax",
  }),
  task("exception restarts after task", {
    pokes: [...putVector(13, SEL_TSSB, 0, ACCESS.task), b("eip", "fix")],
    code: "mov ds, [ss:DATA]\n int 0xff\nfix: mov word [DATA], KDATA\n add esp, 4\n iretd",
    setup: "mov word [DATA], 0x201",
  }),
];

const ltr: Case[] = [
  ...KINDS.map(([kind, access]) => ({
    name: `ltr ${kind}`,
    pokes: putFlat(FREE, access),
    code: `mov eax, ${FREE}\n ltr ax`,
    watch: [accessOf(FREE)],
  })),
  { name: "ltr absent", pokes: putFlat(FREE, ACCESS.tss & 0x7f), code: `mov eax, ${FREE}\n ltr ax` },
  { name: "ltr null", code: "xor eax, eax\n ltr ax" },
  { name: "ltr in the ldt", pokes: putFlat(0x14, ACCESS.tss), code: "mov eax, 0x14\n ltr ax" },
  { name: "ltr behind gdt", code: "mov eax, 0x200\n ltr ax" },
  { name: "ltr rpl", code: "mov eax, SEL_TSSB + 3\n ltr ax", watch: [accessOf(SEL_TSSA), accessOf(SEL_TSSB)] },
  { name: "ltr short", pokes: putSegment(FREE, TSSB, 5, ACCESS.tss, 0), code: `mov eax, ${FREE}\n ltr ax` },
  ...KINDS.map(([kind, access]) => ({
    name: `lldt ${kind}`,
    pokes: putFlat(FREE, access),
    code: `mov eax, ${FREE}\n lldt ax`,
  })),
  { name: "lldt absent", pokes: putFlat(FREE, ACCESS.ldt & 0x7f), code: `mov eax, ${FREE}\n lldt ax` },
  { name: "lldt null", code: "xor eax, eax\n lldt ax" },
  { name: "lldt null rpl", code: "mov eax, 3\n lldt ax" },
  { name: "lldt in ldt", code: "mov eax, 0x14\n lldt ax" },
  { name: "lldt behind gdt", code: "mov eax, 0x200\n lldt ax" },
  { name: "lldt memory", setup: "mov word [DATA], 0", code: "lldt [DATA]" },
];

export const taskCases: readonly Case[] = [...switches, ...jumps, ...contents, ...paged, ...exceptions, ...ltr];
