// How ring-0 programs come back from the kernel: which of three returns, what it leaves on the user's stack, and what happens
// when that stack is not there.
import { describe, expect, it } from "vitest";
import { EFLAGS, KERNEL_BASE } from "../../../../src/emu/kernel/entry/layout.ts";
import { TIMER_IRQ } from "../../../../src/emu/machine/machine.ts";
import { DATA, ofKind, type World, type WorldOptions, watchLabel, world } from "./harness.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";
const RETURNS = ["irq_return", "ku_ret", "ku_iret", "ku_intr_ret", "sysenter_leave"] as const;

/** Runs a program and notes by which instruction the kernel left for it, after `skip` of them. */
function returns(source: string, o: Partial<WorldOptions> = {}): { w: World; by: string[] } {
  const w = world(source + EXIT, { ring: 0, ...o });
  const by: string[] = [];
  for (const label of RETURNS) {
    if (w.k.entry.text.symbols[label] === undefined) continue;
    watchLabel(w, label, () => w.k.current === w.task && by.push(label));
  }
  w.run();
  // The first brought the program to life; a page that is fetched first is a fault.
  return { w, by: by.slice(1) };
}

const GETPID = "mov eax, 20\nint 0x80\n";
const SPIN = "mov ecx, 300000\nspin:\ndec ecx\njnz spin\n";

describe("the way back is chosen by the high half of the saved CS", () => {
  it.each([
    ["int 0x80 in ring 3", { ring: 3, kernel: "kml-4.0" }, GETPID, ["irq_return"]],
    [
      "SYSENTER",
      { ring: 3 },
      "mov ecx, vsyscall\nmov eax, 20\ncall ecx\nmov eax, 20\ncall ecx",
      ["irq_return", "sysenter_leave", "sysenter_leave"],
    ],
    ["int 0x80 in ring 0: POPF and RET, no IRET", { ring: 0 }, GETPID, ["ku_ret"]],
    ["an interrupt in ring 3", { ring: 3, kernel: "kml-4.0" }, SPIN, ["irq_return"]],
    [
      "an interrupt in ring 0: POPF and RET from the frame that stayed on the user's stack",
      { ring: 0 },
      SPIN,
      ["ku_intr_ret"],
    ],
    ["a page fault in ring 0: IRET, because a fault pushes RF", { ring: 0 }, "mov dword [data+0x3000], 1", ["ku_iret"]],
    [
      "a page fault on a processor that does not push RF: POPF and RET",
      { ring: 0, options: { ignoreRf: true } },
      "mov dword [data+0x3000], 1",
      ["ku_ret"],
    ],
    [
      "a special call: as int 0x80",
      { ring: 0 },
      "mov ecx, vsyscall\nmov eax, 110\nmov ebx, 0\ncall ecx",
      ["ku_iret", "ku_ret"],
    ],
  ] as const)("%s", (_what, o, source, expected) => {
    expect(returns(source, o as WorldOptions).by).toEqual(expected);
  });

  it.each([
    ["AC", EFLAGS.AC, "ku_ret"],
    ["ID", EFLAGS.ID, "ku_ret"],
    ["DF", EFLAGS.DF, "ku_ret"],
    ["CF", EFLAGS.CF, "ku_ret"],
    ["IOPL", EFLAGS.IOPL, "ku_iret"],
    ["NT", EFLAGS.NT, "ku_iret"],
  ] as const)("with %s set behind int 0x80; and it is still set then", (_name, flag, by) => {
    const set = `pushf\nor dword [esp], ${flag}\npopf\n${GETPID}pushf\npop edx\nmov [data], edx\npush 2\npopf`;
    const seen = returns(set);
    expect(seen.by).toEqual([by, "ku_iret"]);
    expect(seen.w.word(DATA) & flag).toBe(flag);
  });
});

