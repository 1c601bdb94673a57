// Signals, preemption, fork, exec and threads of ring-0 programs: the facts about them, one test each.
import { describe, expect, it } from "vitest";
import { KERNEL_BASE, KU_CS, PT, SELECTOR } from "../../../../src/emu/kernel/entry/layout.ts";
import { FLAG } from "../../../../src/traces/schema/enums.ts";
import { DATA, ofKind, type WorldOptions, watchLabel, world } from "./harness.ts";
import { runProgram } from "./programs.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";
const RING0: WorldOptions = { ring: 0 };

/** sigaction(SIGUSR1, handler) with a restorer that must not be used. */
const HANDLER = `mov dword [data+0x100], handler\nmov dword [data+0x108], 0x04000000\nmov dword [data+0x10c], 0xdead0000
mov eax, 67\nmov ebx, 10\nmov ecx, data+0x100\nmov edx, 0\nint 0x80\n`;
const KILL = "mov eax, 37\nmov ebx, 100\nmov ecx, 10\n";

describe("signals", () => {
  it("handlers return into kernel text, whatever SA_RESTORER says, and from there without a trap", () => {
    const w = world(
      `${HANDLER}${KILL}int 0x80\nmov ebx, [data]${EXIT}handler:\nmov eax, [esp]\nmov [data+4], eax\ninc dword [data]\nret`,
      RING0,
    );
    let traps = 0;
    watchLabel(w, "kml_sigreturn_shortcut", () => {
      traps -= 1000;
    });
    watchLabel(w, "ku_ret", () => traps++);
    expect(w.run()).toBe(1);
    expect(w.word(DATA + 4)).toBe(w.k.entry.text.symbols["kml_sigreturn_shortcut"]);
    expect(traps).toBeLessThan(0);
    expect(ofKind(w.recorder.events, "sigreturn").map(({ path }) => path)).toEqual(["D"]);
  });

  it("at the end of a direct call the frame says that an int 0x80 was made, so that EIP - 2 makes the call again", () => {
    const w = world(
      `${HANDLER}${KILL}mov edx, vsyscall\ncall edx\nmov ebx, [data]${EXIT}handler:\nmov eax, [esp+8+56]\nmov [data], eax\nret`,
      RING0,
    );
    const back = w.run();
    expect(back).toBe(w.k.entry.text.symbols["kml_wrapper_int_post"]);
    const at = (back >>> 0) - KERNEL_BASE - 2;
    expect([...w.k.memory.u8.subarray(w.k.memory.ramBase + at, w.k.memory.ramBase + at + 2)]).toEqual([0xcd, 0x80]);
    const call = ofKind(w.recorder.events, "syscall").find(({ nr }) => nr === 37)!;
    expect(call.path).toBe("C");
    expect(call.flags & FLAG.exit_work).toBeTruthy();
  });

  it("one delivered from an interrupt finds EIP 0, and ESP at the hardware frame that stayed on the user's stack", () => {
    const source = `${HANDLER.replace("ebx, 10", "ebx, 14")}mov dword [data+0x11c], 2000\nmov eax, 104\nmov ebx, 0\nmov ecx, data+0x110\nmov edx, 0\nint 0x80
mov esi, esp\nspin:\ncmp dword [data], 0\nje spin\nmov ebx, esi\nsub ebx, [data+8]\nmov esi, [data+4]\nadd ebx, esi${EXIT}
handler:\nmov eax, [esp+8+56]\nmov [data+4], eax\nmov eax, [esp+8+28]\nmov [data+8], eax\nmov eax, [esp+8+60]\nmov [data+12], eax\nmov dword [data], 1\nret`;
    const w = world(source, RING0);
    expect(w.run()).toBe(12);
    expect(w.word(DATA + 12)).toBe(KU_CS.INTERRUPT);
  });

  it("sigreturn cannot leave ring 0, nor come to it: a changed CS is put right", () => {
    const cs = (ring: 0 | 3, forged: number) => {
      const w = world(
        `${HANDLER.replace("0x04000000", "0")}${KILL}int 0x80\nmov eax, cs\nmov ebx, eax${EXIT}handler:\nmov dword [esp+8+60], ${forged}\nret`,
        { ring },
      );
      return w.run();
    };
    expect(cs(0, 0x73)).toBe(SELECTOR.KERNEL_CS);
    expect(cs(0, 0x60)).toBe(SELECTOR.KERNEL_CS);
    expect(cs(3, 0x73)).toBe(SELECTOR.USER_CS);
  });
});

describe("preemption", () => {
  /** Two tasks, each in a loop. */
  const TWO = (
    rounds: number,
    loop: string,
  ) => `mov eax, 2\nint 0x80\nmov esi, eax\nmov edi, vsyscall\nmov ebp, ${rounds}\nagain:\n${loop}\ndec ebp\njnz again
test esi, esi\njz child\nmov eax, 7\nmov ebx, esi\nmov ecx, 0\nmov edx, 0\nint 0x80\nmov ebx, 7${EXIT}child:\nmov eax, 1\nmov ebx, 0\nint 0x80`;

  it("of ring-0 code is by the timer, as in ring 3: the interrupt's way out gives the processor away", () => {
    for (const ring of [0, 3] as const) {
      const w = world(TWO(3000, "mov ecx, 1000\nspin:\ndec ecx\njnz spin"), { ring });
      expect(w.run()).toBe(7);
      const away = ofKind(w.recorder.events, "irq").filter(({ flags }) => flags & FLAG.exit_work);
      expect(away.length).toBeGreaterThan(2);
      expect(new Set(away.map(({ path }) => path))).toEqual(new Set([ring === 0 ? "J" : "I"]));
    }
  });

  it("inside a direct call waits for its end: the interrupt finds the kernel, the call's way out does the work", () => {
    const w = world(
      TWO(20_000, "mov eax, 122\nmov ebx, data\nadd ebx, 0x1000\ncall edi\nmov eax, 20\ncall edi"),
      RING0,
    );
    expect(w.run()).toBe(7);
    const inKernel = ofKind(w.recorder.events, "irq").filter(({ path }) => path === "L");
    expect(inKernel.length).toBeGreaterThan(1);
    expect(inKernel.filter(({ flags }) => flags & FLAG.exit_work)).toEqual([]);
    const calls = ofKind(w.recorder.events, "syscall").filter(
      ({ path, flags }) => path === "C" && flags & FLAG.exit_work,
    );
    expect(calls.length).toBeGreaterThan(0);
  });
});

