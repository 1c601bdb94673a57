// All figures, in the order of their numbers.
import type { Figure } from "./figure.ts";
import { figure as latency } from "./figures/01-latency.ts";
import { figure as programs } from "./figures/02-programs.ts";
import { figure as callRate } from "./figures/03-call-rate.ts";
import { figure as validation } from "./figures/04-validation.ts";
import { figure as tornado } from "./figures/05-tornado.ts";
import { figure as quantum } from "./figures/06-quantum.ts";
import { figure as oneRead } from "./figures/07-one-read.ts";
import { figure as starvation } from "./figures/08-starvation.ts";
import { figure as memory } from "./figures/09-memory.ts";
import { figure as breakEven } from "./figures/10-break-even.ts";
import { figure as generations } from "./figures/11-generations.ts";
import { figure as hypervisor } from "./figures/12-hypervisor.ts";
import { figure as instructionOrEntry } from "./figures/13-instruction-or-entry.ts";
import { figure as afterACall } from "./figures/14-after-a-call.ts";

export const FIGURES: readonly Figure[] = [
  latency,
  programs,
  callRate,
  validation,
  tornado,
  quantum,
  oneRead,
  starvation,
  memory,
  breakEven,
  generations,
  hypervisor,
  instructionOrEntry,
  afterACall,
];
