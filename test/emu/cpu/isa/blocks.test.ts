// The block cache: code that changes, code across pages, mappings that change, probes, KCALL, the instruction mix. Each
// case runs with blocks interpreted, with every block a function, and with every block a region.
import { beforeEach, describe, expect, it } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import { type Cpu, type CpuHost, EAX, EBX, ECX, type Engine, MIX_CLASSES } from "../../../../src/emu/cpu/cpu.ts";
import { RAM_BASE } from "../../../../src/emu/machine/memory.ts";
import { bareCpu, CODE, DATA, HANDLERS, place, quietHost, reset } from "./bench-machine.ts";

const events: string[] = [];
const host: CpuHost = {
  ...quietHost,
  kcall: (n) => {
    events.push(`kcall ${n} at ${cpu.icount} eip ${cpu.eip.toString(16)}`);
  },
};
const engines = { interpret: bareCpu(host, "interpret"), compile: bareCpu(host, "compile") };
let cpu: Cpu = engines.interpret;

function load(source: string, at = CODE): Record<string, number> {
  const { bytes, symbols } = assemble(source, { origin: at, symbols: { DATA } });
  place(cpu, at, bytes);
  return symbols;
}

function runToHalt(limit = 100_000): void {
  cpu.run(limit);
  expect(cpu.halted).toBe(true);
}

