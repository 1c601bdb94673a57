// Segment loads and limits, the instructions that ask about descriptors, control registers, CPUID.
import { describe, expect, test } from "vitest";
import { DS, EAX, EBX, ECX, EDX, ESP, FS } from "../../../src/emu/cpu/cpu.ts";
import { DEFAULT_MODEL } from "../../../src/emu/cpu/models.ts";
import {
  CODE,
  DATA,
  DF_STACK,
  FREE_SELECTOR,
  GDT,
  KCODE,
  KERNEL_STACK,
  TSS,
  TSS_B,
  UDATA,
  World,
} from "./sys-world.ts";

const GP = 13;
const NP = 11;
const SS = 12;

/** Loads a segment register from FREE_SELECTOR | rpl whose descriptor has the attributes; answers "vector error" or "ok". */
function load(register: string, attr: number, ring: 0 | 3 = 0, rpl: number = ring): string {
  const w = new World();
  w.code(`
start:  mov ax, FREE_SELECTOR + ${rpl}
        mov ${register}, ax
        int 0x40
ok:     hlt
gp:     pop eax
        mov ebx, ${GP}
        hlt
np:     pop eax
        mov ebx, ${NP}
        hlt
stk:    pop eax
        mov ebx, ${SS}
        hlt`);
  w.descriptor(FREE_SELECTOR, 0, 0xfffff, attr);
  for (const [vector, label] of [
    [GP, "gp"],
    [NP, "np"],
    [SS, "stk"],
  ] as const)
    w.gate(vector, 0xe, KCODE, w.symbols[label]);
  w.gate(0x40, 0xe, KCODE, w.symbols.ok, 3);
  w.at("start", ring);
  w.cpu.r[EBX] = 0;
  w.run();
  return w.cpu.r[EBX] === 0 ? "ok" : `${w.cpu.r[EBX]} ${w.cpu.r[EAX].toString(16)}`;
}

describe("loading segment registers", () => {
  test.each([
    ["ds", 0xc092, 0, 0, "ok"],
    ["ds", 0xc09a, 0, 0, "ok"],
    ["ds", 0xc098, 0, 0, "13 40"],
    ["ds", 0xc012, 0, 0, "11 40"],
    ["ds", 0xc092, 3, 3, "13 40"],
    ["ds", 0xc092, 0, 3, "13 40"],
    ["ds", 0xc09e, 3, 3, "ok"],
    ["ds", 0x0082, 0, 0, "13 40"],
    ["ss", 0xc092, 0, 0, "ok"],
    ["ss", 0xc090, 0, 0, "13 40"],
    ["ss", 0xc0f2, 0, 0, "13 40"],
    ["ss", 0xc012, 0, 0, "12 40"],
    ["ss", 0xc0f2, 3, 3, "ok"],
  ] as const)("%s with attributes %d in ring %d, RPL %d: %s", (register, attr, ring, rpl, result) => {
    expect(load(register, attr, ring, rpl)).toBe(result);
  });

  test("a null selector goes into DS but not through it, nor into SS", () => {
    const w = new World();
    w.code(
      "start: xor eax, eax\n mov ds, ax\n mov ebx, 1\n mov eax, [DATA]\ngp: pop eax\n inc ebx\n mov ss, [cs:zero]\nzero: dd 0",
    );
    w.gate(13, 0xe, KCODE, w.symbols.gp);
    w.at("start", 0);
    w.cpu.run(w.cpu.icount + 12);
    expect(w.cpu.sel[DS]).toBe(0);
    expect(w.cpu.r[EBX]).toBeGreaterThan(2);
  });

  test("the descriptor's accessed bit is set", () => {
    const w = new World();
    w.descriptor(FREE_SELECTOR, 0x1234_5000, 0x0fff, 0x40f2);
    w.code("start: mov ax, FREE_SELECTOR + 3\n mov fs, ax\n hlt");
    w.at("start", 0);
    w.run();
    expect(w.get(GDT + FREE_SELECTOR + 4) & 0x100).toBe(0x100);
    expect([w.cpu.base[FS], w.cpu.limit[FS]]).toEqual([0x1234_5000, 0xfff]);
  });
});

