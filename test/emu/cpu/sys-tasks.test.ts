// Hardware task switches: far jumps and calls, IRET with NT, and the way KML cures stack starvation: #DF through a task
// gate, whose handler edits the interrupted TSS and jumps back.
import { describe, expect, test } from "vitest";
import { CS, EAX, EBX, ECX, EDX, ESP, SS } from "../../../src/emu/cpu/cpu.ts";
import { CR0_TS } from "../../../src/emu/cpu/mmu.ts";
import {
  CODE,
  DATA,
  DF_STACK,
  DIRECTORY,
  GDT,
  IDT,
  KCODE,
  KDATA,
  KERNEL_STACK,
  TABLE,
  TSS,
  TSS_B,
  TSS_B_SELECTOR,
  TSS_DF,
  TSS_DF_SELECTOR,
  TSS_SELECTOR,
  World,
} from "./sys-world.ts";

const IF = 0x200;
const NT = 0x4000;
const RF = 0x1_0000;
const BUSY = 0x200;

/** Type byte of a TSS descriptor says busy. */
function isBusy(w: World, selector: number): boolean {
  return (w.get(GDT + selector + 4) & BUSY) !== 0;
}

/** Offsets in a TSS. */
const LINK = 0;
const EIP = 32;
const EFLAGS = 36;
const TSS_ESP = 56;

/** The handler task: clear NT, make the stack page present, leave the main TSS available, jump back to it. */
const STARVATION = `
start:  mov esp, DATA + 16
        mov eax, 1234
victim: push eax
        pop ebx
        mov esp, KERNEL_STACK
        hlt
double: pop eax
        inc ecx
        mov edx, cr2
        pushfd
        pop esi
        mov edi, cr0
        mov dword [TABLE + 4 * (DATA >> 12)], DATA + 7
        and byte [GDT + TSS_SELECTOR + 5], 0xfd
        push 2
        popfd
        jmp TSS_SELECTOR:0
again:  jmp double`;

function starving(): World {
  const w = new World();
  w.code(STARVATION);
  w.task(TSS_DF, w.symbols.double, DF_STACK);
  w.gate(8, 5, TSS_DF_SELECTOR, 0);
  w.gate(14, 0xe, KCODE, w.symbols.double);
  w.page(DATA, 0);
  w.at("start", 0, IF | 2);
  return w;
}

