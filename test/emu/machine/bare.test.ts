// Bare images: what the loader takes and refuses, the state an image begins in, its devices, and what ends a run.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assemble } from "../../../src/emu/cpu/asm/assemble.ts";
import { type BareResult, runBare } from "../../../src/emu/machine/bare.ts";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures", "machine");
const BASE = 0x10_0000;
const HEADER = `
header: dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), header, header, 0, stack, start`;

interface Run extends BareResult {
  text: string;
}

function boot(image: Uint8Array, options: { maxInstructions?: number; append?: string; ramBytes?: number } = {}): Run {
  let text = "";
  const output = (bytes: Uint8Array) => {
    text += new TextDecoder().decode(bytes);
  };
  return { ...runBare({ image, name: "test", ramBytes: 0x20_0000, output, ...options }), text };
}

/** An image by addresses around code that begins at `start`. */
function image(code: string): Uint8Array {
  return assemble(`${HEADER}\nstart: mov esp, stack\n${code}\n align 4\n resd 64\nstack:\n resd 4`, { origin: BASE })
    .bytes;
}

/** An ELF32 file of one segment, linked at `virtual` and loaded at `physical`. */
function elf(code: string, virtual: number, physical: number): Uint8Array {
  const { bytes, symbols } = assemble(
    `header: dd 0x1badb002, 0, -0x1badb002\nstart: mov esp, ${physical + 0x1000}\n${code}`,
    { origin: physical },
  );
  const file = new Uint8Array(84 + bytes.length);
  const view = new DataView(file.buffer);
  const words = (at: number, values: number[]) =>
    values.forEach((v, i) => {
      view.setUint32(at + 4 * i, v, true);
    });
  words(0, [0x464c_457f, 0x0001_0101, 0, 0, 0x0003_0002, 1, symbols["start"] - physical + virtual, 52]);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  words(52, [1, 84, virtual, physical, bytes.length, 0x2000, 7, 4]);
  file.set(bytes, 84);
  return file;
}

const say = (character: string) => `mov al, '${character}'\n out 0xe9, al\n`;
const end = (value: number) => `mov al, ${value}\n out 0xf4, al\n hlt\n`;

describe("images", () => {
  it("hello.img is what its source gives, says hello and ends with its status", () => {
    const source = readFileSync(join(FIXTURES, "hello.asm"), "utf8");
    const { bytes } = assemble(source, { origin: BASE });
    const file = readFileSync(join(FIXTURES, "hello.img"));
    expect(Buffer.compare(file, bytes)).toBe(0);
    const run = boot(file, { append: "a b" });
    expect(run).toMatchObject({ text: "test a b: hello\n", status: 5, reason: null });
  });

  it("ELF: loaded by physical addresses, begun at the linked entry, the rest of the segment zero", () => {
    const code = `cmp dword [${BASE + 0x1000}], 0\n jne .bad\n ${say("y")} .bad: ${end(1)}`;
    expect(boot(elf(code, 0xc010_0000, BASE))).toMatchObject({ text: "y", status: 3 });
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["no header", new Uint8Array(9000), /no multiboot header/],
    ["an empty file", new Uint8Array(0), /no multiboot header/],
    ["a wrong checksum", assemble("dd 0x1badb002, 0, 0", { origin: 0 }).bytes, /no multiboot header/],
    ["a video mode", assemble("dd 0x1badb002, 4, -(0x1badb002 + 4)", { origin: 0 }).bytes, /video mode/],
    ["unknown wishes", assemble("dd 0x1badb002, 8, -(0x1badb002 + 8)", { origin: 0 }).bytes, /0x8, which/],
    ["no way to load", assemble("dd 0x1badb002, 0, -0x1badb002", { origin: 0 }).bytes, /neither an ELF/],
    ["a cut header", assemble("dd 0x1badb002, 0x10000, -0x1badc002", { origin: 0 }).bytes, /no multiboot|ends within/],
    ["addresses that do not fit", image("hlt").slice(0, 40).fill(0xff, 20, 24), /do not fit/],
    ["a 64-bit ELF", elf("hlt", BASE, BASE).fill(2, 4, 5), /not a 32-bit ELF/],
    ["another processor's ELF", elf("hlt", BASE, BASE).fill(40, 18, 19), /not a 32-bit ELF/],
    ["a cut ELF", elf("hlt", BASE, BASE).slice(0, 98), /behind the end/],
    ["one too large", elf("hlt", 0x4000_0000, 0x4000_0000), /behind the memory/],
  ])("refused: %s", (_, bytes, message) => {
    expect(() => boot(bytes)).toThrow(message);
  });
});

