// Page faults and their codes, accessed and dirty bits, CR0.WP, 4 MB and global pages, INVLPG, reserved bits.
import type { Case } from "../harness.ts";
import { ACCESS, ALIAS, DATA, KCODE, PD, type Poke, PT1, putVectorLabel, START_CR0, START_CR4 } from "../layout.ts";

const PDE = PD + 4;
const WATCH = [PT1, PDE];
const page = (name: string, more: Partial<Case>): Case => ({
  name: `page ${name}`,
  code: "nop",
  watch: WATCH,
  ...more,
});
const pte = (flags: number): Poke => [PT1, DATA | flags];
const pde = (flags: number): Poke => [PDE, PT1 | flags];
const cr0 = (wp: boolean): Poke => [START_CR0, wp ? 0x8001_0031 : 0x8000_0031];

const ACCESSES: readonly [string, string][] = [
  ["read", `mov eax, [${ALIAS}]`],
  ["write", `mov dword [${ALIAS}], 5`],
];
const LEVELS: readonly [number, number][] = [
  ...[0, 1, 3, 5, 7].map((low): [number, number] => [7, low]),
  ...[0, 1, 3, 5].map((high): [number, number] => [high, 7]),
  [5, 3],
  [3, 5],
];

const rights: Case[] = LEVELS.flatMap(([high, low]) =>
  ([0, 3] as const).flatMap((ring) =>
    ACCESSES.flatMap(([what, code]) =>
      [true, false].map((wp) =>
        page(`pde${high} pte${low} cpl${ring} ${what} wp${wp ? 1 : 0}`, {
          ring,
          pokes: [pde(high), pte(low), cr0(wp)],
          code,
        }),
      ),
    ),
  ),
);

const fetches: Case[] = LEVELS.flatMap(([high, low]) =>
  ([0, 3] as const).map((ring) =>
    page(`pde${high} pte${low} cpl${ring} fetch`, {
      ring,
      pokes: [pde(high), pte(low), [DATA, 0xffcd]],
      code: `mov eax, ${ALIAS}\n jmp eax`,
    }),
  ),
);

const ring1: Case[] = ([1, 2] as const).map((ring) =>
  page(`supervisor from ring ${ring}`, { ring, pokes: [pte(3)], code: `mov eax, [${ALIAS}]` }),
);

const kinds: Case[] = [
  ["rmw not present", 0, `add dword [${ALIAS}], 1`],
  ["rmw read-only", 5, `add dword [${ALIAS}], 1`],
  ["cmp read-only", 5, `cmp dword [${ALIAS}], 1`],
  ["test read-only", 5, `test [${ALIAS}], eax`],
  ["xchg read-only", 5, `xchg [${ALIAS}], eax`],
  ["cmpxchg unequal read-only", 5, `cmpxchg [${ALIAS}], ecx`],
  ["bts set read-only", 5, `bts dword [${ALIAS}], 1`],
  ["bt read-only", 5, `bt dword [${ALIAS}], 1`],
  ["push absent", 0, `mov esp, ${ALIAS + 4}\n push eax`],
  ["pop to absent", 0, `push 5\n pop dword [${ALIAS}]`],
  ["movs from absent", 0, `mov esi, ${ALIAS}\n mov edi, DATA\n movsd`],
  ["movs to absent", 0, `mov edi, ${ALIAS}\n mov esi, DATA\n movsd`],
  ["stos repeated into absent", 7, `mov edi, ${ALIAS + 0x1ff8}\n mov ecx, 9\n rep stosd`],
  ["movs repeated backwards", 7, `std\n mov edi, ${ALIAS + 8}\n mov esi, DATA1\n mov ecx, 9\n rep movsd`],
  ["cmps repeated into absent", 7, `mov edi, ${ALIAS + 0x1ff8}\n mov esi, edi\n mov ecx, 9\n repe cmpsd`],
  ["enter absent", 0, `mov esp, ${ALIAS + 4}\n enter 0, 0`],
  ["pusha across absent", 7, `mov esp, ${ALIAS + 8}\n pushad`],
  ["call pushes absent", 0, `mov esp, ${ALIAS + 4}\n call $ + 5`],
  ["fst absent", 0, `fld1\n fst qword [${ALIAS}]`],
  ["sgdt read-only", 5, `sgdt [${ALIAS}]`],
  ["sldt read-only", 5, `sldt [${ALIAS}]`],
  ["setc read-only", 5, `setc [${ALIAS}]`],
  ["lar absent", 0, `lar eax, [${ALIAS}]`],
  ["invlpg absent", 0, `invlpg [${ALIAS}]`],
  ["lock inc read-only", 5, `lock inc dword [${ALIAS}]`],
  ["xadd read-only", 5, `xadd [${ALIAS}], ecx`],
  ["shld read-only", 5, `shld [${ALIAS}], ecx, 0`],
  ["shl by 0 read-only", 5, `mov cl, 0\n shl dword [${ALIAS}], cl`],
  ["fnstcw read-only", 5, `fnstcw [${ALIAS}]`],
  ["fnsave across absent", 7, `fnsave [${ALIAS + 0x1fc0}]`],
  ["popad from absent", 7, `mov esp, ${ALIAS + 0x1ff0}\n popad`],
  ["leave absent", 0, `mov ebp, ${ALIAS}\n leave`],
  ["ret from absent", 0, `mov esp, ${ALIAS}\n ret`],
  ["lss across absent", 7, `lss esp, [${ALIAS + 0x1ffc}]`],
  ["cmpxchg8b read-only", 5, `cmpxchg8b [${ALIAS}]`],
].map(([name, flags, code]) =>
  page(String(name), {
    ring: 3,
    pokes: [pte(Number(flags))],
    code: `mov eax, 0x1111\n mov ecx, 0x2222\n${code}`,
  }),
);