describe("#DF through a task gate with an absent stack page", () => {
  test("the switch saves the interrupted state as it was before the push", () => {
    const w = starving();
    w.cpu.run(w.cpu.icount + 2);
    w.cpu.run(w.cpu.icount + 1);
    expect(w.get(TSS + EIP)).toBe(w.symbols.victim);
    expect(w.get(TSS + TSS_ESP)).toBe(DATA + 16);
    // An abort pushes RF as it was: the faults before it have changed nothing.
    expect(w.get(TSS + EFLAGS) & (IF | RF | NT)).toBe(IF);
    expect(w.get(TSS_DF + LINK) & 0xffff).toBe(TSS_SELECTOR);
    expect(w.cpu.trSel).toBe(TSS_DF_SELECTOR);
    expect([isBusy(w, TSS_SELECTOR), isBusy(w, TSS_DF_SELECTOR)]).toEqual([true, true]);
    // The error code 0 has been popped by the first instruction.
    expect([w.cpu.r[EAX], w.cpu.r[ESP]]).toEqual([0, DF_STACK]);
    expect(w.cpu.cr0 & CR0_TS).toBe(CR0_TS);
  });

  test("the handler's task jumps back and the push completes; it is ready for the next time", () => {
    const w = starving();
    w.run();
    expect(w.cpu.shutdown).toBe(null);
    expect(w.cpu.r[EBX]).toBe(1234);
    expect([isBusy(w, TSS_SELECTOR), isBusy(w, TSS_DF_SELECTOR)]).toEqual([true, false]);
    // In the handler: NT set, IF clear, CR2 the address of the failed push.
    expect(w.get(TSS_DF + 40 + 4)).toBe(1);
    expect(w.get(TSS_DF + 40 + 8)).toBe(DATA + 12);
    expect(w.get(TSS_DF + 40 + 24) & (NT | IF)).toBe(NT);
    expect(w.get(TSS_DF + EIP)).toBe(w.symbols.again);
    w.page(DATA, 0);
    w.at("start", 0, IF | 2);
    w.run();
    expect(w.cpu.r[EBX]).toBe(1234);
    expect(w.get(TSS_DF + 40 + 4)).toBe(2);
  });

  test("a read-only stack page starves too, with CR0.WP", () => {
    const w = starving();
    w.page(DATA, 5);
    w.run();
    expect(w.cpu.r[EBX]).toBe(1234);
    expect(w.get(TSS_DF + 40 + 4)).toBe(1);
  });

  test("an interrupt that meets the absent page is acknowledged and lost", () => {
    const w = starving();
    w.gate(0x20, 0xe, KCODE, w.symbols.double);
    w.cpu.run(w.cpu.icount + 1);
    w.cpu.intr = true;
    w.run();
    expect(w.cpu.intr).toBe(false);
    expect(w.get(TSS_DF + 40 + 4)).toBe(1);
    expect(w.get(TSS + EIP)).toBe(CODE + 5);
    expect(w.cpu.r[EBX]).toBe(1234);
  });

  test("in ring 0 a page fault elsewhere leaves CR2 of the last failed access", () => {
    const w = starving();
    w.code(`${STARVATION}\nother: mov esp, DATA + 16\n mov eax, [0x210000]\n hlt`);
    w.at("other", 0);
    w.cpu.run(w.cpu.icount + 4);
    expect(w.cpu.r[EDX]).toBe(DATA + 12);
  });
});

const PAIR = `
start:  mov ecx, 1
        jmp TSS_B_SELECTOR:0
back:   mov edx, 4
        call TSS_B_SELECTOR:0
after:  mov ebx, 5
        hlt
other:  mov eax, 2
        jmp TSS_SELECTOR:0
nested: mov eax, 3
        iretd
        jmp nested`;

test("far jump to a TSS and back: busy bits move, the tasks keep their registers", () => {
  const w = new World();
  w.code(PAIR);
  w.task(TSS_B, w.symbols.other, DF_STACK);
  w.at("start", 0, IF | 2);
  w.cpu.run(w.cpu.icount + 2);
  expect([isBusy(w, TSS_SELECTOR), isBusy(w, TSS_B_SELECTOR)]).toEqual([false, true]);
  expect([w.cpu.sel[CS], w.cpu.sel[SS], w.cpu.r[ESP], w.cpu.r[ECX]]).toEqual([KCODE, KDATA, DF_STACK, 0]);
  expect(w.get(TSS + EIP)).toBe(w.symbols.back);
  expect(w.get(TSS + EFLAGS)).toBe(IF | 2);
  w.cpu.run(w.cpu.icount + 2);
  expect([w.cpu.eip, w.cpu.r[ECX], w.cpu.r[ESP]]).toEqual([w.symbols.back, 1, KERNEL_STACK]);
  expect([isBusy(w, TSS_SELECTOR), isBusy(w, TSS_B_SELECTOR)]).toEqual([true, false]);
  expect(w.get(TSS_B + 40)).toBe(2);
});

test("far call to a TSS nests: NT and link, and IRET returns", () => {
  const w = new World();
  w.code(PAIR);
  w.task(TSS_B, w.symbols.nested, DF_STACK);
  w.at("back", 0);
  w.cpu.run(w.cpu.icount + 2);
  expect(w.cpu.getEflags() & NT).toBe(NT);
  expect(w.get(TSS_B + LINK) & 0xffff).toBe(TSS_SELECTOR);
  expect([isBusy(w, TSS_SELECTOR), isBusy(w, TSS_B_SELECTOR)]).toEqual([true, true]);
  w.run();
  expect(w.cpu.r[EBX]).toBe(5);
  expect(isBusy(w, TSS_B_SELECTOR)).toBe(false);
  expect(w.get(TSS_B + EFLAGS) & NT).toBe(0);
});

