// What kmlab/model is: answers about traces, for programs that import it. Tables are read by whoever has data/ at hand.
export { CAUSES as CYCLE_CAUSES, type Cause as CycleCause } from "./causes.ts";
export type { Conditions } from "./conditions.ts";
export { loadModelData, type ModelData } from "./data.ts";
export type { Interval } from "./interval.ts";
export type { MachineChoice } from "./machine-choice.ts";
export { whatifText } from "./report.ts";
export { type SensitivityOptions, type SensitivityResult, sensitivity } from "./sensitivity/sensitivity.ts";
export {
  isResult,
  type MechanismMissing,
  type MechanismResult,
  type WhatIfOptions,
  type WhatIfResult,
  whatif,
} from "./whatif.ts";
