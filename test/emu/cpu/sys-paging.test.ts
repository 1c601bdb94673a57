// Paging as the guest sees it: rights, error codes, A and D bits, 4 MB pages, restart after faults, crossing pages,
// invalidation, and stores to pages that hold decoded code.
import { describe, expect, test } from "vitest";
import { EAX, EBX, ECX, EDI, EDX, ESI, ESP } from "../../../src/emu/cpu/cpu.ts";
import { CR4_PGE, CR4_PSE, flushTlb, invlpg, translate } from "../../../src/emu/cpu/mmu.ts";
import { SUPER_WRITE } from "../../../src/emu/machine/memory.ts";
import {
  ACCESSED,
  CODE,
  DATA,
  DIRECTORY,
  DIRTY,
  KCODE,
  PRESENT,
  TABLE,
  USER,
  USER_STACK,
  World,
  WRITABLE,
} from "./sys-world.ts";

/** Runs one instruction on a page with given flags; answers the error code, or "none". */
function errorOf(instruction: string, ring: 0 | 3, flags: number, wp = true): number | "none" {
  const w = new World();
  w.code(`start: ${instruction}\n int 0x40\nok: hlt\npf: pop eax\n out 1, eax\n hlt`);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.gate(0x40, 0xe, KCODE, w.symbols.ok, 3);
  w.page(DATA, flags);
  if (!wp) w.cpu.cr0 &= ~0x1_0000;
  w.at("start", ring);
  w.run();
  expect(w.cpu.halted).toBe(true);
  return w.said.length ? w.said[0] : "none";
}

describe("error codes of page faults", () => {
  const read = "mov eax, [DATA]";
  const write = "mov [DATA], eax";
  test.each([
    [read, 0, 0, 0],
    [write, 0, 0, 2],
    [read, 3, 0, 4],
    [write, 3, 0, 6],
    [write, 0, PRESENT | USER, 3],
    [write, 3, PRESENT | USER, 7],
    [read, 3, PRESENT | WRITABLE, 5],
    [write, 3, PRESENT | WRITABLE, 7],
    ["add [DATA], eax", 0, PRESENT | USER, 3],
    ["cmp [DATA], eax", 0, PRESENT | USER, "none"],
    [read, 0, PRESENT, "none"],
    [write, 0, PRESENT | WRITABLE, "none"],
    ["jmp DATA", 3, 0, 4],
    ["jmp DATA", 3, PRESENT, 5],
  ] as const)("%s in ring %d, page flags %d: %s", (instruction, ring, flags, code) => {
    expect(errorOf(instruction, ring, flags)).toBe(code);
  });
  test("without CR0.WP ring 0 writes to read-only pages", () => {
    expect(errorOf(write, 0, PRESENT | USER, false)).toBe("none");
    expect(errorOf(write, 3, PRESENT | USER, false)).toBe(7);
  });
  test("the rights of the directory entry count too", () => {
    const w = new World();
    w.code("start: mov [DATA], eax\n hlt\npf: pop eax\n out 1, eax\n hlt");
    w.gate(14, 0xe, KCODE, w.symbols.pf);
    w.at("start", 0);
    w.put(DIRECTORY, TABLE | PRESENT | USER);
    flushTlb(w.cpu);
    // The whole 4 MiB is read-only now, the stack too: the page fault cannot be delivered.
    w.run();
    expect(w.cpu.shutdown).toMatch(/triple fault/);
  });
});

test("A is set by reads, D by writes, in the entry that was used", () => {
  const w = new World();
  w.code("start: mov eax, [DATA]\n mov [DATA + 0x1000], eax\n hlt");
  w.at("start", 0);
  w.run();
  expect(w.pte(DATA) & (ACCESSED | DIRTY)).toBe(ACCESSED);
  expect(w.pte(DATA + 0x1000) & (ACCESSED | DIRTY)).toBe(ACCESSED | DIRTY);
  expect(w.pte(DATA + 0x2000) & (ACCESSED | DIRTY)).toBe(0);
  expect(w.get(DIRECTORY) & ACCESSED).toBe(ACCESSED);
});

