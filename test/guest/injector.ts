// Disturbs a running machine at random instruction boundaries, as hardware and other processes might: timer interrupts, NMIs, pages that
// lose their translation, their presence or their writability, and signals that mean nothing. A program must not notice.
//
// The seam is the machine's clock: a look-out on it stops the processor after exactly the instruction that it names, wherever that is,
// in the program or in the kernel's entry code. A machine that nobody disturbs has no such look-outs and pays nothing.
import { flushTlb } from "../../src/emu/cpu/mmu.ts";
import { KCALL } from "../../src/emu/kernel/entry/kcall-numbers.ts";
import { AREA, KERNEL_BASE, PHYS, SELECTOR, VECTOR } from "../../src/emu/kernel/entry/layout.ts";
import type { Kernel } from "../../src/emu/kernel/kernel.ts";
import { PTE_P, PTE_RW } from "../../src/emu/kernel/mm/pagetable.ts";
import { SA_RESTART, SI_USER } from "../../src/emu/kernel/signal.ts";
import { SIG_DFL, SIG_IGN, type Task, TIF_SIGPENDING } from "../../src/emu/kernel/task.ts";
import { TIMER_IRQ } from "../../src/emu/machine/machine.ts";
import { Random } from "../programs/random.ts";

const SIGUSR1 = 10;
const SIGCHLD = 17;
const SIGURG = 23;
const SIGWINCH = 28;
const GDT_BUSY = 0x200;

export const DISTURBANCES = ["tick", "nmi", "absent", "read-only", "flush", "signal", "look"] as const;
export type Disturbance = (typeof DISTURBANCES)[number];

export class Injector {
  /** How often each has been done. */
  readonly done: Record<Disturbance, number>;
  /** Interrupts and NMIs that the kernel must handle, and those that it has. */
  readonly raised = { tick: 0, nmi: 0 };
  readonly handled = { tick: 0, nmi: 0 };
  private readonly k: Kernel;
  private readonly random: Random;
  private readonly mean: number;

  /**
   * @param seed everything that is random here
   * @param mean clock units between two disturbances, on average
   */
  constructor(k: Kernel, seed: number, mean: number) {
    this.k = k;
    this.random = new Random(seed);
    this.mean = mean;
    this.done = Object.fromEntries(DISTURBANCES.map((what) => [what, 0])) as Record<Disturbance, number>;
    this.count();
    this.arm();
  }

  get total(): number {
    return DISTURBANCES.reduce((sum, what) => sum + this.done[what], 0);
  }

  /** Counts what the kernel handles of what interrupts it; the timer's own ticks are raised and handled too. */
  private count(): void {
    const { machine } = this.k;
    const hooks = machine.hooks!;
    machine.hooks = {
      ...hooks,
      kcall: (n) => {
        if (n === KCALL.NMI) this.handled.nmi++;
        else if (n === KCALL.DO_IRQ && this.line() === TIMER_IRQ) this.handled.tick++;
        hooks.kcall(n);
      },
    };
    const { pic } = machine;
    const pulse = pic.pulse.bind(pic);
    pic.pulse = (irq) => {
      if (irq === TIMER_IRQ && !pic.requested(TIMER_IRQ)) this.raised.tick++;
      pulse(irq);
    };
  }

  /** Line of the interrupt whose frame EAX points to. */
  private line(): number {
    const regs = this.k.entry.regsAt(this.k.cpu.r[0]);
    return regs === undefined ? -1 : (~regs.get(44) & 0xff) - VECTOR.IRQ0;
  }

  private arm(): void {
    const { clock } = this.k;
    clock.watch(clock.now() + 1 + this.random.below(2 * this.mean), () => {
      this.disturb(this.random.pick(DISTURBANCES));
      this.arm();
    });
  }

