// How ring-0 programs come into the kernel: the stub, what a direct call keeps, and that "is this user code?" is answered by
// ESP alone, at every instruction.
import { describe, expect, it } from "vitest";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { KERNEL_BASE, PHYS } from "../../../../src/emu/kernel/entry/layout.ts";
import { KERNEL_NAMES } from "../../../../src/emu/kernel/entry/variant.ts";
import { TIMER_IRQ } from "../../../../src/emu/machine/machine.ts";
import { FLAG } from "../../../../src/traces/schema/enums.ts";
import {
  DATA,
  type Event,
  ofKind,
  STACK_TOP,
  type World,
  type WorldOptions,
  watch,
  watchLabel,
  world,
} from "./harness.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";
const KML = KERNEL_NAMES.filter((name) => name !== "linux");
const FOUR_OH = ["kml-4.0", "kml-4.0-published"] as const;

function ran(source: string, o: Partial<WorldOptions> = {}): World {
  const w = world(source + EXIT, { ring: 0, ...o });
  w.run();
  return w;
}

const syscalls = (w: World): Event[] => ofKind(w.recorder.events, "syscall");

/** Instructions of kernel text from a label on, up to and with the one that matches. */
function listing(w: World, label: string, last: RegExp): { at: number; text: string }[] {
  const out: { at: number; text: string }[] = [];
  let at = w.k.entry.text.symbols[label] >>> 0;
  for (;;) {
    const from = w.k.memory.ramBase + at - KERNEL_BASE;
    const { text, length } = disassemble(w.k.memory.u8.subarray(from, from + 16), at);
    out.push({ at, text });
    if (last.test(text)) return out;
    at += length;
  }
}

describe("the vsyscall page of a ring-0 program", () => {
  it.each(KML)("of %s is one instruction, jmp [table+eax*4]; no register but EAX, ECX, EDX is its own", (kernel) => {
    const w = ran(
      `mov ebx, 11\nmov esi, 12\nmov edi, 13\nmov ebp, 14\nmov ecx, 15\nmov edx, vsyscall\npush edx\nmov edx, 16\nmov eax, 20
       call [esp]\nmov [data], ebx\nmov [data+4], esi\nmov [data+8], edi\nmov [data+12], ebp\nmov [data+16], ecx\nmov [data+20], edx`,
      { kernel },
    );
    expect([0, 4, 8, 12, 16, 20].map((at) => w.word(DATA + at))).toEqual([11, 12, 13, 14, 15, 16]);
  });

  it("leaves DF as it was: the stub does not clear it, the ways in by gate do and bring it back", () => {
    for (const how of ["mov ecx, vsyscall\ncall ecx", "int 0x80"]) {
      const w = world(`std\nmov eax, 20\n${how}\npushf\npop eax\ncld\nmov [data], eax${EXIT}`, { ring: 0 });
      const inBody: number[] = [];
      watchLabel(w, "sys_call", () => inBody.push(w.k.cpu.getEflags() & 0x400));
      w.run();
      expect(w.word(DATA) & 0x400).toBe(0x400);
      expect(inBody[0]).toBe(how === "int 0x80" ? 0 : 0x400);
    }
  });

  it("leaves the FPU alone", () => {
    const w = ran("fninit\nfld1\nmov eax, 20\nmov ecx, vsyscall\ncall ecx\nfistp dword [data]");
    expect(w.word(DATA)).toBe(1);
    expect(ofKind(w.recorder.events, "fault").filter(({ nr }) => nr === 7)).toHaveLength(0);
  });

  it("IF stays 1 in a direct call, to the body and back; int 0x80 turns it off only on its way out", () => {
    const w = world(`mov eax, 20\nmov ecx, vsyscall\ncall ecx${EXIT}`, { ring: 0 });
    const code = listing(w, "kml_0", /^ret/);
    const off = new Set<string>();
    for (const { at, text } of code)
      watch(w, at - KERNEL_BASE, () => void (w.k.cpu.getEflags() & 0x200 || off.add(text)));
    watchLabel(w, "sys_call", () => void (w.k.cpu.getEflags() & 0x200 || off.add("body")));
    w.run();
    expect([...off]).toEqual([]);
    expect(code.some(({ text }) => /cli|sti|popf/.test(text))).toBe(false);
  });

  it("the switch to the kernel stack is one load, from a copy of esp0 at a fixed address; no segment is loaded", () => {
    const w = world(EXIT, { ring: 0 });
    const code = listing(w, "kml_2", /^ret/).map(({ text }) => text);
    expect(code.filter((text) => /^mov esp, /.test(text))).toHaveLength(1);
    expect(code.some((text) => /\b[defg]s\b/.test(text))).toBe(false);
  });

  it.each(FOUR_OH)("of %s: 20 + n instructions, 21 without arguments", (kernel) => {
    const w = ran(
      "mov edi, vsyscall\nmov eax, 20\ncall edi\nmov eax, 20\ncall edi\nmov eax, 13\nmov ebx, 0\ncall edi\nmov eax, 78\nmov ebx, data\nmov ecx, 0\ncall edi",
      { kernel },
    );
    // The very first met an absent page behind its CALL.
    expect(syscalls(w).map(({ path, kinstr }) => [path, kinstr])).toEqual([
      ["C", 20],
      ["C", 21],
      ["C", 21],
      ["C", 22],
      ["E", -1],
    ]);
  });

  it("of 2003 leaves the body on the program's stack: 15 + n instructions, one less to tidy up without arguments", () => {
    const w = world(
      `mov edi, vsyscall\nmov eax, 20\ncall edi\nmov eax, 20\ncall edi\nmov eax, 13\nmov ebx, 0\ncall edi${EXIT}`,
      {
        ring: 0,
        kernel: "kml-2003",
      },
    );
    const stacks: number[] = [];
    watchLabel(w, "sys_call", () => stacks.push(w.k.cpu.r[4] >>> 0));
    w.run();
    const [, none, one, last] = syscalls(w);
    expect([none.kinstr, one.kinstr]).toEqual([15, 17]);
    expect(last.path).toBe("E");
    expect(stacks.map((sp) => sp < KERNEL_BASE)).toEqual([true, true, true, false]);
  });

  it("numbers that no table has are ENOSYS, in kml-4.0", () => {
    const w = ran(
      "mov edi, vsyscall\nmov eax, 1000\ncall edi\nmov [data], eax\nmov eax, -1\ncall edi\nmov [data+4], eax",
    );
    expect([w.word(DATA), w.word(DATA + 4)]).toEqual([-38, -38]);
  });
});