describe("fork, exec and threads", () => {
  it("a child's registers are its parent's, CS 0x20073 among them: it begins in ring 0", () => {
    const w = world(
      `mov eax, 2\nint 0x80\ntest eax, eax\njz child\nmov ebx, eax\nmov eax, 7\nmov ecx, data\nmov edx, 0\nint 0x80\nmov ebx, [data]\nshr ebx, 8${EXIT}
child:\nmov ebx, cs\nmov eax, 1\nint 0x80`,
      RING0,
    );
    const frames: number[] = [];
    watchLabel(w, "ret_from_fork", () => frames.push(w.k.entry.regs(w.k.current).get(PT.CS)));
    expect(w.run()).toBe(SELECTOR.KERNEL_CS);
    expect(frames).toEqual([KU_CS.EXCEPTION, KU_CS.EXCEPTION]);
  });

  /** CS at the start of what `frk exec 1 PATH` executes. */
  const csOf = (path: string, ring: 0 | 3 = 0, kernel: WorldOptions["kernel"] = "kml-4.0") =>
    /^cs=0x(\w+)$/m.exec(runProgram(["frk", "exec", "1", path], { ring, kernel, env: [] }).text)?.[1];

  it.each([
    ["/trusted/bin/regs", "00000060"],
    ["/bin/regs", "00000073"],
    ["/trusted/bin/../bin/regs", "00000060"],
    ["/bin/script-trusted", "00000060"],
    ["/trusted/bin/script-plain", "00000073"],
  ])("execve %s: CS %s, because it is the executable's path that counts, a script's interpreter's", (path, cs) => {
    expect(csOf(path)).toBe(cs);
  });

  it("ring 3 can start a ring-0 program on a kernel that has them, and nothing can on one without", () => {
    expect(csOf("/trusted/bin/regs", 3)).toBe("00000060");
    expect(csOf("/trusted/bin/regs", 3, "linux")).toBe("00000073");
  });

  it("a program outside /trusted has lost its rights: kernel addresses are EFAULT again", () => {
    const text = (path: string) => runProgram(["frk", "exec", "1", path], { ring: 0, env: [] }).text;
    expect(text("/trusted/bin/regs")).toContain("write(kernel addr) ret=0x");
    expect(text("/bin/regs")).not.toContain("write(kernel addr)");
    expect(text("/bin/regs")).toContain("regs done");
  });

  it("clone with a new stack must be made by int 0x80: through the page its child returns to nowhere, and only it dies", () => {
    // CLONE_VM with a stack of zeros: the stub's RET takes its address from there.
    const clone = (how: string) =>
      world(
        `mov dword [data+0x5000], 0\nmov edi, vsyscall\nmov eax, 120\nmov ebx, 0x100\nmov ecx, data+0x5800\nmov edx, 0\nmov esi, 0\n${how}
test eax, eax\njz child\nmov ebx, eax\nmov eax, 7\nmov ecx, data\nmov edx, 0x80000000\nint 0x80\nmov ebx, [data]${EXIT}
child:\nmov eax, 1\nmov ebx, 3\nint 0x80`,
        RING0,
      ).run();
    expect(clone("int 0x80")).toBe(3 << 8);
    expect(clone("call edi") & 0x7f).toBe(11);
  });
});

describe("a tracer", () => {
  /** A child that stops itself, then makes three calls; its parent goes from stop to stop and counts those at calls. */
  const stops = (how: string, ring: 0 | 3): number =>
    world(
      `mov eax, 2\nint 0x80\ntest eax, eax\njz child\nmov edi, eax\nmov ebp, 0
again:\nmov eax, 7\nmov ebx, edi\nmov ecx, data\nmov edx, 0\nint 0x80\nmov eax, [data]\nand eax, 0xff\ncmp eax, 0x7f\njne out
inc ebp\nmov eax, 26\nmov ebx, 24\nmov ecx, edi\nmov edx, 0\nmov esi, 0\nint 0x80\njmp again
out:\nmov ebx, ebp${EXIT}
child:\nmov eax, 26\nmov ebx, 0\nmov ecx, 0\nmov edx, 0\nmov esi, 0\nint 0x80\nmov eax, 20\nint 0x80\nmov ebx, eax\nmov eax, 37\nmov ecx, 19\nint 0x80
mov edi, vsyscall\n${`mov eax, 20\n${how}\n`.repeat(3)}mov eax, 1\nmov ebx, 0\nint 0x80`,
      { ring },
    ).run();

  it("does not see direct calls begin, only their ends; those by a gate it sees coming and going", () => {
    const none = stops("nop", 0);
    expect(stops("int 0x80", 0) - none).toBe(6);
    expect(stops("call edi", 0) - none).toBe(3);
    expect(stops("call edi", 3) - stops("nop", 3)).toBe(6);
  });
});
