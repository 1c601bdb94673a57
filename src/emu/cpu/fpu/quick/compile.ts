// Quick x87 instructions for a compiler: within a basic block the registers are held in locals, addressed from the TOP at
// the block's start. Values are written to memory at once as well; TOP and the tags of popped registers are known while
// the code is made, and only written where the block ends: who leaves before is told what is pending.
import { type Code, I32, I64, i32, i64, type Local, seq, type ValueType, when } from "../../wasm/code.ts";
import { FPU_MODE, FPU_REGS, FPU_TOP, SLOT_SE, TAG_EMPTY } from "../layout.ts";
import { type QuickStack, quickForm, type Register, saysEmpty, type Value } from "./forms.ts";
import { BIAS } from "./round.ts";

/** What the code is put into. */
export interface Place {
  /** A new local variable of the function. */
  local(type: ValueType): Local;
  call: QuickStack["call"];
  /** Leave before the present instruction when the condition is not 0. */
  leaveIf(condition: Code): Code;
}

const none = i32.const(0);

/** What is known of a register while the block is emitted. */
interface Known {
  readonly sig: Local;
  readonly se: Local;
  /** The locals hold what the slot does. */
  current: boolean;
  /** The register is empty, or is not; undefined: only its tag knows. */
  empty: boolean | undefined;
}

/** What memory does not show yet, where a block is left early: constants of the place. */
export interface Pending {
  /** How far TOP has moved since the block's start. */
  readonly moved: number;
  /** Bit n: the register n behind the TOP at the block's start has become empty. */
  readonly emptied: number;
}

/** Bring the words of layout.ts up to date. */
export function settle(words: Int32Array, { moved, emptied }: Pending): void {
  const top = words[FPU_TOP >> 2];
  for (let n = 0; n < 8; n++) {
    if ((emptied >>> n) & 1) words[(FPU_REGS + ((top + 16 * n) & 0x70) + SLOT_SE) >> 2] |= TAG_EMPTY;
  }
  words[FPU_TOP >> 2] = (top + 16 * moved) & 0x70;
}

/** The registers during a basic block. One for a function; begin() at every block. */
export class CompiledStack implements QuickStack {
  readonly sig: Local;
  readonly se: Local;
  readonly call: QuickStack["call"];
  private readonly place: Place;
  private readonly top: Local;
  /** By distance from the TOP at the block's start, modulo 8. */
  private readonly registers: readonly Known[];
  private topLoaded = false;
  private modes = 0;
  /** How far TOP has moved since. */
  private moved = 0;
  /** Registers popped and not written since. */
  private emptied = 0;
  private i = 0;

  constructor(place: Place) {
    this.place = place;
    this.call = place.call;
    this.sig = place.local(I64);
    this.se = place.local(I32);
    this.top = place.local(I32);
    this.registers = Array.from({ length: 8 }, () => ({
      sig: place.local(I64),
      se: place.local(I32),
      current: false,
      empty: undefined,
    }));
  }

  /** A block starts, or something else may have changed the x87's state. */
  begin(): void {
    this.topLoaded = false;
    this.modes = 0;
    this.moved = 0;
    this.emptied = 0;
    for (const r of this.registers) {
      r.current = false;
      r.empty = undefined;
    }
  }

  /** Statements of an instruction, or null when it has no quick code. */
  instruction(opcode: number, modrm: number, host: Code): Code | null {
    const form = quickForm(opcode, modrm);
    if (form === null) return null;
    this.i = modrm & 7;
    return seq(this.start(), form.code(this, host));
  }

  /** The local that holds TOP: before the block's first use of it. */
  start(): Code {
    if (this.topLoaded) return [];
    this.topLoaded = true;
    return this.top.set(i32.load(none, FPU_TOP));
  }

  /** 16 times TOP here, behind start(). */
  topNow(): Code {
    return this.slot(this.moved);
  }

  /** What is pending; null when nothing is. */
  pending(): Pending | null {
    return this.moved === 0 && this.emptied === 0 ? null : { moved: this.moved, emptied: this.emptied };
  }

