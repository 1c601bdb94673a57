// Entries through gates that were made before, and the returns: whatever changes in the tables, the TSS or the pages
// between two of them, the second is what it would have been without the first.
import { expect, test } from "vitest";
import { CS, EBX, SS } from "../../../src/emu/cpu/cpu.ts";
import { invlpg, readSlow32, writeSlow32 } from "../../../src/emu/cpu/mmu.ts";
import { loadTable } from "../../../src/emu/cpu/segments.ts";
import {
  DATA,
  FREE_SELECTOR,
  GDT,
  IDT,
  KCODE,
  KDATA,
  KERNEL_STACK,
  TABLE,
  TSS,
  UCODE,
  UDATA,
  World,
} from "./sys-world.ts";

const SOURCE = `
start:   int 0x80
         mov ebx, 1
         int 0x81
handler: mov eax, [esp + 8]
         out 1, eax
         iretd
other:   mov eax, 99
         out 1, eax
         iretd
stop:    hlt
fault:   mov eax, esp
         out 1, eax
         mov eax, [esp]
         out 1, eax
         mov eax, [esp + 4]
         out 1, eax
         hlt`;
const FAULTS = [8, 10, 11, 12, 13, 14];

function prepared(source = SOURCE): World {
  const w = new World();
  w.code(source);
  w.gate(0x80, 0xf, KCODE, w.symbols.handler, 3);
  w.gate(0x81, 0xe, KCODE, w.symbols.stop, 3);
  for (const vector of FAULTS) w.gate(vector, 0xe, KCODE, w.symbols.fault);
  return w;
}

/** Everything a program or its kernel could see. */
function seen(w: World): unknown {
  const { cpu } = w;
  return {
    said: w.said,
    r: [...cpu.r],
    eip: cpu.eip,
    eflags: cpu.getEflags(),
    cpl: cpu.cpl,
    cr2: cpu.cr2,
    shutdown: cpu.shutdown,
    segments: [cpu.sel, cpu.base, cpu.limit, cpu.attr].map((part) => [...part.subarray(0, 6)]),
    descriptors: Array.from({ length: 32 }, (_, n) => w.get(GDT + 4 * n)),
    stack: Array.from({ length: 16 }, (_, n) => w.get(KERNEL_STACK - 4 * (n + 1))),
    split: [DATA, DATA + 4, DATA - 4, DATA - 8, DATA + 0x3ffc, DATA + 0x3ff8].map((at) => w.get(at)),
  };
}

/** What happens after `change`, in a machine that has been through the gates before, or not. */
function after(change: (w: World) => void, ring: 0 | 3, flags: number, before: boolean): unknown {
  const w = prepared();
  if (before) {
    w.at("start", 3, 2);
    w.run();
    expect(w.cpu.r[EBX]).toBe(1);
    w.said.length = 0;
    w.cpu.r.fill(0);
    for (let n = 0; n < 16; n++) w.put(KERNEL_STACK - 4 * (n + 1), 0);
  } else {
    // The accessed bits, as the first pass leaves them.
    for (const selector of [KCODE, KDATA, UCODE, UDATA]) {
      w.put(GDT + (selector & 0xf8) + 4, w.get(GDT + (selector & 0xf8) + 4) | 0x100);
    }
  }
  w.at("start", ring, flags);
  change(w);
  w.run(1000);
  return seen(w);
}

