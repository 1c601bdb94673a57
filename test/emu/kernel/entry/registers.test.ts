// What a ring-0 program's registers, tables and rights are: the facts about switches, registers and selectors, one test each.
import { describe, expect, it } from "vitest";
import { AREA, KERNEL_BASE, KU_CS, PHYS, PT, SELECTOR, TSS } from "../../../../src/emu/kernel/entry/layout.ts";
import { KERNEL_NAMES } from "../../../../src/emu/kernel/entry/variant.ts";
import { SYSCALLS } from "../../../../src/emu/kernel/syscalls.ts";
import { DATA, ofKind, STACK_TOP, type World, type WorldOptions, watchLabel, world } from "./harness.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";
const KML = KERNEL_NAMES.filter((name) => name !== "linux");

/** Stores the selectors at data + 32 * n; keeps EBX and on. */
const selectors = (n: number): string =>
  ["cs", "ss", "ds", "es", "fs", "gs"].map((s, i) => `mov eax, ${s}\nmov [data+${32 * n + 4 * i}], eax`).join("\n");

function ran(source: string, o: Partial<WorldOptions> = {}): World {
  const w = world(source + EXIT, { ring: 0, ...o });
  w.run();
  return w;
}

const words = (w: World, at: number, n: number): number[] => Array.from({ length: n }, (_, i) => w.word(at + 4 * i));

/** thread_area for entry 6, then GS = 0x33. */
const TLS = `
  mov dword [data+0x200], 6
  mov dword [data+0x204], data+0x300
  mov dword [data+0x208], 0xfffff
  mov dword [data+0x20c], 0x51
  mov dword [data+0x300], 0x1234
  mov eax, 243
  mov ebx, data+0x200
  int 0x80
  mov eax, 0x33
  mov gs, eax
`;

describe("selectors", () => {
  const each = [
    ["a direct call", "mov eax, 20\nmov ecx, vsyscall\ncall ecx"],
    ["int 0x80", "mov eax, 20\nint 0x80"],
    ["a page fault", "mov dword [data+0x3000], 1"],
    ["a starved push", "mov ebp, esp\nmov esp, data+0x8000\npush eax\nmov esp, ebp"],
    ["interrupts", "mov ecx, 600000\nspin:\ndec ecx\njnz spin"],
  ] as const;

  it.each(each)("of a ring-0 program are 0x60, 0x68, 0x7b, 0x7b, 0, 0x33 before and behind %s", (_what, source) => {
    const w = ran(`${TLS}\n${selectors(0)}\n${source}\n${selectors(1)}\nmov eax, [gs:0]\nmov [data+0x400], eax`);
    for (const n of [0, 1]) expect(words(w, DATA + 32 * n, 6)).toEqual([0x60, 0x68, 0x7b, 0x7b, 0, 0x33]);
    expect(w.word(DATA + 0x400)).toBe(0x1234);
  });

  it.each(
    KML,
  )("of %s: the requested level of CS is 0, which is how a program sees that it runs in kernel mode", (kernel) => {
    expect(words(ran(`mov eax, cs\nand eax, 3\nmov [data], eax`, { kernel }), DATA, 1)).toEqual([0]);
    expect(words(ran(`mov eax, cs\nand eax, 3\nmov [data], eax`, { kernel, ring: 3 }), DATA, 1)).toEqual([3]);
  });

  it("SS is never reloaded: same-ring returns do not pop it, so that a selector of the program's own stays", () => {
    // Another flat writable data segment of level 0.
    const own = `sub esp, 0\nmov eax, 0xd0\nmov ss, eax`;
    const w = ran(`${own}\nmov eax, 20\nint 0x80\nmov dword [data+0x3000], 1\n${selectors(0)}`);
    expect(w.word(DATA + 4)).toBe(SELECTOR.ESPFIX_SS);
  });

  it("FS is 0 in a kernel for one processor, in the program and in the kernel", () => {
    const w = world(`mov eax, 20\nint 0x80${EXIT}`, { ring: 0 });
    const seen: number[] = [];
    watchLabel(w, "sys_call", () => seen.push(w.k.cpu.sel[4]));
    w.run();
    expect(seen).toEqual([0, 0]);
  });
});