test("limits: the last byte of a segment is inside, one more is #GP(0), on the stack #SS(0)", () => {
  const w = new World();
  w.descriptor(FREE_SELECTOR, DATA, 0x0fff, 0x4092);
  w.code(`
start:  mov ax, FREE_SELECTOR
        mov fs, ax
        mov eax, [fs:0xffc]
        inc ebx
        mov eax, [fs:0xffd]
gp:     pop eax
        out 1, eax
        mov ax, FREE_SELECTOR
        mov ss, ax
        mov esp, 0x1002
        pop ecx
stk:    mov ax, KDATA
        mov ss, ax
        mov esp, 0x9000
        inc ebx
        hlt`);
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  // The stack is unusable for the frame too: let the fault come through a task-free inner stack by leaving it short.
  w.gate(12, 0xe, KCODE, w.symbols.stk);
  w.at("start", 0);
  w.cpu.r[EBX] = 0;
  w.run();
  expect(w.said).toEqual([0]);
  expect(w.cpu.r[EBX]).toBe(1);
  // Delivery of #SS on the same stack finds no room: #DF, which has no gate here.
  expect(w.cpu.shutdown).toMatch(/triple fault/);
});

test("expand-down segments are valid above their limit", () => {
  const w = new World();
  w.descriptor(FREE_SELECTOR, 0, 0x1f, 0xc096);
  w.code("start: mov ax, FREE_SELECTOR\n mov fs, ax\n mov eax, [fs:DATA]\n inc ebx\n mov eax, [fs:0x1ffff]\ngp: hlt");
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.at("start", 0);
  w.cpu.r[EBX] = 0;
  w.run();
  expect(w.cpu.r[EBX]).toBe(1);
  expect(w.get(w.cpu.r[ESP])).toBe(0);
});

test("LAR, LSL, VERR, VERW, ARPL as ring 3 sees them", () => {
  const w = new World();
  w.descriptor(FREE_SELECTOR, 0, 0x2, 0xc0f2);
  w.code(`
start:  mov ecx, FREE_SELECTOR + 3
        lar eax, ecx
        mov ebx, eax
        lsl edx, ecx
        verr cx
        setz al
        verw cx
        setz ah
        mov ecx, KDATA
        lar esi, ecx
        setz cl
        movzx esi, cl
        mov cx, KCODE
        mov di, UCODE
        arpl cx, di
        int 0x40
stop:   hlt`);
  w.gate(0x40, 0xe, KCODE, w.symbols.stop, 3);
  w.at("start", 3);
  w.run();
  expect(w.cpu.r[EBX] >>> 0).toBe(0x00c0_f200);
  expect(w.cpu.r[EDX]).toBe(0x2fff);
  expect(w.cpu.r[EAX] & 0xffff).toBe(0x0101);
  expect(w.cpu.r[6]).toBe(0);
  expect(w.cpu.r[ECX] & 0xffff).toBe(KCODE | 3);
  expect(UDATA & 3).toBe(3);
});

test("CR0: PG without PE is #GP(0); leaving protected mode stops the machine with a reason", () => {
  const w = new World();
  w.code("start: mov eax, cr0\n and eax, 0xfffffffe\n mov cr0, eax\ngp: pop ebx\n mov eax, 0x10\n mov cr0, eax\n hlt");
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[EBX]).toBe(0);
  expect(w.cpu.shutdown).toMatch(/real mode/);
});

test("CR4 bits that the processor lacks are #GP(0)", () => {
  const w = new World();
  w.code("start: mov eax, 0x20\n mov cr4, eax\ngp: mov ebx, [esp + 4]\n hlt");
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[EBX]).toBe(CODE + 5);
});

