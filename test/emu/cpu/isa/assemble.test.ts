// The assembler: the same bytes as NASM 2.16 -O2 wrote for a sample of everything, and its messages.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import { InputError } from "../../../../src/errors.ts";

const file = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const hex = (source: string, origin = 0) => Buffer.from(assemble(source, { origin }).bytes).toString("hex");

describe("assemble", () => {
  it("writes what NASM writes", () => {
    const expected = file("nasm-sample.hex").replaceAll("\n", "");
    expect(hex(file("nasm-sample.asm"))).toBe(expected);
  });

  it("gives labels, local labels and equates", () => {
    const { symbols } = assemble("a: nop\n.x: nop\nb:\n.x: nop\nK equ b - a + 5", { origin: 0x100 });
    expect(symbols).toEqual({ a: 0x100, "a.x": 0x101, b: 0x102, "b.x": 0x102, K: 7 });
  });

  it("lengthens a jump exactly when it does not reach", () => {
    expect(assemble("jmp x\ntimes 127 nop\nx:", { origin: 0 }).bytes.length).toBe(129);
    expect(assemble("jmp x\ntimes 128 nop\nx:", { origin: 0 }).bytes.length).toBe(133);
    expect(assemble("x: times 126 nop\njmp x", { origin: 0 }).bytes.length).toBe(128);
    expect(assemble("x: times 127 nop\njmp x", { origin: 0 }).bytes.length).toBe(132);
  });

  it("takes symbols as constants, and knows the reserved instruction", () => {
    expect(hex("kcall 7")).toBe("0f0a07");
    expect(Buffer.from(assemble("mov eax, [esp + T]", { origin: 0, symbols: { T: 8 } }).bytes).toString("hex")).toBe(
      "8b442408",
    );
  });

  it("assembles 16-bit code", () => {
    expect(Buffer.from(assemble("bits 16\nmov eax, [bx+si]\nmov ax, 5", { origin: 0 }).bytes).toString("hex")).toBe(
      "668b00b80500",
    );
  });

  it.each([
    ["inc [eax]", /line 1: inc needs byte, word or dword/],
    ["nop\nfrobnicate eax", /line 2: "frobnicate" is no instruction/],
    ["mov eax, bl", /mov does not take these operands/],
    ["mov eax, nowhere", /"nowhere" is not defined/],
    ["mov eax, [eax+ebx+ecx]", /is not an address/],
    ["mov eax, (1+", /not complete/],
    ["a:\na:", /defined twice/],
    ["jecxz x\ntimes 200 nop\nx:", /jecxz does not take/],
    ["mov al, 300", /mov does not take/],
    ["dq 0x00cf9a000000ffff", /larger than 2\^53/],
  ])("says what is wrong with %j", (source, message) => {
    expect(() => assemble(source, { origin: 0 })).toThrow(InputError);
    expect(() => assemble(source, { origin: 0 })).toThrow(message);
  });
});
