// All figures, in the order of their numbers.
import type { Figure } from "./figure.ts";
import { figure as latency } from "./figures/01-latency.ts";
import { figure as callRate } from "./figures/03-call-rate.ts";

export const FIGURES: readonly Figure[] = [latency, callRate];
