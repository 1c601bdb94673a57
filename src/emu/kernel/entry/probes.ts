// The probes at the first and last instruction of every way in, and what each tells the path bookkeeping.
import { ACCESS, FLAG, KIND, PATH, SITE } from "../../../traces/schema/enums.ts";
import { type Cpu, EAX, EBP, EDX, ESP, STATE_EFLAGS } from "../../cpu/cpu.ts";
import { LEAVE, type Memory, SUPER_WRITE, USER_WRITE } from "../../machine/memory.ts";
import { ENOSYS } from "../errno.ts";
import { SYSCALLS } from "../syscalls.ts";
import type { VdsoCode } from "../vdso.ts";
import { AREA, EFLAGS, IRQ_LINES, KERNEL_BASE, PT, SELECTOR, TSS, VECTOR } from "./layout.ts";
import type { Opening, Paths } from "./paths.ts";
import { peek32, walk } from "./regs.ts";
import type { KernelText } from "./text/text.ts";
import { EXCEPTIONS, WITH_ERROR_CODE } from "./text/traps.ts";

const PF_WRITE = 2;
/** Bytes of INT n. */
const INT_BYTES = 2;
const NR_SIGRETURN = 119;
const NR_RT_SIGRETURN = 173;
/** Bytes that a ring-0 entry pushes on the user stack, below ESP. */
const PUSHED = { direct: 16, interrupt: 12, fault: 16 } as const;

/** What the probes must know of the machine and the kernel they watch. */
export interface Probed {
  readonly cpu: Cpu;
  readonly memory: Memory;
  readonly text: KernelText;
  readonly vdso: VdsoCode;
  readonly paths: Paths;
  /** Somebody keeps the events' flags: where a ring-0 program would starve is worth finding out. */
  readonly flagged: boolean;
  /** Nothing is recorded of the idle task. */
  idle(): boolean;
  /** The current task entered by SYSENTER. */
  sysenter(): void;
}

/** From now on the paths are told of every entry and exit. */
export function watchEntries(probed: Probed): void {
  new Probes(probed);
}

class Probes {
  private readonly p: Probed;
  /** Behind the INT of the wrapper that ring-0 programs call, int32; undefined in a kernel without one. */
  private readonly wrapperReturn: number | undefined;
  /** What the paths are told with of a call of the vsyscall page; they do not keep it. */
  private readonly pageCall: Opening = {
    kind: KIND.syscall,
    nr: 0,
    site: SITE.vsyscall,
    path: PATH.C,
    phase: "stub",
    before: 1,
    flags: 0,
    sp: 0,
  };
  /** The same of an INT 0x80, and of an exception or interrupt. */
  private readonly gateCall: Opening = { ...this.pageCall, site: SITE.int80, phase: "kernel" };
  private readonly trap: Opening = {
    kind: KIND.fault,
    nr: 0,
    path: PATH.F,
    phase: "kernel",
    before: 0,
    flags: 0,
    addr: undefined,
    sp: undefined,
    access: undefined,
  };

  constructor(probed: Probed) {
    this.p = probed;
    const wrapper = probed.text.symbols["kml_wrapper_int_post"];
    this.wrapperReturn = wrapper === undefined ? undefined : wrapper | 0;
    this.watchVdso();
    this.watchDirect();
    this.watchSyscalls();
    this.watchTraps();
    this.watchExits();
  }

  private watch(physical: number, listener: () => void): void {
    const { cpu, idle } = this.p;
    cpu.probes.set(physical, () => {
      if (!idle()) listener();
    });
  }

  private watchLabel(label: string, listener: () => void): void {
    const at = this.p.text.symbols[label];
    if (at !== undefined) this.watch((at >>> 0) - KERNEL_BASE, listener);
  }

  private watchVdso(): void {
    const { vdso, paths } = this.p;
    const at = (offset: number) => vdso.physical(offset);
    this.watch(at(vdso.vsyscall.entry), () => this.enterVsyscall());
    this.watch(at(vdso.vsyscall.leave), () => {
      if (paths.inStub) paths.leave(1);
    });
    if (vdso.kmlVsyscall >= 0) this.watch(at(vdso.kmlVsyscall), () => this.enterDirect());
    for (const call of vdso.clockCalls) {
      this.watch(at(call.entry), () => {
        if (paths.restarted(1)) return;
        const flags = this.stackFlags(this.sp, PUSHED.direct);
        paths.enter({
          kind: KIND.vdso,
          nr: call.nr,
          site: SITE.vsyscall,
          path: PATH.other,
          phase: "vdso",
          before: 1,
          flags,
          sp: this.sp,
        });
      });
      for (const leave of call.leaves) {
        this.watch(at(leave), () => {
          if (paths.top?.kind === KIND.vdso) paths.leave(1);
        });
      }
    }
  }

