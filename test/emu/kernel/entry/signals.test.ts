// Registers, signal frames, faults and misuse in both rings, as the real kernels showed them.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FLAG } from "../../../../src/traces/schema/enums.ts";
import { runProgram } from "./programs.ts";

/** The lines NAME=0x... of a run, in order. */
function values(text: string): { name: string; value: number }[] {
  return [...text.matchAll(/^ ?([^\n=]+)=0x([0-9a-f]{8})$/gm)].map(([, name, hex]) => ({
    name,
    value: Number.parseInt(hex, 16),
  }));
}

describe("registers of a program", () => {
  for (const ring of [0, 3] as const) {
    it(`in ring ${ring}, and of its handlers`, () => {
      const { text, kernel } = runProgram(["regs"], { ring });
      expect(text).toContain("regs done");
      const seen = values(text);
      const all = (name: string) => seen.filter((row) => row.name === name).map((row) => row.value);
      const ku = ring === 0;
      expect([all("cs")[0], all("ss")[0], all("ds")[0], all("es")[0], all("fs")[0], all("gs")[0]]).toEqual(
        ku ? [0x60, 0x68, 0x7b, 0x7b, 0, 0] : [0x73, 0x7b, 0x7b, 0x7b, 0, 0],
      );
      expect(all("eflags")[0]).toBe(0x246);
      expect(all("AT_SYSINFO")[0]).toBe(kernel.entry.sysinfo(ku));
      if (ku) {
        expect(all("eflags after cli")[0] & 0x200).toBe(0);
        expect(all("after sti")[0] & 0x200).toBe(0x200);
      }
      // Three deliveries: at the end of a direct call, of an int 0x80, and from an interrupt.
      expect(all("handler cs")).toEqual(ku ? [0x60, 0x60, 0x60] : [0x73, 0x73, 0x73]);
      expect(all("handler ss")).toEqual(ku ? [0x68, 0x68, 0x68] : [0x7b, 0x7b, 0x7b]);
      expect(all("sc.cs")).toEqual(ku ? [0x20073, 0x20073, 0x10073] : [0x73, 0x73, 0x73]);
      expect(all("handler eflags").map((flags) => flags & 0x200)).toEqual([0x200, 0x200, 0x200]);
      const { symbols } = kernel.entry.text;
      if (ku) {
        const restorer = symbols["kml_sigreturn_shortcut"] >>> 0;
        expect(all("retaddr(restorer)")).toEqual([restorer, restorer, restorer]);
        expect(all("sc.eip")[0]).toBe(symbols["kml_wrapper_int_post"] >>> 0);
        expect(all("sc.eip")[2]).toBe(0);
        expect(all("sc.eflags")[2]).toBe(0);
      }
      expect(all("cs after")).toEqual([ku ? 0x60 : 0x73]);
    });
  }

  it("interrupts are on in a handler entered from an interrupt, and after it", () => {
    for (const ring of [0, 3] as const) {
      const flags = values(runProgram(["hif"], { ring }).text).map((row) => row.value & 0x200);
      expect(flags).toEqual([0x200, 0x200, 0x200, 0x200]);
    }
  });
});

describe("handlers", () => {
  // Restart, masks, nesting, SA_* flags, siginfo, changed contexts, FPU: as the same program printed it on a real kernel.
  const native = readFileSync(new URL("../../../fixtures/kml/sig.txt", import.meta.url), "utf8");
  it.each([
    ["by int 0x80", { ring: 3, kernel: "linux", entry: "int80" }],
    ["by sysenter", { ring: 3, kernel: "linux", entry: "sysenter" }],
    ["by sysenter on the KML kernel", { ring: 3, kernel: "kml-4.0", entry: "sysenter" }],
    ["in ring 0", { ring: 0 }],
  ] as const)("%s", (_name, options) => {
    const { exit, text, events } = runProgram(["sig"], options);
    expect(exit).toEqual({ kind: "exit", code: 0 });
    expect(text).toBe(native);
    // One read is made again after its handler: from the vsyscall page, so that its site is that.
    const again = events.filter((event) => event.flags & FLAG.restart);
    expect(again.map(({ nr, site }) => [nr, site])).toEqual([[3, "vsyscall"]]);
    // Handlers return by int 0x80 in ring 3, and without a trap in ring 0.
    const returns = new Set(events.filter(({ kind }) => kind === "sigreturn").map(({ path }) => path));
    expect([...returns]).toEqual([options.ring === 0 ? "D" : "A"]);
  });
});