const crossings: Case[] = [
  page("read across into absent", { code: `mov eax, [${ALIAS + 0x1ffe}]` }),
  page("write across into absent", { code: `mov [${ALIAS + 0x1ffe}], eax\n`, watch: [PT1 + 4, DATA + 0x1ffc] }),
  page("write across from absent", { pokes: [pte(0)], code: `mov [${ALIAS + 0xffe}], eax`, watch: [PT1, PT1 + 4] }),
  page("write across second read-only", {
    pokes: [pte(7), [PT1 + 4, 0x12_0005]],
    ring: 3,
    code: `mov [${ALIAS + 0xffe}], eax`,
    watch: [PT1, PT1 + 4, DATA + 0xffc],
  }),
  page("read across both absent", { pokes: [pte(0), [PT1 + 4, 0]], code: `mov eax, [${ALIAS + 0xffe}]` }),
  page("rmw across second read-only", {
    pokes: [pte(7), [PT1 + 4, 0x12_0005]],
    ring: 3,
    code: `add [${ALIAS + 0xffe}], eax`,
    watch: [PT1, PT1 + 4, DATA + 0xffc],
  }),
  page("fetch across into absent", {
    pokes: [[DATA + 0x1ffc, 0xb8900000 | 0]],
    setup: "mov byte [DATA1 + 0xffe], 0x90\n mov byte [DATA1 + 0xfff], 0xb8",
    code: `mov eax, ${ALIAS + 0x1ffe}\n jmp eax`,
  }),
  page("fetch across directory", {
    pokes: [[PT1 + 4092, DATA | 7]],
    setup: "mov dword [DATA + 0xffc], 0xb8909090",
    code: `mov eax, ${ALIAS + 0x3f_fffd}\n jmp eax`,
  }),
];

