// Memory operands of a block that lie beside each other: the same registers, changed by known amounts only. Page arrays
// cannot change inside a region, so that one look serves for all that lies in one page around a register's value; when a
// store is among it, the look is at the page array for stores, which leads to the same bytes. That nothing of it crosses
// a page's end is a guess that the region is left for where it is wrong; where that happens often, a block is compiled
// again with smaller windows.
import type { Op } from "../isa/decode.ts";
import type { Addr, Expr, RegRef, Stmt } from "../isa/ir.ts";
import { EAX } from "../state.ts";
import { fullRegister, type Meaning } from "./meaning.ts";

/** Locals that hold host addresses. */
export const PLACES = 8;
const REGISTERS = 8;

/** Bytes that one look at the page array serves: from `low` to `high`, counted from an unknown value. */
export interface Window {
  readonly key: string;
  low: number;
  high: number;
  write: boolean;
  /** The local that holds the host address of `low`; -1 when there is only one access. */
  local: number;
  /** The register that tells where it lies, at the start of the first access's instruction, and how far below `low`. */
  readonly register: number;
  readonly beyond: number;
}

/** One access. */
export interface Access {
  readonly window: Window;
  /** It is the one that looks. */
  readonly first: boolean;
  readonly plus: number;
}

/** Where a region that was left lacked a window: bytes from a register's value on. */
export interface Missed {
  readonly register: number;
  readonly from: number;
  readonly bytes: number;
}

/** What the first access of a window needs beyond its own bytes, where a register tells; else null. */
export function guessed({ register, low, high, beyond }: Window): Missed | null {
  return register < 0 ? null : { register, from: low + beyond, bytes: high - low };
}

/** An unknown value plus a known number. */
interface Sum {
  readonly value: number;
  readonly plus: number;
}

const plus = (a: Sum, n: number): Sum => ({ value: a.value, plus: (a.plus + n) | 0 });

/**
 * The accesses of each instruction of a block, in order; null where it is not known in advance where they lie.
 * @param span most bytes of a window
 */
export function accessesOf(
  ops: readonly Op[],
  meanings: readonly Meaning[],
  count: number,
  span: number,
): readonly (Access | null)[][] {
  const follower = new Follower(span);
  for (let i = 0; i < count; i++) follower.instruction(ops[i], meanings[i]);
  return follower.accesses;
}

class Follower {
  readonly accesses: (Access | null)[][] = [];
  private readonly span: number;
  private values = REGISTERS;
  private readonly registers: Sum[] = Array.from({ length: REGISTERS }, (_, value) => ({ value, plus: 0 }));
  private readonly temporaries = new Map<number, Sum | null>();
  private readonly windows: Window[] = [];
  private next = 0;
  private op!: Op;
  /** What the registers held when the instruction began. */
  private before: readonly Sum[] = [];

  constructor(span: number) {
    this.span = span;
  }

  instruction(op: Op, meaning: Meaning): void {
    this.op = op;
    this.before = [...this.registers];
    this.temporaries.clear();
    const list: (Access | null)[] = [];
    this.accesses.push(list);
    const plain = meaning.x87 === 0 && meaning.repeat === "" && meaning.stmts.every((s) => s.k !== "if");
    if (plain) for (const s of meaning.stmts) this.statement(s, meaning, list);
    else this.forget(op, meaning);
  }

  /** What the instruction may have written is unknown. */
  private forget(op: Op, meaning: Meaning): void {
    const { form } = op;
    let written = meaning.writes;
    if (meaning.x87 !== 0) written |= 1 << EAX;
    if (meaning.repeat !== "") written = 0xff;
    if (meaning.slotA & 2) written |= 1 << fullRegister(op.a, form.aSize);
    if (meaning.slotB & 2) written |= 1 << fullRegister(op.b, form.bSize);
    for (let n = 0; n < REGISTERS; n++) if (written & (1 << n)) this.registers[n] = this.fresh();
  }

  private fresh(): Sum {
    return { value: this.values++, plus: 0 };
  }

