// Far JMP, CALL and RET: directly, through call gates, inwards with new stacks, and back.
import type { Case } from "../harness.ts";
import {
  ACCESS,
  accessOf,
  CODE,
  CODE1,
  CONFORMING,
  FREE,
  FREE2,
  KCODE,
  KCODE16,
  type Poke,
  putFlat,
  putGate,
  putSegment,
  putVectorLabel,
  SEL_TSSA,
  SMALL32,
  STACK1,
  T,
  TARGET,
  TSSA,
} from "../layout.ts";
import { KINDS } from "./segments.ts";

const HOWS = ["jmp", "call"] as const;
const far = (how: string, selector: number, offset: number | string = TARGET) =>
  how === "call" ? `call ${selector}:${offset}` : `jmp ${selector}:${offset}`;
const FROM = [0, 1, 3] as const;

const kinds: Case[] = HOWS.flatMap((how) =>
  KINDS.filter(([kind]) => !/^tss|^task/.test(kind)).flatMap(([kind, access]) => [
    { name: `${how} ${kind}`, pokes: putFlat(FREE, access), code: far(how, FREE), watch: [accessOf(FREE)] },
    { name: `${how} ${kind} absent`, pokes: putFlat(FREE, access & 0x7f), code: far(how, FREE) },
  ]),
);

const privileges: Case[] = HOWS.flatMap((how) =>
  [ACCESS.codeXR, ACCESS.confXR].flatMap((access) =>
    FROM.flatMap((ring) =>
      FROM.flatMap((rpl) =>
        FROM.map((dpl) => ({
          name: `${how} ${access === ACCESS.confXR ? "conforming" : "code"} cpl${ring} rpl${rpl} dpl${dpl}`,
          pokes: putFlat(FREE, access | (dpl << 5)),
          ring,
          code: far(how, FREE + rpl),
        })),
      ),
    ),
  ),
);

const small = putSegment(FREE, CODE, 0xf10, ACCESS.codeXR, SMALL32);
const direct: Case[] = HOWS.flatMap((how) => [
  { name: `${how} null`, code: far(how, 0) },
  { name: `${how} null rpl3`, code: far(how, 3) },
  { name: `${how} behind gdt`, code: far(how, 0x200) },
  { name: `${how} in the ldt`, pokes: putFlat(0x14, ACCESS.codeXR), code: far(how, 0x14) },
  { name: `${how} behind ldt`, code: far(how, 0x44) },
  { name: `${how} at limit`, pokes: small, code: far(how, FREE, 0xf00) },
  { name: `${how} behind limit`, pokes: small, code: far(how, FREE, 0xf11) },
  { name: `${how} 16-bit segment`, code: far(how, KCODE16, 0xf00) },
  { name: `${how} 16-bit operand`, code: `o16 ${far(how, KCODE16, 0xf00)}` },
  {
    name: `${how} by memory`,
    setup: `mov dword [DATA], TARGET\n mov word [DATA + 4], KCODE`,
    code: `${how} far [DATA]`,
  },
  { name: `${how} by memory 16`, setup: `mov dword [DATA], KCODE16 << 16 | 0xf00`, code: `o16 ${how} far [DATA]` },
  { name: `${how} by register`, code: how === "jmp" ? "db 0xff, 0xe8" : "db 0xff, 0xd8" },
  { name: `${how} by memory absent`, setup: "mov dword [PT0 + 4 * (DATA >> 12)], 0", code: `${how} far [DATA]` },
]);

const stackFaults: Case[] = [
  {
    name: "call stack page absent",
    setup: "mov esp, ALIAS + 0x3000",
    pokes: [],
    code: `${far("call", KCODE)}`,
  },
  {
    name: "call stack page absent 16",
    setup: "mov esp, ALIAS + 0x1002\n mov dword [PT1], 0",
    code: "o16 call KCODE16:0xf00",
  },
];

