// The module of quick routines: the routines themselves, and exec, which does a whole instruction on the registers in
// linear memory, for the interpreter.
import {
  type Code,
  call,
  dispatch,
  FunctionCode,
  I32,
  I64,
  i32,
  i64,
  type Local,
  moduleOf,
  returning,
  seq,
  when,
} from "../../wasm/code.ts";
import { FPU_MODE, FPU_REGS, FPU_TOP, SLOT_SE, TAG_EMPTY } from "../layout.ts";
import { addCode, comCode, divCode, mulCode, rootCode } from "./arith.ts";
import { conversions } from "./convert.ts";
import { type QuickForm, type QuickStack, quickForm, type Register, type Routine, saysEmpty } from "./forms.ts";

/** The routines as functions without calls of their own: a compiler may put them into its modules. */
export function routines(): FunctionCode[] {
  return [addCode(), mulCode(), divCode(), rootCode(), comCode(), ...conversions()];
}

/** Calls of routines that are the functions of a module from number `first` on. */
export function caller(
  functions: readonly FunctionCode[],
  first = 0,
): (routine: Routine, ...args: readonly Code[]) => Code {
  const numbers = new Map(functions.map((f, n) => [f.name, first + n]));
  return (routine, ...args) => call(numbers.get(routine) ?? -1, ...args);
}

const none = i32.const(0);

/** The stack in linear memory; ST(i) is given by 16 * i in a local. */
class MemoryStack implements QuickStack {
  readonly sig: Local;
  readonly se: Local;
  readonly call: QuickStack["call"];
  private readonly top: Local;
  private readonly operand: Local;
  private readonly values: Readonly<Record<Register, { sig: Local; se: Local }>>;

  constructor(f: FunctionCode, operand: Local, functions: readonly FunctionCode[]) {
    this.operand = operand;
    this.call = caller(functions);
    this.top = f.local(I32);
    const pair = () => ({ sig: f.local(I64), se: f.local(I32) });
    const [zero, other] = [pair(), pair()];
    this.values = { 0: zero, 1: other, i: other, next: pair() };
    const { sig, se } = pair();
    this.sig = sig;
    this.se = se;
  }

  /** Before the first form. */
  start(): Code {
    return this.top.set(i32.load(none, FPU_TOP));
  }
  refuseIf(condition: Code): Code {
    return when(condition, returning(none));
  }
  load64(host: Code): Code {
    return seq(this.call("ld64", i64.load(host)), this.se.take, this.sig.take);
  }
  refuseEmpty(register: Register): Code {
    return this.refuseIf(saysEmpty(this.value(register).se));
  }
  refuseHeld(register: Register): Code {
    return this.refuseIf(i32.eqz(saysEmpty(this.value(register).se)));
  }
  mode(bits: number): Code {
    return this.refuseIf(i32.ne(i32.and(i32.load(none, FPU_MODE), i32.const(bits)), i32.const(bits)));
  }
  private slot(register: Register): Code {
    const at = register === "i" ? this.operand.get : i32.const(register === "next" ? -16 : 16 * register);
    return i32.and(i32.add(this.top.get, at), i32.const(0x70));
  }
  fetch(...registers: readonly Register[]): Code {
    return seq(
      ...registers.map((r) => {
        const { sig, se } = this.values[r];
        return seq(sig.set(i64.load(this.slot(r), FPU_REGS)), se.set(i32.load(this.slot(r), FPU_REGS + SLOT_SE)));
      }),
    );
  }
  value(register: Register): { sig: Code; se: Code } {
    const { sig, se } = this.values[register];
    return { sig: sig.get, se: se.get };
  }
  write(register: Register, value: { sig: Code; se: Code }): Code {
    return seq(
      i64.store(this.slot(register), value.sig, FPU_REGS),
      i32.store(this.slot(register), value.se, FPU_REGS + SLOT_SE),
    );
  }
  exchange(): Code {
    return seq(this.write("i", this.value(0)), this.write(0, this.value("i")));
  }
  private move(by: number): Code {
    return i32.store(none, this.top.tee(i32.and(i32.add(this.top.get, i32.const(by)), i32.const(0x70))), FPU_TOP);
  }
  push(): Code {
    return this.move(-16);
  }
  pop(): Code {
    return seq(i32.store8(this.slot(0), i32.const(TAG_EMPTY >> 16), FPU_REGS + SLOT_SE + 2), this.move(16));
  }
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
  const stack = new MemoryStack(exec, operand, functions);
  exec.body = seq(
    stack.start(),
    dispatch(
      i32.sub(n.get, i32.const(1)),
      distinct.map((form) => seq(form.code(stack, operand.get), returning(i32.const(1)))),
      none,
    ),
  );
  functions.push(exec);
  const pages = memory.buffer.byteLength / 0x1_0000;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(functions, pages)), { e: { m: memory } });
  return { forms, exec: instance.exports["exec"] as (n: number, operand: number) => number };
}
