// Is the instruction table consistent with itself? Every form decodes back to itself; what it declares of flags is what
// it does; assembler and disassembler agree on every form.
import { describe, expect, it } from "vitest";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { decode, specOf } from "../../../../src/emu/cpu/isa/decode.ts";
import type { Form } from "../../../../src/emu/cpu/isa/forms.ts";
import { buildSet } from "../../../../src/emu/cpu/isa/forms.ts";
import type { Expr, Stmt } from "../../../../src/emu/cpu/isa/ir.ts";
import { row } from "../../../../src/emu/cpu/isa/rows/row.ts";
import { Sem } from "../../../../src/emu/cpu/isa/sem.ts";
import { BAD_OPCODE, instructionSet } from "../../../../src/emu/cpu/isa/table.ts";
import { Random } from "./bench-machine.ts";
import { randomInstruction } from "./random-code.ts";

const forms = instructionSet.forms;

function irOf(form: Form, ea: number): readonly Stmt[] {
  const m = new Sem(form, specOf(ea));
  form.sem(m);
  return m.stmts;
}

/** Visit all statements and expressions. */
function walk(stmts: readonly Stmt[], onStmt: (s: Stmt) => void, onExpr: (e: Expr) => void): void {
  const expr = (e: Expr): void => {
    onExpr(e);
    if (e.k === "bin") {
      expr(e.a);
      expr(e.b);
    } else if (e.k === "un") expr(e.a);
  };
  for (const s of stmts) {
    onStmt(s);
    if (s.k === "if") {
      expr(s.c);
      walk(s.yes, onStmt, onExpr);
      walk(s.no, onStmt, onExpr);
      continue;
    }
    for (const v of Object.values(s)) {
      if (Array.isArray(v)) for (const e of v) expr(e as Expr);
      else if (v !== null && typeof v === "object" && "k" in v) expr(v as Expr);
      else if (v !== null && typeof v === "object" && "off" in v) expr((v as { off: Expr }).off);
    }
  }
}

/** Shapes of the memory operand that a form can have: 0 register, 2 base. */
function shapes(form: Form): number[] {
  const rm = form.operands.find((o) => o.at === "rm");
  if (form.moffs) return [1];
  if (!rm) return [0];
  return [...(rm.register ? [0] : []), ...(rm.memory ? [2] : [])];
}