/** A call gate in FREE to a segment in FREE2 (flat, of the given access), or elsewhere. */
const gated = (
  access: number,
  target: number,
  targetPokes: readonly Poke[] = [],
  offset = TARGET,
  count = 0,
): Poke[] => [...putGate(FREE, target, offset, access, count), ...targetPokes];

const gatePrivileges: Case[] = HOWS.flatMap((how) =>
  FROM.flatMap((ring) =>
    FROM.flatMap((rpl) =>
      FROM.map((dpl) => ({
        name: `${how} gate dpl${dpl} cpl${ring} rpl${rpl}`,
        pokes: gated(ACCESS.call | (dpl << 5), ring === 0 ? KCODE : KCODE + 0x10 * ring, []),
        ring,
        code: far(how, FREE + rpl, 0xdead),
      })),
    ),
  ),
);

const gateTargets: Case[] = HOWS.flatMap((how) =>
  FROM.flatMap((ring) =>
    [ACCESS.codeXR, ACCESS.confXR].flatMap((access) =>
      FROM.map((dpl) => ({
        name: `${how} gate from cpl${ring} to ${access === ACCESS.confXR ? "conforming" : "code"} dpl${dpl}`,
        pokes: gated(ACCESS.call | 0x60, FREE2, putFlat(FREE2, access | (dpl << 5))),
        ring,
        code: far(how, FREE + 3, 0),
        watch: [accessOf(FREE2)],
      })),
    ),
  ),
);

const gateKinds: Case[] = KINDS.map(([kind, access]) => ({
  name: `call gate to ${kind}`,
  pokes: gated(ACCESS.call | 0x60, FREE2, putFlat(FREE2, access)),
  ring: 3 as const,
  code: far("call", FREE + 3, 0),
}));

const inward = (
  name: string,
  more: Partial<Case> & { gate?: number; count?: number; target?: number; offset?: number },
): Case => ({
  name: `call gate ${name}`,
  ring: 3,
  code: far("call", FREE + 3, 0),
  ...more,
  pokes: [
    ...gated((more.gate ?? ACCESS.call) | 0x60, more.target ?? KCODE, [], more.offset ?? TARGET, more.count ?? 0),
    ...(more.pokes ?? []),
  ],
});

/** Into ring 1, so that faults of its stack find a good one in ring 0. */
const inward1: typeof inward = (name, more) => inward(name, { target: 0x18, ...more });

const PARAMETERS = "push 0x11111111\n push 0x22222222\n push 0x33333333\n push 0x44444444\n call FREE + 3:0";

