// WebAssembly instructions as trees of bytes, composed like expressions, and the module that holds functions of them.
// Only what the processor's own routines need: 32- and 64-bit integers, double square root, one imported memory.
// Source: WebAssembly Core Specification 1.0, binary format.

export type Code = number | readonly Code[];
export const I32 = 0x7f;
export const I64 = 0x7e;
export type ValueType = typeof I32 | typeof I64;

function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    out.push(rest ? byte | 0x80 : byte);
  } while (rest);
  return out;
}

function signed(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && !(byte & 0x40)) || (rest === -1n && byte & 0x40)) return [...out, byte];
    out.push(byte | 0x80);
  }
}

/** Code one after another. */
export const seq = (...parts: readonly Code[]): Code => parts;

/** Append the bytes of a tree to `out`. */
export function flatten(code: Code, out: number[] = []): number[] {
  if (typeof code === "number") out.push(code);
  else for (const part of code) flatten(part, out);
  return out;
}

type Unary = (a: Code) => Code;
type Binary = (a: Code, b: Code) => Code;
type Load = (at: Code, offset?: number) => Code;
type Store = (at: Code, value: Code, offset?: number) => Code;

const unary =
  (op: number): Unary =>
  (a) => [a, op];
const binary =
  (op: number): Binary =>
  (a, b) => [a, b, op];
const load =
  (op: number): Load =>
  (at, offset = 0) => [at, op, 0, unsigned(offset)];
const store =
  (op: number): Store =>
  (at, value, offset = 0) => [at, value, op, 0, unsigned(offset)];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value | 0))],
  load: load(0x28),
  load16s: load(0x2e),
  load16u: load(0x2f),
  store: store(0x36),
  store8: store(0x3a),
  store16: store(0x3b),
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  lts: binary(0x48),
  ltu: binary(0x49),
  gtu: binary(0x4b),
  geu: binary(0x4f),
  ges: binary(0x4e),
  add: binary(0x6a),
  sub: binary(0x6b),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shl: binary(0x74),
  shrs: binary(0x75),
  shru: binary(0x76),
  /** The low half of a 64-bit value. */
  wrap: unary(0xa7),
} as const;

export const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))],
  load: load(0x29),
  load16s: load(0x32),
  load32s: load(0x34),
  store: store(0x37),
  eqz: unary(0x50),
  eq: binary(0x51),
  ne: binary(0x52),
  lts: binary(0x53),
  ltu: binary(0x54),
  gtu: binary(0x56),
  ges: binary(0x59),
  geu: binary(0x5a),
  clz: unary(0x79),
  add: binary(0x7c),
  sub: binary(0x7d),
  mul: binary(0x7e),
  divu: binary(0x80),
  and: binary(0x83),
  or: binary(0x84),
  xor: binary(0x85),
  shl: binary(0x86),
  shrs: binary(0x87),
  shru: binary(0x88),
  extends: unary(0xac),
  extendu: unary(0xad),
  /** Square root of an unsigned value by way of a double, truncated. */
  rootGuess: (a: Code): Code => [a, 0xba, 0x9f, 0xb1],
} as const;

/** `a` when the i32 condition is not zero, else `b`; both are evaluated. */
export const select = (a: Code, b: Code, condition: Code): Code => [a, b, condition, 0x1b];
export const returning = (value: Code): Code => [value, 0x0f];

/** Statements under a condition. */
export function when(condition: Code, yes: Code, no?: Code): Code {
  return no === undefined ? [condition, 0x04, 0x40, yes, 0x0b] : [condition, 0x04, 0x40, yes, 0x05, no, 0x0b];
}

/** A value that depends on a condition; only one side is evaluated. */
export function choose(type: ValueType, condition: Code, yes: Code, no: Code): Code {
  return [condition, 0x04, type, yes, 0x05, no, 0x0b];
}

/** Evaluate the `index`-th of `cases`, statements that leave the function; behind the last one lies `otherwise`. */
export function dispatch(index: Code, cases: readonly Code[], otherwise: Code): Code {
  const opens = Array.from({ length: cases.length + 1 }, () => [0x02, 0x40]);
  const depths = cases.map((_, n) => unsigned(n));
  const table = [index, 0x0e, unsigned(cases.length), depths, unsigned(cases.length)];
  return [opens, table, cases.map((c) => [0x0b, c]), 0x0b, otherwise];
}

/** A local variable or parameter. */
export interface Local {
  readonly get: Code;
  /** Take the value on the stack. */
  readonly take: Code;
  set(value: Code): Code;
  tee(value: Code): Code;
}

export function localAt(index: number): Local {
  const n = unsigned(index);
  return {
    get: [0x20, n],
    take: [0x21, n],
    set: (value) => [value, 0x21, n],
    tee: (value) => [value, 0x22, n],
  };
}

/** One function: parameters, one or no result, locals taken as needed, a body. */
export class FunctionCode {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly locals: ValueType[] = [];
  body: Code = [];

  constructor(name: string, params: readonly ValueType[], results: readonly ValueType[] = [I32]) {
    this.name = name;
    this.params = params;
    this.results = results;
  }

  param(index: number): Local {
    return localAt(index);
  }

  local(type: ValueType): Local {
    this.locals.push(type);
    return localAt(this.params.length + this.locals.length - 1);
  }

  /** Its type, as a type section holds it. */
  signature(): Code {
    return [0x60, this.params.length, this.params, this.results.length, this.results];
  }

  /** Locals and body, as a code section holds them behind their size. */
  unsized(): Code {
    return [unsigned(this.locals.length), this.locals.map((type) => [1, type]), this.body, 0x0b];
  }
}

/** Code behind its length. */
function sized(code: Code): Code {
  const bytes = flatten(code);
  return [unsigned(bytes.length), bytes];
}

export const call = (index: number, ...args: readonly Code[]): Code => [args, 0x10, unsigned(index)];

/** The bytes of a module that imports memory "e"."m" of so many pages and exports every function by its name. */
export function moduleOf(functions: readonly FunctionCode[], pages: number): Uint8Array<ArrayBuffer> {
  const text = (s: string): Code => [unsigned(s.length), [...s].map((c) => c.charCodeAt(0))];
  const section = (id: number, items: readonly Code[]): Code => [id, sized([unsigned(items.length), items])];
  return Uint8Array.from(
    flatten([
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(
        1,
        functions.map((f) => f.signature()),
      ),
      section(2, [[text("e"), text("m"), 2, 1, unsigned(pages), unsigned(pages)]]),
      section(
        3,
        functions.map((_, n) => unsigned(n)),
      ),
      section(
        7,
        functions.map((f, n) => [text(f.name), 0, unsigned(n)]),
      ),
      section(
        10,
        functions.map((f) => sized(f.unsized())),
      ),
    ]),
  );
}