describe("int 0x80 in ring 0", () => {
  it("is never a failure: the processor pushes three words on the user's stack, software moves them", () => {
    const w = world(`mov esp, data+0x800\nmov eax, 20\nint 0x80\nmov [data], eax${EXIT}`, { ring: 0 });
    let at: number[] = [];
    watchLabel(w, "system_call", () => {
      const sp = w.k.cpu.r[4] >>> 0;
      if (at.length === 0) at = [sp - DATA, w.word(sp + 4), w.word(sp + 8) & 0x200];
    });
    w.run();
    // The gate is a trap gate: interrupts stay on.
    expect(at).toEqual([0x800 - 12, 0x60, 0x200]);
    expect(w.word(DATA)).toBe(100);
  });

  it.each(["linux", ...KML] as const)("%s: the ways in by gate are as long as they are said to be", (kernel) => {
    const lengths = (ring: 0 | 3) =>
      syscalls(ran("mov eax, 20\nint 0x80\nmov eax, 20\nint 0x80", { ring, kernel }))[1].kinstr;
    const espfix = kernel === "kml-4.0-published" ? 6 : 0;
    // 42 and ESPFIX's six; a KML kernel takes four more of every program, and 72 of its own. And the INT.
    expect(lengths(3)).toBe(kernel === "linux" ? 48 + 1 : 46 + espfix + 1);
    if (kernel !== "linux") expect(lengths(0)).toBe(72 + espfix + 1);
  });
});

describe("SYSENTER in ring 0", () => {
  // As a program does that takes __kernel_vsyscall from the vDSO's symbols instead of AT_SYSINFO.
  const SYSENTER = (w: World) => `vdso+${w.k.entry.vdso.vsyscall.entry}`;
  const entry = SYSENTER(world("nop", { ring: 0 }));

  it("comes back in ring 3: CS 0x73, SS 0x7b, and the trace warns", () => {
    const w = ran(
      `mov eax, 20\nmov ecx, ${entry}\ncall ecx\nmov [data], eax\nmov eax, cs\nmov [data+4], eax\nmov eax, ss\nmov [data+8], eax`,
    );
    expect([0, 4, 8].map((at) => w.word(DATA + at))).toEqual([100, 0x73, 0x7b]);
    expect(w.recorder.warnings.join()).toMatch(/SYSENTER in ring 0 and went on in ring 3/);
    expect(syscalls(w).map(({ path }) => path)).toEqual(["B", "A"]);
  });

  it("leaves the task what it was: TIF_KU stays, and kernel addresses are still accepted", () => {
    const w = ran(
      `mov eax, 20\nmov ecx, ${entry}\ncall ecx\nmov eax, 122\nmov ebx, ${KERNEL_BASE + 0x40_0000}\nint 0x80\nmov [data], eax`,
    );
    expect(w.task.ku).toBe(true);
    expect(w.word(DATA)).toBe(0);
  });

  it("makes the next direct call a fault of level 3", () => {
    const w = world(`mov eax, 20\nmov ecx, ${entry}\ncall ecx\nmov eax, 20\nmov ecx, vsyscall\ncall ecx${EXIT}`, {
      ring: 0,
    });
    w.k.clock.at(2_000_000, () => w.machine.stop());
    w.machine.run();
    expect(w.task.exitCode & 0x7f).toBe(11);
    const fault = ofKind(w.recorder.events, "fault").at(-1)!;
    expect(fault).toMatchObject({ nr: 14, path: "F", addr: KERNEL_BASE + PHYS.TEXT + 0x9000 + 4 * (64 + 20) });
  });

  it("is an ordinary way in in ring 3, and no warning", () => {
    const w = ran("mov eax, 20\nmov ecx, vsyscall\ncall ecx", { ring: 3 });
    expect(syscalls(w)[0].path).toBe("B");
    expect(w.recorder.warnings).toEqual([]);
  });
});

