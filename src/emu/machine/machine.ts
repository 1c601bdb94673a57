// A PC core: CPU, memory, 8259 pair, timer and clock joined, and the loop that runs them.
import { Cpu, type CpuHost, type Tier } from "../cpu/cpu.ts";
import type { CpuModel } from "../cpu/models.ts";
import { Clock, NS_PER_UNIT } from "./clock.ts";
import { Memory } from "./memory.ts";
import { PIC_PORTS, Pic8259 } from "./pic.ts";
import { PIT_PORTS, Pit } from "./pit.ts";

/** Interrupt line of the timer. */
export const TIMER_IRQ = 0;
/** Instructions with interrupts off after which a machine counts as dead. */
export const DEAD_AFTER_INSTRUCTIONS = 1_000_000_000;
/** Events in a row, without an instruction between them, after which an idle machine counts as dead. */
export const DEAD_AFTER_EVENTS = 10_000_000;
/** Longest stretch between two looks at the machine's health, in instructions. */
const SLICE = 50_000_000;
const EFLAGS_IF = 0x200;

/** What a kernel hangs into a machine. */
export interface MachineHooks {
  kcall(n: number): void;
  /** Called before clock events fire; and after they have, before the CPU goes on. */
  beforeEvents?(): void;
  afterEvents?(): void;
}

/** A device on I/O ports, which sees accesses byte by byte. */
export interface PortDevice {
  read(port: number): number;
  write(port: number, value: number): void;
}

export interface MachineOptions {
  ramBytes: number;
  /** Timer ticks a second. */
  hz: number;
  cpuModel?: CpuModel;
  /** What executes instructions; results do not depend on it. */
  tier?: Tier;
}

export class Machine {
  readonly memory: Memory;
  readonly cpu: Cpu;
  readonly clock: Clock;
  readonly pic: Pic8259;
  readonly pit: Pit;
  /** Nanoseconds in a clock unit. */
  readonly nsPerUnit: number = NS_PER_UNIT;
  /** Why the machine will never run again; null while it may. */
  dead: string | null = null;
  /** What the kernel does at a kcall; set once, before run(). */
  hooks: MachineHooks | null = null;
  /** Count of instructions at which the machine dies. */
  instructionLimit: number = Number.POSITIVE_INFINITY;
  /** Events that may fire without an instruction between them. */
  idleLimit: number = DEAD_AFTER_EVENTS;
  private readonly devices = new Map<number, PortDevice>();
  private stopping = false;
  private running = false;
  private lastIfOn = 0;
  private idleSince = -1;
  private idleFrom = 0;

  constructor(options: MachineOptions) {
    this.memory = new Memory(options.ramBytes);
    this.cpu = new Cpu(this.memory, this.host(), options.cpuModel, options.tier);
    this.clock = new Clock(this.cpu);
    this.clock.onNearer = () => this.comeNearer();
    this.pic = new Pic8259((level) => {
      this.cpu.intr = level;
    });
    this.pit = new Pit(this.clock, options.hz, () => this.pic.pulse(TIMER_IRQ));
  }

  /** Put a device on ports; it takes them over from whatever answered there. */
  attach(ports: readonly number[], device: PortDevice): void {
    for (const port of ports) this.devices.set(port, device);
  }

  /** Leave run() at the next look; from a kcall or a clock event. */
  stop(): void {
    this.stopping = true;
    this.cpu.stopRequested = true;
  }

  /** The machine will never run again; the first reason counts. */
  die(reason: string): void {
    this.dead ??= reason;
    this.stop();
  }

  /**
   * Run until stop() or until the machine is dead (then `dead` says why).
   */
  run(): void {
    const { cpu, clock } = this;
    this.stopping = false;
    while (!this.stopping && this.dead === null) {
      if (clock.next() <= clock.now()) {
        this.hooks?.beforeEvents?.();
        clock.fireDue();
        this.hooks?.afterEvents?.();
      }
      if (this.stopping) break;
      if (cpu.halted && !this.wakes()) {
        this.sleepOrDie();
        continue;
      }
      this.running = true;
      cpu.run(cpu.icount + this.budget());
      this.running = false;
      this.look();
    }
    cpu.stopRequested = false;
  }