test("a write through a page that was only read still sets D", () => {
  const w = new World();
  w.code("start: mov eax, [DATA]\n mov [DATA], eax\n mov [DATA + 4], eax\n hlt");
  w.at("start", 0);
  w.cpu.run(w.cpu.icount + 1);
  expect(w.pte(DATA) & DIRTY).toBe(0);
  w.run();
  expect(w.pte(DATA) & DIRTY).toBe(DIRTY);
});

test("cached translations stay until INVLPG or a CR3 load", () => {
  const w = new World();
  w.put(DATA, 1);
  w.put(0x5_0000, 2);
  w.code(`
start:  mov eax, [DATA]
        mov dword [TABLE + 4 * (DATA >> 12)], 0x50007
        mov ebx, [DATA]
        invlpg [DATA]
        mov ecx, [DATA]
        mov dword [TABLE + 4 * (DATA >> 12)], DATA + 7
        mov eax, cr3
        mov cr3, eax
        mov edx, [DATA]
        hlt`);
  w.at("start", 0);
  w.run();
  expect([w.cpu.r[EBX], w.cpu.r[ECX], w.cpu.r[EDX]]).toEqual([1, 2, 1]);
});

describe("4 MB pages", () => {
  function large(flags: number): World {
    const w = new World();
    w.cpu.cr4 = CR4_PSE;
    // Linear 8 MiB .. 12 MiB is physical 0 .. 4 MiB.
    w.put(DIRECTORY + 8, flags | 0x80);
    return w;
  }
  test("map, with A and D in the directory", () => {
    const w = large(PRESENT | WRITABLE);
    w.put(0x5_5678, 99);
    w.code("start: mov eax, [0x800000 + 0x55678]\n mov [0x800000 + 0x66660], eax\n hlt");
    w.at("start", 0);
    w.cpu.run(w.cpu.icount + 1);
    expect(w.get(DIRECTORY + 8) & (ACCESSED | DIRTY)).toBe(ACCESSED);
    w.run();
    expect(w.get(DIRECTORY + 8) & (ACCESSED | DIRTY)).toBe(ACCESSED | DIRTY);
    expect(w.get(0x6_6660)).toBe(99);
  });
  test("reserved address bits are a fault with RSVD", () => {
    const w = large(PRESENT | WRITABLE | 0x2000);
    w.code("start: mov eax, [0x800000]\n hlt\npf: pop eax\n out 1, eax\n hlt");
    w.gate(14, 0xe, KCODE, w.symbols.pf);
    w.at("start", 0);
    w.run();
    expect(w.said).toEqual([9]);
  });
  test("INVLPG of one address drops all of the page", () => {
    const w = large(PRESENT | WRITABLE);
    translate(w.cpu, 0x80_3000, false, false);
    translate(w.cpu, 0x80_9000, false, false);
    w.put(DIRECTORY + 8, 0);
    invlpg(w.cpu, 0x80_3000);
    w.code("start: mov eax, [0x809000]\n hlt\npf: pop eax\n out 1, eax\n hlt");
    w.gate(14, 0xe, KCODE, w.symbols.pf);
    w.at("start", 0);
    w.run();
    expect(w.said).toEqual([0]);
  });
  test("global pages survive a CR3 load, not INVLPG", () => {
    const w = large(PRESENT | WRITABLE | 0x100);
    w.cpu.cr4 |= CR4_PGE;
    translate(w.cpu, 0x80_0000, true, false);
    const filled = w.memory.tlb[SUPER_WRITE][0x800];
    flushTlb(w.cpu);
    expect(w.memory.tlb[SUPER_WRITE][0x800]).toBe(filled);
    invlpg(w.cpu, 0x80_0000);
    expect(w.memory.tlb[SUPER_WRITE][0x800]).not.toBe(filled);
  });
});

test("addresses behind the RAM read as ones and swallow writes", () => {
  const w = new World();
  w.page(DATA, 0);
  w.put(TABLE + 4 * (DATA >>> 12), 0x7fff_f007);
  w.code("start: mov dword [DATA], 5\n mov eax, [DATA]\n hlt");
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[EAX]).toBe(-1);
});

test("a write across two pages changes nothing when the second one faults", () => {
  const w = new World();
  w.page(DATA + 0x1000, 0);
  w.code("start: mov dword [DATA + 0xffe], -1\n hlt\npf: mov ebx, cr2\n hlt");
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[EBX]).toBe(DATA + 0x1000);
  expect(w.get(DATA + 0xffc)).toBe(0);
});

