// Exceptions inside the delivery of others: which pairs make a double fault, what a third makes, EXT in error codes; and
// interrupts of the 8259: shadows, HLT, EXT.
import type { Case } from "../harness.ts";
import {
  ACCESS,
  FREE,
  IDT,
  IDTR,
  KCODE,
  KLOW,
  type Poke,
  putFlat,
  putSegment,
  putVector,
  putVectorLabel,
  SEL_TSSC,
  SEL_TSSD,
  TARGET,
} from "../layout.ts";

const nested = (name: string, pokes: readonly Poke[], code: string, more: Partial<Case> = {}): Case => ({
  name: `nested ${name}`,
  pokes,
  code,
  ...more,
});

/** First faults by vector, and the code that raises each. */
const FIRST: readonly [number, string][] = [
  [0, "xor ecx, ecx\n div ecx"],
  [6, "ud2"],
  [7, "mov eax, cr0\n or al, 8\n mov cr0, eax\n fnop"],
  [11, `mov eax, ${FREE}\n mov ds, ax`],
  [12, `mov eax, ${FREE}\n mov ss, ax`],
  [13, "mov eax, 0x200\n mov ds, ax"],
  [14, "mov eax, [ALIAS + 0x3000]"],
];
/** Ways in which a gate cannot be used: by the vector that raises. */
const SECOND: readonly [string, (vector: number) => Poke[]][] = [
  ["np", (v) => putVector(v, KCODE, TARGET, ACCESS.int & 0x7f)],
  ["gp", (v) => putVector(v, 0x10, TARGET, ACCESS.int)],
  ["ts", (v) => putVector(v, FREE + 8, 0, ACCESS.task)],
];
const absent = putFlat(FREE, ACCESS.dataRW & 0x7f);
const badTask = putSegment(FREE + 8, 0x11_6400, 0x20, ACCESS.tss, 0);

const pairs: Case[] = FIRST.flatMap(([vector, code]) =>
  SECOND.map(([how, pokes]) => nested(`${vector} then ${how}`, [...pokes(vector), ...absent, ...badTask], code)),
);

/** A second #PF: the handler's stack in ring 1 is not there. */
const pageFaults: Case[] = FIRST.map(([vector, code]) =>
  nested(
    `${vector} then pf`,
    [...putVector(vector, 0x18, TARGET, ACCESS.int), [0x11_600c, 0x40_3000], ...absent],
    code.replace(/mov eax, cr0.*\n fnop/s, "fnop"),
    {
      ring: 3,
      setup: vector === 7 ? "mov eax, cr0\n or al, 8\n mov cr0, eax" : "",
    },
  ),
);