describe("what ends a program", () => {
  const SIGILL = 4;
  const SIGTRAP = 5;
  const SIGFPE = 8;
  const SIGSEGV = 11;
  it.each([
    ["segv", SIGSEGV],
    ["kwrite", SIGSEGV],
    ["ud2", SIGILL],
    ["div0", SIGFPE],
    ["badesp", SIGSEGV],
    ["overflow", SIGSEGV],
    ["int3", SIGTRAP],
  ])("odd %s: signal %i in both rings", (mode, signal) => {
    for (const ring of [0, 3] as const) {
      expect(runProgram(["odd", mode], { ring }).exit).toMatchObject({ kind: "signal", signal });
    }
  });

  it("odd tf: a single step is seen in ring 3 only", () => {
    expect(runProgram(["odd", "tf"], { ring: 3 }).exit).toMatchObject({ kind: "signal", signal: SIGTRAP });
    expect(runProgram(["odd", "tf"], { ring: 0 }).exit).toEqual({ kind: "exit", code: 0 });
  });

  it("odd seccomp: strict mode does not see direct calls", () => {
    const killed = { kind: "signal", signal: 9 };
    const ring0 = runProgram(["odd", "seccomp"], { ring: 0 });
    expect(ring0.text).toMatch(
      /direct getpid after strict seccomp=0x[0-9a-f]{8}\ndirect getuid32=0x00000000\nnow int80 getpid\n$/,
    );
    expect(ring0.exit).toMatchObject(killed);
    const ring3 = runProgram(["odd", "seccomp"], { ring: 3 });
    expect(ring3.text).toBe("prctl=0x00000000\n");
    expect(ring3.exit).toMatchObject(killed);
  });

  it("sysenter in ring 0 drops to ring 3 without a word; the next direct call is a fault", () => {
    const dropped = runProgram(["odd", "sysenter", "x"], { ring: 0 });
    expect(values(dropped.text).find((row) => row.name === "cs after")!.value).toBe(0x73);
    expect(dropped.exit).toMatchObject({ kind: "signal", signal: SIGSEGV });
    expect(runProgram(["odd", "sysenter"], { ring: 0 }).exit).toMatchObject({ kind: "signal", signal: SIGSEGV });
  });
});

describe("numbers without a call", () => {
  const ENOSYS = -38 >>> 0;
  it.each(["461", "500", "1000", "1023", "-1"])("%s is ENOSYS in a direct call and by sysenter", (nr) => {
    for (const ring of [0, 3] as const)
      expect(values(runProgram(["odd", "badnr", nr], { ring }).text)[0].value).toBe(ENOSYS);
  });

  it("by int 0x80 always", () => {
    for (const ring of [0, 3] as const) {
      expect(values(runProgram(["odd", "badnr80", "100000"], { ring }).text)[0].value).toBe(ENOSYS);
    }
  });

  it("behind the direct table a jump goes wild, and only the program dies of it", () => {
    const { exit, kernel } = runProgram(["odd", "badnr", "5000"], { ring: 0 });
    expect(exit.kind).toBe("signal");
    expect(kernel.machine.dead).toBeNull();
  });

  it("IOPL in ring 0 survives an int 0x80", () => {
    const flags = (ring: 0 | 3) =>
      values(runProgram(["odd", "iopl"], { ring }).text).find((row) => row.name === "eflags")!;
    expect(flags(0).value & 0x3000).toBe(0x3000);
    expect(flags(3).value & 0x3000).toBe(0);
  });
});

describe("the kernel as it was published", () => {
  const published = (argv: string[], hz = 100) => runProgram(argv, { ring: 0, kernel: "kml-4.0-published", hz });

  it("has no single step in ring 0: its #DB handler stays on the user's stack", () => {
    expect(published(["odd", "tf"]).exit).toEqual({ kind: "exit", code: 0 });
  });

  it("never preempts ring-0 programs: device interrupts stay on the user's stack too", () => {
    const ticks = published(["two", "3000"], 1000).events.filter((event) => event.kind === "irq" && event.path === "J");
    expect(ticks.length).toBeGreaterThan(10);
    expect(ticks.filter((event) => event.flags & FLAG.exit_work)).toEqual([]);
  });

  it("jumps somewhere for numbers behind its table: into the next table first, then to 0", () => {
    const result = (nr: string) => values(published(["odd", "badnr", nr]).text)[0]?.value;
    // fstat and stty, with what lay on the stack for arguments: EBADF on the real kernel, or EFAULT if that was a descriptor.
    expect([-9 >>> 0, -14 >>> 0]).toContain(result("383"));
    expect(result("386")).toBe(-38 >>> 0);
    for (const nr of ["1000", "-1"])
      expect(published(["odd", "badnr", nr]).exit).toMatchObject({ kind: "signal", signal: 11 });
  });

  it("starves as the mended one does", () => {
    const faults = published(["stk", "push", "16"]).events.filter((event) => event.path === "H");
    expect(faults).toHaveLength(16);
  });
});
