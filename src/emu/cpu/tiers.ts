// The engines by name: each executes any program with the same results, at its own speed.
import type { Cpu, Engine } from "./cpu.ts";
import { createCompiler, createEngine } from "./interp/engine.ts";
import { createOracle } from "./interp/oracle.ts";
import type { Tier } from "./state.ts";

const ENGINES: Readonly<Record<Tier, (cpu: Cpu) => Engine>> = {
  oracle: createOracle,
  interpret: createEngine,
  compile: createCompiler,
};

/** Make the engine of a tier that executes on `cpu`. */
export function engineOf(cpu: Cpu, tier: Tier): Engine {
  return ENGINES[tier](cpu);
}
