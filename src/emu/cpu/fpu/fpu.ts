// The x87 instructions, opcodes D8-DF: availability, pending exceptions, control instructions; the rest by operand kind.
// Source: Intel SDM vol. 2; undocumented aliases (FCOM2, FXCH4, FSTP8...) as every processor has them.
import { PAGE_SIZE, SUPER_READ, USER_READ } from "../../machine/memory.ts";
import { type Cpu, CS, DS, EAX } from "../cpu.ts";
import { MF, NM, raise, UD } from "../fault.ts";
import { CR0_EM, CR0_MP, CR0_NE, CR0_TS } from "../mmu.ts";
import { load16, store16 } from "./access.ts";
import { memoryForm } from "./memory-forms.ts";
import { registerForm } from "./register-forms.ts";
import { fldenv, fnsave, fnstenv, frstor } from "./save.ts";
import { ES, type Fpu } from "./state.ts";

export { fxrstor, fxsave } from "./save.ts";

/** #NM by CR0.EM and CR0.TS. */
function checkAvailable(cpu: Cpu): void {
  if (cpu.cr0 & (CR0_EM | CR0_TS)) raise(cpu, NM);
}

/** #MF when an unmasked exception is pending. With CR0.NE clear the FERR# pin, which is not wired, would report it. */
function checkPending(cpu: Cpu): void {
  if (cpu.fpu.sw & ES && cpu.cr0 & CR0_NE) raise(cpu, MF);
}

/** What is checked before the memory operand: that the instruction exists, #NM, and a pending exception if it waits. */
export function checkReady(cpu: Cpu, opcode: number, modrm: number): void {
  if (isReserved(opcode, modrm)) raise(cpu, UD);
  checkAvailable(cpu);
  if (!doesNotWait(opcode, modrm)) checkPending(cpu);
}

/** FNSTENV, FNSTCW, FNSAVE, FNSTSW; FNCLEX, FNINIT and the 8087's leftovers. */
function doesNotWait(opcode: number, modrm: number): boolean {
  const op = (modrm >>> 3) & 7;
  if (modrm < 0xc0) return (opcode === 0xd9 || opcode === 0xdd) && op >= 6;
  return (opcode === 0xdf && modrm === 0xe0) || (opcode === 0xdb && op === 4);
}

/** FWAIT. */
export function fwait(cpu: Cpu): void {
  if ((cpu.cr0 & (CR0_MP | CR0_TS)) === (CR0_MP | CR0_TS)) raise(cpu, NM);
  checkPending(cpu);
}

/** Instructions executed before the quick routines are built: short programs do without. */
const FEW = 300;

/**
 * Execute one x87 instruction.
 * @param opcode D8 to DF
 * @param la linear address of the memory operand (memory forms only)
 * @param opsize operand size in bits, for the environment formats
 */
export function fpuExec(cpu: Cpu, opcode: number, modrm: number, la: number, opsize: 16 | 32 = 32): void {
  const fpu = cpu.fpu;
  if (fpu.mode !== 0 && (fpu.executed > FEW || ++fpu.executed > FEW) && quickly(cpu, opcode, modrm, la)) {
    if (modrm < 0xc0) {
      fpu.fdp = la;
      fpu.fds = cpu.sel[DS];
    }
    located(cpu, fpu, opcode, modrm);
    return;
  }
  fpuExact(cpu, opcode, modrm, la, opsize);
}

/** The same by the exact routines alone, which all others answer for. */
export function fpuExact(cpu: Cpu, opcode: number, modrm: number, la: number, opsize: 16 | 32 = 32): void {
  checkReady(cpu, opcode, modrm);
  const fpu = cpu.fpu;
  const op = (modrm >>> 3) & 7;
  if (modrm < 0xc0) {
    if (isControl(opcode, op)) {
      controlMemory(cpu, fpu, opcode, op, la, opsize);
      return;
    }
    fpu.begin();
    memoryForm(cpu, fpu, opcode, op, la);
    fpu.fdp = la;
    fpu.fds = cpu.sel[DS];
  } else {
    if (controlRegister(cpu, fpu, opcode, modrm)) return;
    fpu.begin();
    registerForm(cpu, fpu, opcode, modrm);
  }
  located(cpu, fpu, opcode, modrm);
}

