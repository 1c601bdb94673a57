// The NMI watchdog, an option of the kernel: an NMI now and then, and if the timer's interrupt has not come between several of them,
// somebody keeps interrupts off. Linux waits for 5 s; here 0.3 to 0.4 s of the virtual clock are enough.
import { EFLAGS, KERNEL_BASE, TSS } from "./entry/layout.ts";
import type { Kernel } from "./kernel.ts";
import { SI_KERNEL, SIGKILL } from "./signal.ts";
import type { Task } from "./task.ts";

const PERIOD_NS = 100_000_000;
/** NMIs in a row without a tick between them. */
const MISSED = 3;

export class NmiWatchdog {
  private readonly k: Kernel;
  private ticks = 0;
  private missed = 0;
  private killed: Task | undefined;

  constructor(k: Kernel) {
    this.k = k;
    this.arm();
  }

  private arm(): void {
    const { k } = this;
    k.clock.watch(k.clock.now() + k.units(PERIOD_NS), () => {
      // The timer stands still while nothing runs, and so does the watchdog.
      if (k.current === k.idle) this.missed = 0;
      else k.cpu.nmi = true;
      this.arm();
    });
  }

  /** A timer interrupt was handled. */
  tick(): void {
    this.ticks++;
  }

  /** An NMI is being handled. */
  nmi(): void {
    this.missed = this.ticks === 0 ? this.missed + 1 : 0;
    this.ticks = 0;
    if (this.missed >= MISSED) this.lockup();
  }

  /** Ring-0 programs are ended, if the NMI found them as such: interrupts go on in them, and the next one finds the signal. */
  private lockup(): void {
    const { k } = this;
    this.missed = 0;
    const t = k.current;
    const saved = k.entry.interrupted;
    const eip = saved === undefined ? k.cpu.eip : saved.get(TSS.EIP);
    const where = `eip 0x${(eip >>> 0).toString(16)}, ${t.comm} (${t.pid})`;
    const reason = `NMI watchdog: no timer interrupt for ${MISSED / 10} s, ${where}`;
    if (saved === undefined || !t.ku || saved.get(TSS.ESP) >>> 0 > KERNEL_BASE || this.killed === t) {
      k.machine.die(reason);
      return;
    }
    this.killed = t;
    k.say(`${reason}: killed`);
    saved.set(TSS.EFLAGS, saved.get(TSS.EFLAGS) | EFLAGS.IF);
    k.signals.sendGroup(t, { signo: SIGKILL, code: SI_KERNEL, errno: 0 });
  }
}