describe("EFLAGS", () => {
  it("at the start have IF alone, in both rings", () => {
    for (const ring of [0, 3] as const) {
      expect(words(ran("pushf\npop eax\nmov [data], eax", { ring }), DATA, 1)).toEqual([0x202]);
    }
  });

  it("are the program's own: CLI and STI are allowed, in ring 3 they are a general protection fault", () => {
    const w = ran("cli\npushf\npop eax\nmov [data], eax\nsti\npushf\npop eax\nmov [data+4], eax");
    expect(words(w, DATA, 2).map((flags) => flags & 0x200)).toEqual([0, 0x200]);
  });
});

describe("saved frames of ring-0 programs", () => {
  it("hold CS 0x20073 behind an exception or int 0x80, 0x10073 behind an interrupt: user_mode() needs no change", () => {
    const w = world(
      `mov eax, 20\nint 0x80\nmov dword [data+0x3000], 1\nmov ecx, 600000\nspin:\ndec ecx\njnz spin${EXIT}`,
      {
        ring: 0,
      },
    );
    const seen = new Map<string, number>();
    for (const label of ["do_trap_14", "sys_call", "do_irq"])
      watchLabel(w, label, () => {
        const regs = w.k.entry.regs(w.task);
        if (w.k.current === w.task && regs.userMode) seen.set(label, regs.get(PT.CS));
      });
    w.run();
    expect(Object.fromEntries(seen)).toEqual({
      do_trap_14: KU_CS.EXCEPTION,
      sys_call: KU_CS.EXCEPTION,
      do_irq: KU_CS.INTERRUPT,
    });
  });

  it("of an interrupt hold neither EIP nor EFLAGS: those stay on the user's stack, where ESP points", () => {
    const w = world(`mov ecx, 600000\nspin:\ndec ecx\njnz spin${EXIT}`, { ring: 0 });
    let seen: number[] = [];
    watchLabel(w, "do_irq", () => {
      if (w.k.current !== w.task) return;
      const regs = w.k.entry.regs(w.task);
      const sp = regs.get(PT.OLDESP);
      seen = [
        regs.get(PT.EIP),
        regs.get(PT.EFLAGS),
        STACK_TOP - 64 - (sp >>> 0),
        w.word(sp + 4),
        w.word(sp + 8) & 0x200,
      ];
    });
    w.run();
    expect(seen).toEqual([0, 0, 12, SELECTOR.KERNEL_CS, 0x200]);
  });
});

describe("tables", () => {
  const gate = (w: World, vector: number) => {
    const low = w.k.memory.readPhys32(PHYS.IDT + 8 * vector);
    const high = w.k.memory.readPhys32(PHYS.IDT + 8 * vector + 4);
    return { selector: low >>> 16, type: (high >>> 8) & 0x1f, dpl: (high >>> 13) & 3 };
  };
  const TASK_GATE = 5;
  const INTERRUPT_GATE = 14;

  it.each(
    KML,
  )("of %s: #DF and NMI are task gates, interrupts and faults interrupt gates, int 0x80 open to ring 3", (kernel) => {
    const w = world(EXIT, { ring: 0, kernel });
    expect(gate(w, 8)).toEqual({ selector: 0xf8, type: TASK_GATE, dpl: 0 });
    expect(gate(w, 2)).toEqual({ selector: 0xf0, type: TASK_GATE, dpl: 0 });
    for (const vector of [0, 1, 6, 7, 13, 14, 0x30, 0x3f]) {
      expect(gate(w, vector)).toEqual({ selector: SELECTOR.KERNEL_CS, type: INTERRUPT_GATE, dpl: 0 });
    }
    expect(gate(w, 0x80)).toMatchObject({ selector: SELECTOR.KERNEL_CS, dpl: 3 });
  });

  it("without KML an NMI comes through an interrupt gate", () => {
    expect(gate(world(EXIT, { ring: 3, kernel: "linux" }), 2).type).toBe(INTERRUPT_GATE);
  });

  it("every change of address space is written into three TSSs, every change of task into TSS.esp0 and its copy", () => {
    const fork = `mov eax, 2\nint 0x80\ntest eax, eax\njz child\nmov ebx, eax\nmov ecx, 0\nmov edx, 0\nmov eax, 7\nint 0x80${EXIT}
child:\nmov eax, 1\nmov ebx, 0\nint 0x80`;
    const w = world(fork, { ring: 0 });
    const tss = (at: number, offset: number) => w.k.memory.readPhys32(at - KERNEL_BASE + offset) | 0;
    const spaces = new Set<number>();
    watchLabel(w, "sys_call", () => {
      spaces.add(w.k.cpu.cr3);
      for (const at of [AREA.TSS, AREA.NMI_TSS, AREA.DF_TSS]) expect(tss(at, TSS.CR3)).toBe(w.k.cpu.cr3);
      expect(tss(AREA.TSS, TSS.ESP0)).toBe(w.k.current.esp0 | 0);
      expect(tss(AREA.ESP0, 0)).toBe(w.k.current.esp0 | 0);
    });
    w.run();
    expect(spaces.size).toBe(2);
  });
});