  /** Statements that write what is pending, at the end of the block. Only begin() may follow. */
  flush(): Code {
    const tags: Code[] = [];
    for (let n = 0; n < 8; n++) {
      if ((this.emptied >>> n) & 1)
        tags.push(i32.store8(this.slot(n), i32.const(TAG_EMPTY >> 16), FPU_REGS + SLOT_SE + 2));
    }
    const code = seq(...tags, this.moved ? i32.store(none, this.slot(this.moved), FPU_TOP) : []);
    this.begin();
    return code;
  }

  refuseIf(condition: Code): Code {
    return this.place.leaveIf(condition);
  }

  /** Normal numbers without a call. */
  load64(host: Code): Code {
    const { sig, se } = this;
    const exp = i32.and(se.get, i32.const(0x7ff));
    return seq(
      sig.set(i64.load(host)),
      // Sign and exponent.
      se.set(i32.wrap(i64.shru(sig.get, i64.const(52n)))),
      when(
        i32.ltu(i32.sub(exp, i32.const(1)), i32.const(0x7fe)),
        seq(
          sig.set(i64.or(i64.shl(sig.get, i64.const(11n)), i64.const(1n << 63n))),
          se.set(
            i32.add(i32.add(exp, i32.const(BIAS - 1023)), i32.shl(i32.and(se.get, i32.const(0x800)), i32.const(4))),
          ),
        ),
        seq(this.call("ld64", sig.get), se.take, sig.take),
      ),
    );
  }

  refuseEmpty(register: Register): Code {
    const r = this.known(register);
    if (r.empty === false) return [];
    const code = this.refuseIf(r.empty ? i32.const(1) : saysEmpty(r.se.get));
    r.empty = false;
    return code;
  }

  refuseHeld(register: Register): Code {
    const r = this.known(register);
    if (r.empty === true) return [];
    const code = this.refuseIf(r.empty === false ? i32.const(1) : i32.eqz(saysEmpty(r.se.get)));
    r.empty = true;
    return code;
  }

  mode(bits: number): Code {
    if ((this.modes & bits) === bits) return [];
    this.modes |= bits;
    return this.refuseIf(i32.ne(i32.and(i32.load(none, FPU_MODE), i32.const(bits)), i32.const(bits)));
  }

  /** FPU_MODE has been changed. */
  forgetMode(): void {
    this.modes = 0;
  }

  private distance(register: Register): number {
    const i = register === "i" ? this.i : register === "next" ? -1 : register;
    return (this.moved + i) & 7;
  }

  private known(register: Register): Known {
    return this.registers[this.distance(register)];
  }

  private slot(distance: number): Code {
    return distance === 0 ? this.top.get : i32.and(i32.add(this.top.get, i32.const(16 * distance)), i32.const(0x70));
  }

  fetch(...registers: readonly Register[]): Code {
    return seq(
      ...registers.map((register) => {
        const r = this.known(register);
        if (r.current) return [];
        // What is empty is only written, or not at all.
        if (r.empty) return r.se.set(i32.const(TAG_EMPTY));
        r.current = true;
        const slot = this.slot(this.distance(register));
        return seq(r.sig.set(i64.load(slot, FPU_REGS)), r.se.set(i32.load(slot, FPU_REGS + SLOT_SE)));
      }),
    );
  }

  value(register: Register): Value {
    const { sig, se } = this.known(register);
    return { sig: sig.get, se: se.get };
  }

  write(register: Register, value: Value): Code {
    const r = this.known(register);
    const slot = this.slot(this.distance(register));
    r.current = true;
    r.empty = false;
    this.emptied &= ~(1 << this.distance(register));
    return seq(
      r.sig.set(value.sig),
      r.se.set(value.se),
      i64.store(slot, r.sig.get, FPU_REGS),
      i32.store(slot, r.se.get, FPU_REGS + SLOT_SE),
    );
  }

  exchange(): Code {
    const [a, b] = [this.value(0), this.value("i")];
    if (this.i === 0) return [];
    return seq(
      this.sig.set(a.sig),
      this.se.set(a.se),
      this.write(0, b),
      this.write("i", { sig: this.sig.get, se: this.se.get }),
    );
  }

  private move(by: number): Code {
    this.moved = (this.moved + by) & 7;
    return [];
  }

  push(): Code {
    return this.move(-1);
  }

  pop(): Code {
    const r = this.known(0);
    r.current = false;
    r.empty = true;
    this.emptied |= 1 << this.distance(0);
    return this.move(1);
  }
}
