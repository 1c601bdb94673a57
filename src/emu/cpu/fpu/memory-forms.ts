// The x87 instructions with a memory operand, but for the control instructions.
import type { Cpu } from "../cpu.ts";
import { raise, UD } from "../fault.ts";
import { loadDouble, loadExtended, loadInt16, loadInt32, loadInt64, loadSingle } from "./access.ts";
import { loadBcd } from "./bcd.ts";
import { classify, quiet, SNAN, setIndefinite } from "./float80.ts";
import { arithmetic, compareWith, finish, pushMemory } from "./operate.ts";
import { DE, IE, ZE } from "./round.ts";
import type { Fpu } from "./state.ts";
import {
  storeDecimal,
  storeDouble,
  storeExtendedAndPop,
  storeInteger,
  storeSingle,
  storeTruncatedAndPop,
} from "./stores.ts";

export function memoryForm(cpu: Cpu, fpu: Fpu, opcode: number, op: number, la: number): void {
  switch (opcode) {
    case 0xd8:
    case 0xda:
    case 0xdc:
    case 0xde:
      memoryArithmetic(cpu, fpu, opcode, op, la);
      return;
    case 0xd9:
      if (op === 0) loadReal(fpu, loadSingle(cpu, la, fpu.memory));
      else if (op === 2 || op === 3) storeSingle(cpu, fpu, la, op === 3);
      else raise(cpu, UD);
      return;
    case 0xdb:
      memoryDb(cpu, fpu, op, la);
      return;
    case 0xdd:
      if (op === 0) loadReal(fpu, loadDouble(cpu, la, fpu.memory));
      else if (op === 1) storeTruncatedAndPop(cpu, fpu, la, 64);
      else if (op === 2 || op === 3) storeDouble(cpu, fpu, la, op === 3);
      else raise(cpu, UD);
      return;
    default:
      memoryDf(cpu, fpu, op, la);
  }
}

/** FLD m32fp, m64fp: quiet a signalling NaN (IE), note a denormal (DE), push. */
function loadReal(fpu: Fpu, denormal: boolean): void {
  const env = fpu.env;
  if (!fpu.isEmpty(7)) {
    fpu.pushChecked();
    return;
  }
  if (denormal) env.flags |= DE;
  if (classify(fpu.memory) === SNAN) {
    env.flags |= IE;
    quiet(fpu.memory);
  }
  fpu.record(env.flags, 0);
  // An unmasked denormal exception does not keep the value from being loaded (measured).
  if (!(env.flags & ~env.masks & IE)) fpu.push(fpu.memory);
}

function memoryArithmetic(cpu: Cpu, fpu: Fpu, opcode: number, op: number, la: number): void {
  const b = fpu.memory;
  let denormal = false;
  if (opcode === 0xd8) denormal = loadSingle(cpu, la, b);
  else if (opcode === 0xdc) denormal = loadDouble(cpu, la, b);
  else if (opcode === 0xda) loadInt32(cpu, la, b);
  else loadInt16(cpu, la, b);
  const env = fpu.env;
  if (op === 2 || op === 3) {
    if (denormal && !fpu.isEmpty(0) && classify(fpu.st(0)) < 4) env.flags |= DE;
    if (compareWith(fpu, b, false, true) && op === 3) fpu.pop();
    return;
  }
  if (fpu.isEmpty(0)) {
    if (fpu.stackFault(false)) {
      setIndefinite(fpu.st(0));
      fpu.markUsed(0);
    }
    return;
  }
  arithmetic(fpu, op, fpu.st(0), b);
  // A denormal memory operand counts as one only where no NaN, invalid operation or division by zero came first.
  if (denormal && classify(fpu.st(0)) < 4 && !(env.flags & (IE | ZE))) env.flags |= DE;
  finish(fpu, 0);
}

function memoryDb(cpu: Cpu, fpu: Fpu, op: number, la: number): void {
  switch (op) {
    case 0:
      loadInt32(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 1:
      storeTruncatedAndPop(cpu, fpu, la, 32);
      return;
    case 2:
    case 3:
      storeInteger(cpu, fpu, la, 32, op === 3);
      return;
    case 5:
      loadExtended(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 7:
      storeExtendedAndPop(cpu, fpu, la);
      return;
    default:
      raise(cpu, UD);
  }
}

function memoryDf(cpu: Cpu, fpu: Fpu, op: number, la: number): void {
  switch (op) {
    case 0:
      loadInt16(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 1:
      storeTruncatedAndPop(cpu, fpu, la, 16);
      return;
    case 2:
    case 3:
      storeInteger(cpu, fpu, la, 16, op === 3);
      return;
    case 4:
      loadBcd(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 5:
      loadInt64(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 6:
      storeDecimal(cpu, fpu, la);
      return;
    case 7:
      storeInteger(cpu, fpu, la, 64, true);
      return;
    default:
      raise(cpu, UD);
  }
}
