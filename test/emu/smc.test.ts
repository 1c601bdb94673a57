// Code that changes, on every engine: what runs is always what was written last, by whatever way it was written; and a
// program that makes code for ever leaves a bounded number of blocks and regions behind.
import { describe, expect, it } from "vitest";
import { assemble } from "../../src/emu/cpu/asm/assemble.ts";
import type { Regions } from "../../src/emu/cpu/compile/regions.ts";
import { EAX, EBX, type Engine, TIERS, type Tier } from "../../src/emu/cpu/cpu.ts";
import type { BlockCache } from "../../src/emu/cpu/interp/block-cache.ts";
import { MemoryIo } from "../../src/emu/host.ts";
import { runProgram } from "../../src/emu/run.ts";
import { staticElf } from "../guest/static-elf.ts";
import { bareCpu, CODE, DATA, place, quietHost } from "./cpu/isa/bench-machine.ts";
import { imageOf } from "./kernel/proc/image.ts";

/** The exit status of a program whose labels include `bss`, 64 KiB that may be executed. */
function statusOf(source: string, tier: Tier): number {
  const image = imageOf({ "/bin/program": staticElf(source, 0x10000) });
  const run = runProgram({
    image,
    argv: ["/bin/program"],
    host: new MemoryIo(),
    memoryMiB: 32,
    cwd: "/",
    env: [],
    tier,
  });
  expect(run.exit.kind).toBe("exit");
  return run.status;
}

/** Calls of a function often enough for every engine to compile it, adding what it returns to `ebp`. */
const calls = (label: string, at: string) => `
    mov esi, 4000
${label}:
    call ${at}
    add ebp, eax
    dec esi
    jnz ${label}`;
const EXIT = "mov eax, 1\nmov ebx, ebp\nint 0x80\n";
/** mov eax, imm32; ret */
const FUNCTION = "mov byte [bss], 0xb8\nmov dword [bss+1], 1\nmov byte [bss+5], 0xc3\n";
/** An anonymous or file mapping by mmap2; its address in eax. */
const map = (flags: number, fd: string) => `
    mov eax, 192
    xor ebx, ebx
    mov ecx, 4096
    mov edx, 7
    mov esi, ${flags}
    mov edi, ${fd}
    push ebp
    xor ebp, ebp
    int 0x80
    pop ebp`;

const PROGRAMS: Readonly<Record<string, readonly [status: number, source: string]>> = {
  "by a system call's copy: read() into it": [
    // 4000 * 1 + 4000 * 2, modulo 256.
    (4000 * 3) & 255,
    `xor ebp, ebp
    ${FUNCTION}
    ${calls("a", "bss")}
    mov eax, 42 ; pipe
    mov ebx, bss+0x100
    int 0x80
    mov eax, 4
    mov ebx, [bss+0x104]
    mov ecx, two
    mov edx, 1
    int 0x80
    mov eax, 3
    mov ebx, [bss+0x100]
    mov ecx, bss+1
    mov edx, 1
    int 0x80
    ${calls("b", "bss")}
    ${EXIT}
two: db 2`,
  ],
  "by another task, in memory that both share": [
    (4000 * 4) & 255,
    `xor ebp, ebp
    ${map(0x21, "-1")}
    mov [bss+0x200], eax
    mov byte [eax], 0xb8
    mov dword [eax+1], 1
    mov byte [eax+5], 0xc3
    ${calls("a", "[bss+0x200]")}
    mov eax, 2 ; fork
    int 0x80
    test eax, eax
    jnz parent
    mov eax, [bss+0x200]
    mov byte [eax+1], 3
    mov eax, 1
    int 0x80
parent:
    mov ebx, eax
    xor ecx, ecx
    xor edx, edx
    mov eax, 7 ; waitpid
    int 0x80
    ${calls("b", "[bss+0x200]")}
    ${EXIT}`,
  ],
  "through another mapping of the same file's page": [
    (4000 * 6) & 255,
    `xor ebp, ebp
    mov eax, 5 ; open
    mov ebx, path
    mov ecx, 0x42
    mov edx, 0x1ff
    int 0x80
    mov [bss+0x300], eax
    mov eax, 93 ; ftruncate
    mov ebx, [bss+0x300]
    mov ecx, 4096
    int 0x80
    ${map(1, "[bss+0x300]")}
    mov [bss+0x200], eax
    ${map(1, "[bss+0x300]")}
    mov [bss+0x204], eax
    mov byte [eax], 0xb8
    mov dword [eax+1], 1
    mov byte [eax+5], 0xc3
    ${calls("a", "[bss+0x200]")}
    mov eax, [bss+0x204]
    mov byte [eax+1], 5
    ${calls("b", "[bss+0x200]")}
    ${EXIT}
path: db "/tmp/code", 0`,
  ],
  "the next instruction, each time anew": [
    77,
    `xor ebp, ebp
    mov ecx, 4000
again:
    mov byte [next+1], cl
next:
    mov al, 0
    cmp al, cl
    jne wrong
    dec ecx
    jnz again
    mov ebp, 77
wrong:
    ${EXIT}`,
  ],
};