describe("the state an image begins in", () => {
  it("flat segments, protected mode without paging, interrupts off, the information behind EBX", () => {
    const run = boot(
      image(`
        mov ecx, cr0
        and ecx, 0x80000001
        cmp ecx, 1
        jne bad
        pushfd
        pop ecx
        test ecx, 0x20200
        jnz bad
        mov ecx, [ebx]
        and ecx, 0x45
        cmp ecx, 0x45
        jne bad
        cmp dword [ebx + 4], 640
        jne bad
        cmp dword [ebx + 8], 1024
        jne bad
        mov esi, [ebx + 48]
        cmp dword [esi], 20
        jne bad
        cmp dword [ebx + 44], 48
        jne bad
        cmp dword [esi + 28], 0x100000
        jne bad
        ${say("y")}
bad:    ${end(0)}`),
    );
    expect(run).toMatchObject({ text: "y", status: 1, reason: null });
  });
});

describe("devices", () => {
  it("the timer as it was programmed interrupts HLT; an OUT of any size ends the run", () => {
    const run = boot(
      image(`
        jmp over
        align 8
idt:    times 32 dq 0
        dw irq, 8, 0x8e00, 0x10
pointer: dw $ - idt - 1
        dd idt
gdt:    dd 0, 0, 0xffff, 0x00cf9a00, 0xffff, 0x00cf9200
gdtr:   dw 23
        dd gdt
over:   lgdt [gdtr]
        lidt [pointer]
        mov al, 0x11
        out 0x20, al
        mov al, 0x20
        out 0x21, al
        mov al, 4
        out 0x21, al
        mov al, 1
        out 0x21, al
        mov al, 0xfe
        out 0x21, al
        mov al, 0x34
        out 0x43, al
        mov ax, 11932
        out 0x40, al
        mov al, ah
        out 0x40, al
        sti
again:  hlt
        cmp byte [ticks], 3
        jb again
        rdtsc
        shr eax, 20
        mov eax, 9
        out 0xf4, eax
irq:    inc byte [ticks]
        ${say("t")}
        mov al, 0x20
        out 0x20, al
        iretd
ticks:  db 0`),
    );
    expect(run).toMatchObject({ text: "ttt", status: 19, reason: null });
  });

  it("channel 2 counts while the gate of port 61 is open", () => {
    const run = boot(
      image(`
        mov al, 1
        out 0x61, al
        mov al, 0xb0
        out 0x43, al
        mov al, 100
        out 0x42, al
        mov al, 0
        out 0x42, al
        mov ecx, 0
wait:   inc ecx
        in al, 0x61
        test al, 0x20
        jz wait
        cmp ecx, 1000
        jb bad
        ${say("y")}
bad:    ${end(0)}`),
    );
    // 100 clocks of 1.193182 MHz are 83.8 microseconds: 41905 instructions of 2 ns, four a turn.
    expect(run).toMatchObject({ text: "y", status: 1 });
    expect(Math.abs(run.instructions - 41_905)).toBeLessThan(40);
  });
});

describe("what ends a run", () => {
  it.each([
    ["HLT with interrupts off", "cli\n hlt", /interrupts off/],
    ["HLT that nothing will end", "sti\n hlt", /nothing will wake/],
    ["a triple fault", "lidt [nothing]\n ud2\nnothing: dd 0, 0", /triple fault/],
    ["the bound", "again: jmp again", /bound of 10000 instructions/],
    ["a reset by the keyboard controller", "mov al, 0xfe\n out 0x64, al\n hlt", /reset/],
    ["leaving protected mode", "mov eax, 0x10\n mov cr0, eax", /real mode/],
  ])("%s: status 124 with the reason", (_, code, reason) => {
    const run = boot(image(code), { maxInstructions: 10_000 });
    expect(run.status).toBe(124);
    expect(run.reason).toMatch(reason);
  });
});