describe.each([
  ["interpreted", "interpret", 1e9],
  ["functions", "interpret", 0],
  ["regions", "compile", 0],
] as const)("blocks, %s", (_, tier, hot) => {
  beforeEach(() => {
    cpu = engines[tier];
    cpu.probes.clear();
    cpu.memory.kernelText.fill(0);
    reset(cpu);
    events.length = 0;
    const engine = cpu.engine as Engine & { hot: number; regionHot: number };
    if (tier === "compile") engine.regionHot = hot;
    else engine.hot = hot;
  });

  it("an instruction that changes the next one of its block", () => {
    load("mov byte [next+1], 7\nnext: mov al, 1\nhlt");
    runToHalt();
    expect(cpu.r[EAX]).toBe(7);
    expect(cpu.icount).toBe(3);
  });

  it("a read-modify-write and a push that change the rest of their block", () => {
    load(
      "inc byte [next+1]\nnext: mov al, 1\nmov esp, last+5\npush dword 0x09b7b7b7\nmov bl, 1\nlast: mov bh, 5\nnop\nnop\nhlt",
    );
    cpu.run(20);
    expect(cpu.r[EAX]).toBe(2);
    expect((cpu.r[EBX] >> 8) & 0xff).toBe(0xb7);
  });

  it("stores beside code in its own page, many times", () => {
    load("mov ecx, 1000\nx: inc dword [cell]\ndec ecx\njnz x\nmov eax, [cell]\nhlt\nalign 64\ncell: dd 5");
    runToHalt();
    expect(cpu.r[EAX]).toBe(1005);
    expect(cpu.icount).toBe(1 + 3000 + 2);
  });

  it("a loop whose body is rewritten from outside between runs", () => {
    load("x: mov eax, 1\njmp x");
    cpu.run(11);
    place(cpu, CODE, Uint8Array.of(0xb8, 2));
    cpu.invalidateFrame(CODE >> 12);
    cpu.run(21);
    expect(cpu.r[EAX]).toBe(2);
  });

  it("an instruction across two pages, and its second half rewritten", () => {
    const at = CODE + 0xffd;
    load("mov eax, 0x11223344\nhlt", at);
    cpu.eip = at;
    runToHalt();
    expect(cpu.r[EAX]).toBe(0x11223344);
    load(`mov byte [${at + 4}], 0x55\njmp ${at}`);
    cpu.eip = CODE;
    cpu.halted = false;
    runToHalt();
    expect(cpu.r[EAX]).toBe(0x55223344);
  });

  it("a page whose mapping changes between two calls into it", () => {
    // Linear page DATA is frame DATA first, then frame DATA + 0x1000.
    load("mov eax, 1\nret", DATA);
    load("mov eax, 2\nret", DATA + 0x1000);
    load("mov ecx, 3\nx: call DATA\nadd ebx, eax\ndec ecx\njnz x\nhlt");
    runToHalt();
    expect(cpu.r[EBX]).toBe(3);
    const pte = RAM_BASE + 0x5000 + 4 * (DATA >> 12);
    cpu.memory.view.setUint32(pte, (DATA + 0x1000) | 7, true);
    cpu.memory.dropPage(DATA >> 12);
    cpu.eip = CODE;
    cpu.halted = false;
    runToHalt();
    expect(cpu.r[EBX]).toBe(9);
  });

  it("an instruction across two pages, and the mapping of its second page changes", () => {
    const at = DATA + 0xffd;
    load("mov eax, 0x01223344\nret", at);
    place(cpu, DATA + 0x2000, Uint8Array.of(0x66, 0x02, 0xc3));
    load(`mov ecx, 200\nx: call ${at}\nshr eax, 24\nadd ebx, eax\ndec ecx\njnz x\nhlt`);
    runToHalt();
    expect(cpu.r[EBX]).toBe(200);
    const page = (DATA >> 12) + 1;
    cpu.memory.view.setUint32(RAM_BASE + 0x5000 + 4 * page, (DATA + 0x2000) | 7, true);
    cpu.memory.dropPage(page);
    cpu.eip = CODE;
    cpu.halted = false;
    runToHalt();
    expect(cpu.r[EBX]).toBe(600);
  });

  it("probes: before the instruction, every time, with the exact count", () => {
    const { p } = load("mov ecx, 2\nx: nop\np: inc eax\ndec ecx\njnz x\nhlt");
    cpu.probes.set(p, () => events.push(`probe at ${cpu.icount} eip ${cpu.eip.toString(16)}`));
    runToHalt();
    expect(events).toEqual([`probe at 2 eip ${p.toString(16)}`, `probe at 6 eip ${p.toString(16)}`]);
    expect(cpu.icount).toBe(10);
    expect(cpu.r[EAX]).toBe(2);
  });

  it("KCALL: in kernel text only, #UD elsewhere", () => {
    load("nop\nkcall 5\nhlt");
    cpu.memory.kernelText[CODE >> 12] = 1;
    runToHalt();
    expect(events).toEqual([`kcall 5 at 1 eip ${(CODE + 4).toString(16)}`]);
    reset(cpu);
    cpu.memory.kernelText[CODE >> 12] = 0;
    load("nop\nkcall 5\nhlt");
    runToHalt();
    expect(cpu.eip).toBe(HANDLERS + 16 * 6 + 1);
    expect(events.length).toBe(1);
  });

  it("a fault in the middle of a block: state and count of its start", () => {
    load("mov eax, 1\nmov ecx, 2\nmov ebx, [0x24000]\nmov ecx, 3\nhlt");
    runToHalt();
    expect(cpu.r[ECX]).toBe(2);
    expect(cpu.icount).toBe(3);
    expect(cpu.faultCr2).toBe(0x24000);
    const pushed = cpu.memory.view.getUint32(RAM_BASE + cpu.r[4] + 4, true);
    expect(pushed).toBe(CODE + 10);
  });

  it("REP is cut at any iteration and goes on", () => {
    load("mov ecx, 100\nmov edi, DATA\nmov al, 7\nrep stosb\nhlt");
    cpu.run(3 + 40);
    expect(cpu.r[ECX]).toBe(60);
    expect(cpu.eip).toBe(CODE + 12);
    runToHalt();
    expect(cpu.icount).toBe(3 + 100 + 1);
    expect(cpu.memory.u8[RAM_BASE + DATA + 99]).toBe(7);
    expect(cpu.memory.u8[RAM_BASE + DATA + 100]).toBe(0);
  });

  it("the mix counts every retired instruction once", () => {
    load(
      "mov ecx, 10\nx: mov eax, [DATA]\nmov [DATA], eax\nadd eax, 1\nimul eax, eax\ncall f\ndec ecx\njnz x\nmov ecx, 8\nmov edi, DATA\nrep stosb\nhlt\nf: ret",
    );
    cpu.mix.flush();
    for (let at = 7; !cpu.halted; at += 7) cpu.run(at);
    cpu.mix.flush();
    const counts = Object.fromEntries(
      MIX_CLASSES.map((name, i) => [name, cpu.mix.counts[i]]).filter(([, n]) => n !== 0),
    );
    const total = cpu.mix.counts.reduce((a, b) => a + b, 0);
    expect(counts).toEqual({ alu: 23, mul: 10, load: 10, store: 10, branch: 20, ret: 10, string_iter: 8, priv: 1 });
    expect(total).toBe(cpu.icount);
  });
});