  private get sp(): number {
    return this.p.cpu.r[ESP];
  }

  /** if_off, as the processor runs now. */
  private get ifFlag(): number {
    return this.p.cpu.state[STATE_EFLAGS] & EFLAGS.IF ? 0 : FLAG.if_off;
  }

  private peek(la: number): number {
    return peek32(this.p.memory, this.p.cpu.cr3, la) ?? 0;
  }

  /** The program called the vsyscall page in ring 3. */
  private enterVsyscall(): void {
    const { vdso, paths } = this.p;
    if (paths.restarted(1)) return;
    const again = paths.takeRestart();
    const path = vdso.entry === "sysenter" ? PATH.B : PATH.A;
    this.calledPage(KIND.syscall, path, again ? 0 : 1, again ? FLAG.restart : 0);
  }

  /** The program called the vsyscall page in ring 0 (or jumped there in ring 3, which ends in a fault). */
  private enterDirect(site: number = SITE.vsyscall): void {
    const nr = this.p.cpu.r[EAX];
    const special = SYSCALLS[nr >>> 0]?.special === true;
    const kind = nr === NR_SIGRETURN || nr === NR_RT_SIGRETURN ? KIND.sigreturn : KIND.syscall;
    this.calledPage(kind, special ? PATH.D : PATH.C, 1, 0, site);
  }

  /** A stub begins: by the page's jump, or by a program that calls through the table itself. */
  private enterTable(): void {
    if (this.p.paths.inStub) return;
    this.enterDirect(SITE.direct);
  }

  /** Hot: most events of most programs begin here. */
  private calledPage(kind: number, path: number, before: number, flags: number, site: number = SITE.vsyscall): void {
    const pageCall = this.pageCall;
    const { sp } = this;
    pageCall.kind = kind;
    pageCall.site = site;
    pageCall.nr = this.p.cpu.r[EAX];
    pageCall.path = path;
    pageCall.before = before;
    pageCall.flags = this.stackFlags(sp, PUSHED.direct) | this.ifFlag | flags;
    pageCall.sp = sp;
    this.p.paths.enter(pageCall);
  }

  private watchDirect(): void {
    const { paths } = this.p;
    const end = () => {
      if (paths.inStub) paths.leave(1);
    };
    for (let n = 0; n <= 6; n++) {
      this.watchLabel(`kml_${n}`, () => this.enterTable());
      this.watchLabel(`kml_${n}_ret`, end);
    }
    for (const label of ["kml_special", "kml_nosys"]) this.watchLabel(label, () => this.enterTable());
    this.watchLabel("kml_special_ret", end);
    this.watchLabel("kml_nosys_ret", () => {
      const { top } = paths;
      if (top === undefined || !paths.inStub) return;
      top.ret = -ENOSYS;
      paths.leave(1);
    });
    for (const [label, nr] of [
      ["kml_sigreturn_shortcut", NR_SIGRETURN],
      ["kml_rt_sigreturn_shortcut", NR_RT_SIGRETURN],
    ] as const) {
      this.watchLabel(label, () => {
        if (paths.restarted(0)) return;
        const flags = this.stackFlags(this.sp, PUSHED.interrupt);
        paths.enter({
          kind: KIND.sigreturn,
          nr,
          site: SITE.direct,
          path: PATH.D,
          phase: "stub",
          before: 0,
          flags,
          sp: this.sp,
        });
      });
    }
  }

  private watchSyscalls(): void {
    const { paths, cpu } = this.p;
    this.watchLabel("system_call", () => this.enterSystemCall());
    this.watchLabel("ia32_sysenter_target", () => {
      this.p.sysenter();
      if (paths.inStub) {
        this.intoKernel();
        return;
      }
      const flags = this.stackFlags(cpu.r[EBP], PUSHED.direct);
      const nr = cpu.r[EAX];
      paths.enter({
        kind: KIND.syscall,
        nr,
        site: SITE.sysenter,
        path: PATH.B,
        phase: "kernel",
        before: 1,
        flags,
        sp: cpu.r[EBP],
      });
    });
    this.watchLabel("ret_from_fork", () => {
      const sp = this.peek(this.sp + PT.OLDESP) || undefined;
      paths.enter({ kind: KIND.spawn, nr: -1, path: PATH.other, phase: "kernel", before: 0, flags: 0, sp });
    });
  }