describe("what a return leaves on the user's stack", () => {
  const PATTERN = 0x5a5a_5a5a;
  /** Fills 64 bytes below ESP = data + 0x800, lets something happen, and gives the words that changed, by distance from ESP. */
  function clobbered(source: string, o: Partial<WorldOptions> = {}): number[] {
    const fill = Array.from({ length: 16 }, (_, i) => `mov dword [data+${0x800 - 4 * (i + 1)}], ${PATTERN}`).join("\n");
    const { w } = returns(
      `mov ebx, esp\nmov esp, data+0x800\nmov dword [data+0x6000], 0\n${fill}\n${source}\nmov esp, ebx`,
      o,
    );
    return Array.from({ length: 16 }, (_, i) => -4 * (i + 1)).filter((at) => w.word(DATA + 0x800 + at) !== PATTERN);
  }

  it("clobbers 12 bytes below the user's ESP behind int 0x80 and interrupts, 16 behind an exception with an error code", () => {
    expect(clobbered(GETPID)).toEqual([-4, -8, -12]);
    expect(clobbered(SPIN)).toEqual([-4, -8, -12]);
    expect(clobbered("mov dword [data+0x7000], 1")).toEqual([-4, -8, -12, -16]);
  });

  it("clobbers nothing in ring 3", () => {
    for (const source of [GETPID, SPIN, "mov dword [data+0x7000], 1"])
      expect(clobbered(source, { ring: 3 })).toEqual([]);
  });

  it("a direct call leaves its return address and the four words of its stub", () => {
    expect(clobbered("mov ecx, vsyscall\nmov eax, 20\ncall ecx")).toEqual([-4, -8, -12, -16, -20]);
  });

  it("EBP, EFLAGS and EIP are what lies there behind int 0x80", () => {
    const w = returns(`mov ebp, 0x1234\nmov ebx, esp\nmov esp, data+0x800\n${GETPID}mov esp, ebx`).w;
    expect(w.word(DATA + 0x800 - 12)).toBe(0x1234);
    expect(w.word(DATA + 0x800 - 8) & EFLAGS.IF).toBe(EFLAGS.IF);
    expect(w.word(DATA + 0x800 - 4) >>> 0).toBeLessThan(KERNEL_BASE);
  });
});

describe("all registers come back", () => {
  it.each([0, 3] as const)("in ring %i from interrupts at any instruction, and from faults", (ring) => {
    const registers = ["eax", "ebx", "ecx", "edx", "edi", "ebp"];
    const w = world(
      `mov esi, 200\n${registers.map((r, i) => `mov ${r}, ${0x1111 * (i + 1)}`).join("\n")}
again:
${registers.map((r, i) => `cmp ${r}, ${0x1111 * (i + 1)}\njne bad`).join("\n")}
push eax\npop eax\nmov [esi*4+data+0x4000], esi\ndec esi\njnz again
mov ebx, 7${EXIT}bad:\nmov ebx, 99${EXIT}`,
      { ring },
    );
    // An interrupt's charge is 600: some thirty instructions of the program lie between two of them.
    watchLabel(w, "ret_from_fork", () => {
      for (let n = 0; n < 300; n++)
        w.k.clock.at(w.k.clock.now() + 1_000 + 709 * n, () => w.machine.pic.pulse(TIMER_IRQ));
    });
    expect(w.run()).toBe(7);
    expect(ofKind(w.recorder.events, "irq").length).toBeGreaterThan(50);
  });
});

describe("a way out whose store to the user's stack fails", () => {
  const UNMAP = "mov ebx, data+0x1000\nmov ecx, 0x1000\nmov eax, 91\n";
  const died = (source: string, o: Partial<WorldOptions> = {}) => {
    const w = world(source + EXIT, { ring: 0, ...o });
    w.k.clock.at(5_000_000, () => w.machine.stop());
    w.machine.run();
    return w;
  };

  it("is a segmentation fault: a call that unmaps the stack it was made on", () => {
    const w = died(`mov esp, data+0x1800\npush 0\n${UNMAP}int 0x80`);
    expect(w.task.exitCode & 0x7f).toBe(11);
    expect(w.machine.dead).not.toMatch(/triple|double/);
  });

  it("comes to its handler on the alternate stack", () => {
    const w = world(
      `mov dword [data+0x20], data+0x4000\nmov dword [data+0x28], 8192\nmov eax, 186\nmov ebx, data+0x20\nmov ecx, 0\nint 0x80
mov dword [data+0x100], handler\nmov dword [data+0x108], 0x08000000\nmov eax, 67\nmov ebx, 11\nmov ecx, data+0x100\nmov edx, 0\nint 0x80
mov esp, data+0x1800\npush 0\n${UNMAP}int 0x80\nmov ebx, 99${EXIT}
handler:\nmov eax, esp\nmov [data], eax\nmov ebx, 5${EXIT}`,
      { ring: 0 },
    );
    expect(w.run()).toBe(5);
    const sp = w.word(DATA) >>> 0;
    expect(sp > DATA + 0x4000 && sp < DATA + 0x6000).toBe(true);
  });
});
