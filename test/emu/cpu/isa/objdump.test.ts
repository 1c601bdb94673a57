// The disassembler beside objdump: an example of every kind of instruction in the guest root's code, text for text, and
// where every instruction of its programs begins. scripts/disasm-objdump.ts compares all and records the fixture.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { openImage } from "../../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../../src/emu/rootfs/roots-node.ts";
import { hasPackages } from "../../../cli/packages.ts";
import { compareOne, fromObjdump, sameText } from "./objdump-text.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;
const fixture = gunzipSync(readFileSync(new URL("../../../fixtures/cpu/objdump.txt.gz", import.meta.url)))
  .toString()
  .split("\n");
const instructions = fixture.filter((line) => line.startsWith("I ")).map((line) => line.split(" "));
const files = fixture.filter((line) => line.startsWith("F ")).map((line) => line.split(" "));

describe("the disassembler and objdump", () => {
  it("give the same text for examples of everything in the root's code", () => {
    expect(instructions.length).toBeGreaterThan(3000);
    for (const [, hex, address, ...words] of instructions) {
      const text = words.join(" ");
      const { verdict, ours, theirs } = compareOne(Number.parseInt(address, 16), Buffer.from(hex, "hex"), text);
      expect(verdict, `${hex}: ${ours} | ${theirs}`).toBe("same");
    }
  });

  it("differ when anything does", () => {
    const alike = (ours: string, theirs: string) => sameText(ours, fromObjdump(theirs));
    expect(alike("mov eax, [ebx+0x4]", "mov    eax,DWORD PTR [ebx+0x4]")).toBe(true);
    expect(alike("mov eax, [ebx+0x4]", "mov    eax,DWORD PTR [ebx+0x8]")).toBe(false);
    expect(alike("mov eax, [ebx+0x4]", "mov    eax,DWORD PTR gs:[ebx+0x4]")).toBe(false);
    expect(alike("inc dword [ebx]", "inc    WORD PTR [ebx]")).toBe(false);
    expect(alike("add eax, -0x1", "add    eax,0xffffffff")).toBe(true);
    expect(alike("add eax, -0x1", "add    eax,0xffff")).toBe(false);
    expect(alike("rep movsb", "rep movs DWORD PTR es:[edi],DWORD PTR ds:[esi]")).toBe(false);
  });
});

/** Lengths of all instructions in the executable sections of an ELF file. */
function lengthsOf(elf: Uint8Array): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.length);
  const lengths: number[] = [];
  const [at, size, count] = [view.getUint32(32, true), view.getUint16(46, true), view.getUint16(48, true)];
  for (let n = 0; n < count; n++) {
    const field = (offset: number) => view.getUint32(at + n * size + offset, true);
    // SHT_PROGBITS with SHF_EXECINSTR.
    if (field(4) !== 1 || !(field(8) & 4)) continue;
    const code = elf.subarray(field(16), field(16) + field(20));
    for (let off = 0; off < code.length; ) {
      const { length } = disassemble(code.subarray(off, off + 15), field(12) + off);
      lengths.push(length);
      off += length;
    }
  }
  return Uint8Array.from(lengths);
}

describe.runIf(hasPackages)("the root's programs", async () => {
  const image = hasPackages ? openImage((await ensureRoot("base")).directory) : undefined;
  const entries = new Map(image?.entries.map((entry) => [entry.path, entry]));
  const few = files.filter(([, path]) => /\/(?:ls|find|dash|true|libm\.so\.6|ld-linux\.so\.2)$/.test(path));

  it.each(
    (SLOW ? files : few).map(([, path, count, hash]) => ({ path, count: Number(count), hash })),
  )("$path: instructions begin where objdump has them", ({ path, count, hash }) => {
    const entry = entries.get(path)!;
    const lengths = lengthsOf(image!.read(entry.offset, entry.size));
    expect(lengths.length).toBe(count);
    expect(createHash("sha256").update(lengths).digest("hex").slice(0, 32)).toBe(hash);
  });
});
