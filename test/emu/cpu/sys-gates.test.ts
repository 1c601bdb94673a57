// Interrupts and exceptions through gates: frames, rings, error codes, RF, nesting, the ways back.
import { expect, test } from "vitest";
import { CS, EAX, EBX, ECX, ES, ESP, SS } from "../../../src/emu/cpu/cpu.ts";
import {
  CODE,
  DATA,
  FREE_SELECTOR,
  IDT,
  KCODE,
  KDATA,
  KERNEL_STACK,
  TSS,
  UCODE,
  UDATA,
  USER_STACK,
  World,
} from "./sys-world.ts";

const IF = 0x200;
const RF = 0x1_0000;
const say = (what: string) => `push eax\n mov eax, ${what}\n out 1, eax\n pop eax\n`;

test("int 0x80 from ring 3 changes to the stack of the TSS, and IRET goes back", () => {
  const w = new World();
  const source = `
start:  mov eax, 7
        int 0x80
after:  mov ebx, eax
        int 0x81
handler: mov ecx, esp
        add eax, 1
        iretd
stop:   hlt`;
  w.code(source);
  w.gate(0x80, 0xf, KCODE, w.symbols.handler, 3);
  w.gate(0x81, 0xe, KCODE, w.symbols.stop, 3);
  w.at("start", 3, IF | 2);
  w.run();
  expect(w.cpu.r[EBX]).toBe(8);
  expect(w.cpu.r[ECX]).toBe(KERNEL_STACK - 20);
  const frame = [0, 1, 2, 3, 4].map((i) => w.get(KERNEL_STACK - 20 + 4 * i));
  expect(frame).toEqual([w.symbols.after + 4, UCODE, IF | 2, USER_STACK, UDATA]);
  expect(w.cpu.cpl).toBe(0);
  expect(w.cpu.sel[SS]).toBe(KDATA);
});

test("an interrupt gate clears IF, a trap gate does not; both clear TF, NT, RF", () => {
  for (const [type, expected] of [
    [0xe, 0],
    [0xf, IF],
  ] as const) {
    const w = new World();
    w.code("start: int 0x40\nhandler: hlt");
    w.gate(0x40, type, KCODE, w.symbols.handler);
    w.at("start", 0, IF | 0x4000 | 2);
    w.run();
    expect(w.cpu.getEflags() & (IF | 0x4100 | RF)).toBe(expected);
  }
});

test("a gate of DPL 0 is closed to INT n in ring 3 but not to exceptions", () => {
  const w = new World();
  w.code("start: int 0x40\nhandler: hlt\ngp: pop eax\n hlt\nud: mov ebx, 1\n hlt\nstart2: ud2");
  w.gate(0x40, 0xe, KCODE, w.symbols.handler);
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.gate(6, 0xe, KCODE, w.symbols.ud);
  w.at("start", 3);
  w.run();
  expect(w.cpu.r[EAX]).toBe(0x40 * 8 + 2);
  expect(w.get(KERNEL_STACK - 20)).toBe(w.symbols.start);
  w.at("start2", 3);
  w.run();
  expect(w.cpu.r[EBX]).toBe(1);
});

test("an exception in ring 0 uses the current stack, pushes RF set, and IRET restarts the instruction", () => {
  const w = new World();
  w.code(`
start:  mov dword [DATA + 4], 5
        hlt
pf:     ${say("[esp]")}
        mov ebx, cr2
        mov eax, [esp + 12]
        mov ecx, esp
        mov dword [TABLE + 4 * (DATA >> 12)], DATA + 7
        invlpg [DATA]
        add esp, 4
        iretd`);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  w.page(DATA, 0);
  w.at("start", 0, IF | 2);
  w.run();
  expect(w.get(DATA + 4)).toBe(5);
  expect(w.cpu.r[EBX]).toBe(DATA + 4);
  expect(w.cpu.r[ECX]).toBe(KERNEL_STACK - 16);
  expect(w.cpu.r[EAX] & (RF | IF)).toBe(RF | IF);
  expect(w.cpu.r[ESP]).toBe(KERNEL_STACK);
});

test("RF in the pushed image: set by faults, clear after INT3 and INT n", () => {
  const w = new World();
  w.code(
    "start: int3\n int 0x40\n ud2\n h: mov eax, [esp + 8]\n out 1, eax\n iretd\n u: mov eax, [esp + 8]\n out 1, eax\n hlt",
  );
  w.gate(3, 0xe, KCODE, w.symbols.h);
  w.gate(0x40, 0xe, KCODE, w.symbols.h);
  w.gate(6, 0xe, KCODE, w.symbols.u);
  w.at("start", 0);
  w.run();
  expect(w.said.map((v) => v & RF)).toEqual([0, 0, RF]);
});

