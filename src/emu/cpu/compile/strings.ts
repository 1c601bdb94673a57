// REP MOVS and REP STOS in regions: all iterations at once when they go upwards, stay in the present pages and the budget,
// and do not read what they have written; else the region is left before the instruction.
import { TLB_SUPER_READ, TLB_SUPER_WRITE, TLB_USER_READ, TLB_USER_WRITE } from "../../machine/memory.ts";
import type { Op } from "../isa/decode.ts";
import { EAX, ECX, EDI, ESI, STATE_EFLAGS } from "../state.ts";
import { HOST, LA, LEFT, REG, SCRATCH, STATE_ITERATIONS } from "./layout.ts";
import type { Surroundings } from "./surroundings.ts";

const DF = 0x400;
const PAGE = 0x1000;

/** Emit one repeated MOVS or STOS. */
export function repeatString(around: Surroundings, op: Op, what: "movs" | "stos"): void {
  const { asm, user } = around;
  const { size } = op.form;
  const shift = size === 32 ? 2 : size >> 4;
  const bytes = SCRATCH;
  const leaveIf = (condition: () => void) => {
    asm.const(around.site());
    condition();
    asm.brIf(around.out);
    asm.op("drop");
  };
  /** Push the host address of a register's memory, all bytes in its page. */
  const translate = (register: number, table: number, into: number) => {
    asm.get(REG + register);
    asm.const(10);
    asm.op("shr");
    asm.const(0x3f_fffc);
    asm.op("and");
    asm.load(32, table);
    asm.set(into);
    leaveIf(() => {
      asm.get(into);
      asm.const(0xfff);
      asm.op("and");
      asm.const(1);
      asm.op("shl");
      asm.get(REG + register);
      asm.const(0xfff);
      asm.op("and");
      asm.op("add");
      asm.get(bytes);
      asm.op("add");
      asm.const(PAGE);
      asm.op("gtu");
    });
    asm.get(into);
    asm.get(REG + register);
    asm.op("add");
    asm.set(into);
  };
  const advance = (register: number) => {
    asm.get(REG + register);
    asm.get(bytes);
    asm.op("add");
    asm.set(REG + register);
  };
  asm.get(REG + ECX);
  asm.if();
  leaveIf(() => {
    asm.const(0);
    asm.load(32, 4 * STATE_EFLAGS);
    asm.const(DF);
    asm.op("and");
    asm.get(REG + ECX);
    asm.const(PAGE >> shift);
    asm.op("gtu");
    asm.op("or");
    asm.get(LEFT);
    asm.get(REG + ECX);
    asm.op("sub");
    asm.const(around.budget);
    asm.op("lts");
    asm.op("or");
    if (what === "stos" && shift > 0) {
      // Only one byte over and over.
      asm.get(REG + EAX);
      asm.const(0xff);
      asm.op("and");
      asm.const(shift === 2 ? 0x0101_0101 : 0x0101);
      asm.op("mul");
      asm.get(REG + EAX);
      if (shift === 1) {
        asm.const(0xffff);
        asm.op("and");
      }
      asm.op("ne");
      asm.op("or");
    }
  });
  asm.get(REG + ECX);
  if (shift) {
    asm.const(shift);
    asm.op("shl");
  }
  asm.set(bytes);
  translate(EDI, user ? TLB_USER_WRITE : TLB_SUPER_WRITE, HOST);
  if (what === "movs") {
    translate(ESI, user ? TLB_USER_READ : TLB_SUPER_READ, LA);
    leaveIf(() => {
      asm.get(HOST);
      asm.get(LA);
      asm.op("sub");
      asm.const(1);
      asm.op("sub");
      asm.get(bytes);
      asm.const(1);
      asm.op("sub");
      asm.op("ltu");
    });
    asm.get(HOST);
    asm.get(LA);
    asm.get(bytes);
    asm.copy();
    advance(ESI);
  } else {
    asm.get(HOST);
    asm.get(REG + EAX);
    asm.get(bytes);
    asm.fill();
  }
  advance(EDI);
  // One iteration is counted with the block.
  asm.get(LEFT);
  asm.get(REG + ECX);
  asm.op("sub");
  asm.const(1);
  asm.op("add");
  asm.set(LEFT);
  if (around.isProgram()) {
    asm.const(0);
    asm.const(0);
    asm.load(32, 4 * STATE_ITERATIONS);
    asm.get(REG + ECX);
    asm.op("add");
    asm.const(1);
    asm.op("sub");
    asm.store(32, 4 * STATE_ITERATIONS);
  }
  asm.const(0);
  asm.set(REG + ECX);
  asm.end();
}
