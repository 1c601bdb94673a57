// x87 instructions in regions: the quick code of fpu/quick in the region's function, the routines in its module. What has no
// quick code, and operands that are not for it, leave the region before the instruction.
import {
  FPU_C1,
  FPU_CW,
  FPU_FCS_FOP,
  FPU_FDP,
  FPU_FDS,
  FPU_FIP,
  FPU_MODE,
  FPU_PE,
  FPU_SW,
  MODE_FULL,
  MODE_MASKED,
  MODE_NEAREST,
} from "../fpu/layout.ts";
import { CompiledStack, type Pending, settle } from "../fpu/quick/compile.ts";
import { quickForm } from "../fpu/quick/forms.ts";
import { caller, routines } from "../fpu/quick/kernel.ts";
import { C1 } from "../fpu/state.ts";
import { CS, DS, EAX, STATE_AUX, STATE_RESULT, STATE_SEL } from "../state.ts";
import { type Code, flatten, I64, i32, i64, localAt, select, seq, type ValueType } from "../wasm/code.ts";
import type { Assembler, Label } from "./assembler.ts";
import { Bytes } from "./assembler.ts";
import { type Flags, HELPER_FUNCTIONS } from "./flags.ts";
import { BASE, FB, FR, HOST, KIND_AUX, LA, REG } from "./layout.ts";

/** Locals of a function with x87 instructions: so many of 64 bits, then so many of 32. */
export const X87_WIDE = 9;
export const X87_NARROW = 10;

const none = i32.const(0);
const FLAGS = 0x3f;
const PE_BIT = 5;

interface Operand {
  readonly bytes: number;
  readonly writes: boolean;
}

/** FNSTCW, FLDCW, FNSTSW of memory. */
function controlOperand(opcode: number, op: number): Operand | null {
  if (opcode === 0xd9 && (op === 5 || op === 7)) return { bytes: 2, writes: op === 7 };
  return opcode === 0xdd && op === 7 ? { bytes: 2, writes: true } : null;
}

/** FNSTSW AX. */
export function storesStatus(opcode: number, modrm: number): boolean {
  return opcode === 0xdf && modrm === 0xe0;
}

/** What a region can do: the memory operand (0 bytes for register forms), or null when it cannot. */
export function x87Operand(opcode: number, modrm: number): Operand | null {
  if (storesStatus(opcode, modrm)) return { bytes: 0, writes: false };
  const control = modrm < 0xc0 ? controlOperand(opcode, (modrm >>> 3) & 7) : null;
  return control ?? quickForm(opcode, modrm);
}

/** The routines as a module holds them: signatures and bodies. */
function makeRoutines(): { types: number[][]; bodies: Bytes[] } {
  const functions = routines();
  const bodies = functions.map((f) => {
    const bytes = new Bytes();
    for (const b of flatten(f.unsized())) bytes.byte(b);
    return bytes;
  });
  return { types: functions.map((f) => flatten(f.signature())), bodies };
}
let made: ReturnType<typeof makeRoutines> | null = null;
/** Made once: they never change. */
export function x87Routines(): ReturnType<typeof makeRoutines> {
  made ??= makeRoutines();
  return made;
}

/** Status word as FNSTSW stores it. */
const status = (top: Code): Code =>
  i32.or(
    i32.or(i32.load(none, FPU_SW), i32.shl(top, i32.const(7))),
    i32.or(
      i32.shl(i32.load(none, FPU_C1), i32.const(Math.log2(C1))),
      i32.shl(i64.ne(i64.load(none, FPU_PE), i64.const(0n)), i32.const(PE_BIT)),
    ),
  );

/** What memory does not show yet where a region is left inside a block. */
export interface X87Pending {
  readonly stack: Pending | null;
  /** The last x87 instruction: offset from the region's base, and opcode. */
  readonly place: number;
  readonly fop: number;
}

/** Bring the state block up to date: the region at linear address `base` has been left with this pending. */
export function settleX87(state: Int32Array, base: number, pending: X87Pending): void {
  if (pending.stack !== null) settle(state, pending.stack);
  state[FPU_FIP >> 2] = base + pending.place;
  state[FPU_FCS_FOP >> 2] = state[STATE_SEL + CS] | (pending.fop << 16);
}

/** The x87 instructions of one region. */
export class X87Code {
  private readonly asm: Assembler;
  private readonly flags: Flags;
  private readonly stack: CompiledStack;
  /** The operand's selector has been noted in this block. */
  private dataNoted = false;
  /** Place and opcode of the block's last x87 instruction so far. */
  private last: { place: number; fop: number } | null = null;
  private leaveIf: (condition: Code) => Code = () => [];

