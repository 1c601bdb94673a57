// The instruction table of the i686, and what is built from it. Nothing about an instruction is said anywhere else.
import { GP, UD } from "../fault.ts";
import { buildSet, type Form, type InstructionSet } from "./forms.ts";
import { aluTable } from "./rows/alu.ts";
import { controlTable } from "./rows/control.ts";
import { moveTable } from "./rows/move.ts";
import { shiftTable } from "./rows/shift.ts";
import { simdFloatTable } from "./rows/simd-float.ts";
import { simdIntegerTable } from "./rows/simd-integer.ts";
import { simdMoveTable } from "./rows/simd-move.ts";
import { stackTable } from "./rows/stack.ts";
import { stringTable } from "./rows/string.ts";
import { systemTable } from "./rows/system.ts";

export const instructionSet: InstructionSet = buildSet([
  ...moveTable,
  ...aluTable,
  ...shiftTable,
  ...stackTable,
  ...controlTable,
  ...stringTable,
  ...systemTable,
  ...simdMoveTable,
  ...simdIntegerTable,
  ...simdFloatTable,
]);

/** What undecodable bytes decode to: a form whose meaning is the fault. */
function faultForm(offset: number, name: string, vector: number, code: number): Form {
  return {
    id: instructionSet.forms.length + offset,
    names: [name],
    opcode: [],
    exact: false,
    mandatory: 0,
    needs: 0,
    digit: -1,
    modrm: false,
    operands: [],
    size: 32,
    sized: false,
    sem: (m) => m.raise(vector, code),
    cls: 0,
    options: {},
    sync: true,
    segment: false,
    branch: false,
    string: false,
    immBytes: 0,
    relBytes: 0,
    imm2Bytes: 0,
    moffs: false,
    aSize: 0,
    bSize: 0,
    bIsIndex: false,
  };
}

/** #UD. */
export const BAD_OPCODE: Form = faultForm(0, "(bad)", UD, -1);
/** Longer than 15 bytes: #GP(0). */
export const BAD_LENGTH: Form = faultForm(1, "(too long)", GP, 0);
/** Number of forms, the two above included. */
export const FORM_COUNT: number = instructionSet.forms.length + 2;
