// Memory operands of a block that lie where an earlier one lay: the same registers, changed by known amounts only. Page
// arrays cannot change inside a region, so that the host address found the first time serves again; when a store follows,
// the first access looks in the page array for stores, which leads to the same byte.
import type { Op } from "../isa/decode.ts";
import type { Addr, Expr, RegRef, Stmt } from "../isa/ir.ts";
import { EAX } from "../state.ts";
import { fullRegister, type Meaning } from "./meaning.ts";

/** Locals that hold host addresses. */
export const PLACES = 8;
const REGISTERS = 8;

/** One access: through which page array, and the local that holds its host address, or is to hold it (-1: none). */
export interface Access {
  write: boolean;
  local: number;
  /** The local holds it already: add so many bytes. */
  known: boolean;
  plus: number;
}

/** An unknown value plus a known number. */
interface Sum {
  readonly value: number;
  readonly plus: number;
}

interface Seen {
  readonly access: Access;
  readonly key: string;
  readonly plus: number;
  readonly bytes: number;
}

const plus = (a: Sum, n: number): Sum => ({ value: a.value, plus: (a.plus + n) | 0 });

/** The accesses of each instruction of a block, in order; none where they are not known in advance. */
export function accessesOf(ops: readonly Op[], meanings: readonly Meaning[], count: number): readonly Access[][] {
  const follower = new Follower();
  for (let i = 0; i < count; i++) follower.instruction(ops[i], meanings[i]);
  return follower.accesses;
}

class Follower {
  readonly accesses: Access[][] = [];
  private values = REGISTERS;
  private readonly registers: Sum[] = Array.from({ length: REGISTERS }, (_, value) => ({ value, plus: 0 }));
  private readonly temporaries = new Map<number, Sum | null>();
  private readonly seen: Seen[] = [];
  private next = 0;
  private op!: Op;

  instruction(op: Op, meaning: Meaning): void {
    this.op = op;
    this.temporaries.clear();
    const list: Access[] = [];
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

  private statement(s: Stmt, meaning: Meaning, list: Access[]): void {
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

  /** Which sum of registers an address is, but for a number; null when that is not known. */
  private address(at: Addr, meaning: Meaning): { key: string; plus: number } | null {
    const { spec } = meaning;
    if ((at.seg === "op" && spec.segmented) || spec.addr16) return null;
    const { op } = this;
    if (at.off.k === "ea" && spec.ea !== 2) {
      if (spec.ea === 1) return { key: "", plus: op.md };
      const index = this.registers[op.mi];
      const base = spec.ea === 3 ? this.registers[op.mb] : { value: -1, plus: 0 };
      const scaled = Math.imul(index.plus, 1 << op.ms);
      return { key: `${base.value} ${index.value} ${op.ms}`, plus: (base.plus + scaled + op.md) | 0 };
    }
    const sum = this.sum(at.off, meaning);
    return sum === null ? null : { key: `${sum.value}`, plus: sum.plus };
  }

  private access(at: Addr, bytes: number, write: boolean, meaning: Meaning): Access {
    const access: Access = { write, local: -1, known: false, plus: 0 };
    const address = this.address(at, meaning);
    if (address === null) return access;
    const found = this.seen.find(
      (s) => s.key === address.key && address.plus >= s.plus && address.plus + bytes <= s.plus + s.bytes,
    );
    if (found !== undefined && (found.access.local >= 0 || this.next < PLACES)) {
      const first = found.access;
      first.write ||= write;
      if (first.local < 0) first.local = this.next++;
      access.local = first.local;
      access.known = true;
      access.plus = address.plus - found.plus;
    } else this.seen.push({ access, key: address.key, plus: address.plus, bytes });
    return access;
  }
}