const inner: Case[] = [
  inward("absent", { gate: ACCESS.call & 0x7f }),
  inward("to null", { target: 0 }),
  inward("to null rpl3", { target: 3 }),
  inward("to behind gdt", { target: 0x200 }),
  inward("to absent code", { target: FREE2, pokes: putFlat(FREE2, ACCESS.codeXR & 0x7f) }),
  inward("target rpl ignored", { target: KCODE + 3 }),
  inward("behind limit", { target: FREE2, pokes: putSegment(FREE2, 0, 0x100, ACCESS.codeXR, SMALL32) }),
  inward("one parameter", { count: 1, code: PARAMETERS }),
  inward("three parameters", { count: 3, code: PARAMETERS }),
  inward("31 parameters", {
    count: 31,
    code: `sub esp, 124\n mov dword [esp + 120], 0x5a5a\n mov dword [esp], 0x1234\n call FREE + 3:0`,
  }),
  inward("16 bit", { gate: ACCESS.call16, target: KCODE16, offset: 0xf00 }),
  inward("16 bit parameters", { gate: ACCESS.call16, target: KCODE16, offset: 0xf00, count: 3, code: PARAMETERS }),
  inward("ignores offset and size of the instruction", { code: "o16 call FREE + 3:0x1234" }),
  inward("conforming keeps cpl", { target: CONFORMING }),
  inward1("tss ss null", { pokes: [[TSSA + T.ss0 + 8, 0]] }),
  inward1("tss ss dpl1 rpl3", { pokes: [[TSSA + T.ss0 + 8, 0x23]] }),
  inward1("tss ss dpl3 rpl1", { pokes: [[TSSA + T.ss0 + 8, 0x41]] }),
  inward1("tss ss user", { pokes: [[TSSA + T.ss0 + 8, 0x43]] }),
  inward1("tss ss code", { pokes: [[TSSA + T.ss0 + 8, CODE1]] }),
  inward1("tss ss read-only", { pokes: [[TSSA + T.ss0 + 8, FREE2 + 1], ...putFlat(FREE2, ACCESS.dataR | 0x20)] }),
  inward1("tss ss absent", {
    pokes: [[TSSA + T.ss0 + 8, FREE2 + 1], ...putFlat(FREE2, (ACCESS.dataRW & 0x7f) | 0x20)],
  }),
  inward1("tss ss system", { pokes: [[TSSA + T.ss0 + 8, SEL_TSSA + 1]] }),
  inward1("tss ss behind gdt", { pokes: [[TSSA + T.ss0 + 8, 0x201]] }),
  inward1("tss ss ldt", { pokes: [[TSSA + T.ss0 + 8, 0x15], ...putFlat(0x14, ACCESS.dataRW | 0x20)] }),
  inward1("tss ss 16-bit stack", {
    pokes: [
      [TSSA + T.ss0 + 8, FREE2 + 1],
      [TSSA + T.esp0 + 8, 0xabcd_9800],
      ...putSegment(FREE2, 0x11_0000, 0xffff, ACCESS.dataRW | 0x20, 0),
    ],
  }),
  inward1("tss stack limit", {
    pokes: [
      [TSSA + T.ss0 + 8, FREE2 + 1],
      [TSSA + T.esp0 + 8, 0xb00e],
      ...putSegment(FREE2, 0x11_0000, 0xb00c, ACCESS.dataRW | 0x20, SMALL32),
    ],
  }),
  inward1("tss stack at limit", {
    pokes: [
      [TSSA + T.ss0 + 8, FREE2 + 1],
      [TSSA + T.esp0 + 8, STACK1],
      ...putSegment(FREE2, 0, 0x11a, ACCESS.dataRW | 0x20, 0xc0),
    ],
  }),
  inward1("tss stack page absent", { pokes: [[TSSA + T.esp0 + 8, 0x40_3000]] }),
  inward1("tss stack page user read-only", {
    setup: "mov dword [PT1], DATA + 5\n mov dword [TSSA + 12], ALIAS + 0x800",
  }),
  inward1("tss limit cuts ss0", { pokes: putSegment(SEL_TSSA, TSSA, 16, ACCESS.tss, 0) }),
  inward1("tss limit holds ss0", { pokes: putSegment(SEL_TSSA, TSSA, 17, ACCESS.tss, 0) }),
  inward("ring 0 stack bad in every way", { pokes: [[TSSA + T.ss0, 0]] }),
  inward("parameters from absent page", { count: 2, code: "mov esp, ALIAS + 0x1ffc\n call FREE + 3:0" }),
  inward("parameters behind stack limit", {
    count: 3,
    pokes: putSegment(FREE2, 0x11_0000, 0xcfff, ACCESS.dataRW | 0x60, SMALL32),
    code: "mov eax, FREE2 + 3\n mov ss, ax\n mov esp, 0xcff8\n call FREE + 3:0",
  }),
  inward("same level", { ring: 0, code: "call FREE:0" }),
  inward("16 bit same level", { ring: 0, gate: ACCESS.call16, target: KCODE16, offset: 0xf00, code: "call FREE:0" }),
  inward("to ring 1", { target: 0x18 }),
  inward("to ring 2", { target: 0x28 }),
  inward("from ring 1 to 0", { ring: 1 }),
  inward("and back", {
    count: 2,
    target: FREE2,
    offset: 0,
    pokes: [
      ...putFlat(FREE2, ACCESS.codeXR),
      [0x11_3000 + FREE, `${FREE2 << 16} + (back & 0xffff)`],
      [0x11_3000 + FREE + 4, `${(ACCESS.call | 0x60) << 8} + 2 + (back & 0xffff0000)`],
    ],
    code: "push 1\n push 2\n call FREE + 3:0\n int 0xff\nback: int 0xfe\n retf 8",
  }),
  { name: "jmp gate 16 bit", pokes: gated(ACCESS.call16 | 0x60, KCODE16, [], 0xf00), code: far("jmp", FREE, 0) },
  {
    name: "jmp gate behind limit",
    pokes: [...gated(ACCESS.call | 0x60, FREE2), ...putSegment(FREE2, 0, 0x100, ACCESS.codeXR, SMALL32)],
    code: far("jmp", FREE, 0),
  },
  { name: "jmp gate absent", pokes: gated((ACCESS.call & 0x7f) | 0x60, KCODE), code: far("jmp", FREE, 0) },
];

