// Faults inside an instruction: how any code that acts for the CPU abandons the instruction it is in.
import type { Cpu } from "./cpu.ts";

/** Exception vectors (Intel SDM vol. 3, table "Protected-mode exceptions and interrupts"). */
export const DE = 0;
export const DB = 1;
export const NMI = 2;
export const BP = 3;
export const OF = 4;
export const BR = 5;
export const UD = 6;
export const NM = 7;
export const DF = 8;
export const TS = 10;
export const NP = 11;
export const SS_FAULT = 12;
export const GP = 13;
export const PF = 14;
export const MF = 16;
export const AC = 17;
export const MC = 18;
export const XM = 19;

/** Thrown by raise(); what happened is in cpu.faultVector and cpu.faultCode. One object serves every fault: no stack trace is taken. */
export class GuestFault {
  readonly name = "GuestFault";
}

/** The one GuestFault. */
export const guestFault: GuestFault = new GuestFault();

/**
 * Abandon the current instruction with an exception. Callers must not have changed guest-visible state yet.
 * @param vector exception number
 * @param errorCode pushed by delivery when >= 0; -1 for exceptions without one
 */
export function raise(cpu: Cpu, vector: number, errorCode = -1): never {
  cpu.faultVector = vector;
  cpu.faultCode = errorCode;
  throw guestFault;
}