  private disturb(what: Disturbance): void {
    const { k } = this;
    const { cpu, current } = k;
    this.done[what]++;
    switch (what) {
      case "tick":
        k.machine.pit.onTick?.();
        k.machine.pic.pulse(TIMER_IRQ);
        break;
      case "nmi":
        if (!cpu.nmi && k.memory.readPhys32(AREA.NEED_NMI - KERNEL_BASE) === 0) this.raised.nmi++;
        cpu.nmi = true;
        break;
      case "absent":
        this.damagePage(current, PTE_P);
        break;
      case "read-only":
        this.damagePage(current, PTE_RW);
        break;
      case "flush":
        flushTlb(cpu);
        break;
      case "signal":
        this.signal([...k.tasks.values()].filter((t) => t.alive && t !== k.init));
        break;
      case "look":
        // Told to look at its signals, where there are none.
        if (current !== k.idle) k.setThreadFlag(current, TIF_SIGPENDING);
        break;
    }
  }

  /** A bit of a page's entry goes, as far as the processor sees; the kernel knows better and puts it back at the fault. */
  private damagePage(t: Task, bit: number): void {
    const { k, random } = this;
    const dir = t.mm?.pgd;
    if (dir === undefined) return;
    const tables = dir.tables.flatMap((table, pde) => (table === undefined ? [] : [{ table, pde }]));
    if (tables.length === 0) return;
    const { table, pde } = random.pick(tables);
    const from = random.below(1024);
    for (let n = 0; n < 1024; n++) {
      const at = (from + n) & 1023;
      if ((table.entries[at] & (PTE_P | bit)) !== (PTE_P | bit)) continue;
      const index = (k.pageTables.host(table.pfn) >>> 2) + at;
      k.memory.i32[index] &= ~bit;
      k.pageTables.invalidate(dir, (pde << 22) | (at << 12));
      return;
    }
  }

  /** One that the process ignores, or one whose handler restarts what it interrupts. */
  private signal(tasks: readonly Task[]): void {
    const { k, random } = this;
    if (tasks.length === 0) return;
    const t = random.pick(tasks);
    const harmless = [SIGURG, SIGWINCH, SIGCHLD, SIGUSR1].filter((signo) => {
      const { handler, flags } = t.sighand.actions[signo];
      if (handler === SIG_IGN || (handler === SIG_DFL && signo !== SIGUSR1)) return true;
      return signo === SIGUSR1 && handler !== SIG_DFL && (flags & SA_RESTART) !== 0;
    });
    if (harmless.length === 0) return;
    k.signals.sendGroup(t, { signo: random.pick(harmless), code: SI_USER, errno: 0, pid: 1, uid: 0 });
  }

  /** What the machine must not have lost or kept, in words; nothing if all is well. Call when the run is over. */
  leaks(): string[] {
    const { k } = this;
    const found: string[] = [];
    const expect = (what: string, is: unknown, wanted: unknown) => {
      if (is !== wanted) found.push(`${what}: ${is}, not ${wanted}`);
    };
    const pending = k.machine.pic.requested(TIMER_IRQ) ? 1 : 0;
    expect("timer interrupts handled", this.handled.tick + pending, this.raised.tick);
    const waiting = (k.cpu.nmi ? 1 : 0) + (k.memory.readPhys32(AREA.NEED_NMI - KERNEL_BASE) === 0 ? 0 : 1);
    // One that comes while another waits to be handled may count as that one or be one more.
    if (this.handled.nmi + waiting < this.raised.nmi)
      found.push(`NMIs handled: ${this.handled.nmi} of ${this.raised.nmi}`);
    expect("interrupts in service", k.machine.pic.master.isr | k.machine.pic.slave.isr, 0);
    const type = (selector: number) => k.memory.readPhys32(PHYS.GDT + selector + 4) & GDT_BUSY;
    expect("busy bit of the main TSS", type(SELECTOR.TSS), GDT_BUSY);
    expect("busy bit of the NMI's TSS", type(SELECTOR.NMI_TSS), 0);
    expect("busy bit of the double fault's TSS", type(SELECTOR.DF_TSS), 0);
    expect("task register", k.cpu.trSel, SELECTOR.TSS);
    expect("LDT", k.cpu.ldtSel, 0);
    return found;
  }
}

/** What a machine holds when its run is over: frames, and tasks by state. */
export function holdings(k: Kernel): string {
  const tasks = [...k.tasks.values()]
    .filter((t) => t !== k.init)
    .map((t) => `${t.comm} ${t.alive ? "alive" : t.state}`);
  return `${k.frames.free} free frames, tasks: ${tasks.sort().join(", ")}`;
}