describe.each(TIERS.map((tier) => ({ tier })))("code that is written while it is in use: $tier", ({ tier }) => {
  it.each(Object.keys(PROGRAMS))("%s", (name) => {
    const [status, source] = PROGRAMS[name];
    expect(statusOf(source, tier)).toBe(status);
  });

  it("from outside, into one of two pages", () => {
    const cpu = bareCpu(quietHost, tier);
    const at = CODE + 0xffe;
    place(cpu, at, assemble("x: mov eax, 1\nadd ebx, eax\njmp x", { origin: at }).bytes);
    cpu.eip = at;
    cpu.run(30_000);
    expect(cpu.r[EBX]).toBe(10_000);
    cpu.invalidateFrame((CODE + 0x1000) >> 12);
    // The second page holds the upper bytes of the constant.
    place(cpu, CODE + 0x1000, Uint8Array.of(1));
    cpu.run(30_003);
    expect(cpu.r[EAX]).toBe(0x101);
  });
});

type Inside = Engine & { code: BlockCache; ran: unknown[]; regions: Regions | null; hot: number; regionHot: number };

describe.each((["interpret", "compile"] as const).map((tier) => ({ tier })))("code without end: $tier", ({ tier }) => {
  const engineOf = (cpu: ReturnType<typeof bareCpu>): Inside => {
    const engine = cpu.engine as unknown as Inside;
    Object.assign(engine, { hot: 2, regionHot: 2 });
    return engine;
  };

  it("written again and again in place", () => {
    const cpu = bareCpu(quietHost, tier);
    const engine = engineOf(cpu);
    place(
      cpu,
      CODE,
      assemble("x: inc ecx\nmov [p+1], ecx\np: mov eax, 0\nadd ebx, eax\njmp x", { origin: CODE }).bytes,
    );
    cpu.run(100_000);
    expect(cpu.r[EAX]).toBe(20_000);
    expect(engine.code.size.blocks).toBeLessThan(10);
    expect(engine.code.size.listed).toBeLessThan(100);
    expect(engine.code.size.held).toBeLessThan(200);
    expect(engine.ran.length).toBeLessThanOrEqual(1 << 13);
    expect(engine.regions?.size.regions ?? 0).toBeLessThan(10);
  });

  it("entered at ever new places", () => {
    const cpu = bareCpu(quietHost, tier);
    const engine = engineOf(cpu);
    engine.code.most = 5000;
    // 8 KiB of INC EAX and a way back, entered at each byte in turn.
    place(
      cpu,
      DATA,
      Uint8Array.from({ length: 0x2000 }, (_, i) => (i < 0x1ff0 ? 0x40 : 0x90)),
    );
    place(cpu, DATA + 0x1ff0, assemble("jmp edx", { origin: DATA + 0x1ff0 }).bytes);
    const source = "mov edx, x\nx: inc ecx\nand ecx, 0x1fff\nlea esi, [ecx+DATA]\njmp esi";
    place(cpu, CODE, assemble(source, { origin: CODE, symbols: { DATA } }).bytes);
    for (let at = 1; at <= 20; at++) {
      cpu.run(at * 20_000);
      expect(engine.code.size.held).toBeLessThanOrEqual(5000 + 68);
      expect(engine.code.size.listed).toBeLessThanOrEqual(5000);
    }
    expect(cpu.icount).toBe(400_000);
    // What the oracle has then.
    const oracle = bareCpu(quietHost, "oracle");
    oracle.memory.u8.set(cpu.memory.u8.subarray(cpu.memory.ramBase), oracle.memory.ramBase);
    oracle.run(100_000);
    const again = bareCpu(quietHost, tier);
    engineOf(again).code.most = 300;
    again.memory.u8.set(cpu.memory.u8.subarray(cpu.memory.ramBase), again.memory.ramBase);
    again.run(100_000);
    expect([...again.r, again.eip]).toEqual([...oracle.r, oracle.eip]);
  });

  it("an instruction across two pages whose second frame alternates", () => {
    const cpu = bareCpu(quietHost, tier);
    const engine = engineOf(cpu);
    const at = DATA + 0xffe;
    place(cpu, at, assemble("mov eax, 1\njmp CODE", { origin: at, symbols: { CODE } }).bytes);
    cpu.memory.u8.copyWithin(
      cpu.memory.ramBase + DATA + 0x2000,
      cpu.memory.ramBase + DATA + 0x1000,
      cpu.memory.ramBase + DATA + 0x2000,
    );
    // The page table's entry of the second page is exchanged for another frame, and INVLPG.
    const pte = 0x5000 + 4 * ((DATA + 0x1000) >> 12);
    place(
      cpu,
      CODE,
      assemble(`xor dword [${pte}], 0x3000\ninvlpg [${DATA + 0x1000}]\ninc ebx\njmp ${at}`, { origin: CODE }).bytes,
    );
    cpu.run(60_000);
    expect(cpu.r[EBX]).toBe(10_000);
    expect(engine.code.size.blocks).toBeLessThan(20);
    expect(engine.code.size.listed).toBeLessThan(400);
    expect(engine.code.size.held).toBeLessThan(200);
  });
});
