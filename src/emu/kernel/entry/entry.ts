// The kernel's entry side: guest text and tables at boot, what tasks need of it (stacks, first registers, switches), and
// where the CPU's kcalls and probes arrive.
import { EAX, ESP, GS } from "../../cpu/cpu.ts";
import { setNullSegment } from "../../cpu/segments.ts";
import { TIMER_IRQ } from "../../machine/machine.ts";
import { saveFpu } from "../fpu.ts";
import { BOOT_TIME_MS, type Kernel } from "../kernel.ts";
import { SYSCALLS } from "../syscalls.ts";
import { type Task, TIF_NEED_RESCHED } from "../task.ts";
import { buildVdso, type VdsoCode, VVAR, vvarPage } from "../vdso.ts";
import { kernelSegments, layOut, setEsp0, setTssCr3 } from "./boot.ts";
import { Kcalls } from "./kcalls.ts";
import {
  AREA,
  EFLAGS,
  KERNEL_BASE,
  KU_CS,
  PHYS,
  PT,
  SELECTOR,
  TI,
  TIF_NOTIFY_RESUME,
  TLS_ENTRIES,
  TLS_ENTRY,
  TSS,
  VDSO_BASE,
} from "./layout.ts";
import { Paths } from "./paths.ts";
import { watchEntries } from "./probes.ts";
import { frameAt, PtRegs, SavedTask } from "./regs.ts";
import type { FrameContext } from "./signal-frame.ts";
import { type KernelText, kernelText } from "./text/text.ts";
import { type EntryVariant, entryVariant } from "./variant.ts";

const THREAD_SIZE = 8192;
const PADDING = 8;

export interface EntryOptions {
  /** Leave RF out of the choice between POPF+RET and IRET (QEMU's behaviour; the oracle's counts were taken so). */
  readonly ignoreRf?: boolean;
  /** What differs from the kernel's own entry code: one bug, or one mend, at a time. */
  readonly variant?: Partial<EntryVariant>;
}

export class Entry {
  private readonly k: Kernel;
  readonly variant: EntryVariant;
  readonly text: KernelText;
  readonly vdso: VdsoCode;
  /** Frames that exec maps at VDSO_BASE (readable, executable) and at VVAR_BASE (readable). */
  readonly vdsoPages: { readonly vdso: readonly number[]; readonly vvar: readonly number[] } = {
    vdso: [PHYS.VDSO >>> 12],
    vvar: [PHYS.VVAR >>> 12],
  };
  readonly paths: Paths;
  readonly frames: FrameContext;
  private readonly kcalls: Kcalls;
  private ticked = false;
  /** The current task was to be taken off the CPU before events fired: its way out of the kernel sees to that. */
  private wasDue = false;

  /**
   * Lays the kernel's entry side out in the machine's memory and puts the CPU into the kernel; hangs itself into the
   * machine. Nothing runs yet.
   */
  constructor(k: Kernel, options: EntryOptions = {}) {
    this.k = k;
    const { machine, memory } = k;
    this.variant = { ...entryVariant(k.options.kernel), ...options.variant };
    this.text = kernelText({
      variant: this.variant,
      ignoreRf: options.ignoreRf ?? false,
      calls: (nr) => SYSCALLS[nr],
    });
    layOut(machine, this.text, this.variant);
    k.pageTables.kernelPgd = PHYS.PGD;
    this.vdso = buildVdso(
      {
        entry: k.options.entry,
        clock: k.options.vdsoClock,
        kmlCallTable: this.text.symbols["kml_call_table"],
        clockFallback: this.variant.clockFallback,
        nsPerUnit: k.nsPerUnit,
      },
      PHYS.VDSO >>> 12,
    );
    memory.u8.set(this.vdso.image, memory.ramBase + PHYS.VDSO);
    memory.kernelText[PHYS.VDSO >>> 12] = 2;
    this.setRealtime(BigInt(BOOT_TIME_MS) * 1_000_000n);
    if (this.variant.clockFallback === "sysenter") this.beginWithoutCounter();
    this.kcalls = new Kcalls(k, this);
    this.frames = this.frameContext();
    this.paths = new Paths(k.recorder, k.cpu, k.clock, k.idle);
    if (k.recorder.watches) {
      const { text, vdso, paths } = this;
      const idle = () => k.current === k.idle;
      watchEntries({
        cpu: k.cpu,
        memory,
        text,
        vdso,
        paths,
        flagged: k.recorder.enabled,
        idle,
        sysenter: () => this.bySysenter(k.current),
      });
    }
    machine.hooks = {
      kcall: (n) => this.kcalls.kcall(n),
      beforeEvents: () => {
        this.wasDue = (k.current.flags & TIF_NEED_RESCHED) !== 0;
      },
      afterEvents: () => this.afterEvents(),
    };
    machine.pit.onTick = () => {
      this.ticked = true;
    };
  }