test("error codes: #GP has the selector, #NP of a gate has the IDT entry, EXT in nested faults", () => {
  const w = new World();
  w.code("start: mov ax, 0x60\n mov ds, ax\n gp: pop eax\n out 1, eax\n ud2\n np: pop eax\n out 1, eax\n hlt");
  w.descriptor(0x60, 0, 0, 0);
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.put(IDT + 6 * 8, 0);
  w.put(IDT + 6 * 8 + 4, 0x0e00);
  w.gate(11, 0xe, KCODE, w.symbols.np);
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([0x60, 6 * 8 + 2 + 1]);
});

test("contributory faults add up to #DF with error code 0; a third shuts the processor down", () => {
  const w = new World();
  w.code("start: mov ax, 0x60\n mov ds, ax\n df: pop eax\n out 1, eax\n hlt");
  w.descriptor(0x60, 0, 0, 0);
  w.put(IDT + 13 * 8 + 4, 0x0e00);
  w.gate(8, 0xe, KCODE, w.symbols.df);
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([0]);
  w.put(IDT + 8 * 8 + 4, 0x0e00);
  w.at("start", 0);
  w.run();
  expect(w.cpu.shutdown).toMatch(/triple fault: exception 11 .* double fault, eip 0x10004/);
});

test("a page fault while #GP is delivered is handled first, not doubled", () => {
  const w = new World();
  w.code("start: mov ax, 0x60\n mov ds, ax\n pf: pop eax\n out 1, eax\n hlt");
  w.descriptor(0x60, 0, 0, 0);
  w.gate(14, 0xe, KCODE, w.symbols.pf);
  // Gate 13 names a code segment in a table page that is absent: the descriptor fetch faults.
  w.gate(13, 0xe, 0x7c, 0);
  w.cpu.ldtAttr = 0x82;
  w.cpu.ldtBase = 0x3f_0000;
  w.cpu.ldtLimit = 0xff;
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([0]);
  expect(w.cpu.cr2).toBe(0x3f_0078);
});

test("IRET to ring 3 loads SS:ESP and drops segments that ring 3 may not use", () => {
  const w = new World();
  w.code(`
start:  mov ax, KDATA
        mov es, ax
        push UDATA
        push USER_STACK - 16
        push 0x3202
        push UCODE
        push user
        iretd
user:   mov eax, 1
        hlt
gp:     mov ebx, cs
        hlt`);
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.at("start", 0);
  w.cpu.run(w.cpu.icount + 9);
  expect(w.cpu.cpl).toBe(3);
  expect(w.cpu.sel[CS]).toBe(UCODE);
  expect(w.cpu.r[ESP]).toBe(USER_STACK - 16);
  expect(w.cpu.attr[ES]).toBe(0);
  expect(w.cpu.getEflags() & 0x3200).toBe(0x3200);
  w.run();
  // HLT in ring 3 is #GP(0).
  expect(w.cpu.r[EBX]).toBe(KCODE);
});

test("IRET in ring 3 cannot raise IOPL or touch IF", () => {
  const w = new World();
  w.code("start: push 0x3002\n push UCODE\n push there\n iretd\n there: int 0x40\n stop: hlt");
  w.gate(0x40, 0xe, KCODE, w.symbols.stop, 3);
  w.at("start", 3, IF | 2);
  w.run();
  expect(w.get(KERNEL_STACK - 12) & 0x3200).toBe(IF);
});

test("IRET with a bad CS raises #GP with its selector and leaves ESP alone", () => {
  const w = new World();
  w.code("start: push 2\n push 0x58\n push 0\n iretd\n gp: pop eax\n out 1, eax\n mov ecx, esp\n hlt");
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.at("start", 0);
  w.run();
  expect(w.said).toEqual([0x58]);
  expect(w.cpu.r[ECX]).toBe(KERNEL_STACK - 12 - 12);
});

test("a call gate copies its parameters to the inner stack, RETF n releases them on both", () => {
  const w = new World();
  w.code(`
start:  push 11
        push 22
        call FREE_SELECTOR + 3:0
        mov ebx, esp
        int 0x40
inner:  mov eax, [esp + 8]
        out 1, eax
        mov eax, [esp + 12]
        out 1, eax
        mov eax, [esp + 16]
        out 1, eax
        retf 8
stop:   hlt`);
  w.put(0x3000 + FREE_SELECTOR, (KCODE << 16) | (w.symbols.inner & 0xffff));
  w.put(0x3000 + FREE_SELECTOR + 4, (w.symbols.inner & 0xffff_0000) | 0xec02);
  w.gate(0x40, 0xe, KCODE, w.symbols.stop, 3);
  w.at("start", 3);
  w.run();
  expect(w.said).toEqual([22, 11, USER_STACK - 8]);
  expect(w.cpu.r[EBX]).toBe(USER_STACK);
});

test("SYSENTER and SYSEXIT", () => {
  const w = new World();
  w.code(`
start:  mov ecx, 0x174
        mov eax, KCODE
        xor edx, edx
        wrmsr
        inc ecx
        mov eax, KERNEL_STACK
        wrmsr
        inc ecx
        mov eax, enter
        wrmsr
        mov edx, user
        mov ecx, USER_STACK
        sysexit
user:   mov ebx, 5
        sysenter
enter:  mov esi, esp
        hlt`);
  w.at("start", 0, IF | 2);
  w.run();
  expect(w.cpu.r[EBX]).toBe(5);
  expect(w.cpu.r[6]).toBe(KERNEL_STACK);
  expect(w.cpu.sel[SS]).toBe(KDATA);
  expect(w.cpu.getEflags() & IF).toBe(0);
});

