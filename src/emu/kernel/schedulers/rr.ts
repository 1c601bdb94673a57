// Round robin: one queue, first in, first out, each task for a quantum; nobody takes the CPU from anybody before.
import { Fifo } from "./fifo.ts";
import type { PolicyMachine } from "./policy.ts";

const QUANTUM_NS = 100_000_000;

export class RoundRobin extends Fifo {
  readonly quantum: number;

  constructor(machine: PolicyMachine) {
    super();
    this.quantum = QUANTUM_NS / machine.nsPerUnit;
  }
}
