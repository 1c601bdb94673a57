// All vector operations by the names that the instruction table uses.
import { compareOperations } from "./compare.ts";
import { convertOperations } from "./convert.ts";
import { floatOperations } from "./float.ts";
import { integerOperations, type VectorOperation } from "./integer.ts";
import { shuffleOperations } from "./shuffle.ts";

export const vectorOperations: Readonly<Record<string, VectorOperation>> = {
  ...shuffleOperations,
  ...integerOperations,
  ...floatOperations,
  ...compareOperations,
  ...convertOperations,
};
