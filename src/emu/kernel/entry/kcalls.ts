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
import type { Kernel, Sys, SysResult } from "../kernel.ts";
import { traceDirectExit, traceExit } from "../ptrace.ts";
import { lookAtCall } from "../seccomp.ts";
import { type Delivery, SA_RESTART, SIGSEGV } from "../signal.ts";
import { SYSCALLS } from "../syscalls.ts";
import type { Task } from "../task.ts";
import { Retry, type Wait, type WakeReason } from "../wait.ts";
import type { Entry } from "./entry.ts";
import { BODY_INSTRUCTIONS, KCALL } from "./kcall-numbers.ts";
import { IRQ_LINES, PT, TIF_NOTIFY_RESUME, VECTOR } from "./layout.ts";
import { directMapped, type PtRegs, peek32 } from "./regs.ts";
import { setUpFrame } from "./signal-frame.ts";
import { endStub, stubEnds } from "./stub-end.ts";
import { Traps } from "./traps.ts";

const NR_RESTART_SYSCALL = 0;
/** Bytes of the int 0x80 that a restarted call executes again. */
const INT80_BYTES = 2;
const EOI = 0x20;

export class Kcalls {
  private readonly k: Kernel;
  private readonly entry: Entry;
  private readonly recording: boolean;
  private readonly args = new Int32Array(6);
  /** Clock units of the bodies, by call number. */
  private readonly charges: readonly number[];
  readonly traps: Traps;
  private readonly stubEnds: ReturnType<typeof stubEnds>;

  constructor(k: Kernel, entry: Entry) {
    this.k = k;
    this.entry = entry;
    this.recording = k.recorder.watches;
    this.charges = Array.from(SYSCALLS, (call) => k.charges.calls[call?.name ?? ""] ?? k.charges.body);
    this.traps = new Traps(k, entry);
    this.stubEnds = stubEnds(entry.text);
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
    if (this.recording) entry.paths.exclude(BODY_INSTRUCTIONS);
    if (n < 32) this.traps.trap(n, r[EAX], r[EDX]);
    else if (n === KCALL.SYSCALL) this.systemCall();
    else if (n === KCALL.DO_IRQ) this.irq(r[EAX]);
    else if (n === KCALL.SCHEDULE) this.schedule();
    else if (n === KCALL.NOTIFY_RESUME) this.notifyResume();
    else if (n === KCALL.LOOK_AT_CALL) lookAtCall(k, k.current, r[EAX]);
    else if (n === KCALL.NMI) k.watchdog?.nmi();
    else if (n === KCALL.DIE) k.machine.die("double fault that nothing mends");
  }

  /** The body of a call: its number in EAX, its arguments above the return address. */
  private systemCall(): void {
    const { k } = this;
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
    t.lastCall = nr;
    const charge = this.charges[nr];
    k.clock.charge(charge);
    if (this.recording) k.recorder.charge(t.seq, charge);
    this.readArguments(call.argc);
    this.body(t, call.fn, this.args);
  }

  /** The argument words, wherever the path put them: untrusted, and zero where nothing is mapped. */
  private readArguments(argc: number): void {
    const { cpu, memory } = this.k;
    const { args } = this;
    const base = (cpu.r[ESP] + 4) | 0;
    const at = directMapped(memory, base);
    const whole = at >= 0 && at + 24 <= memory.ramBytes;
    for (let i = 0; i < 6; i++) {
      if (i >= argc) args[i] = 0;
      else if (whole) args[i] = memory.readPhys32(at + 4 * i);
      else args[i] = peek32(memory, cpu.cr3, base + 4 * i) ?? 0;
    }
  }

  /** Most bodies give their result at once; those that wait, fail by exception or end the task go through the scheduler. */
  private body(t: Task, fn: Sys, args: Int32Array): void {
    const { k } = this;
    const a = args[0];
    const b = args[1];
    const c = args[2];
    const d = args[3];
    const e = args[4];
    const f = args[5];
    let result: SysResult;
    let short = k.reclaim.shortage(t);
    if (short !== undefined) {
      const start = (): SysResult => {
        const wait = short ?? k.reclaim.shortage(t);
        short = undefined;
        if (wait !== undefined) throw new Retry(wait);
        return fn(k, t, a, b, c, d, e, f);
      };
      k.sched.perform(start, (value) => this.finish(t, value));
      return;
    }
    try {
      result = fn(k, t, a, b, c, d, e, f);
    } catch (error) {
      if (error instanceof SysError) {
        this.finish(t, -error.errno);
        return;
      }
      let first = true;
      const again = (): SysResult => {
        if (!first) return fn(k, t, a, b, c, d, e, f);
        first = false;
        throw error;
      };
      k.sched.perform(again, (value) => this.finish(t, value));
      return;
    }
    if (typeof result === "number") {
      this.finish(t, result);
      return;
    }
    const generator = result;
    k.sched.perform(
      () => generator,
      (value) => this.finish(t, value),
    );
  }

