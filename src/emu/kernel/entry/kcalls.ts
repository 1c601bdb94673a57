// What happens at each reserved instruction: the C bodies that the guest's entry code calls.
import { FLAG } from "../../../traces/schema/enums.ts";
import { EAX, EDX, ESP } from "../../cpu/cpu.ts";
import {
  EINTR,
  ENOSYS,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
  SysError,
} from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { type Delivery, SA_RESTART, SIGSEGV } from "../signal.ts";
import { SYSCALLS, type SyscallEntry } from "../syscalls.ts";
import type { Task } from "../task.ts";
import { Retry, type Wait, type WakeReason } from "../wait.ts";
import type { Entry } from "./entry.ts";
import { BODY_INSTRUCTIONS, KCALL } from "./kcall-numbers.ts";
import { IRQ_LINES, PT, TIF_NOTIFY_RESUME, VECTOR } from "./layout.ts";
import { type PtRegs, peek32 } from "./regs.ts";
import { setUpFrame } from "./signal-frame.ts";
import { Traps } from "./traps.ts";

const NR_RESTART_SYSCALL = 0;
/** Bytes of the int 0x80 that a restarted call executes again. */
const INT80_BYTES = 2;
const EOI = 0x20;

export class Kcalls {
  private readonly k: Kernel;
  private readonly entry: Entry;
  readonly traps: Traps;

  constructor(k: Kernel, entry: Entry) {
    this.k = k;
    this.entry = entry;
    this.traps = new Traps(k, entry);
  }

  /** Guest code in a kernel-text frame executed the reserved instruction. It may be a ring-0 program's doing. */
  kcall(n: number): void {
    const k = this.k;
    const entry = this.entry;
    const { r } = k.cpu;
    if (n === KCALL.IDLE) {
      this.idle();
      return;
    }
    if (k.current === k.idle && n !== KCALL.DO_IRQ && n !== KCALL.NMI) return;
    entry.paths.exclude(BODY_INSTRUCTIONS);
    if (n < 32) this.traps.trap(n, r[EAX], r[EDX]);
    else if (n === KCALL.SYSCALL) this.systemCall();
    else if (n === KCALL.DO_IRQ) this.irq(r[EAX]);
    else if (n === KCALL.SCHEDULE) this.schedule();
    else if (n === KCALL.NOTIFY_RESUME) this.notifyResume();
    else if (n === KCALL.DIE) k.machine.die("double fault that nothing mends");
  }

  /** The body of a call: its number in EAX, its arguments above the return address. */
  private systemCall(): void {
    const { k, entry } = this;
    const t = k.current;
    const nr = k.cpu.r[EAX];
    const call = nr >= 0 ? SYSCALLS[nr] : undefined;
    k.sched.accountUser(t);
    if (call?.fn === undefined) {
      k.missing.set(nr, (k.missing.get(nr) ?? 0) + 1);
      this.finish(t, -ENOSYS);
      return;
    }
    t.syscall = nr;
    const charge = k.charges.calls[call.name] ?? k.charges.body;
    k.clock.charge(charge);
    if (k.recorder.enabled) k.recorder.set(entry.paths.top?.seq ?? -1, { charge });
    const start = this.starter(t, call);
    k.sched.perform(start, (result) => this.finish(t, result));
  }

  private starter(t: Task, call: SyscallEntry): () => SysResult {
    const { k } = this;
    const fn = call.fn!;
    const base = k.cpu.r[ESP] + 4;
    const arg = (i: number) => (i < call.argc ? (peek32(k.memory, k.cpu.cr3, base + 4 * i) ?? 0) : 0);
    const a = arg(0);
    const b = arg(1);
    const c = arg(2);
    const d = arg(3);
    const e = arg(4);
    const f = arg(5);
    return () => fn(k, t, a, b, c, d, e, f);
  }

  private finish(t: Task, result: number): void {
    const { k, entry } = this;
    k.cpu.r[EAX] = result;
    t.syscall = -1;
    const { top } = entry.paths;
    if (top !== undefined) top.ret = result | 0;
    k.sched.accountSystem(t);
  }

  /** An interrupt: acknowledged to the 8259s, then its handler. */
  private irq(frame: number): void {
    const { k, entry } = this;
    const regs = entry.regsAt(frame);
    if (regs === undefined) return;
    const line = (~regs.get(PT.ORIG_EAX) & 0xff) - VECTOR.IRQ0;
    if (line < 0 || line >= IRQ_LINES) return;
    const t = k.current;
    if (regs.userMode) k.sched.accountUser(t);
    const { pic } = k.machine;
    if (line >= 8) pic.write(0xa0, EOI);
    pic.write(0x20, EOI);
    const charge = entry.timerTicked() ? k.charges.tick : k.charges.interrupt;
    k.clock.charge(charge);
    if (k.recorder.enabled) k.recorder.set(t.seq, { charge });
    k.sched.accountSystem(t);
  }