test("a copy-on-write fault in ring 0: the instruction restarts on the new frame", () => {
  const w = new World();
  w.put(DATA, 7);
  w.page(DATA, PRESENT | USER);
  w.code(`
start:  add dword [DATA], 3
        mov eax, [DATA]
        hlt
pf:     mov dword [0x50000], 7
        mov dword [TABLE + 4 * (DATA >> 12)], 0x50007
        invlpg [DATA]
        add esp, 4
        iretd`);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.at("start", 0);
  w.run();
  expect([w.cpu.r[EAX], w.get(DATA), w.get(0x5_0000)]).toEqual([10, 7, 10]);
});

test("REP MOVSD stops exactly at the faulting iteration and goes on after it", () => {
  const w = new World();
  for (let i = 0; i < 8; i++) w.put(0x4_0000 + 4 * i, 100 + i);
  w.page(DATA + 0x1000, 0);
  w.code(`
start:  mov esi, 0x40000
        mov edi, DATA + 0x1000 - 12
        mov ecx, 8
        rep movsd
        hlt
pf:     mov eax, ecx
        out 1, eax
        mov eax, edi
        out 1, eax
        mov dword [TABLE + 4 * ((DATA + 0x1000) >> 12)], DATA + 0x1007
        add esp, 4
        iretd`);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.at("start", 0);
  const before = w.cpu.icount;
  w.run();
  expect(w.said).toEqual([5, DATA + 0x1000]);
  expect([w.cpu.r[ECX], w.cpu.r[ESI], w.cpu.r[EDI]]).toEqual([0, 0x4_0020, DATA + 0x1000 + 20]);
  expect([...Array(8).keys()].map((i) => w.get(DATA + 0xff4 + 4 * i))).toEqual([
    100, 101, 102, 103, 104, 105, 106, 107,
  ]);
  // Three moves, eight iterations, seven in the handler, HLT.
  expect(w.cpu.icount - before).toBe(3 + 8 + 7 + 1);
});

test("PUSHA over an absent page leaves ESP and restarts", () => {
  const w = new World();
  w.page(DATA, 0);
  w.code(`
start:  mov esp, DATA + 0x1010
        mov eax, 77
        pusha
        mov ebx, esp
        hlt
pf:     mov dword [TABLE + 4 * (DATA >> 12)], DATA + 7
        add esp, 4
        iretd`);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[EBX]).toBe(DATA + 0xff0);
  expect(w.get(DATA + 0x1010 - 4)).toBe(77);
});

test("a store to decoded code takes effect on its next execution, through another mapping too", () => {
  const w = new World();
  const alias = 0x10_0000;
  w.put(TABLE + 4 * (alias >>> 12), CODE | 7);
  w.code(`
start:  call patch
        mov byte [patch + 1], 2
        call patch
        mov byte [patch + 1 - CODE + ${alias}], 3
        call patch
        hlt
patch:  mov eax, 1
        out 1, eax
        ret`);
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([1, 2, 3]);
});

test("ring 0 reads and writes user pages; ring 3 is kept from supervisor pages", () => {
  const w = new World();
  w.page(DATA, PRESENT | WRITABLE);
  w.code("start: mov [USER_STACK - 8], eax\n mov [DATA], eax\n hlt\npf: pop eax\n out 1, eax\n mov ebx, [esp]\n hlt");
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([]);
  w.at("start", 3);
  w.run();
  expect(w.said).toEqual([7]);
  expect(w.cpu.r[EBX]).toBe(CODE + 5);
  expect(w.cpu.r[ESP]).toBeLessThan(USER_STACK);
});

test("page touches are reported once per filled entry", () => {
  const w = new World();
  const touched: string[] = [];
  w.cpu.onTlbFill = (la, frame, write) => {
    if (la >>> 12 === DATA >>> 12) touched.push(`${frame === DATA >>> 12} ${write}`);
  };
  w.code("start: mov eax, [DATA]\n mov eax, [DATA + 8]\n mov [DATA], eax\n mov [DATA + 4], eax\n hlt");
  w.at("start", 0);
  w.run();
  expect(touched).toEqual(["true false", "true true"]);
});