/** RETF with a frame of its own. */
const retf = (name: string, words: readonly (number | string)[], more: Partial<Case> = {}): Case => ({
  name: `retf ${name}`,
  setup: words.map((w) => `push dword ${w}`).join("\n"),
  code: "retf",
  ...more,
});

const returns: Case[] = [
  retf("same", [KCODE, TARGET]),
  retf("null", [0, TARGET]),
  retf("null rpl3", [3, TARGET]),
  retf("behind gdt", [0x200, TARGET]),
  retf("behind limit", [FREE, 0xf11], { pokes: small }),
  retf("absent", [FREE, TARGET], { pokes: putFlat(FREE, ACCESS.codeXR & 0x7f) }),
  ...KINDS.map(([kind, access]) => retf(`to ${kind}`, [FREE, TARGET], { pokes: putFlat(FREE, access) })),
  ...([0, 1, 3] as const).flatMap((ring) =>
    ([0, 1, 3] as const).flatMap((rpl) =>
      ([0, 1, 3] as const).flatMap((dpl) =>
        [ACCESS.codeXR, ACCESS.confXR].map(
          (access): Case => ({
            name: `retf cpl${ring} rpl${rpl} ${access === ACCESS.confXR ? "conforming" : "code"} dpl${dpl}`,
            pokes: putFlat(FREE, access | (dpl << 5)),
            ring,
            code: `push ${[0x10, 0x21, 0x32, 0x43][rpl]}\n push STACK3 - 64\n push ${FREE + rpl}\n push TARGET\n retf`,
          }),
        ),
      ),
    ),
  ),
  retf("outer", ["UDATA", "STACK3", "UCODE", "TARGET"]),
  retf("outer release 8", ["UDATA", "STACK3 - 8", 77, 88, "UCODE", "TARGET"], { code: "retf 8" }),
  retf("same release 12", [1, 2, 3, KCODE, TARGET], { code: "retf 12" }),
  retf("outer ss null", [0, "STACK3", "UCODE", "TARGET"]),
  retf("outer ss null rpl3", [3, "STACK3", "UCODE", "TARGET"]),
  retf("outer ss dpl0", ["KDATA + 3", "STACK3", "UCODE", "TARGET"]),
  retf("outer ss rpl0", ["UDATA - 3", "STACK3", "UCODE", "TARGET"]),
  retf("outer ss code", ["UCODE", "STACK3", "UCODE", "TARGET"]),
  retf("outer ss absent", [FREE + 3, "STACK3", "UCODE", "TARGET"], {
    pokes: putFlat(FREE, (ACCESS.dataRW & 0x7f) | 0x60),
  }),
  retf("outer ss read-only", [FREE + 3, "STACK3", "UCODE", "TARGET"], { pokes: putFlat(FREE, ACCESS.dataR | 0x60) }),
  retf("outer ss behind gdt", [0x203, "STACK3", "UCODE", "TARGET"]),
  retf("outer ss 16-bit", ["USTACK16", 0x1234_c000, "UCODE", "TARGET"]),
  retf("outer behind limit", ["UDATA", "STACK3", FREE + 3, 0xf11], {
    pokes: putSegment(FREE, CODE, 0xf10, ACCESS.codeXR | 0x60, SMALL32),
  }),
  retf("outer ss and cs bad", [0, "STACK3", 0x203, "TARGET"]),
  { name: "retf 16 same", setup: "push KCODE16 << 16 | 0xf00", code: "o16 retf" },
  { name: "retf 16 outer", setup: "push UDATA << 16 | 0xc800\n push UCODE16 << 16 | 0xf00", code: "o16 retf" },
  {
    name: "retf outer drops segments",
    pokes: [...putFlat(FREE, ACCESS.dataRW | 0x20), ...putFlat(FREE2, ACCESS.confXR)],
    setup: `mov eax, KDATA\n mov ds, ax\n mov eax, ${FREE + 1}\n mov es, ax\n mov eax, ${FREE2}\n mov fs, ax\n mov eax, UDATA\n mov gs, ax\n push UDATA\n push STACK3\n push UCODE\n push TARGET`,
    code: "retf",
  },
  {
    name: "retf to ring 1 drops segments",
    pokes: [...putFlat(FREE, ACCESS.dataRW | 0x20), ...putFlat(FREE2, ACCESS.codeXR | 0x20)],
    setup: `mov eax, KDATA\n mov ds, ax\n mov eax, ${FREE + 1}\n mov es, ax\n mov eax, ${FREE2}\n mov fs, ax\n mov eax, CODE1\n mov gs, ax\n push DATASEG1\n push STACK1\n push CODE1\n push TARGET`,
    code: "retf",
  },
  {
    name: "retf stack behind limit",
    pokes: putSegment(FREE, 0x11_0000, 0x8fff, ACCESS.dataRW, SMALL32),
    setup: `mov eax, ${FREE}\n mov ss, ax\n mov esp, 0x8ffc\n mov dword [0x118ffc], TARGET`,
    code: "retf",
  },
  {
    name: "retf stack absent",
    pokes: putVectorLabel(14, KCODE, "pf", ACCESS.int),
    setup: "mov esp, ALIAS + 0x1ffc",
    code: "retf\npf: pop eax\n pop ebx\n pop ecx\n mov edx, esp\n mov esp, STACK\n int 0xff",
  },
];