  private schedule(): void {
    const { k, entry } = this;
    const { top } = entry.paths;
    if (top !== undefined && k.recorder.enabled) k.recorder.set(top.seq, { flags: FLAG.exit_work });
    k.sched.schedule();
  }

  /** Nothing is runnable: time jumps from event to event until something is. The timer does not tick meanwhile. */
  private idle(): void {
    const { k } = this;
    const { machine } = k;
    const ticking = machine.pit.running;
    machine.pit.stop();
    while (k.sched.runnable === 0) {
      if (k.exitInfo !== undefined || machine.dead !== null) return;
      if (!machine.idleJump()) {
        machine.die("every task waits for something that will never happen");
        return;
      }
    }
    if (ticking) machine.pit.start();
    k.sched.schedule();
  }

  /** Work before the task returns to its program: signals. */
  private notifyResume(): void {
    const { k, entry } = this;
    const t = k.current;
    k.clearThreadFlag(t, TIF_NOTIFY_RESUME);
    const regs = entry.regs(t);
    k.sched.perform(
      () => this.deliverSignals(t, regs),
      () => k.sched.accountSystem(t),
    );
  }

  private *deliverSignals(t: Task, regs: PtRegs): Generator<Wait, number, WakeReason> {
    const { k } = this;
    for (;;) {
      const next = k.signals.next(t);
      if (next === undefined) break;
      if ("queues" in next) {
        yield next;
        continue;
      }
      yield* this.deliver(t, regs, next);
    }
    restartWithoutHandler(regs);
    k.signals.restoreSavedMask(t);
    return 0;
  }

  private *deliver(t: Task, regs: PtRegs, d: Delivery): Generator<Wait, void, WakeReason> {
    const { k, entry } = this;
    restartForHandler(regs, d);
    const mask = t.savedSigmask ?? t.blocked;
    for (;;) {
      try {
        setUpFrame(entry.frames, t, regs, d, mask);
        break;
      } catch (e) {
        if (e instanceof Retry) {
          yield e.wait;
          continue;
        }
        if (!(e instanceof SysError)) throw e;
        // No stack for the handler: SIGSEGV, and if that is what could not be delivered, its default.
        if (d.info.signo === SIGSEGV) t.sighand.actions[SIGSEGV].handler = 0;
        k.signals.force(t, { signo: SIGSEGV, code: 0x80, errno: 0 });
        return;
      }
    }
    t.savedSigmask = undefined;
    k.clock.charge(k.charges.signal);
    entry.paths.signal(d.info.signo);
  }
}

/** The saved EAX is the result of a call that was interrupted, by its -errno. */
function interruptedCall(regs: PtRegs): number {
  return regs.get(PT.ORIG_EAX) >= 0 ? -regs.get(PT.EAX) : 0;
}

function restart(regs: PtRegs, nr: number): void {
  regs.set(PT.EAX, nr);
  regs.set(PT.EIP, regs.get(PT.EIP) - INT80_BYTES);
}

/** A handler runs: the call ends with EINTR or is made again after it (handle_signal). */
function restartForHandler(regs: PtRegs, d: Delivery): void {
  switch (interruptedCall(regs)) {
    case ERESTART_RESTARTBLOCK:
    case ERESTARTNOHAND:
      regs.set(PT.EAX, -EINTR);
      break;
    case ERESTARTSYS:
      if (!(d.action.flags & SA_RESTART)) regs.set(PT.EAX, -EINTR);
      else restart(regs, regs.get(PT.ORIG_EAX));
      break;
    case ERESTARTNOINTR:
      restart(regs, regs.get(PT.ORIG_EAX));
      break;
  }
}

/** No handler runs: the call is made again (do_signal). */
function restartWithoutHandler(regs: PtRegs): void {
  switch (interruptedCall(regs)) {
    case ERESTARTNOHAND:
    case ERESTARTSYS:
    case ERESTARTNOINTR:
      restart(regs, regs.get(PT.ORIG_EAX));
      break;
    case ERESTART_RESTARTBLOCK:
      restart(regs, NR_RESTART_SYSCALL);
      break;
  }
}