  /** Sets CLOCK_REALTIME as the vDSO shows it. @param ns nanoseconds since 1970 when the machine was switched on */
  setRealtime(ns: bigint): void {
    this.k.memory.u8.set(vvarPage(ns), this.k.memory.ramBase + PHYS.VVAR);
  }

  /** A second passes before the time-stamp counter is trusted; until then the vDSO's clock functions are calls. */
  private beginWithoutCounter(): void {
    const { clock, memory, nsPerUnit } = this.k;
    const untrusted = memory.ramBase + PHYS.VVAR + VVAR.UNTRUSTED;
    memory.u8[untrusted] = 1;
    clock.at(1_000_000_000 / nsPerUnit, () => {
      memory.u8[untrusted] = 0;
    });
  }

  /** Puts the idle task's first registers on the CPU and starts the timer: the machine may run from here. */
  startIdle(idle: Task): void {
    const { cpu } = this.k;
    kernelSegments(cpu);
    cpu.eip = this.text.symbols["cpu_idle"] | 0;
    cpu.r[ESP] = idle.kstackPfn >= 0 ? idle.esp0 : (KERNEL_BASE + PHYS.BOOT_STACK + 0x1000) | 0;
    cpu.setEflags(EFLAGS.IF | 2);
    this.k.machine.pit.start();
  }

  /** AT_SYSINFO of a program: what libc calls as `call *%gs:0x10`. */
  sysinfo(ku: boolean): number {
    return VDSO_BASE + (ku && this.vdso.kmlVsyscall >= 0 ? this.vdso.kmlVsyscall : this.vdso.vsyscall.entry);
  }

  /** SYSEXIT knows one way back only: a ring-0 task that comes by SYSENTER goes on in ring 3, its rights as they were. */
  private bySysenter(t: Task): void {
    if (t.ku)
      this.k.recorder.warning(
        `task ${t.id} (${t.comm}) entered by SYSENTER in ring 0 and went on in ring 3 without a word`,
      );
  }

  /** Whether programs can run in ring 0 under this kernel. */
  get hasKml(): boolean {
    return this.variant.kml;
  }

  /** A new task's kernel stack is at kstackPfn (two frames that follow each other): sets kstackBase, esp0 and thread_info. */
  initThread(t: Task): void {
    const { memory } = this.k;
    const pa = t.kstackPfn * 4096;
    t.kstackBase = KERNEL_BASE + pa;
    t.esp0 = KERNEL_BASE + pa + THREAD_SIZE - PADDING;
    memory.writePhys32(pa + TI.FLAGS, t.flags);
    memory.writePhys32(pa + TI.SYSENTER_RETURN, VDSO_BASE + this.vdso.sysenterReturn);
  }

  /** The registers that a task's program was left with at its last entry through a frame. Not there in a plain direct call. */
  regs(t: Task): PtRegs {
    return new PtRegs(this.k.memory, t.kstackPfn * 4096 + THREAD_SIZE - PADDING - PT.BYTES);
  }

  /** The program's stack pointer at its last entry through a frame. */
  userStackPointer(t: Task): number {
    return this.regs(t).get(PT.OLDESP);
  }

  /** A frame where guest code says it is; undefined if there is none. */
  regsAt(address: number): PtRegs | undefined {
    return frameAt(this.k.memory, this.k.cpu.cr3, address);
  }

  /**
   * A forked task: its program goes on where its parent's is, with 0 as the result.
   * @param sp its stack pointer; 0: the parent's
   */
  copyThread(parent: Task, child: Task, sp: number): void {
    const { k } = this;
    const from = this.regs(parent);
    const to = this.regs(child);
    for (let offset = 0; offset < PT.BYTES; offset += 4) to.set(offset, from.get(offset));
    to.set(PT.EAX, 0);
    if (sp !== 0) to.set(PT.OLDESP, sp);
    this.firstContext(child, to);
    // GS is not saved at entry: it is still the parent's, and FPU state goes along.
    const { context } = child;
    for (const part of ["sel", "base", "limit", "attr"] as const) context[part][5] = k.cpu[part][5];
    saveFpu(k.cpu, context);
  }

