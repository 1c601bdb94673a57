// What is made ready when the command line is bundled: it must be what machines start with, and handlers as they are made.
import { describe, expect, it } from "vitest";
// The processor first: the modules of its cycle are loaded in the order in which a machine loads them.
import "../../src/emu/cpu/cpu.ts";
import { assemble, keptPrograms } from "../../src/emu/cpu/asm/assemble.ts";
import { BINDINGS } from "../../src/emu/cpu/interp/emit.ts";
import type { PreparedHandlers } from "../../src/emu/cpu/interp/prepared.ts";
import { instructionSet } from "../../src/emu/cpu/isa/table.ts";
import { KERNEL_NAMES } from "../../src/emu/kernel/entry/variant.ts";
import { prepared } from "../../src/emu/prepare.ts";
import { world } from "./kernel/entry/harness.ts";

const texts = prepared();

/** What a module's text exports under its one name. */
function exported<T>(text: string): T {
  return new Function(`"use strict";${text.replace(/^export const \w+ =/, "return")}`)() as T;
}

describe("what the bundle holds ready", () => {
  it("has the programs that a machine starts with, so that none is assembled", () => {
    const kept = keptPrograms().size;
    for (const kernel of KERNEL_NAMES) {
      for (const entry of ["sysenter", "int80"] as const) world("nop", { kernel, entry, ring: 3 });
    }
    expect(keptPrograms().size).toBe(kept);
  });

  it("has them as they are assembled", () => {
    const programs = exported<Record<string, () => ReturnType<typeof assemble>>>(texts["cpu/asm/prepared.ts"]);
    expect(Object.keys(programs)).toHaveLength(keptPrograms().size);
    for (const [key, ready] of Object.entries(programs)) {
      const [options, source] = JSON.parse(key);
      expect(ready()).toEqual(assemble(source, options));
    }
  });

  it("has a handler for every integer instruction that names it and its specialisation", () => {
    const handlers = exported<PreparedHandlers>(texts["cpu/interp/prepared.ts"])(...BINDINGS);
    for (const form of instructionSet.forms) {
      if (form.needs !== 0) expect(handlers[form.id]).toBeUndefined();
      else {
        const key = form.moffs ? 1 : 0;
        expect(handlers[form.id]?.(key)?.name).toBe(`${form.names[0].replace(/\W/g, "_")}_${form.size}_${key}`);
        expect(handlers[form.id]?.(5)).toBeUndefined();
      }
    }
  });
});
