// Single step, breakpoints and debug registers.
import { expect, test } from "vitest";
import { EAX, EBX, ECX, EDX } from "../../../src/emu/cpu/cpu.ts";
import { CODE, DATA, KCODE, World } from "./sys-world.ts";

const TF = 0x100;
const RF = 0x1_0000;

/** Reports the interrupted EIP and DR6 at every #DB. */
const REPORT = `
db:     push eax
        mov eax, [esp + 4]
        out 1, eax
        mov eax, dr6
        and eax, 0xe00f
        out 1, eax
        xor eax, eax
        mov dr6, eax
        pop eax
        iretd`;

function world(source: string): World {
  const w = new World();
  w.code(source + REPORT);
  w.gate(1, 0xe, KCODE, w.symbols.db);
  w.at("start", 0);
  return w;
}

test("TF traps behind each instruction, and behind each iteration of REP", () => {
  const w = world(`
start:  mov ecx, 2
        mov edi, DATA
one:    nop
        rep stosb
two:    mov eax, 1
        hlt`);
  w.cpu.setEflags(2);
  w.cpu.run(w.cpu.icount + 2);
  w.cpu.setEflags(TF | 2);
  w.run(500);
  const { one, two } = w.symbols;
  // HLT traps too, so execution goes on behind it; what matters is before.
  expect(w.said.filter((_, i) => i % 2 === 0).slice(0, 4)).toEqual([one + 1, one + 1, two, two + 5]);
  expect(w.said[1]).toBe(0x4000);
});

test("POPF that sets TF traps behind the next instruction; the handler runs without TF", () => {
  const w = world("start: push 0x102\n popfd\nnext: nop\nthen: push 2\n popfd\nend: mov ebx, 1\n hlt");
  w.run();
  const at = w.said.filter((_, i) => i % 2 === 0);
  expect(at).toEqual([w.symbols.then, w.symbols.then + 2, w.symbols.end]);
  expect(w.cpu.r[EBX]).toBe(1);
});

test("an instruction breakpoint faults before the instruction; RF lets it pass once", () => {
  const w = new World();
  w.code(`
start:  mov eax, target
        mov dr0, eax
        mov eax, 0x1
        mov dr7, eax
        mov ecx, 2
target: inc ebx
        loop target
        hlt
db:     mov eax, [esp]
        out 1, eax
        mov eax, dr6
        and eax, 15
        out 1, eax
        or dword [esp + 8], 0x10000
        iretd`);
  w.gate(1, 0xe, KCODE, w.symbols.db);
  w.at("start", 0);
  w.cpu.r[EBX] = 0;
  w.run();
  const { target } = w.symbols;
  expect(w.said).toEqual([target, 1, target, 1]);
  expect(w.cpu.r[EBX]).toBe(2);
  expect(w.cpu.getEflags() & RF).toBe(0);
});

test("data breakpoints: writes by RW 1, reads too by RW 3, with their length", () => {
  const w = world(`
start:  mov eax, DATA + 4
        mov dr1, eax
        mov eax, DATA + 16
        mov dr2, eax
        mov eax, 0x03d00014
        mov dr7, eax
        mov ebx, [DATA + 4]
        mov [DATA + 6], bl
a:      mov [DATA + 8], ebx
        mov ebx, [DATA + 13]
        mov ebx, [DATA + 12]
        mov [DATA + 13], ebx
b:      hlt`);
  // DR1: write, 4 bytes; DR2: read or write, 1 byte.
  w.cpu.dr[7] = 0;
  w.run();
  expect(w.said.length % 2).toBe(0);
  const events = w.said.filter((_, i) => i % 2 === 0).map((eip, i) => [eip, w.said[2 * i + 1]]);
  expect(events[0]).toEqual([w.symbols.a, 2]);
  expect(events.at(-1)).toEqual([w.symbols.b, 4]);
  expect(events.length).toBe(3);
});

test("DR4 and DR5 are aliases until CR4.DE; access while DR7.GD is a fault with DR6.BD", () => {
  const w = new World();
  w.code(`
start:  mov eax, dr5
        mov ebx, eax
        mov eax, 0x2400
        mov dr7, eax
gd:     mov eax, dr0
        mov eax, 8
        mov cr4, eax
ud:     mov eax, dr4
db:     mov ecx, [esp]
        mov eax, dr6
        out 1, eax
        add dword [esp], 3
        iretd
bad:    mov edx, [esp]
        hlt`);
  w.gate(1, 0xe, KCODE, w.symbols.db);
  w.gate(6, 0xe, KCODE, w.symbols.bad);
  w.at("start", 0);
  w.run();
  expect(w.cpu.r[EBX]).toBe(0x400);
  expect(w.cpu.r[ECX]).toBe(w.symbols.gd);
  expect(w.said[0] & 0x2000).toBe(0x2000);
  expect(w.cpu.r[EDX]).toBe(w.symbols.ud);
});

test("debug registers are closed to ring 3", () => {
  const w = new World();
  w.code("start: mov eax, dr0\ngp: pop eax\n mov ebx, [esp]\n hlt");
  w.gate(13, 0xe, KCODE, w.symbols.gp);
  w.at("start", 3);
  w.run();
  expect([w.cpu.r[EAX], w.cpu.r[EBX]]).toEqual([0, CODE]);
  expect(DATA).toBeGreaterThan(CODE);
});
