// The oracle: an engine that executes one instruction at a time, looks at everything between any two of them, and keeps
// no decoded code. Slow and plain: what the other engines must agree with.
import { RAM_BASE } from "../../machine/memory.ts";
import type { Cpu, Engine } from "../cpu.ts";
import { checkCodeBreakpoint, debugTrap } from "../debug.ts";
import { guestFault, NMI } from "../fault.ts";
import { IF, RF, TF } from "../flags.ts";
import { deliverException, deliverInterrupt } from "../gates.ts";
import { CS, STATE_CODE, STATE_EFLAGS, STATE_LEFT, TALLY } from "../state.ts";
import { pushesOf } from "../tally.ts";
import { MixClasses } from "./classes.ts";
import { executeNaive } from "./naive.ts";

/** Largest stretch that STATE_LEFT counts. */
const MAX_STRETCH = 0x3fff_ffff;

class Oracle implements Engine {
  private readonly cpu: Cpu;
  private readonly classes = new MixClasses();
  private retired = new Float64Array(16);

  constructor(cpu: Cpu) {
    this.cpu = cpu;
    // The quick routines of the x87 are never built: the exact ones do everything.
    cpu.fpu.executed = Number.NEGATIVE_INFINITY;
  }

  run(untilIcount: number): void {
    const { cpu } = this;
    const S = cpu.state;
    cpu.stopRequested = false;
    cpu.runLimit = untilIcount;
    for (;;) {
      const now = cpu.icount;
      if (now >= cpu.runLimit || cpu.shutdown !== null || cpu.stopRequested) return;
      S[STATE_LEFT] = Math.min(cpu.runLimit - now, MAX_STRETCH);
      cpu.countTarget = now + S[STATE_LEFT];
      if (cpu.inhibit) cpu.inhibit = false;
      else if (!this.attend()) return;
      this.step();
    }
  }

  /** Traps and interrupts between instructions. False: there is nothing to execute. */
  private attend(): boolean {
    const { cpu } = this;
    if (cpu.pendingDebug !== 0) this.trap(false);
    if (cpu.nmi && !cpu.nmiBlocked) {
      cpu.nmi = false;
      cpu.halted = false;
      deliverInterrupt(cpu, NMI);
    } else if (cpu.intr && (cpu.state[STATE_EFLAGS] & IF) !== 0) {
      cpu.halted = false;
      deliverInterrupt(cpu, cpu.host.intAck());
    }
    return !cpu.halted && cpu.shutdown === null;
  }

  private step(): void {
    const { cpu } = this;
    const S = cpu.state;
    const start = cpu.eip;
    const pending = cpu.pendingDebug;
    const stepped = (S[STATE_EFLAGS] & TF) !== 0;
    try {
      checkCodeBreakpoint(cpu, (cpu.base[CS] + cpu.eip) | 0);
      S[STATE_EFLAGS] &= ~RF;
      let program = true;
      const op = executeNaive(cpu, () => {
        const pa = S[STATE_CODE] - RAM_BASE;
        program = pa < 0 || cpu.memory.kernelText[pa >>> 12] === 0;
        const probe = cpu.probes.get(pa);
        probe?.();
      });
      S[STATE_LEFT]--;
      // Between the iterations of a repeated instruction RF is set.
      if (op.form.string && cpu.eip === start) S[STATE_EFLAGS] |= RF;
      if (!program && cpu.counting) cpu.tally[TALLY.pushes] += pushesOf(op.form);
      if (program) this.retired[this.classes.of(op)]++;
      // INT and INT3, and INTO when taken, have cleared TF on their way in: they are not stepped.
      const entered = /^int/.test(op.form.names[0]) && !(S[STATE_EFLAGS] & TF);
      const due = stepped && !entered;
      if ((due || cpu.pendingDebug !== 0) && !cpu.inhibit) this.trap(due);
    } catch (error) {
      if (error !== guestFault) throw error;
      // Data breakpoints are traps of instructions that complete.
      cpu.pendingDebug = pending;
      deliverException(cpu, cpu.faultVector, cpu.faultCode);
    }
  }

  private trap(stepped: boolean): void {
    const { cpu } = this;
    try {
      debugTrap(cpu, stepped);
    } catch (error) {
      if (error !== guestFault) throw error;
      deliverException(cpu, cpu.faultVector, cpu.faultCode);
    }
  }

  invalidateFrame(pfn: number): void {
    this.cpu.memory.codeFrames[pfn] = 0;
  }

  codeWritten(pfn: number): void {
    this.cpu.memory.codeFrames[pfn] = 0;
  }

  flushMix(counts: Float64Array): void {
    for (let i = 0; i < counts.length; i++) counts[i] += this.retired[i];
    this.retired.fill(0);
  }
}

/** Make the oracle that executes on `cpu`. */
export function createOracle(cpu: Cpu): Engine {
  return new Oracle(cpu);
}