/** Near transfers against the limit of CS. */
const near: Case[] = [
  ["jmp", "jmp eax"],
  ["call", "call eax"],
  ["ret", "push eax\n ret"],
].map(([name, code]) => ({
  name: `near ${name} behind limit`,
  pokes: small,
  setup: `mov eax, 0xf11\n jmp ${FREE}:t - CODE`,
  code,
}));

const ends: Case[] = [
  {
    name: "near fetch across limit",
    pokes: putSegment(FREE, CODE, 0xe02, ACCESS.codeXR, SMALL32),
    setup: `mov dword [CODE + 0xe00], 0x001234b8\n jmp ${FREE}:0xe00`,
    code: "nop",
  },
  {
    name: "near jcc behind limit",
    pokes: putSegment(FREE, CODE, 0x200, ACCESS.codeXR, SMALL32),
    setup: `xor eax, eax\n jmp ${FREE}:t - CODE`,
    code: "jz near $ + 0x400",
  },
  {
    name: "near loop behind limit",
    pokes: putSegment(FREE, CODE, 0x80, ACCESS.codeXR, SMALL32),
    setup: `mov ecx, 5\n jmp ${FREE}:t - CODE`,
    code: "loop $ + 0x7f",
  },
];

export const transferCases: readonly Case[] = [
  ...kinds,
  ...privileges,
  ...direct,
  ...stackFaults,
  ...gatePrivileges,
  ...gateTargets,
  ...gateKinds,
  ...inner,
  ...returns,
  ...near,
  ...ends,
];
