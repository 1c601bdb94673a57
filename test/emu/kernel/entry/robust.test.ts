// Ring-0 programs that do the worst: machines die with a reason, and nothing reaches the host.
import { describe, expect, it } from "vitest";
import { AREA, KERNEL_BASE, PHYS } from "../../../../src/emu/kernel/entry/layout.ts";
import { DATA, ofKind, world } from "./harness.ts";

/** Runs until the machine stops by itself or two million clock units have passed. */
function runAWhile(source: string, ring: 0 | 3 = 0) {
  const w = world(source, { ring });
  w.k.clock.at(2_000_000, () => w.machine.stop());
  w.machine.run();
  return w;
}

describe("a machine dies", () => {
  it("halted with interrupts off", () => {
    expect(runAWhile("cli\nhlt").machine.dead).toBe("processor halted with interrupts off");
  });

  it("by a triple fault", () => {
    const dead = runAWhile(`lidt [data]\nint 3`).machine.dead;
    expect(dead).toMatch(/triple fault|shutdown/i);
  });

  it("halted with the timer's line masked, or with a timer that wakes nobody: when nothing has come of many events", () => {
    const masked = "mov al, 0xff\nout 0x21, al\nhlt";
    // setitimer, whose signal is ignored, and pause
    const ignored = `mov eax, 48\nmov ebx, 14\nmov ecx, 1\nint 0x80
      mov dword [data+4], 1\nmov dword [data+12], 1\nmov eax, 104\nxor ebx, ebx\nmov ecx, data\nxor edx, edx\nint 0x80
      mov eax, 29\nint 0x80`;
    for (const source of [masked, ignored]) {
      const w = world(source, { ring: 0 });
      w.machine.idleLimit = 1000;
      w.machine.run();
      expect(w.machine.dead).toBe("1000 timer events in a row found nothing to run");
    }
  });

  it("but not of HLT with interrupts on, nor of CLI and HLT in ring 3", () => {
    const halted = runAWhile("again:\nhlt\ninc dword [data]\njmp again");
    expect(halted.machine.dead).toBeNull();
    expect(halted.word(DATA)).toBe(3);
    for (const source of ["cli", "hlt"]) {
      const w = runAWhile(source, 3);
      expect(w.task.alive).toBe(false);
      expect(w.task.exitCode & 0x7f).toBe(11);
    }
  });
});

describe("the reserved instruction", () => {
  it("is an invalid opcode outside kernel text, in ring 0 too", () => {
    for (const ring of [0, 3] as const) {
      const w = runAWhile("db 0x0f, 0x0a, 0x20", ring);
      expect(ofKind(w.recorder.events, "fault").at(-1)!.nr).toBe(6);
      expect(w.task.exitCode & 0x7f).toBe(4);
    }
  });

  it("is one in the vDSO's page and in the kernel's data", () => {
    const w = runAWhile(`mov word [${AREA.TSS + 0x600}], 0x0a0f\nmov eax, ${AREA.TSS + 0x600}\njmp eax`);
    expect(w.task.exitCode & 0x7f).toBe(4);
  });
});

describe("kernel memory is the program's to write, and the kernel lives on or the machine dies with a reason", () => {
  const CALLS =
    "mov edi, vsyscall\nmov eax, 20\ncall edi\nmov eax, 20\nint 0x80\nmov esp, data+0x5000\npush eax\nmov eax, 252\nint 0x80";
  it.each([
    [
      "thread_info and its stack",
      "mov esi, esp\nmov ecx, 0xc0200000\nfill:\nmov dword [ecx], 0x55555555\nadd ecx, 4\ncmp ecx, 0xc0240000\njb fill",
    ],
    [
      "the TSS page",
      `mov ecx, ${AREA.TSS}\nfill:\nmov dword [ecx], -1\nadd ecx, 4\ncmp ecx, ${AREA.TSS + 0x1000}\njb fill`,
    ],
    [
      "the GDT",
      `mov ecx, ${KERNEL_BASE + PHYS.GDT}\nfill:\nmov dword [ecx], 0\nadd ecx, 4\ncmp ecx, ${KERNEL_BASE + PHYS.GDT + 256}\njb fill`,
    ],
    [
      "the call tables",
      `mov ecx, ${KERNEL_BASE + PHYS.TEXT + 0x8000}\nfill:\nmov dword [ecx], 0x1234\nadd ecx, 4\ncmp ecx, ${KERNEL_BASE + PHYS.TEXT + 0xb000}\njb fill`,
    ],
    [
      "the entry code",
      `mov ecx, ${KERNEL_BASE + PHYS.TEXT}\nfill:\nmov dword [ecx], 0x0a0f0a0f\nadd ecx, 4\ncmp ecx, ${KERNEL_BASE + PHYS.TEXT + 0x1000}\njb fill`,
    ],
    [
      "the page directory",
      `mov ecx, ${KERNEL_BASE + PHYS.PGD}\nfill:\nmov dword [ecx], 0\nadd ecx, 4\ncmp ecx, ${KERNEL_BASE + PHYS.PGD + 4096}\njb fill\nmov eax, cr3\nmov cr3, eax`,
    ],
    ["CR3", "mov eax, 0x123000\nmov cr3, eax"],
    ["the stack pointer", "mov esp, 0xffffff00\npush eax"],
  ])("%s", (_what, source) => {
    const w = runAWhile(`${source}\n${CALLS}`);
    expect(w.machine.dead === null || w.machine.dead.length > 10).toBe(true);
  });

  it("jumps into kernel text at any byte, with any registers", () => {
    // Every case is its own machine; a seed names it. What they end as is of no matter, only that they end.
    let seed = 20_040_501;
    const next = (n: number) => {
      seed = (seed * 48_271) % 0x7fff_ffff;
      return seed % n;
    };
    const odd = [0, -1, 1, DATA, AREA.TSS, AREA.DF_STACK, 0xc020_0000, 0xc0ff_fffc, 0x8000_0000, 0xbfff_e000];
    for (let run = 0; run < 40; run++) {
      const registers = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp"].map(
        (r) => `mov ${r}, ${odd[next(odd.length)] >>> 0}`,
      );
      const stack = next(3) === 0 ? "" : `mov esp, ${odd[next(odd.length)] >>> 0}`;
      const target = KERNEL_BASE + PHYS.TEXT + next(0x1500);
      const w = runAWhile(`${registers.join("\n")}\n${stack}\n${next(4) === 0 ? "cli" : ""}\njmp ${target}`);
      expect(w.machine.clock.now()).toBeGreaterThan(0);
    }
  });
});