const bits: Case[] = [
  page("accessed by read", { code: `mov eax, [${ALIAS}]` }),
  page("dirty by write", { code: `mov [${ALIAS}], eax` }),
  page("read then write", { code: `mov eax, [${ALIAS}]\n int 0xfe\n mov [${ALIAS}], eax` }),
  page("accessed stays after fault", { pokes: [pte(5)], ring: 3, code: `mov [${ALIAS}], eax` }),
  page("accessed of directory when table absent", { pokes: [pte(0)], code: `mov eax, [${ALIAS}]` }),
  page("accessed by fetch", { pokes: [[DATA, 0xffcd]], code: `mov eax, ${ALIAS}\n jmp eax` }),
  page("software bits kept", { pokes: [[PT1, DATA | 0xe07]], code: `mov [${ALIAS}], eax` }),
  page("cleared accessed comes back after invlpg", {
    setup: `mov eax, [${ALIAS}]\n mov dword [PT1], DATA + 7\n invlpg [${ALIAS}]`,
    code: `mov eax, [${ALIAS}]`,
  }),
  page("cleared dirty comes back after invlpg", {
    setup: `mov [${ALIAS}], eax\n mov dword [PT1], DATA + 0x27\n invlpg [${ALIAS}]`,
    code: `mov [${ALIAS}], eax`,
  }),
  page("cleared dirty comes back after cr3", {
    setup: `mov [${ALIAS}], eax\n mov dword [PT1], DATA + 0x27\n mov eax, cr3\n mov cr3, eax`,
    code: `mov [${ALIAS}], eax`,
  }),
  page("absent after invlpg", {
    setup: `mov eax, [${ALIAS}]\n mov dword [PT1], DATA + 6\n invlpg [${ALIAS}]`,
    code: `mov eax, [${ALIAS}]`,
  }),
  page("read-only after invlpg", {
    setup: `mov [${ALIAS}], eax\n mov dword [PT1], DATA + 5\n invlpg [${ALIAS} + 0xfff]`,
    ring: 3,
    code: `mov [${ALIAS}], eax`,
  }),
  page("other frame after cr3", {
    setup: `mov dword [DATA1], 0x5555\n mov eax, [${ALIAS}]\n mov dword [PT1], DATA1 + 7\n mov eax, cr3\n mov cr3, eax`,
    code: `mov eax, [${ALIAS}]`,
  }),
  page("present needs no invalidation", {
    pokes: [pte(0)],
    setup: `mov dword [DATA], 77\n mov dword [PT1], DATA + 7`,
    code: `mov eax, [${ALIAS}]`,
  }),
  page("writable after a fault", {
    pokes: [pte(5), ...putVectorLabel(14, KCODE, "fix", ACCESS.int)],
    ring: 3,
    code: `mov [${ALIAS}], eax\n int 0xff\nfix: mov dword [ss:PT1], DATA + 7\n add esp, 4\n iretd`,
  }),
  page("cr0.wp set later", {
    pokes: [pte(5), cr0(false)],
    setup: `mov [${ALIAS}], eax\n mov eax, cr0\n or eax, 0x10000\n mov cr0, eax`,
    code: `mov [${ALIAS}], eax`,
  }),
  page("paging off and on", {
    setup: `mov eax, [${ALIAS}]\n mov eax, cr0\n and eax, 0x7fffffff\n mov cr0, eax\n mov dword [PT1], 0\n or eax, 0x80000000\n mov cr0, eax`,
    code: `mov eax, [${ALIAS}]`,
  }),
];

const GLOBAL = 0x100;
const globals: Case[] = [
  page("global survives cr3", {
    pokes: [[START_CR4, 0x80], pte(7 | GLOBAL)],
    setup: `mov eax, [${ALIAS}]\n mov dword [PT1], DATA1 + 0x107\n mov dword [DATA1], 0x99\n mov eax, cr3\n mov cr3, eax\n invlpg [${ALIAS}]`,
    code: `mov eax, [${ALIAS}]`,
  }),
  page("global goes with cr4", {
    pokes: [[START_CR4, 0x80], pte(7 | GLOBAL)],
    setup: `mov eax, [${ALIAS}]\n mov dword [PT1], 0\n xor eax, eax\n mov cr4, eax`,
    code: `mov eax, [${ALIAS}]`,
  }),
  page("global without pge goes with cr3", {
    pokes: [pte(7 | GLOBAL)],
    setup: `mov eax, [${ALIAS}]\n mov dword [PT1], 0\n mov eax, cr3\n mov cr3, eax`,
    code: `mov eax, [${ALIAS}]`,
  }),
];

const LARGE = 0x80;
const pse: Poke = [START_CR4, 0x10];
const large = (name: string, entry: number, more: Partial<Case>, on = true): Case =>
  page(`large ${name}`, { watch: [PDE], ...more, pokes: [...(on ? [pse] : []), [PDE, entry], ...(more.pokes ?? [])] });
/** DATA through a 4 MB page of frames 0-4 MiB. */
const LDATA = ALIAS + DATA;

