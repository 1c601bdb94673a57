// The NMI watchdog, an option of the kernel: an NMI now and then, and if the timer's interrupt has not come between several of them,
// somebody keeps interrupts off. Linux waits for 5 s; here 0.3 to 0.4 s of the virtual clock are enough.
import { EFLAGS, KERNEL_BASE, TSS } from "./entry/layout.ts";
import type { Kernel } from "./kernel.ts";
import { SI_KERNEL, SIGKILL } from "./signal.ts";
import type { Task } from "./task.ts";

const PERIOD_NS = 100_000_000;
/** Time without a timer interrupt that nothing but interrupts switched off explains. */
const LOCKUP_NS = 300_000_000;

export class NmiWatchdog {
  private readonly k: Kernel;
  /** When a timer interrupt was last handled, or none was due. */
  private seen = 0;
  private killed: Task | undefined;

  constructor(k: Kernel) {
    this.k = k;
    this.arm();
  }

  private arm(): void {
    const { k } = this;
    k.clock.watch(k.clock.now() + k.units(PERIOD_NS), () => {
      // The timer stands still while nothing runs, and so does the watchdog.
      if (k.current === k.idle) this.seen = k.clock.now();
      else k.cpu.nmi = true;
      this.arm();
    });
  }

  /** A timer interrupt was handled. */
  tick(): void {
    this.seen = this.k.clock.now();
  }

  /** An NMI is being handled. */
  nmi(): void {
    const { clock } = this.k;
    if (clock.now() - this.seen < this.k.units(LOCKUP_NS)) return;
    this.seen = clock.now();
    this.lockup();
  }

  /** Ring-0 programs are ended, if the NMI found them as such: interrupts go on in them, and the next one finds the signal. */
  private lockup(): void {
    const { k } = this;
    const t = k.current;
    const saved = k.entry.interrupted;
    const eip = saved === undefined ? k.cpu.eip : saved.get(TSS.EIP);
    const where = `eip 0x${(eip >>> 0).toString(16)}, ${t.comm} (${t.pid})`;
    const reason = `NMI watchdog: no timer interrupt for ${LOCKUP_NS / 1e9} s, ${where}`;
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