test("a jump to a busy TSS is #GP with its selector, IRET to an available one #TS", () => {
  const w = new World();
  w.code(`start: jmp TSS_SELECTOR:0
gp:     pop eax
        out 1, eax
        push 0x4002
        popfd
        mov dword [TSS], TSS_B_SELECTOR
        iretd
ts:     pop eax
        out 1, eax
        hlt`);
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.gate(10, 0xe, KCODE, w.symbols.ts);
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([TSS_SELECTOR, TSS_B_SELECTOR]);
});

test("a fault behind the commit point belongs to the new task", () => {
  const w = new World();
  w.code("start: jmp TSS_B_SELECTOR:0\nother: hlt\nts: pop eax\n out 1, eax\n mov ebx, [esp]\n str ecx\n hlt");
  w.task(TSS_B, w.symbols.other, DF_STACK);
  // DS of the new task names a descriptor that is none.
  w.put(TSS_B + 72 + 12, 0x58);
  w.gate(10, 0xe, KCODE, w.symbols.ts);
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([0x58]);
  expect(w.cpu.r[EBX]).toBe(w.symbols.other);
  expect(w.cpu.r[ECX]).toBe(TSS_B_SELECTOR);
});

test("a TSS page that is absent faults before anything has changed", () => {
  const w = new World();
  w.code("start: jmp TSS_B_SELECTOR:0\npf: pop eax\n mov ebx, [esp]\n str ecx\n hlt");
  w.descriptor(TSS_B_SELECTOR, DATA, 0x67, 0x89);
  w.page(DATA, 0);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.at("start", 0);
  w.run();
  expect([w.cpu.r[EBX], w.cpu.r[ECX], w.cpu.cr2]).toEqual([CODE, TSS_SELECTOR, DATA]);
  expect([isBusy(w, TSS_SELECTOR), isBusy(w, TSS_B_SELECTOR)]).toEqual([true, false]);
});

test("a task switch loads CR3 and drops translations", () => {
  const w = new World();
  const other = 0x3_0000;
  const otherTable = 0x3_1000;
  w.code("start: mov eax, [DATA]\n jmp TSS_B_SELECTOR:0\nother: mov ebx, [DATA]\n hlt");
  for (let page = 0; page < 512; page++) w.put(otherTable + 4 * page, w.get(TABLE + 4 * page));
  w.put(other, otherTable | 7);
  w.put(otherTable + 4 * (DATA >>> 12), 0x4_0007);
  w.put(DATA, 1);
  w.put(0x4_0000, 2);
  w.task(TSS_B, w.symbols.other, DF_STACK);
  w.put(TSS_B + 28, other);
  w.at("start", 0);
  w.run();
  expect([w.cpu.r[EBX], w.cpu.cr3, w.get(TSS + 40)]).toEqual([2, other, 1]);
  expect(w.get(TSS_B + 28)).not.toBe(DIRECTORY);
});

test("the T bit of a TSS traps before its first instruction, with DR6.BT", () => {
  const w = new World();
  w.code("start: jmp TSS_B_SELECTOR:0\nother: mov ebx, 1\n hlt\ndb: mov ecx, [esp]\n mov edx, dr6\n hlt");
  w.task(TSS_B, w.symbols.other, DF_STACK);
  w.put(TSS_B + 100, 1);
  w.gate(1, 0xe, KCODE, w.symbols.db);
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[ECX]).toBe(w.symbols.other);
  expect(w.cpu.r[EDX] & 0xe00f).toBe(0x8000);
});

test("no task gate for #DF: starvation is a triple fault", () => {
  const w = starving();
  w.put(IDT + 8 * 8 + 4, 0);
  w.run();
  expect(w.cpu.shutdown).toMatch(/triple fault/);
  expect(w.cpu.eip).toBe(w.symbols.victim);
});