  /** @param first number of the first of its locals */
  constructor(asm: Assembler, flags: Flags, first: number) {
    this.asm = asm;
    this.flags = flags;
    let [wide, narrow] = [first, first + X87_WIDE];
    this.stack = new CompiledStack({
      local: (type: ValueType) => localAt(type === I64 ? wide++ : narrow++),
      call: caller(routines(), HELPER_FUNCTIONS),
      leaveIf: (condition) => this.leaveIf(condition),
    });
  }

  /** At the start of a block. */
  begin(): void {
    this.stack.begin();
    this.dataNoted = false;
    this.last = null;
  }

  /** What is pending before the next instruction. */
  pending(): X87Pending | null {
    return this.last === null ? null : { stack: this.stack.pending(), ...this.last };
  }

  /** The block ends, or what follows knows nothing of the x87: write what is pending. */
  flush(): void {
    if (this.last === null) return;
    const { place, fop } = this.last;
    this.put([
      this.stack.flush(),
      i32.store(none, i32.add(localAt(BASE).get, i32.const(place)), FPU_FIP),
      i32.store(none, i32.or(i32.load(none, 4 * (STATE_SEL + CS)), i32.const(fop << 16)), FPU_FCS_FOP),
    ]);
    this.last = null;
  }

  /**
   * One instruction; the operand's linear address lies in LA, its host address in HOST.
   * @param eip the instruction's offset from the region's base
   * @param out where the region is left, with the number `site` on the stack
   */
  instruction(opcode: number, modrm: number, eip: number, out: Label, site: number): void {
    const { asm } = this;
    const leave = [0x0d, ...asm.distance(out)];
    this.leaveIf = (condition) => [i32.const(site), condition, leave, 0x1a];
    const control = this.control(opcode, modrm);
    if (control !== null) {
      this.put(control);
      return;
    }
    const code = this.stack.instruction(opcode, modrm, localAt(HOST).get);
    if (code === null) throw new Error("x87 instruction without quick code in a region");
    this.put(modrm < 0xc0 ? seq(code, this.operandNoted()) : code);
    this.last = { place: eip, fop: ((opcode & 7) << 8) | modrm };
    if (quickForm(opcode, modrm)?.setsFlags) {
      this.put([localAt(FR).set(i32.load(none, 4 * STATE_RESULT)), localAt(FB).set(i32.load(none, 4 * STATE_AUX))]);
      this.flags.become(KIND_AUX);
    }
  }

  private put(code: Code): void {
    for (const b of flatten(code)) this.asm.out.byte(b);
  }

  /** Note the memory operand, as fpuExec does. */
  private operandNoted(): Code {
    const parts: Code[] = [i32.store(none, localAt(LA).get, FPU_FDP)];
    if (!this.dataNoted) parts.push(i32.store(none, i32.load(none, 4 * (STATE_SEL + DS)), FPU_FDS));
    this.dataNoted = true;
    return parts;
  }

  private control(opcode: number, modrm: number): Code | null {
    if (storesStatus(opcode, modrm)) {
      const eax = localAt(REG + EAX);
      const low = status(this.stack.topNow());
      return [
        this.stack.start(),
        this.stack.mode(MODE_MASKED),
        eax.set(i32.or(i32.and(eax.get, i32.const(0xffff_0000)), low)),
      ];
    }
    const op = (modrm >>> 3) & 7;
    if (modrm >= 0xc0 || controlOperand(opcode, op) === null) return null;
    const available = this.stack.mode(MODE_MASKED);
    const host = localAt(HOST).get;
    if (opcode === 0xdd) return [this.stack.start(), available, i32.store16(host, status(this.stack.topNow()))];
    if (op === 7) return [available, i32.store16(host, i32.load(none, FPU_CW))];
    // FLDCW that leaves all exceptions masked.
    const word = i32.load16u(host);
    const nearest = i32.eqz(i32.and(word, i32.const(0xc00)));
    const full = i32.eq(i32.and(word, i32.const(0x300)), i32.const(0x300));
    const precise = select(i32.const(MODE_NEAREST | MODE_FULL), i32.const(MODE_NEAREST), full);
    this.stack.forgetMode();
    return [
      available,
      this.leaveIf(i32.ne(i32.and(word, i32.const(FLAGS)), i32.const(FLAGS))),
      i32.store(none, i32.or(i32.and(word, i32.const(0x1f3f)), i32.const(0x40)), FPU_CW),
      i32.store(none, i32.or(i32.const(MODE_MASKED), select(precise, none, nearest)), FPU_MODE),
    ];
  }
}