  private statement(s: Stmt, meaning: Meaning, list: (Access | null)[]): void {
    switch (s.k) {
      case "let":
        this.temporaries.set(s.id, this.sum(s.e, meaning));
        break;
      case "load":
        list.push(this.access(s.at, s.size >> 3, false, meaning));
        break;
      case "store":
      case "open":
        list.push(this.access(s.at, s.size >> 3, true, meaning));
        break;
      case "probeWrite":
        list.push(this.access(s.at, s.bytes, true, meaning));
        break;
      case "vload":
      case "vstore":
        list.push(this.access(s.at, s.bytes, s.k === "vstore", meaning));
        break;
      case "setReg": {
        const n = this.number(s.reg, s.size);
        this.registers[n] = (s.size === 32 ? this.sum(s.e, meaning) : null) ?? this.fresh();
      }
    }
  }

  private number(reg: RegRef, size: number): number {
    if ("fixed" in reg) return size === 8 ? reg.fixed & 3 : reg.fixed;
    return fullRegister(this.op[reg.slot], size);
  }

  /** An expression as a sum, or null. */
  private sum(e: Expr, meaning: Meaning): Sum | null {
    switch (e.k) {
      case "reg":
        return e.size === 32 ? this.registers[this.number(e.reg, 32)] : null;
      case "tmp":
        return this.temporaries.get(e.id) ?? null;
      case "ea":
        return meaning.spec.ea === 2 ? plus(this.registers[this.op.mb], this.op.md) : null;
      case "bin": {
        const a = this.sum(e.a, meaning);
        const b = this.constant(e.b);
        if (a === null || b === null) return null;
        return e.op === "add" ? plus(a, b) : e.op === "sub" ? plus(a, -b) : null;
      }
      default:
        return null;
    }
  }

  private constant(e: Expr): number | null {
    if (e.k === "const") return e.v;
    return e.k === "field" && e.f !== "index" ? this.op[e.f] | 0 : null;
  }

  /** Which sum of registers an address is, but for a number, and which one register's value; null when not known. */
  private address(at: Addr, meaning: Meaning): { key: string; plus: number; value: number } | null {
    const { spec } = meaning;
    if ((at.seg === "op" && spec.segmented) || spec.addr16) return null;
    const { op } = this;
    if (at.off.k === "ea" && spec.ea !== 2) {
      if (spec.ea === 1) return { key: "", plus: op.md, value: -1 };
      const index = this.registers[op.mi];
      const base = spec.ea === 3 ? this.registers[op.mb] : { value: -1, plus: 0 };
      const scaled = Math.imul(index.plus, 1 << op.ms);
      return { key: `${base.value} ${index.value} ${op.ms}`, plus: (base.plus + scaled + op.md) | 0, value: -1 };
    }
    const sum = this.sum(at.off, meaning);
    return sum === null ? null : { key: `${sum.value}`, plus: sum.plus, value: sum.value };
  }

  private access(at: Addr, bytes: number, write: boolean, meaning: Meaning): Access | null {
    const address = this.address(at, meaning);
    if (address === null) return null;
    const { key, plus, value } = address;
    const found = this.windows.find((w) => w.key === key && this.holds(w, plus, plus + bytes));
    if (found !== undefined && (found.local >= 0 || this.next < PLACES)) {
      found.write ||= write;
      found.low = Math.min(found.low, plus);
      found.high = Math.max(found.high, plus + bytes);
      if (found.local < 0) found.local = this.next++;
      return { window: found, first: false, plus };
    }
    const register = value < 0 ? -1 : this.before.findIndex((sum) => sum.value === value);
    const beyond = register < 0 ? 0 : -this.before[register].plus;
    const window = { key, low: plus, high: plus + bytes, write, local: -1, register, beyond };
    this.windows.push(window);
    return { window, first: true, plus };
  }

  /** May a window serve for these bytes too? Where no register tells where it lies, it is not made larger. */
  private holds({ low, high, register }: Window, from: number, to: number): boolean {
    if (from >= low && to <= high) return true;
    return register >= 0 && Math.max(high, to) - Math.min(low, from) <= this.span;
  }
}