  /**
   * Nothing can run: jump to the next event and fire what is due then. Where there is nothing to wait for, or waiting leads
   * nowhere, the machine dies.
   * @param nothing what it dies of if no event is to come
   * @returns false if it died
   */
  idleJump(nothing: string): boolean {
    const { clock, cpu } = this;
    if (cpu.icount !== this.idleSince) this.idleFrom = clock.fired;
    this.idleSince = cpu.icount;
    if (!clock.expecting) this.die(nothing);
    else if (clock.fired - this.idleFrom >= this.idleLimit) {
      this.die(`${this.idleLimit} timer events in a row found nothing to run`);
    }
    if (this.dead !== null) return false;
    clock.jumpTo(clock.next());
    clock.fireDue();
    return true;
  }

  /** Instructions that may run before somebody has to look. */
  private budget(): number {
    const left = this.instructionLimit - this.cpu.icount;
    return Math.min(SLICE, left, Math.max(0, this.clock.next() - this.clock.now()));
  }

  /** A charge or a new event while the CPU runs: take back what it was given too much. */
  private comeNearer(): void {
    if (this.running) this.cpu.shorten(this.budget());
  }

  private wakes(): boolean {
    const { cpu } = this;
    return cpu.nmi || (cpu.intr && (cpu.getEflags() & EFLAGS_IF) !== 0);
  }

  private sleepOrDie(): void {
    if (!(this.cpu.getEflags() & EFLAGS_IF)) this.dead = "processor halted with interrupts off";
    else if (this.idleJump("processor halted and nothing will wake it")) this.hooks?.afterEvents?.();
  }

  private look(): void {
    const { cpu } = this;
    if (cpu.shutdown !== null) {
      this.dead = cpu.shutdown;
      return;
    }
    if (cpu.icount >= this.instructionLimit && !this.stopping) {
      this.dead = `the bound of ${this.instructionLimit} instructions was reached`;
    }
    if (cpu.getEflags() & EFLAGS_IF) this.lastIfOn = cpu.icount;
    else if (cpu.icount - this.lastIfOn >= DEAD_AFTER_INSTRUCTIONS) {
      this.dead = `${DEAD_AFTER_INSTRUCTIONS} instructions with interrupts off`;
    }
  }

  private host(): CpuHost {
    return {
      kcall: (n) => this.hooks?.kcall(n),
      inPort: (port, size) => this.inPort(port, size),
      outPort: (port, size, value) => this.outPort(port, size, value),
      intAck: () => {
        // Interrupts were on if one was taken.
        this.lastIfOn = this.cpu.icount;
        return this.pic.acknowledge();
      },
      tsc: () => this.clock.now(),
    };
  }

  private inPort(port: number, size: 1 | 2 | 4): number {
    if (size === 1) return this.inByte(port);
    if (size === 2) return this.inByte(port) | (this.inByte(port + 1) << 8);
    return this.inPort(port, 2) | (this.inPort(port + 2, 2) << 16);
  }

  private inByte(port: number): number {
    const device = this.devices.get(port);
    if (device !== undefined) return device.read(port);
    if (PIC_PORTS.includes(port)) return this.pic.read(port);
    if (PIT_PORTS.includes(port)) return this.pit.read(port);
    return 0xff;
  }

  private outPort(port: number, size: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < size; i++) this.outByte(port + i, (value >>> (8 * i)) & 0xff);
  }

  private outByte(port: number, value: number): void {
    const device = this.devices.get(port);
    if (device !== undefined) device.write(port, value);
    else if (PIC_PORTS.includes(port)) this.pic.write(port, value);
    else if (PIT_PORTS.includes(port)) this.pit.write(port);
  }
}