  private finish(t: Task, result: number): void {
    const { k, entry } = this;
    k.cpu.r[EAX] = result;
    t.syscall = -1;
    if (t.trace !== undefined) traceDirectExit(k, t);
    if (this.recording) entry.paths.returns(result | 0);
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
    if (this.recording) k.recorder.charge(t.seq, charge);
    k.sched.accountSystem(t);
  }

  private schedule(): void {
    const { k, entry } = this;
    const { top } = entry.paths;
    if (top !== undefined && this.recording) k.recorder.set(top.seq, { flags: FLAG.exit_work });
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
      if (k.vfs.console.idle()) continue;
      if (!machine.idleJump("every task waits for something that will never happen")) return;
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
    if (t.ku && this.entry.variant.restartsInStubs) yield* this.endStub(t, regs);
    yield* traceExit(k, t);
    for (;;) {
      const next = k.signals.next(t);
      if (next === undefined) break;
      if ("queues" in next) {
        yield next;
        continue;
      }
      yield* this.deliver(t, regs, next);
    }
    if (restartWithoutHandler(regs)) this.noteRestart(regs);
    k.signals.restoreSavedMask(t);
    return 0;
  }

  /** The frame of a call that was interrupted behind its body becomes that of its end. */
  private *endStub(t: Task, regs: PtRegs): Generator<Wait, void, WakeReason> {
    for (;;) {
      try {
        endStub(this.k, t, this.entry.text, this.stubEnds, regs);
        return;
      } catch (e) {
        if (e instanceof SysError) return;
        if (!(e instanceof Retry)) throw e;
        yield e.wait;
      }
    }
  }

  private noteRestart(regs: PtRegs): void {
    if (this.recording) this.entry.paths.restartAt(regs.get(PT.EIP));
  }

  private *deliver(t: Task, regs: PtRegs, d: Delivery): Generator<Wait, void, WakeReason> {
    const { k, entry } = this;
    if (restartForHandler(regs, d)) this.noteRestart(regs);
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
    k.recorder.chargeMore(t.seq, k.charges.signal);
    entry.paths.signal(d.info.signo);
  }
}

/** The saved EAX is the result of a call that was interrupted, by its -errno. */
function interruptedCall(regs: PtRegs): number {
  return regs.get(PT.ORIG_EAX) >= 0 ? -regs.get(PT.EAX) : 0;
}

function restart(regs: PtRegs, nr: number): true {
  regs.set(PT.EAX, nr);
  regs.set(PT.EIP, regs.get(PT.EIP) - INT80_BYTES);
  return true;
}

/** A handler runs: the call ends with EINTR or is made again after it (handle_signal). @returns whether it is */
function restartForHandler(regs: PtRegs, d: Delivery): boolean {
  switch (interruptedCall(regs)) {
    case ERESTART_RESTARTBLOCK:
    case ERESTARTNOHAND:
      regs.set(PT.EAX, -EINTR);
      return false;
    case ERESTARTSYS:
      if (d.action.flags & SA_RESTART) return restart(regs, regs.get(PT.ORIG_EAX));
      regs.set(PT.EAX, -EINTR);
      return false;
    case ERESTARTNOINTR:
      return restart(regs, regs.get(PT.ORIG_EAX));
    default:
      return false;
  }
}

/** No handler runs: the call is made again (do_signal). @returns whether it is */
function restartWithoutHandler(regs: PtRegs): boolean {
  switch (interruptedCall(regs)) {
    case ERESTARTNOHAND:
    case ERESTARTSYS:
    case ERESTARTNOINTR:
      return restart(regs, regs.get(PT.ORIG_EAX));
    case ERESTART_RESTARTBLOCK:
      return restart(regs, NR_RESTART_SYSCALL);
    default:
      return false;
  }
}