const doubles: Case[] = [
  nested(
    "df through a task gate",
    [...putVector(8, SEL_TSSD, 0, ACCESS.task), ...putVector(13, 0x10, 0, ACCESS.int)],
    "mov eax, 0x200\n mov ds, ax",
  ),
  nested(
    "df gate absent is shutdown",
    [...putVector(8, KCODE, 0, 0x0e), ...putVector(13, 0x10, 0, ACCESS.int)],
    "mov eax, 0x200\n mov ds, ax",
  ),
  nested(
    "df to data is shutdown",
    [...putVector(8, 0x10, 0, ACCESS.int), ...putVector(13, 0x10, 0, ACCESS.int)],
    "mov eax, 0x200\n mov ds, ax",
  ),
  nested("stack gone in ring 0", putVector(8, SEL_TSSD, 0, ACCESS.task), "mov esp, ALIAS + 0x3000\n push eax"),
  nested("stack gone in ring 0 is shutdown", [], "mov esp, ALIAS + 0x3000\n push eax"),
  nested(
    "stack gone and pf through a task gate",
    putVector(14, SEL_TSSD, 0, ACCESS.task),
    "mov esp, ALIAS + 0x3000\n push eax",
  ),
  nested("no idt is shutdown", [[IDTR, ((IDT & 0xffff) << 16) | 7]], "ud2"),
  nested("idt without df is shutdown", [[IDTR, ((IDT & 0xffff) << 16) | 0x37]], "mov eax, 0x200\n mov ds, ax"),
  nested("idt without pf is df", [[IDTR, ((IDT & 0xffff) << 16) | 0x67]], "mov eax, [ALIAS + 0x3000]"),
  nested("idt without gp is df", [[IDTR, ((IDT & 0xffff) << 16) | 0x67]], "mov eax, 0x200\n mov ds, ax"),
  nested("ud then gp of gate has ext", [...putVector(6, 0x200, 0, ACCESS.int)], "ud2"),
  nested("ud then null of gate has ext", [...putVector(6, 0, 0, ACCESS.int)], "ud2"),
  nested(
    "ud behind idt has ext",
    [[IDTR, ((IDT & 0xffff) << 16) | 0x2f], ...putVector(13, KCODE, TARGET, ACCESS.int)],
    "ud2",
  ),
  nested(
    "int to absent has no ext",
    putVector(0x40, FREE, 0, ACCESS.int).concat(putFlat(FREE, ACCESS.codeXR & 0x7f)),
    "int 0x40",
  ),
  nested("int3 to absent has no ext", putVector(3, KCODE, 0, ACCESS.int & 0x7f), "int3"),
  nested(
    "cr2 of the second page fault",
    [...putVector(14, 0x18, TARGET, ACCESS.int), [0x11_600c, 0x40_4000]],
    "mov eax, [ALIAS + 0x6000]",
    { ring: 3 },
  ),
  nested("de then de is serial", [...putVectorLabel(0, KCODE, "h", ACCESS.int)], "xor ecx, ecx\n div ecx\nh: ud2"),
  nested("df error code is 0", putVector(13, 0x10, 0, ACCESS.int), "mov eax, 0x200\n mov ds, ax"),
  nested("df from ring 3", putVector(13, 0x10, 0, ACCESS.int), "hlt", { ring: 3 }),
  nested("triple from ring 3", [...putVector(13, 0x10, 0, ACCESS.int), [0x11_6008, 0]], "hlt", { ring: 3 }),
  nested("stack of ring 0 null", [[0x11_6008, 0], ...putVector(8, SEL_TSSD, 0, ACCESS.task)], "ud2", { ring: 3 }),
  nested("stack of ring 0 null and task for ts", [[0x11_6008, 0], ...putVector(10, SEL_TSSD, 0, ACCESS.task)], "ud2", {
    ring: 3,
  }),
  nested(
    "bad task gates all",
    [...putVector(13, FREE + 8, 0, ACCESS.task), ...putVector(8, SEL_TSSC, 0, ACCESS.task), ...badTask],
    "mov eax, 0x200\n mov ds, ax",
  ),
];

/** The timer's interrupt waits at the 8259 (IRQ 0 is vector 0x20): channel 0 runs out while interrupts are off. */
const PENDING = `mov al, 0xfe
  out 0x21, al
  mov al, 0x30
  out 0x43, al
  mov al, 1
  out 0x40, al
  mov al, 0
  out 0x40, al
  mov al, 0x0a
  out 0x20, al
wait: in al, 0x20
  test al, 1
  jz wait
  mov eax, 0
  mov edx, 0`;
const irq = (name: string, code: string, more: Partial<Case> = {}): Case => ({
  name: `irq ${name}`,
  setup: PENDING,
  code,
  ...more,
});

