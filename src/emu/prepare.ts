// What the bundle of the command line holds ready: the kernels' entry code assembled, and handlers of the integer
// instructions as source. The texts of two modules that are empty otherwise; the results are the same with and without.
import { keptPrograms } from "./cpu/asm/assemble.ts";
import { BINDINGS } from "./cpu/interp/emit.ts";
import { handlerFunction } from "./cpu/interp/handlers.ts";
import { KEY_EA, KEY_REP_SHIFT } from "./cpu/isa/decode.ts";
import type { Form } from "./cpu/isa/forms.ts";
import { instructionSet } from "./cpu/isa/table.ts";
import { PHYS } from "./kernel/entry/layout.ts";
import { kernelText } from "./kernel/entry/text/text.ts";
import { entryVariant, KERNEL_NAMES } from "./kernel/entry/variant.ts";
import { SYSCALLS } from "./kernel/syscalls.ts";
import { buildVdso } from "./kernel/vdso.ts";
import { NS_PER_UNIT } from "./machine/clock.ts";

/** Module texts by path below src/emu. */
export function prepared(): Record<string, string> {
  return { "cpu/asm/prepared.ts": programs(), "cpu/interp/prepared.ts": handlers() };
}

/** Assembles what a machine starts with, as Entry does; assembleOnce keeps it. */
export function assembleKernels(): void {
  for (const name of KERNEL_NAMES) {
    const variant = entryVariant(name);
    const { clockFallback } = variant;
    const text = kernelText({ variant, ignoreRf: false, calls: (nr) => SYSCALLS[nr] });
    for (const entry of ["int80", "sysenter"] as const) {
      const kmlCallTable = text.symbols["kml_call_table"];
      buildVdso({ entry, clock: true, kmlCallTable, clockFallback, nsPerUnit: NS_PER_UNIT }, PHYS.VDSO >>> 12);
    }
  }
}

function programs(): string {
  assembleKernels();
  const entries = [...keptPrograms()].map(
    ([key, { bytes, symbols }]) =>
      `${JSON.stringify(key)}: () => ({ bytes: new Uint8Array([${bytes}]), symbols: ${JSON.stringify(symbols)} })`,
  );
  return `export const PREPARED_PROGRAMS = {\n${entries.join(",\n")}\n};\n`;
}

function handlers(): string {
  const forms: string[] = [];
  for (const form of instructionSet.forms) {
    if (form.needs !== 0) continue;
    const cases = commonKeys(form).map((key) => `case ${key}: return ${handlerFunction(form, key)};`);
    forms[form.id] = `(key) => { switch (key) {\n${cases.join("\n")}\n} }`;
  }
  const list = Array.from(forms, (text) => text ?? "undefined").join(",\n");
  return `export const PREPARED_HANDLERS = (${BINDINGS.join(", ")}) => [\n${list}\n];\n`;
}

/** The specialisations with flat segments and 32-bit addresses. */
function commonKeys(form: Form): number[] {
  if (form.modrm) return Array.from({ length: 5 }, (_, ea) => ea & KEY_EA);
  if (form.moffs) return [1];
  return form.string ? [0, 1, 2].map((rep) => rep << KEY_REP_SHIFT) : [0];
}