/** Note where the last instruction lies. */
function located(cpu: Cpu, fpu: Fpu, opcode: number, modrm: number): void {
  fpu.fip = cpu.eip;
  fpu.fcs = cpu.sel[CS];
  fpu.fop = ((opcode & 7) << 8) | modrm;
}

/** The quick routines: true when they have executed the instruction. */
function quickly(cpu: Cpu, opcode: number, modrm: number, la: number): boolean {
  const quick = cpu.quick;
  const form = quick.forms[((opcode & 7) << 8) | modrm];
  if (form === 0) return false;
  if (modrm >= 0xc0) return quick.exec(form >>> 8, (modrm & 7) << 4) !== 0;
  const memory = cpu.memory;
  const entry = memory.tlb[(form & 1) | (cpu.cpl === 3 ? USER_READ : SUPER_READ)][la >>> 12];
  if (entry & 0xfff || (la & 0xfff) > PAGE_SIZE - ((form >>> 1) & 0x7f)) return false;
  return quick.exec(form >>> 8, (la + entry) | 0) !== 0;
}

/** Encodings that mean nothing: #UD, whatever is pending. */
function isReserved(opcode: number, modrm: number): boolean {
  const op = (modrm >>> 3) & 7;
  if (modrm < 0xc0) {
    return (
      (opcode === 0xd9 && op === 1) || (opcode === 0xdb && (op === 4 || op === 6)) || (opcode === 0xdd && op === 5)
    );
  }
  switch (opcode) {
    case 0xd9:
      return (op === 2 && modrm !== 0xd0) || modrm === 0xef || (op === 4 && (modrm & 2) !== 0);
    case 0xda:
      return op >= 4 && modrm !== 0xe9;
    case 0xdb:
      return op === 7 || (op === 4 && modrm > 0xe4);
    case 0xdd:
      return op >= 6;
    case 0xde:
      return op === 3 && modrm !== 0xd9;
    case 0xdf:
      return op === 7 || (op === 4 && modrm !== 0xe0);
    default:
      return false;
  }
}

/** A memory operand through a segment that is not flat: its offset is what the last-operand pointer holds. */
export function noteOperand(cpu: Cpu, opcode: number, modrm: number, off: number): void {
  if (!isControl(opcode, (modrm >>> 3) & 7)) cpu.fpu.fdp = off;
}

/** Memory forms that are control instructions: they leave the last-instruction pointers alone. */
function isControl(opcode: number, op: number): boolean {
  if (opcode === 0xd9) return op >= 4;
  return opcode === 0xdd && (op === 4 || op >= 6);
}

function controlMemory(cpu: Cpu, fpu: Fpu, opcode: number, op: number, la: number, opsize: 16 | 32): void {
  if (opcode === 0xd9) {
    if (op === 4) {
      fldenv(cpu, la, opsize);
    } else if (op === 5) {
      fpu.setCw(load16(cpu, la));
    } else if (op === 6) fnstenv(cpu, la, opsize);
    else store16(cpu, la, fpu.cw);
  } else if (op === 4) {
    frstor(cpu, la, opsize);
  } else if (op === 6) fnsave(cpu, la, opsize);
  else store16(cpu, la, fpu.status);
}

/** FNINIT, FNCLEX, FNSTSW AX and the 8087's leftovers: no wait, no pointers. */
function controlRegister(cpu: Cpu, fpu: Fpu, opcode: number, modrm: number): boolean {
  if (opcode === 0xdf && modrm === 0xe0) {
    cpu.r[EAX] = (cpu.r[EAX] & 0xffff_0000) | fpu.status;
    return true;
  }
  if (opcode !== 0xdb || modrm < 0xe0 || modrm > 0xe4) return false;
  if (modrm === 0xe2) fpu.sw &= 0x7f00;
  else if (modrm === 0xe3) fpu.init();
  return true;
}