test("CPUID: a Pentium II that says no more than it can", () => {
  const w = new World();
  w.code("start: xor eax, eax\n cpuid\n push ebx\n push edx\n push ecx\n mov eax, 1\n cpuid\n hlt");
  w.at("start", 0);
  w.run();
  const name = [2, 1, 0].map((i) => w.get(w.cpu.r[ESP] + 4 * i));
  const bytes = new Uint8Array(new Uint32Array(name).buffer);
  expect(String.fromCharCode(...bytes)).toBe("GenuineIntel");
  expect((w.cpu.r[EAX] >> 8) & 15).toBe(6);
  expect((w.cpu.r[EAX] >> 4) & 15).toBe(5);
  expect(w.cpu.r[EDX]).toBe(DEFAULT_MODEL.edx);
  // CMOV and x87, no SSE.
  expect(DEFAULT_MODEL.edx & 0x8001).toBe(0x8001);
  expect(DEFAULT_MODEL.edx & 0x0600_0000).toBe(0);
});

test("LLDT: selectors with TI name descriptors of the LDT, which a task switch changes", () => {
  const w = new World();
  const ldt = 0x6000;
  const descriptor = (at: number, base: number, attr: number) => {
    w.put(at, ((base & 0xffff) << 16) | 0xffff);
    w.put(at + 4, (base & 0xff00_0000) | ((base >>> 16) & 0xff) | (attr << 8));
  };
  w.descriptor(FREE_SELECTOR, ldt, 0x17, 0x82);
  descriptor(ldt + 8, DATA, 0x40f2);
  w.put(DATA + 4, 77);
  w.code(`
start:  mov ax, FREE_SELECTOR
        lldt ax
        mov ax, 0xf
        mov fs, ax
        mov ebx, [fs:4]
        mov ax, 0x1f
        mov fs, ax
gp:     pop eax
        sldt ecx
        jmp TSS_B_SELECTOR:0
other:  sldt edx
        mov ax, 0xf
        mov fs, ax
        hlt`);
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.task(TSS_B, w.symbols.other, DF_STACK);
  w.at("start", 0);
  w.cpu.run(w.cpu.icount + 11);
  // EBX and ECX as the switch saved them.
  expect([w.get(TSS + 52), w.get(TSS + 44)]).toEqual([77, FREE_SELECTOR]);
  // The new task has no LDT.
  expect([w.cpu.r[EDX], w.cpu.ldtAttr]).toEqual([0, 0]);
  w.cpu.run(w.cpu.icount + 2);
  expect(w.cpu.r[EAX]).toBe(0xc);
});

test("a conforming code segment is entered by a far call at the caller's privilege", () => {
  const w = new World();
  w.descriptor(FREE_SELECTOR, 0, 0xfffff, 0xc09e);
  w.code("start: call FREE_SELECTOR:inside\n int 0x40\ninside: mov ebx, cs\n retf\nstop: hlt");
  w.gate(0x40, 0xe, KCODE, w.symbols.stop, 3);
  w.at("start", 3);
  w.run();
  expect(w.cpu.r[EBX]).toBe(FREE_SELECTOR | 3);
  expect(w.cpu.halted).toBe(true);
});

test("16-bit gates push words, and a 16-bit IRET pops them", () => {
  const w = new World();
  w.code("start: int 0x40\nback: hlt\nhandler: mov ebx, esp\n iretw");
  // A 16-bit gate reaches the first 64 KiB of its segment only.
  w.descriptor(FREE_SELECTOR, CODE, 0xffff, 0x409a);
  w.gate(0x40, 0x6, FREE_SELECTOR, w.symbols.handler - CODE);
  w.descriptor(KCODE, CODE, 0xffff, 0x409a);
  w.at("start", 0);
  w.cpu.base[1] = CODE;
  w.cpu.limit[1] = 0xffff;
  w.cpu.eip -= CODE;
  w.run();
  expect(w.cpu.r[EBX]).toBe(KERNEL_STACK - 6);
  expect(w.cpu.eip).toBe(w.symbols.back + 1 - CODE);
});