const interrupts: Case[] = [
  irq("sti shadow", "sti\n inc eax\n inc eax"),
  irq("sti twice has one shadow", "sti\n sti\n inc eax"),
  irq("sti cli lets nothing in", "sti\n cli\n inc eax"),
  irq("sti then mov ss", "mov ecx, ss\n sti\n mov ss, cx\n inc eax\n inc eax"),
  irq("mov ss shadow", "mov ecx, ss\n push 0x202\n popfd\n mov ss, cx\n inc eax"),
  irq("mov ss holds back popf's", "mov ecx, ss\n push 0x202\n sti\n mov ss, cx\n inc eax\n inc eax"),
  irq("popf at once", "push 0x202\n popfd\n inc eax"),
  irq("iret at once", "push 0x202\n push KCODE\n push n\n iretd\nn: inc eax"),
  irq("iret to ring 3", "push UDATA\n push STACK3\n push 0x202\n push UCODE\n push TARGET\n iretd"),
  irq("sti hlt", "sti\n hlt\n inc eax"),
  irq("sti in front of ret", "push n\n sti\n ret\nn: inc eax"),
  irq("in ring 3", "push UDATA\n push STACK3\n push 0x202\n push UCODE\n push n\n iretd\nn: inc eax"),
  irq("before a fault", "sti\n nop\n ud2"),
  irq("shadow and fault", "sti\n ud2"),
  irq("shadow and fault and if", "sti\n ud2", {
    pokes: putVectorLabel(6, KCODE, "h", ACCESS.trap),
    code: "sti\n ud2\nh: inc eax\n inc eax",
  }),
  irq("int through trap gate", "sti\n int 0x40", { pokes: putVector(0x40, KCODE, TARGET, ACCESS.trap) }),
  irq("int through interrupt gate", "sti\n int 0x40", { pokes: putVector(0x40, KCODE, TARGET, ACCESS.int) }),
  irq("gate absent has ext", "sti\n nop\n nop", { pokes: putVector(0x20, KCODE, TARGET, ACCESS.int & 0x7f) }),
  irq("gate to null has ext", "sti\n nop\n nop", { pokes: putVector(0x20, 0, TARGET, ACCESS.int) }),
  irq("gate behind idt has ext", "sti\n nop\n nop", { pokes: [[IDTR, ((IDT & 0xffff) << 16) | 0xff]] }),
  irq("target absent has ext", "sti\n nop\n nop", {
    pokes: [...putVector(0x20, FREE, TARGET, ACCESS.int), ...putFlat(FREE, ACCESS.codeXR & 0x7f)],
  }),
  irq("closed gate is open to it", "push UDATA\n push STACK3\n push 0x202\n push UCODE\n push TARGET\n iretd", {
    pokes: putVector(0x20, KCODE, TARGET, ACCESS.int),
  }),
  irq("task gate", "sti\n nop\n nop", { pokes: putVector(0x20, SEL_TSSC, 0, ACCESS.task) }),
  irq("task gate to short task has ext", "sti\n nop\n nop", {
    pokes: [...putVector(0x20, FREE + 8, 0, ACCESS.task), ...badTask],
  }),
  irq("16-bit gate", "sti\n nop\n nop", { pokes: putVector(0x20, KLOW, 0x1000 + 10 * 0x20, ACCESS.int16) }),
  irq("page fault on its stack", "sti\n nop\n nop", {
    code: `push UDATA\n push STACK3\n push 0x202\n push UCODE\n push TARGET\n iretd`,
    pokes: [...putVector(0x20, 0x18, TARGET, ACCESS.int), [0x11_600c, 0x40_3000]],
  }),
  irq("taken once", "sti\n nop\n nop\n nop", {
    pokes: putVectorLabel(0x20, KCODE, "h", ACCESS.int),
    code: "sti\n nop\n nop\n int 0xff\nh: int 0xfe\n mov al, 0x20\n out 0x20, al\n iretd",
  }),
  irq("masked", "mov al, 0xff\n out 0x21, al\n sti\n nop\n cli"),
  irq("and step", "push 0x302\n popfd\n nop\n nop"),
];

export const nestedCases: readonly Case[] = [...pairs, ...pageFaults, ...doubles, ...interrupts];
