// WebAssembly as bytes: a growing buffer, the instructions that the compiler uses, and labels by name instead of depth.

const I32 = 0x7f;
const VOID = 0x40;
const FIRST_BYTES = 1 << 12;

/** Opcodes that take operands from the stack only. */
export const OPS = {
  unreachable: 0x00,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  eqz: 0x45,
  eq: 0x46,
  ne: 0x47,
  lts: 0x48,
  ltu: 0x49,
  gts: 0x4a,
  gtu: 0x4b,
  les: 0x4c,
  leu: 0x4d,
  ges: 0x4e,
  geu: 0x4f,
  eqz64: 0x50,
  ne64: 0x52,
  ltu64: 0x54,
  clz: 0x67,
  ctz: 0x68,
  popcnt: 0x69,
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  divs: 0x6d,
  divu: 0x6e,
  rems: 0x6f,
  remu: 0x70,
  and: 0x71,
  or: 0x72,
  xor: 0x73,
  shl: 0x74,
  sar: 0x75,
  shr: 0x76,
  rotl: 0x77,
  rotr: 0x78,
  mul64: 0x7e,
  divs64: 0x7f,
  divu64: 0x80,
  rems64: 0x81,
  remu64: 0x82,
  or64: 0x84,
  shl64: 0x86,
  sar64: 0x87,
  shr64: 0x88,
  wrap: 0xa7,
  extends: 0xac,
  extendu: 0xad,
  sx8: 0xc0,
  sx16: 0xc1,
} as const;
export type Opcode = keyof typeof OPS;

/** A growing row of bytes. */
export class Bytes {
  u8 = new Uint8Array(FIRST_BYTES);
  length = 0;

  byte(b: number): void {
    if (this.length === this.u8.length) this.grow(1);
    this.u8[this.length++] = b;
  }

  private grow(more: number): void {
    const bigger = new Uint8Array(Math.max(2 * this.u8.length, this.length + more));
    bigger.set(this.u8);
    this.u8 = bigger;
  }

  /** Unsigned LEB128. */
  u(n: number): void {
    let rest = n >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of an int32. */
  s(n: number): void {
    let rest = n | 0;
    while (rest > 63 || rest < -64) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  text(s: string): void {
    this.u(s.length);
    for (let i = 0; i < s.length; i++) this.byte(s.charCodeAt(i));
  }

  append(other: Bytes): void {
    if (this.length + other.length > this.u8.length) this.grow(other.length);
    this.u8.set(other.u8.subarray(0, other.length), this.length);
    this.length += other.length;
  }

  /** Another row of bytes behind its length. */
  sized(other: Bytes): void {
    this.u(other.length);
    this.append(other);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.u8.slice(0, this.length);
  }
}

/** A place to branch to: how many constructs were open around it. */
export interface Label {
  readonly depth: number;
}

/** The body of one function. */
export class Assembler {
  readonly out = new Bytes();
  private depth = 0;

  op(name: Opcode): void {
    this.out.byte(OPS[name]);
  }

  get(local: number): void {
    this.out.byte(0x20);
    this.out.u(local);
  }

  set(local: number): void {
    this.out.byte(0x21);
    this.out.u(local);
  }

  tee(local: number): void {
    this.out.byte(0x22);
    this.out.u(local);
  }

  const(v: number): void {
    this.out.byte(0x41);
    this.out.s(v);
  }

  /** Push a 64-bit constant that fits 32 bits. */
  const64(v: number): void {
    this.out.byte(0x42);
    this.out.s(v);
  }

  /** An instruction without operands of its own, by its number. */
  plain(opcode: number): void {
    this.out.byte(opcode);
  }

  /** A vector instruction by its number behind the prefix, with bytes that follow: a lane, or lanes. */
  vector(opcode: number, ...rest: readonly number[]): void {
    this.out.byte(0xfd);
    this.out.u(opcode);
    for (const b of rest) this.out.byte(b);
  }

  /** A vector load or store at the address on the stack. */
  vectorMemory(opcode: number, offset: number, ...lane: readonly number[]): void {
    this.vector(opcode, 0);
    this.out.u(offset);
    for (const n of lane) this.out.byte(n);
  }

  /** Push 16 constant bytes. */
  constVector(bytes: Uint8Array): void {
    this.vector(0x0c, ...bytes);
  }

  /** Push a double, or a single. */
  constFloat(v: number, bytes: 4 | 8): void {
    const view = new DataView(new ArrayBuffer(8));
    if (bytes === 8) view.setFloat64(0, v, true);
    else view.setFloat32(0, v, true);
    this.out.byte(bytes === 8 ? 0x44 : 0x43);
    for (let i = 0; i < bytes; i++) this.out.byte(view.getUint8(i));
  }

  /** Load `bits` at the address on the stack plus `offset`, zero-extended. */
  load(bits: number, offset: number): void {
    this.memory(bits === 32 ? 0x28 : bits === 16 ? 0x2f : 0x2d, offset);
  }

  /** Store the value on the stack at the address below it plus `offset`. */
  store(bits: number, offset: number): void {
    this.memory(bits === 32 ? 0x36 : bits === 16 ? 0x3b : 0x3a, offset);
  }

  private memory(opcode: number, offset: number): void {
    this.out.byte(opcode);
    this.out.byte(0);
    this.out.u(offset);
  }

  block(result = false): Label {
    return this.open(0x02, result);
  }

  loop(): Label {
    return this.open(0x03, false);
  }

  if(result = false): Label {
    return this.open(0x04, result);
  }

  private open(opcode: number, result: boolean): Label {
    this.out.byte(opcode);
    this.out.byte(result ? I32 : VOID);
    return { depth: this.depth++ };
  }

  else(): void {
    this.out.byte(0x05);
  }

  end(): void {
    this.depth--;
    this.out.byte(0x0b);
  }

  /** A label as a branch's operand here, for code made elsewhere. */
  distance(to: Label): number[] {
    const n = this.depth - 1 - to.depth;
    return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, n >> 7];
  }

  br(to: Label): void {
    this.out.byte(0x0c);
    this.out.u(this.depth - 1 - to.depth);
  }

  brIf(to: Label): void {
    this.out.byte(0x0d);
    this.out.u(this.depth - 1 - to.depth);
  }

  /** Branch by the number on the stack; the last label is also where larger numbers go. */
  brTable(labels: readonly Label[]): void {
    this.out.byte(0x0e);
    this.out.u(labels.length - 1);
    for (const to of labels) this.out.u(this.depth - 1 - to.depth);
  }

  /** memory.copy: to, from, bytes on the stack. */
  copy(): void {
    for (const b of [0xfc, 0x0a, 0, 0]) this.out.byte(b);
  }

  /** memory.fill: to, byte, bytes on the stack. */
  fill(): void {
    for (const b of [0xfc, 0x0b, 0]) this.out.byte(b);
  }

  call(fn: number): void {
    this.out.byte(0x10);
    this.out.u(fn);
  }

  /** Tail call through table 0 of a function of the given type; the index is on top of the arguments. */
  tailCallIndirect(type: number): void {
    this.out.byte(0x13);
    this.out.u(type);
    this.out.u(0);
  }
}