  /** The stub of the innermost event arrives in the kernel's common code. */
  private intoKernel(): void {
    const { top } = this.p.paths;
    if (top !== undefined) top.phase = "kernel";
  }

  private enterSystemCall(): void {
    const { paths, cpu } = this.p;
    if (paths.inStub) {
      this.intoKernel();
      return;
    }
    const sp = this.sp;
    const eip = this.peek(sp);
    const ring3 = sp >>> 0 > KERNEL_BASE;
    const userSp = ring3 ? this.peek(sp + 12) : sp + PUSHED.interrupt;
    const inStub = this.inStubTail(eip);
    const nr = cpu.r[EAX];
    const sigreturn = nr === NR_SIGRETURN || nr === NR_RT_SIGRETURN;
    const again = paths.isRestart(eip - INT_BYTES) || (inStub && !sigreturn);
    const gateCall = this.gateCall;
    gateCall.kind = sigreturn ? KIND.sigreturn : KIND.syscall;
    gateCall.nr = nr;
    gateCall.site = inStub && !sigreturn ? SITE.vsyscall : SITE.int80;
    gateCall.path = ring3 ? PATH.A : PATH.E;
    gateCall.flags = this.stackFlags(userSp, PUSHED.interrupt) | this.ifFlag | (again ? FLAG.restart : 0);
    gateCall.sp = userSp;
    paths.enter(gateCall);
  }

  private watchTraps(): void {
    for (const vector of EXCEPTIONS) {
      this.watchLabel(vector === 14 ? "page_fault" : `trap_${vector}`, () => this.enterTrap(vector));
    }
    for (let line = 0; line < IRQ_LINES; line++) this.watchLabel(`irq_entry_${line}`, () => this.enterIrq(line));
    // The first round begins at the task's start, later ones at the jump back there.
    this.watchLabel("double_fault_again", () => this.enterDoubleFault());
    this.watchLabel("double_fault_task", () => {
      const { paths } = this.p;
      if (paths.top?.path !== PATH.H || !paths.restarted(1)) this.enterDoubleFault();
    });
    this.watchNmi();
  }

  private watchNmi(): void {
    const { paths } = this.p;
    const isNmi = () => paths.top?.kind === KIND.irq && paths.top.nr === VECTOR.NMI;
    const enter = () => {
      paths.enter({ kind: KIND.irq, nr: VECTOR.NMI, path: PATH.other, phase: "kernel", before: 0, flags: 0 });
    };
    // As with double faults: the task's later rounds begin at the jump back to its start.
    for (const label of ["nmi_again", "nmi_later_again", "nmi_gate"]) this.watchLabel(label, enter);
    this.watchLabel("nmi_task", () => {
      if (!isNmi() || !paths.restarted(1)) enter();
    });
    for (const label of ["nmi_return", "nmi_later_return", "nmi_gate_return"])
      this.watchLabel(label, () => {
        if (isNmi()) paths.leave(1);
      });
  }

  /**
   * Finds where an exception or interrupt came from, by the frame that the processor pushed: for `trap`, and what else is asked
   * for one by one. Hot: nothing is allocated.
   * @param at linear address of the frame behind an error code
   * @param kernel the way if it came from the kernel; `program0`, `program3`: from a program in that ring
   * @param pushed bytes that ring 0 pushes on the user's stack
   */
  private from(at: number, kernel: number, program0: number, program3: number, pushed: number): void {
    const trap = this.trap;
    const ring0 = this.sp >>> 0 <= KERNEL_BASE;
    if (!ring0 && (this.peek(at + 4) & 3) !== 3) {
      trap.path = kernel;
      trap.flags = FLAG.in_kernel;
      trap.sp = undefined;
      return;
    }
    const sp = ring0 ? at + 12 : this.peek(at + 12);
    trap.path = ring0 ? program0 : program3;
    trap.flags = this.stackFlags(sp, pushed) | (this.peek(at + 8) & EFLAGS.IF ? 0 : FLAG.if_off);
    trap.sp = sp;
  }