const high = (selector: number) => GDT + (selector & 0xf8) + 4;
const CHANGES: Record<string, (w: World) => void> = {
  nothing: () => {},
  "the gate's offset": (w) => w.gate(0x80, 0xf, KCODE, w.symbols.other, 3),
  "the gate's type": (w) => w.gate(0x80, 0xe, KCODE, w.symbols.handler, 3),
  "a 16-bit gate": (w) => w.gate(0x80, 0x7, KCODE, w.symbols.handler, 3),
  "the gate's level": (w) => w.gate(0x80, 0xf, KCODE, w.symbols.handler, 0),
  "the gate's presence": (w) => w.put(IDT + 8 * 0x80 + 4, w.get(IDT + 8 * 0x80 + 4) & ~0x8000),
  "the gate's selector": (w) => w.gate(0x80, 0xf, FREE_SELECTOR, w.symbols.handler, 3),
  "the code's presence": (w) => w.put(high(KCODE), w.get(high(KCODE)) & ~0x8000),
  "the code's limit": (w) => w.descriptor(KCODE, 0, 0x10, 0x409b),
  "the code's base": (w) => w.descriptor(KCODE, 0x10, 0xfffff, 0xc09b),
  "the code's accessed bit": (w) => w.put(high(KCODE), w.get(high(KCODE)) & ~0x100),
  "the stack's limit": (w) => w.descriptor(KDATA, 0, 0x20, 0x4093),
  "the stack's size": (w) => w.descriptor(KDATA, 0, 0xfffff, 0x8093),
  "the stack's direction": (w) => w.descriptor(KDATA, 0, 0, 0xc097),
  "the stack is read-only": (w) => w.descriptor(KDATA, 0, 0xfffff, 0xc091),
  "the TSS's SS": (w) => w.put(TSS + 8, UDATA),
  "the TSS's null SS": (w) => w.put(TSS + 8, 0),
  "the TSS's ESP": (w) => w.put(TSS + 4, KERNEL_STACK - 0x100),
  "the TSS's odd ESP": (w) => w.put(TSS + 4, KERNEL_STACK - 1),
  "the TSS's ESP near a page's end": (w) => w.put(TSS + 4, KERNEL_STACK - 0xff8),
  "the TSS's limit": (w) => {
    w.cpu.trLimit = 8;
  },
  "the stack's page is gone": (w) => {
    w.put(TSS + 4, DATA + 0x800);
    w.page(DATA, 0);
  },
  "the stack's page is read-only": (w) => {
    w.put(TSS + 4, DATA + 0x800);
    w.page(DATA, 5);
    readSlow32(w.cpu, DATA, false);
  },
  "the stack lies in two pages": (w) => {
    w.put(TSS + 4, DATA + 8);
    w.put(TABLE + 4 * ((DATA - 0x1000) >>> 12), (DATA + 0x3000) | 7);
    for (const page of [DATA, DATA - 0x1000]) {
      invlpg(w.cpu, page);
      writeSlow32(w.cpu, page, 0, false);
    }
  },
  "the IDT is elsewhere": (w) => {
    for (let n = 0; n < 0x820; n += 4) w.put(DATA + n, w.get(IDT + n));
    w.put(DATA + 8 * 0x80, w.get(IDT + 8 * 0x81));
    w.cpu.idtBase = DATA;
  },
  "the IDT is short": (w) => {
    w.cpu.idtLimit = 8 * 0x80 + 6;
  },
  "the GDT is elsewhere": (w) => {
    for (let n = 0; n < 0x80; n += 4) w.put(DATA + n, w.get(GDT + n));
    w.put(DATA + 0x100, 0x7f | ((DATA & 0xffff) << 16));
    w.put(DATA + 0x104, DATA >>> 16);
    w.put(DATA + 4 + (KCODE & 0xf8), 0);
    const level = w.cpu.cpl;
    w.cpu.cpl = 0;
    loadTable(w.cpu, "gdt", DATA + 0x100, 32);
    w.cpu.cpl = level;
  },
  "the program's code is gone": (w) => w.put(high(UCODE), w.get(high(UCODE)) & ~0x8000),
  "the program's code is conforming": (w) => w.descriptor(UCODE, 0, 0xfffff, 0xc0ff),
  "the program's stack is gone": (w) => w.put(high(UDATA), w.get(high(UDATA)) & ~0x8000),
  "the program's code is short": (w) => w.descriptor(UCODE, 0, 0x10, 0x40fb),
};

test.each(
  Object.keys(CHANGES).flatMap((what) => [3, 0].map((ring) => [what, ring] as const)),
)("%s changes, from ring %i", (what, ring) => {
  for (const flags of [2, 0x8d5, 0x3202]) {
    const change = CHANGES[what];
    expect(after(change, ring as 0 | 3, flags, true)).toEqual(after(change, ring as 0 | 3, flags, false));
  }
});

/** Two calls; `handler` runs in each, the rest of it after the word at DATA has been counted up. */
function twice(handler: string): World {
  const w = new World();
  w.code(`
start:   int 0x80
         int 0x80
         mov ebx, 1
         int 0x81
handler: add dword [DATA], 1
         cmp dword [DATA], 2
         jne back
         ${handler}
back:    iretd
stop:    hlt
fault:   mov eax, [esp]
         out 1, eax
         hlt`);
  w.gate(0x80, 0xf, KCODE, w.symbols.handler, 3);
  w.gate(0x81, 0xe, KCODE, w.symbols.stop, 3);
  for (const vector of FAULTS) w.gate(vector, 0xe, KCODE, w.symbols.fault);
  // A second GDT, in which the program's code is not.
  for (let n = 0; n < 0x80; n += 4) w.put(DATA + 0x200 + n, n === (UCODE & 0xf8) + 4 ? 0 : w.get(GDT + n));
  w.put(DATA + 0x100, 0x7f | (((DATA + 0x200) & 0xffff) << 16));
  w.put(DATA + 0x104, (DATA + 0x200) >>> 16);
  w.at("start", 3);
  w.run(1000);
  return w;
}

test("the frame decides where a known return goes", () => {
  expect(twice("").cpu.r[EBX]).toBe(1);
  const kernel = twice("mov dword [esp + 4], KCODE\n or dword [esp + 8], 0x40");
  // It stays in ring 0, and so does the last call.
  expect([kernel.cpu.sel[CS], kernel.cpu.sel[SS], kernel.cpu.r[EBX]]).toEqual([KCODE, KDATA, 1]);
});

test("a known return is refused as an unknown one is", () => {
  const virtual8086 = twice("or dword [esp + 8], 0x20000");
  expect(virtual8086.said).toEqual([0]);
  const otherTable = twice("lgdt [DATA + 0x100]");
  expect(otherTable.said).toEqual([UCODE & ~3]);
  const stack = twice("mov dword [esp + 16], KDATA");
  expect(stack.said).toEqual([KDATA]);
});

test("what an interrupt may use, INT n may not", () => {
  const w = prepared(SOURCE.replace("int 0x80", "nop\n int 0x20"));
  w.gate(0x20, 0xe, KCODE, w.symbols.handler, 0);
  w.at("start", 3, 0x202);
  w.cpu.intr = true;
  w.run(1000);
  expect(w.said).toEqual([0x202, expect.any(Number), 0x20 * 8 + 2, w.symbols.start + 1]);
});