describe("whether an interrupt met user code is decided by ESP alone", () => {
  /** Raises an interrupt n instructions behind the start of the n-th of `calls` direct calls. */
  function interrupted(calls: number, from: "vsyscall" | "kml_0_back"): { w: World; paths: string[] } {
    const w = world(
      `mov esi, ${calls}\nmov edi, vsyscall\nagain:\nmov eax, 20\ncall edi\ncmp eax, 100\njne bad\ndec esi\njnz again\nmov ebx, 7${EXIT}
bad:\nmov ebx, 99${EXIT}`,
      { ring: 0, hz: 100 },
    );
    let n = 0;
    const { vdso, text } = w.k.entry;
    const body = listing(w, "kml_0", /^call/).length;
    const physical =
      from === "vsyscall" ? vdso.physical(vdso.kmlVsyscall) : listing(w, "kml_0", /^ret/)[body].at - KERNEL_BASE;
    expect(text.symbols["kml_0"]).toBeDefined();
    watch(w, physical, () => {
      w.k.clock.at(w.k.clock.now() + n++, () => w.machine.pic.pulse(TIMER_IRQ));
    });
    expect(w.run()).toBe(7);
    const paths = ofKind(w.recorder.events, "irq").map(
      (event) => event.path + (event.flags & FLAG.in_kernel ? "k" : ""),
    );
    return { w, paths };
  }

  it("at each instruction of a direct call up to its body: six before the stack is switched, then the kernel's", () => {
    const { paths } = interrupted(10, "vsyscall");
    expect(paths).toEqual(["J", "J", "J", "J", "J", "J", "J", "Lk", "Lk", "Lk"]);
  });

  it("and behind it: the kernel's until LEAVE has gone back to the user's stack", () => {
    const { paths } = interrupted(10, "kml_0_back");
    // mov, and, leave; then load, test, two pops, jne, add, ret.
    expect(paths.slice(0, 10)).toEqual(["Lk", "Lk", "Lk", "J", "J", "J", "J", "J", "J", "J"]);
  });

  it("and all of them come back: nothing is lost of the registers, and every interrupt is there", () => {
    const { w } = interrupted(17, "vsyscall");
    expect(ofKind(w.recorder.events, "irq")).toHaveLength(17);
    expect(w.k.cpu.r[4] >>> 0).toBeGreaterThan(STACK_TOP);
  });
});

describe("what the fast path does not look at", () => {
  it("strict seccomp: a direct getpid goes on, one by int 0x80 or SYSENTER is killed", () => {
    const strict = "mov eax, 172\nmov ebx, 22\nmov ecx, 1\nint 0x80\n";
    const ends = (how: string, ring: 0 | 3) => {
      const w = world(`${strict}mov eax, 20\n${how}\nmov [data], eax\nmov eax, 1\nmov ebx, 0\nint 0x80`, { ring });
      w.k.clock.at(2_000_000, () => w.machine.stop());
      w.machine.run();
      return w.task.exitCode;
    };
    const SIGKILL = 9;
    expect(ends("mov ecx, vsyscall\ncall ecx", 0)).toBe(0);
    expect(ends("int 0x80", 0)).toBe(SIGKILL);
    expect(ends("int 0x80", 3)).toBe(SIGKILL);
    expect(ends("mov ecx, vsyscall\ncall ecx", 3)).toBe(SIGKILL);
  });

  it("a call that a gate looks at costs its look; the direct call has no instruction for it", () => {
    const w = world(EXIT, { ring: 0 });
    // One test: for work at the end, of thread_info's other bits.
    expect(listing(w, "kml_0", /^ret/).filter(({ text }) => /^(test|cmp)/.test(text))).toHaveLength(1);
    expect(listing(w, "system_call", /^call/).filter(({ text }) => /^(test|cmp)/.test(text))).toHaveLength(3);
  });
});