  /** Registers of a program that begins: execve, and the first program. */
  startThread(t: Task, eip: number, esp: number): void {
    const { k } = this;
    const regs = this.regs(t);
    for (let offset = 0; offset < PT.BYTES; offset += 4) regs.set(offset, 0);
    regs.set(PT.DS, SELECTOR.USER_DS);
    regs.set(PT.ES, SELECTOR.USER_DS);
    regs.set(PT.ORIG_EAX, -1);
    regs.set(PT.EIP, eip);
    regs.set(PT.CS, t.ku ? KU_CS.EXCEPTION : SELECTOR.USER_CS);
    regs.set(PT.EFLAGS, EFLAGS.IF);
    regs.set(PT.OLDESP, esp);
    regs.set(PT.OLDSS, t.ku ? SELECTOR.KERNEL_DS : SELECTOR.USER_DS);
    if (t === k.current) {
      // No SYSEXIT into the new program: it may be in another ring.
      k.setThreadFlag(t, TIF_NOTIFY_RESUME);
      setNullSegment(k.cpu, GS, 0);
    } else this.firstContext(t, regs);
  }

  private firstContext(t: Task, regs: PtRegs): void {
    this.initThread(t);
    const { cpu } = this.k;
    const kept = [0, 1, 2, 3, 4, 5].map((seg) => [cpu.sel[seg], cpu.base[seg], cpu.limit[seg], cpu.attr[seg]] as const);
    const cpl = cpu.cpl;
    kernelSegments(cpu);
    for (const part of ["sel", "base", "limit", "attr"] as const) t.context[part].set(cpu[part].subarray(0, 6));
    kept.forEach(([sel, base, limit, attr], seg) => {
      cpu.sel[seg] = sel;
      cpu.base[seg] = base;
      cpu.limit[seg] = limit;
      cpu.attr[seg] = attr;
    });
    cpu.cpl = cpl;
    t.context.r.fill(0);
    t.context.r[ESP] = regs.address;
    t.context.r[EAX] = 0;
    t.context.eip = this.text.symbols["ret_from_fork"] | 0;
    t.context.eflags = 2;
    t.context.cpl = 0;
    t.context.inhibit = false;
  }

  /** The task's stack and thread-local segments are the CPU's from now on; called at every context switch. */
  switchTo(t: Task): void {
    this.paths.switchTo(t);
    this.k.recorder.running(t.id);
    if (t.kstackPfn >= 0) setEsp0(this.k.memory, t.esp0 | 0);
    this.loadTls(t);
  }

  /** Copies the task's thread-local descriptors into the GDT. */
  loadTls(t: Task): void {
    const { memory } = this.k;
    const at = PHYS.GDT + TLS_ENTRY * 8;
    for (let i = 0; i < 2 * TLS_ENTRIES; i++) memory.writePhys32(at + 4 * i, t.tls[i]);
  }

  /** Other page tables were loaded: the tasks behind the task gates need them too. */
  loadCr3(cr3: number): void {
    setTssCr3(this.k.memory, cr3);
  }

  /** The current task goes on to its program by the frame at the top of its stack, whatever it was in the middle of. */
  resumeUserspace(t: Task): void {
    const { cpu } = this.k;
    cpu.r[ESP] = this.regs(t).address;
    cpu.eip = this.text.symbols["reload_and_resume"] | 0;
  }

  /** What the task of a non-maskable interrupt has interrupted; undefined: there is none, or it was the double fault's. */
  get interrupted(): SavedTask | undefined {
    const { cpu, memory } = this.k;
    if (cpu.trSel !== SELECTOR.NMI_TSS) return undefined;
    const link = memory.readPhys32(AREA.NMI_TSS - KERNEL_BASE + TSS.LINK) & 0xffff;
    return link === SELECTOR.TSS ? new SavedTask(memory, AREA.TSS - KERNEL_BASE) : undefined;
  }

  /** Whether an interrupt on the timer's line was a tick; does the tick's work then. */
  timerTicked(): boolean {
    if (!this.ticked) return false;
    this.ticked = false;
    const { k } = this;
    k.watchdog?.tick();
    k.sched.tick();
    k.time.tick(k.current);
    return true;
  }

  /** A device or timer woke a task that should run before the current one: the program is interrupted for it. */
  private afterEvents(): void {
    const { k } = this;
    if (k.current !== k.idle && !this.wasDue && k.current.flags & TIF_NEED_RESCHED) k.machine.pic.pulse(TIMER_IRQ);
  }

  private frameContext(): FrameContext {
    const at = (offset: number) => VDSO_BASE + offset;
    const { symbols } = this.text;
    return {
      k: this.k,
      restorer: { sigreturn: at(this.vdso.sigreturn), rtSigreturn: at(this.vdso.rtSigreturn) },
      kuRestorer: {
        sigreturn: symbols["kml_sigreturn_shortcut"],
        rtSigreturn: symbols["kml_rt_sigreturn_shortcut"],
      },
      handlerFlags: this.variant.handlerFlags,
      lastTrap: (t) => this.kcalls.traps.lastTrap(t),
    };
  }
}