describe("the instruction table", () => {
  it("refuses two rows with one encoding", () => {
    const nop = () => {};
    expect(() => buildSet([row("a", "90", "", nop), row("b", "90", "", nop)])).toThrow(/overlap/);
    expect(() => buildSet([row("a", "0f ba /4", "Ev Ib", nop), row("b", "0f ba", "Ev Gv", nop)])).toThrow(/overlap/);
  });

  it("decodes every form back to itself, from any prefix-free encoding of it", () => {
    const random = new Random(7);
    for (const form of forms) {
      for (let n = 0; n < 20; n++) {
        const bytes = randomInstruction(random, form);
        const op = decode(bytes, 0, bytes.length, 0, 0);
        expect(op?.form.names[0], `${form.names[0]} ${Buffer.from(bytes).toString("hex")}`).toBe(form.names[0]);
        expect(op?.form.size).toBe(form.size);
        expect(op?.end).toBe(bytes.length);
      }
    }
  });

  it("asks for more bytes when an instruction is cut anywhere", () => {
    const random = new Random(8);
    for (const form of forms) {
      const bytes = randomInstruction(random, form);
      for (let n = 0; n < bytes.length; n++) expect(decode(bytes, 0, n, 0, 0)).toBe(null);
    }
  });

  it("refuses LOCK but on a memory destination that allows it", () => {
    const text = (hex: string) => {
      const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
      return decode(bytes, 0, bytes.length, 0, 0)?.form === BAD_OPCODE;
    };
    expect(text("f00103")).toBe(false);
    expect(text("f001c3")).toBe(true);
    expect(text("f03903")).toBe(true);
    expect(text("f00303")).toBe(true);
    expect(text("f089030000")).toBe(true);
    expect(text("f087c3")).toBe(true);
    expect(text("f08703")).toBe(false);
  });

  it("changes no state before the last statement that can fault", () => {
    // Helpers keep this rule themselves and are tested with the system side.
    const faults = new Set(["load", "store", "open", "probeWrite", "linear", "raise", "vload", "vstore"]);
    // Vector operations may raise #XM; what they leave behind in the x87 before it was measured.
    const vectorChange = /^(wroteMmx|emms|insertWord|fromGeneral|loadMxcsr)$/;
    const pure = /^([ui](div|rem)\d+|modu|requireRing0|checkCsLimit|checkIo)$/;
    for (const form of forms.filter((f) => !f.sync && !/^(esc|pusha|enter|cmpxchg8b)/.test(f.names[0]))) {
      for (const ea of shapes(form)) {
        let changed = "";
        let late = "";
        walk(
          irOf(form, ea),
          (s) => {
            if (["setReg", "close", "store"].includes(s.k) || s.k.startsWith("flag")) {
              if (s.k === "store" && changed) late = s.k;
              changed = s.k === "store" ? changed : s.k;
            } else if (s.k === "vec" || (s.k === "call" && vectorChange.test(s.fn))) changed = s.k;
            else if (changed && (faults.has(s.k) || (s.k === "call" && pure.test(s.fn)))) late = s.k;
          },
          () => {},
        );
        expect(late, `${form.names[0]} ${form.size} ea ${ea}: ${changed} before ${late}`).toBe("");
      }
    }
  });

  it("declares the flags it writes and reads", () => {
    const letters: Record<string, string> = { cf: "C", pf: "P", af: "A", zf: "Z", sf: "S", of: "O", df: "D" };
    const bits: readonly [number, string][] = [
      [1, "C"],
      [4, "P"],
      [16, "A"],
      [64, "Z"],
      [128, "S"],
      [2048, "O"],
    ];
    for (const form of forms.filter((f) => !f.sync && !/^(esc|lahf|pushf|fwait)/.test(f.names[0]))) {
      for (const ea of shapes(form)) {
        const written = new Set<string>();
        const read = new Set<string>();
        walk(
          irOf(form, ea),
          (s) => {
            const all = ["flagsAdd", "flagsSub", "flagsResult"].includes(s.k);
            const set = all
              ? "OSZAPC"
              : s.k === "flagsInc" || s.k === "flagsDec"
                ? "OSZAP"
                : s.k === "flagsCfOf"
                  ? "OC"
                  : s.k === "flagCf"
                    ? "C"
                    : "";
            for (const letter of set) written.add(letter);
            if (s.k === "flagBits") for (const [bit, letter] of bits) if (s.mask & bit) written.add(letter);
            if (s.k === "setDf") written.add("D");
          },
          (e) => {
            if (e.k === "flag") read.add(letters[e.f]);
          },
        );
        const { w = "", r = "", u = "" } = form.options;
        for (const letter of written) expect(w + u, `${form.names[0]} writes ${letter}`).toContain(letter);
        for (const letter of read) expect(r, `${form.names[0]} reads ${letter}`).toContain(letter);
      }
    }
  });
});

describe("assembler and disassembler", () => {
  it("agree: what is disassembled assembles to an instruction that disassembles the same", () => {
    const random = new Random(9);
    const skipped = /^(esc|hintnop|xchg$)/;
    for (const form of forms.filter((f) => !f.options.alias && !skipped.test(f.names[0]))) {
      for (let n = 0; n < 10; n++) {
        const bytes = randomInstruction(random, form);
        const { text: plain, length } = disassemble(bytes, 0x1000);
        // The assembler writes [r*2] as [r+r], which is shorter.
        const text = plain.replace(/\[(\w\w:)?(e\w\w)\*2([+\]-])/, "[$1$2+$2$3");
        expect(length).toBe(bytes.length);
        const again = assemble(text, { origin: 0x1000 }).bytes;
        // A shorter encoding may print its immediate otherwise (-1, 1): from there on the text is stable.
        const settled = disassemble(again, 0x1000).text;
        expect(settled.split(" ")[0], text).toBe(text.split(" ")[0]);
        expect(disassemble(assemble(settled, { origin: 0x1000 }).bytes, 0x1000).text).toBe(settled);
        expect(again.length, text).toBeLessThanOrEqual(bytes.length);
      }
    }
  });
});