describe("rights", () => {
  it("CR0.WP stays: a ring-0 program's store to a read-only page faults", () => {
    const text = `mov eax, cr0\nmov [${AREA.UNUSED}], eax
      mov dword [vdso], 1`;
    const w = world(text + EXIT, { ring: 0 });
    w.k.clock.at(2_000_000, () => w.machine.stop());
    w.machine.run();
    expect(w.k.memory.readPhys32(AREA.UNUSED - KERNEL_BASE) & 0x1_0000).toBe(0x1_0000);
    expect(w.task.exitCode & 0x7f).toBe(11);
  });

  it("the U/S bit protects nothing: kernel memory can be read and written", () => {
    const w = ran(`mov eax, [${KERNEL_BASE + PHYS.TEXT}]\nmov [data], eax\nmov dword [${AREA.UNUSED}], 0x1234567`);
    expect(w.word(DATA)).toBe(w.k.memory.readPhys32(PHYS.TEXT) | 0);
    expect(w.k.memory.readPhys32(AREA.UNUSED - KERNEL_BASE)).toBe(0x1234567);
    const ring3 = world(`mov eax, [${KERNEL_BASE + PHYS.TEXT}]${EXIT}`, { ring: 3 });
    ring3.k.clock.at(2_000_000, () => ring3.machine.stop());
    ring3.machine.run();
    expect(ring3.task.exitCode & 0x7f).toBe(11);
  });

  it("addr_limit is the whole space: a kernel address is accepted where ring 3 gets EFAULT", () => {
    const uname = (ring: 0 | 3) =>
      ran(`mov eax, 122\nmov ebx, ${KERNEL_BASE + 0x40_0000}\nint 0x80\nmov [data], eax`, { ring });
    expect(uname(3).word(DATA)).toBe(-14);
    const w = uname(0);
    expect(w.word(DATA)).toBe(0);
    expect(
      String.fromCharCode(...w.k.memory.u8.subarray(w.k.memory.ramBase + 0x40_0000, w.k.memory.ramBase + 0x40_0005)),
    ).toBe("Linux");
  });

  it("privileged registers can be read", () => {
    const w = ran("mov eax, cr3\nmov [data], eax\nmov eax, cr4\nmov [data+4], eax");
    expect(w.word(DATA)).toBe(w.k.cpu.cr3);
    expect(w.word(DATA + 4)).toBe(w.k.cpu.cr4);
  });
});

describe("the table of calls", () => {
  it("names the calls that need all saved registers: KML's ten, clone3 and execveat", () => {
    const special = SYSCALLS.filter((call) => call?.special).map((call) => call!.nr);
    expect(special).toEqual([2, 11, 72, 110, 119, 120, 173, 179, 186, 190, 358, 435]);
  });

  it("a call of six arguments has all of them by every way in", () => {
    // mmap2(0, 8192, 3, 0x22, -1, 0): the sixth is EBP, which the direct stub takes from the user's stack.
    const call = (how: string) =>
      `mov eax, 192\nmov ebx, 0\nmov ecx, 8192\nmov edx, 3\nmov esi, 0x22\nmov edi, -1\nmov ebp, 0\n${how}\nmov [data], eax`;
    for (const kernel of KML) {
      const direct = ran(call("push vsyscall\ncall [esp]\nadd esp, 4"), { kernel });
      expect(direct.word(DATA) >>> 0).toBeLessThan(KERNEL_BASE);
      expect(ofKind(direct.recorder.events, "syscall")[0]).toMatchObject({ nr: 192, path: "C" });
      expect(ran(call("int 0x80"), { kernel }).word(DATA)).toBe(direct.word(DATA));
    }
  });
});