const larges: Case[] = [
  ...[1, 3, 5, 7].flatMap((flags) =>
    ([0, 3] as const).flatMap((ring) =>
      (["read", "write"] as const).map((what) =>
        large(`flags${flags} cpl${ring} ${what}`, LARGE | flags, {
          ring,
          code: what === "read" ? `mov eax, [${LDATA}]` : `mov [${LDATA}], eax`,
        }),
      ),
    ),
  ),
  large("absent", LARGE | 6, { code: `mov eax, [${LDATA}]` }),
  large("wp off", LARGE | 5, { pokes: [cr0(false)], code: `mov [${LDATA}], eax` }),
  large("reserved bit 13", LARGE | 7 | 0x2000, { code: `mov eax, [${LDATA}]` }),
  large("reserved bit 21", LARGE | 7 | 0x20_0000, { code: `mov eax, [${LDATA}]` }),
  large("reserved bit user write", LARGE | 7 | 0x20_0000, { ring: 3, code: `mov [${LDATA}], eax` }),
  large("reserved and supervisor user read", LARGE | 3 | 0x20_0000, { ring: 3, code: `mov eax, [${LDATA}]` }),
  large("without pse is a table", PT1 | LARGE | 7, { code: `mov eax, [${ALIAS}]` }, false),
  large("invlpg of another page in it", LARGE | 7, {
    setup: `mov eax, [${LDATA}]\n mov dword [PD + 4], PT1 + 7\n invlpg [${ALIAS}]`,
    code: `mov eax, [${ALIAS + 0x5000}]`,
  }),
  large("global", LARGE | 7 | GLOBAL, { code: `mov [${LDATA}], eax` }),
  large("rmw", LARGE | 7, { code: `add dword [${LDATA}], 5` }),
  large("split by cr3", LARGE | 7, {
    setup: `mov eax, [${LDATA}]\n mov dword [PD + 4], PT1 + 7\n mov eax, cr3\n mov cr3, eax`,
    code: `mov eax, [${ALIAS}]`,
    watch: WATCH,
  }),
];

/** Implicit accesses are supervisor's: descriptor tables, TSS and IDT on supervisor pages serve ring 3. */
const implicit: Case[] = [
  page("supervisor gdt", {
    ring: 3,
    setup: "and dword [PT0 + 4 * (GDT >> 12)], ~4\n mov eax, cr3\n mov cr3, eax",
    code: "mov eax, UDATA\n mov ds, ax",
    watch: [],
  }),
  page("supervisor idt and tss", {
    ring: 3,
    setup:
      "and dword [PT0 + 4 * (IDT >> 12)], ~4\n and dword [PT0 + 4 * (TSSA >> 12)], ~4\n mov eax, cr3\n mov cr3, eax",
    code: "int 0x40",
    watch: [],
  }),
  page("read-only gdt and accessed bit", {
    setup: "and dword [PT0 + 4 * (GDT >> 12)], ~2\n mov byte [GDT + 0x43 - 3 + 5], 0xf2\n mov eax, cr3\n mov cr3, eax",
    code: "mov eax, UDATA\n mov es, ax",
    watch: [],
  }),
  page("lldt from absent page", { pokes: [pte(0)], code: `lldt [${ALIAS}]`, watch: [] }),
  page("sgdt across pages", {
    code: `sgdt [${ALIAS + 0xffe}]\n mov eax, [${ALIAS + 0xffe}]\n mov bx, [${ALIAS + 0x1002}]`,
  }),
  page("sgdt across into absent", { code: `sgdt [${ALIAS + 0x1ffe}]`, watch: [DATA + 0x1ffc] }),
  page("sgdt across into absent by four", { code: `sgdt [${ALIAS + 0x1ffc}]`, watch: [DATA + 0x1ffc] }),
  page("lgdt from absent page", { pokes: [pte(0)], code: `lgdt [${ALIAS}]`, watch: [] }),
  page("ldt absent", {
    setup:
      "mov dword [GDT + FREE], (ALIAS & 0xffff) << 16 | 0x3f\n mov dword [GDT + FREE + 4], 0x8200 | ALIAS >> 16\n mov dword [PT1], 0\n mov eax, FREE\n lldt ax",
    code: "mov eax, FREE_LDT\n mov es, ax",
    watch: [],
  }),
  page("ldt absent from ring 3", {
    ring: 3,
    setup:
      "mov dword [GDT + FREE], (ALIAS & 0xffff) << 16 | 0x3f\n mov dword [GDT + FREE + 4], 0x8200 | ALIAS >> 16\n mov dword [PT1], 0\n mov eax, FREE\n lldt ax",
    code: "mov eax, FREE_LDT\n mov es, ax",
    watch: [],
  }),
  page("ldt absent lar", {
    ring: 3,
    setup:
      "mov dword [GDT + FREE], (ALIAS & 0xffff) << 16 | 0x3f\n mov dword [GDT + FREE + 4], 0x8200 | ALIAS >> 16\n mov dword [PT1], 0\n mov eax, FREE\n lldt ax",
    code: "mov ecx, FREE_LDT\n lar eax, ecx",
    watch: [],
  }),
];

export const pagingCases: readonly Case[] = [
  ...rights,
  ...fetches,
  ...ring1,
  ...kinds,
  ...crossings,
  ...bits,
  ...globals,
  ...larges,
  ...implicit,
];
