// All cases, in the order in which images run them.
import type { Case } from "../harness.ts";
import { askCases } from "./ask.ts";
import { debugCases } from "./debug.ts";
import { interruptCases } from "./interrupts.ts";
import { nestedCases } from "./nested.ts";
import { pagingCases } from "./paging.ts";
import { privilegeCases } from "./privilege.ts";
import { returnCases } from "./returns.ts";
import { segmentCases } from "./segments.ts";
import { taskCases } from "./tasks.ts";
import { task16Cases } from "./tasks16.ts";
import { transferCases } from "./transfers.ts";

export const CASES: readonly Case[] = [
  ...segmentCases,
  ...askCases,
  ...transferCases,
  ...interruptCases,
  ...returnCases,
  ...taskCases,
  ...task16Cases,
  ...pagingCases,
  ...privilegeCases,
  ...debugCases,
  ...nestedCases,
];