  private enterTrap(vector: number): void {
    const trap = this.trap;
    const { sp } = this;
    const at = WITH_ERROR_CODE.includes(vector) ? sp + 4 : sp;
    this.from(at, PATH.other, PATH.G, PATH.F, PUSHED.fault);
    trap.kind = KIND.fault;
    trap.nr = vector;
    trap.addr = undefined;
    trap.access = undefined;
    if (vector === 14) {
      const addr = this.p.cpu.cr2 >>> 0;
      trap.addr = addr;
      trap.access = addr === this.peek(at) >>> 0 ? ACCESS.x : (this.peek(sp) & PF_WRITE) !== 0 ? ACCESS.w : ACCESS.r;
      if (trap.sp !== undefined && onStack(addr, trap.sp >>> 0)) trap.flags |= FLAG.stack;
    }
    this.p.paths.enter(trap);
  }

  private enterIrq(line: number): void {
    const trap = this.trap;
    const { paths } = this.p;
    this.from(this.sp, paths.top?.path === PATH.H ? PATH.K : PATH.L, PATH.J, PATH.I, PUSHED.interrupt);
    trap.kind = KIND.irq;
    trap.nr = VECTOR.IRQ0 + line;
    trap.addr = undefined;
    trap.access = undefined;
    paths.enter(trap);
  }

  /** The processor is in the double-fault task; what was interrupted lies in the main TSS. */
  private enterDoubleFault(): void {
    const { paths, cpu } = this.p;
    const saved = (offset: number) => this.peek(AREA.TSS + offset);
    const sp = saved(TSS.ESP);
    const inKernel = (saved(TSS.CS) & 0xffff) === SELECTOR.KERNEL_CS && sp >>> 0 > KERNEL_BASE;
    const flags = inKernel ? FLAG.in_kernel : FLAG.stack | this.stackFlags(sp, PUSHED.fault);
    paths.enter({
      kind: KIND.fault,
      nr: 14,
      path: PATH.H,
      phase: "kernel",
      before: 0,
      flags,
      addr: cpu.cr2 >>> 0,
      sp: inKernel ? undefined : sp,
      access: ACCESS.w,
    });
  }

  private watchExits(): void {
    const { cpu } = this.p;
    const byStack = () => this.leaveKernel(this.peek(this.sp));
    for (const label of ["irq_return", "ku_ret", "ku_iret", "ku_intr_ret"]) this.watchLabel(label, byStack);
    this.watchLabel("sysenter_leave", () => this.leaveKernel(cpu.r[EDX]));
  }

  /** The last kernel instruction: the event is over unless the rest of a stub is still to run. */
  private leaveKernel(eip: number): void {
    const { paths } = this.p;
    const { top } = paths;
    if (top === undefined) return;
    if (top.kind === KIND.syscall || top.kind === KIND.sigreturn || top.kind === KIND.spawn) {
      if (this.inStubTail(eip) && !paths.resumesSuspended()) {
        top.phase = "stub";
        return;
      }
      if (this.p.vdso.restartsVsyscall(eip)) paths.expectRestart();
    }
    paths.leave(1);
  }

  private inStubTail(eip: number): boolean {
    return eip === this.wrapperReturn || this.p.vdso.inVsyscallTail(eip);
  }

  /** esp_absent or esp_cow by the state of the page that a ring-0 entry would push to, in every ring. */
  private stackFlags(sp: number, pushed: number): number {
    if (!this.p.flagged) return 0;
    return this.pageFlags(sp - 4) | (((sp - 4) ^ (sp - pushed)) >>> 12 !== 0 ? this.pageFlags(sp - pushed) : 0);
  }

  private pageFlags(la: number): number {
    const { memory, cpu } = this.p;
    const page = la >>> 12;
    if (memory.tlb[SUPER_WRITE][page] !== LEAVE || memory.tlb[USER_WRITE][page] !== LEAVE) return 0;
    if (walk(memory, cpu.cr3, la, true) >= 0) return 0;
    return walk(memory, cpu.cr3, la, false) >= 0 ? FLAG.esp_cow : FLAG.esp_absent;
  }
}

/** At or just above ESP, or up to 64 KiB below it: what a stack grows by. */
function onStack(addr: number, sp: number): boolean {
  return addr >= sp - 0x1_0000 && addr < sp + 0x1000;
}