test("hardware interrupts wait for IF and for the instruction after STI", () => {
  const w = new World();
  w.code("start: mov eax, 1\n sti\n mov eax, 2\n mov eax, 3\n hlt\n irq: out 1, eax\n iretd");
  w.gate(0x20, 0xe, KCODE, w.symbols.irq);
  w.at("start", 0);
  w.cpu.intr = true;
  w.run();
  expect(w.said).toEqual([2]);
  expect(w.cpu.halted).toBe(true);
});

test("STI; HLT: an interrupt that waits wakes the processor behind HLT", () => {
  const w = new World();
  w.code("start: sti\n hlt\n mov eax, 2\n out 1, eax\n cli\n hlt\n irq: mov ebx, [esp]\n iretd");
  w.gate(0x20, 0xe, KCODE, w.symbols.irq);
  w.at("start", 0);
  w.run();
  expect([w.cpu.halted, w.said]).toEqual([true, []]);
  w.cpu.intr = true;
  w.run();
  expect(w.cpu.r[EBX]).toBe(CODE + 2);
  expect(w.said).toEqual([2]);
});

test("NMI is taken with IF clear, and a second one waits for IRET", () => {
  const w = new World();
  w.code(
    "start: nop\n nop\n mov ebx, 9\n hlt\n nmi: mov eax, 1\n out 1, eax\n kcall 3\n mov eax, 2\n out 1, eax\n iretd",
  );
  w.memory.kernelText[CODE >>> 12] = 1;
  w.gate(2, 0xe, KCODE, w.symbols.nmi);
  w.at("start", 0);
  w.cpu.nmi = true;
  w.kcall = (n) => {
    if (w.kcalls.length === 0) w.cpu.nmi = true;
    w.kcalls.push(n);
  };
  w.run();
  expect(w.said).toEqual([1, 2, 1, 2]);
  expect(w.cpu.r[EBX]).toBe(9);
});

test("KCALL reaches the host in recorded kernel text only", () => {
  const w = new World();
  w.code("start: kcall 17\n hlt\n ud: mov ebx, [esp]\n hlt");
  w.gate(6, 0xe, KCODE, w.symbols.ud);
  w.at("start", 0);
  w.run();
  expect([w.kcalls, w.cpu.r[EBX]]).toEqual([[], CODE]);
  w.memory.kernelText[CODE >>> 12] = 1;
  w.at("start", 0);
  w.run();
  expect(w.kcalls).toEqual([17]);
});

test("the I/O bitmap decides for ring 3 when IOPL is 0", () => {
  const w = new World();
  w.code("start: mov eax, 4\n out 1, al\n out 2, al\n gp: mov ebx, [esp + 4]\n hlt\n");
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.descriptor(0x28, TSS, 0x6a, 0x8b);
  w.cpu.trLimit = 0x6a;
  w.put(TSS + 0x68, 0xffff_fffd);
  w.at("start", 3);
  w.run();
  expect(w.said).toEqual([4]);
  expect(w.cpu.r[EBX]).toBe(CODE + 7);
});

test("FPU: #NM with CR0.TS, #MF at the next waiting instruction with CR0.NE", () => {
  const w = new World();
  w.code(`
start:  mov eax, cr0
        or eax, 8
        mov cr0, eax
        fld1
        fldz
        push 0x0340
        fldcw [esp]
        pop edx
        fdivp st1, st0
        mov ebx, 1
faulty: fld1
        hlt
nm:     clts
        inc ecx
        iretd
mf:     mov esi, [esp]
        fnstsw ax
        hlt`);
  w.gate(7, 0xe, KCODE, w.symbols.nm);
  w.gate(16, 0xe, KCODE, w.symbols.mf);
  w.at("start", 0);
  w.cpu.r[ECX] = 0;
  w.run();
  expect(w.cpu.r[ECX]).toBe(1);
  expect(w.cpu.r[6]).toBe(w.symbols.faulty);
  expect(w.cpu.r[EAX] & 0x84).toBe(0x84);
});

test("ring 3 stack of the TSS absent: the page fault becomes #DF, the push of SS:ESP faults as supervisor", () => {
  const w = new World();
  w.code("start: int 0x40\n df: hlt");
  w.gate(0x40, 0xe, KCODE, w.symbols.df, 3);
  w.gate(14, 0xe, KCODE, w.symbols.df);
  w.page(KERNEL_STACK - 4, 0);
  w.at("start", 3);
  w.run();
  expect(w.cpu.shutdown).toMatch(/triple fault/);
  expect(w.cpu.cr2).toBe(KERNEL_STACK - 4);
});
