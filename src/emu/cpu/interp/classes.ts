// The class of a decoded instruction in the mix: its form's own, or, for plain data instructions, what it does to memory.

import { KEYS_PER_FORM, type Op, specOf } from "../isa/decode.ts";
import type { Stmt } from "../isa/ir.ts";
import { Sem } from "../isa/sem.ts";
import { MIX_CLASSES } from "../state.ts";

const ALU = MIX_CLASSES.indexOf("alu");
const LOAD = MIX_CLASSES.indexOf("load");
const STORE = MIX_CLASSES.indexOf("store");

/** STORE if anything is stored, else LOAD if anything is loaded, else ALU; a read-modify-write is a store. */
function memoryClass(stmts: readonly Stmt[]): number {
  let found = ALU;
  for (const s of stmts) {
    if (s.k === "store" || s.k === "close") return STORE;
    if (s.k === "load" || s.k === "open") found = LOAD;
    if (s.k === "if") {
      const inner = Math.max(memoryClass(s.yes), memoryClass(s.no));
      if (inner === STORE) return STORE;
      if (inner === LOAD) found = LOAD;
    }
  }
  return found;
}

/** Classes of decoded instructions, worked out once per specialisation. */
export class MixClasses {
  private readonly known: (number | undefined)[] = [];

  of(op: Op): number {
    const { form, key } = op;
    if (form.cls !== ALU) return form.cls;
    const id = form.id * KEYS_PER_FORM + key;
    return this.known[id] ?? this.learn(op, id);
  }

  private learn({ form, key }: Op, id: number): number {
    const m = new Sem(form, specOf(key));
    form.sem(m);
    const cls = memoryClass(m.stmts);
    this.known[id] = cls;
    return cls;
  }
}
