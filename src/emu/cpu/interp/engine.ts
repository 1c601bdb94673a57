// The instruction engine of a Cpu.
import type { Cpu, Engine } from "../cpu.ts";

/** Make the engine that executes on `cpu`. */
export function createEngine(cpu: Cpu): Engine {
  return {
    run(untilIcount) {
      cpu.shutdown = `no engine to reach instruction ${untilIcount}`;
    },
    invalidateFrame(pfn) {
      cpu.memory.codeFrames[pfn] = 0;
    },
    flushMix() {},
  };
}
