// The module of quick routines: the routines themselves, and exec, which does a whole instruction for the interpreter.
import { type Code, call, dispatch, FunctionCode, I32, i32, moduleOf, returning, seq } from "../../wasm/code.ts";
import { FPU_TOP } from "../layout.ts";
import { addCode, comCode, divCode, mulCode, rootCode } from "./arith.ts";
import { conversions } from "./convert.ts";
import { type QuickForm, quickForm, type Routine } from "./forms.ts";

/** The routines as functions without calls of their own: a compiler may put them into its modules. */
export function routines(): FunctionCode[] {
  return [addCode(), mulCode(), divCode(), rootCode(), comCode(), ...conversions()];
}

/** The arguments of a call of a routine; `functions` are those of the module, in order. */
export function caller(functions: readonly FunctionCode[]): (routine: Routine, ...args: readonly Code[]) => Code {
  return (routine, ...args) => {
    const index = functions.findIndex((f) => f.name === routine);
    return call(index, ...args);
  };
}

export interface Quick {
  /**
   * Per opcode - 0xd8 << 8 | ModRM: number of the form << 8 | bytes of the memory operand << 1 | 1 if it is written; 0 when
   * there is no quick code.
   */
  readonly forms: Uint16Array;
  /** Execute form n on 16 * i or a host address: 1 when done. */
  exec(n: number, operand: number): number;
}

/** Instantiate over a machine's memory. */
export function createQuick(memory: WebAssembly.Memory): Quick {
  const forms = new Uint16Array(8 * 256);
  const numbers = new Map<string, number>();
  const distinct: QuickForm[] = [];
  for (let key = 0; key < forms.length; key++) {
    const form = quickForm(0xd8 + (key >>> 8), key & 0xff);
    if (form === null) continue;
    let n = numbers.get(form.name);
    if (n === undefined) {
      n = distinct.push(form);
      numbers.set(form.name, n);
    }
    forms[key] = (n << 8) | (form.bytes << 1) | (form.writes ? 1 : 0);
  }
  const functions = routines();
  const exec = new FunctionCode("exec", [I32, I32]);
  const [n, operand] = [exec.param(0), exec.param(1)];
  const [top, temporary] = [exec.local(I32), exec.local(I32)];
  const context = { top, temporary, call: caller(functions) };
  exec.body = seq(
    top.set(i32.load(i32.const(0), FPU_TOP)),
    dispatch(
      i32.sub(n.get, i32.const(1)),
      distinct.map((form) => returning(form.code(context, operand.get))),
      i32.const(0),
    ),
  );
  functions.push(exec);
  const pages = memory.buffer.byteLength / 0x1_0000;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(functions, pages)), { e: { m: memory } });
  return { forms, exec: instance.exports["exec"] as (n: number, operand: number) => number };
}
