// Handlers of decoded operations, made when first needed: most programs use a few hundred of the thousands possible.
import type { Cpu } from "../cpu.ts";
import { type Handler, KEYS_PER_FORM, type Op } from "../isa/decode.ts";
import type { Form } from "../isa/forms.ts";
import { STATE_OP, TALLY } from "../state.ts";
import { BINDINGS, handlerSource } from "./emit.ts";
import { PREPARED_HANDLERS, type PreparedHandlers } from "./prepared.ts";
import { makeRuntime } from "./runtime.ts";

type Factory = (...bindings: unknown[]) => Handler;

/** Compiled factories by form id and specialisation; the same for every Cpu. */
const factories = new Map<number, Factory>();

/** Source in which vector operations are constants outside the function, so that calls find them at once. */
function withOperations(source: string): string {
  const named = new Map<string, string>();
  const body = source.replace(/V\["([^"]+)"\]/g, (_, op: string) => {
    const name = `v_${op.replace(/\W/g, "_")}`;
    named.set(op, name);
    return name;
  });
  return [...named].map(([op, name]) => `const ${name}=V["${op}"];`).join("") + body;
}

/** The source of a handler as a function expression. */
export function handlerFunction(form: Form, key: number): string {
  const name = `${form.names[0].replace(/\W/g, "_")}_${form.size}_${key.toString(16)}`;
  return `function ${name}(o){\n${handlerSource(form, key)}\n}`;
}

function factoryOf(form: Form, key: number): Factory {
  const id = form.id * KEYS_PER_FORM + key;
  let factory = factories.get(id);
  if (factory === undefined) {
    const source = `"use strict";${withOperations(`return ${handlerFunction(form, key)}`)}`;
    factory = new Function(...BINDINGS, source) as Factory;
    factories.set(id, factory);
  }
  return factory;
}

/** Source of handlers by form id and specialisation, as compiled blocks use it. */
const sources = new Map<number, string>();

function sourceOf(form: Form, key: number): string {
  const id = form.id * KEYS_PER_FORM + key;
  let source = sources.get(id);
  if (source === undefined) {
    source = handlerSource(form, key).replaceAll("var ", "let ");
    sources.set(id, source);
  }
  return source;
}

/**
 * What a compiled block gives back when one of its own stores dropped it, or one of its segment loads changed the mode: it
 * stopped behind operation STATE_OP.
 */
export const BLOCK_DROPPED = 3;

/** A block as one function; returns as the handler of its last operation does, or BLOCK_DROPPED. */
export type BlockFunction = () => number | undefined;

/** Statements that can fault without going through enter(), which notes the operation. */
const FAULTS_DIRECTLY = /\b(?:H\.|K\.|V\[|fault\(|l[rw]\()/;
/** Statements that can reach the block's own code. */
const STORES = /\b(?:ws\d|cm\d|vs\d|H\.)/;

/** Its pushes are counted behind everything that can fault: before it returns, or at its end. */
function withPushes(body: string, { form, pushes }: Op): string {
  const count = `cpu.tally[${TALLY.pushes}]+=${pushes};`;
  return form.branch ? body.replace(/return \d;/g, `${count}$&`) : body + count;
}

/**
 * The handlers of one operation's source with its operands as literals.
 * @param own name of the operation
 * @param held name of its block
 */
export function inlined(op: Op, n: number, own: string, held: string): string {
  const literal = (_: string, field: string): string => {
    const v = op[field as "a"];
    return v < 0 ? `(${v})` : `${v}`;
  };
  const plain = sourceOf(op.form, op.key)
    .replace(/\bo\.(\w+)/g, literal)
    .replace(/\((o)([,)])/g, `(${own}$2`);
  const body = op.pushes === 0 ? plain : withPushes(plain, op);
  const noted = FAULTS_DIRECTLY.test(body) ? `S[${STATE_OP}]=${n};` : "";
  const dropped =
    STORES.test(body) && !op.form.branch
      ? `if(${held}.n===0${op.form.segment ? "||cpu.segmentEpoch!==e" : ""}){S[${STATE_OP}]=${n};return ${BLOCK_DROPPED};}`
      : "";
  return `{${noted}${body}${dropped}}`;
}

/** The handlers of one Cpu for one privilege. */
export class HandlerSet {
  private readonly bindings: unknown[];
  private readonly prepared: ReturnType<PreparedHandlers>;
  private readonly byForm: (Handler | undefined)[] = [];

  constructor(cpu: Cpu, user: boolean) {
    this.bindings = makeRuntime(cpu, user);
    this.prepared = PREPARED_HANDLERS?.(...this.bindings) ?? [];
  }

  get(form: Form, key: number): Handler {
    const id = form.id * KEYS_PER_FORM + key;
    const known = this.byForm[id];
    if (known !== undefined) return known;
    const handler = this.prepared[form.id]?.(key) ?? factoryOf(form, key)(...this.bindings);
    this.byForm[id] = handler;
    return handler;
  }

  /** One function for a whole block: its operations in a row, operands as literals. */
  compile(ops: readonly Op[], block: { readonly n: number }): BlockFunction {
    const names = ops.map((_, n) => `o${n}`);
    const body = ops.map((op, n) => inlined(op, n, names[n], "B")).join("\n");
    const before = ops.some((op) => op.form.segment) ? "const e=cpu.segmentEpoch;" : "";
    return this.make(`function block(){${before}\n${body}\n}`, ["B", ...names], [block, ...ops]);
  }

  /** A function from its source, which may use BINDINGS and the names given. */
  make(source: string, names: readonly string[], values: readonly unknown[]): BlockFunction {
    const whole = `"use strict";${withOperations(`return ${source}`)}`;
    const factory = new Function(...BINDINGS, ...names, whole) as (...values: unknown[]) => BlockFunction;
    return factory(...this.bindings, ...values);
  }
}
