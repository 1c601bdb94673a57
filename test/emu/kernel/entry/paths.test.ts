// Instructions counted on each way in, beside those of a real KML 4.0 kernel (full instruction trace under emulation).
// The real kernel's figures are kernel text only for int 0x80 (its INT is counted here: + 1), and stub + kernel + call else.
import { describe, expect, it } from "vitest";
import { KCALL } from "../../../../src/emu/kernel/entry/kcall-numbers.ts";
import { FLAG, PATH } from "../../../../src/traces/schema/enums.ts";
import { type Event, ofKind, type WorldOptions, world } from "./harness.ts";

const QEMU = { ignoreRf: true } as const;

/** Each call of interest twice: the first meets absent pages. */
const CALLS = `
  mov esi, 2
again:
  mov eax, 20
  mov ecx, vsyscall
  call ecx
  mov eax, 20
  int 0x80
  mov eax, 78
  mov ebx, data
  mov ecx, 0
  mov edx, vsyscall
  call edx
  mov eax, 110
  mov ebx, 0
  mov ecx, vsyscall
  call ecx
  mov eax, 1000
  mov ecx, vsyscall
  call ecx
  dec esi
  jnz again
  mov dword [data+0x2000], 1
  mov eax, 252
  mov ebx, 0
  int 0x80
`;

function calls(o: WorldOptions): { last: (nr: number, site: string) => Event; fault: Event } {
  const w = world(CALLS, o);
  expect(w.run()).toBe(0);
  const syscalls = ofKind(w.recorder.events, "syscall");
  return {
    last: (nr, site) => syscalls.findLast((event) => event.nr === nr && event.site === site)!,
    fault: ofKind(w.recorder.events, "fault").findLast((event) => event.parent === undefined)!,
  };
}

describe("instructions on the paths", () => {
  it("Linux, ring 3: as the real kernel without KML", () => {
    const { last, fault } = calls({ ring: 3, kernel: "linux" });
    expect(last(20, "vsyscall")).toMatchObject({ path: "B", kinstr: 48 + 9 + 1, ret: 100 });
    expect(last(20, "int80")).toMatchObject({ path: "A", kinstr: 48 + 1 });
    expect(last(78, "vsyscall").kinstr).toBe(48 + 9 + 1);
    expect(last(110, "vsyscall").kinstr).toBe(48 + 9 + 1);
    expect(fault).toMatchObject({ path: "F", kinstr: 58 });
  });

  it("KML kernel, ring 3: four instructions more at every entry by gate", () => {
    const { last, fault } = calls({ ring: 3 });
    expect(last(20, "vsyscall")).toMatchObject({ path: "B", kinstr: 48 + 9 + 1 });
    expect(last(20, "int80")).toMatchObject({ path: "A", kinstr: 46 + 1 });
    expect(fault).toMatchObject({ path: "F", kinstr: 52 });
  });

  it("KML kernel, ring 0", () => {
    const { last, fault } = calls({ ring: 0, options: QEMU });
    expect(last(20, "vsyscall")).toMatchObject({ path: "C", kinstr: 21, ret: 100 });
    expect(last(78, "vsyscall")).toMatchObject({ path: "C", kinstr: 22 });
    expect(last(20, "int80")).toMatchObject({ path: "E", kinstr: 72 + 1 });
    expect(last(110, "vsyscall")).toMatchObject({ path: "D", kinstr: 79 + 1 + 1, ret: 0 });
    expect(last(1000, "vsyscall")).toMatchObject({ path: "C", kinstr: 4, ret: -38 });
    expect(fault).toMatchObject({ path: "G", kinstr: 79 });
  });

  it("a processor that pushes RF returns from faults in ring 0 by IRET, three instructions fewer", () => {
    expect(calls({ ring: 0 }).fault).toMatchObject({ path: "G", kinstr: 76 });
    expect(calls({ ring: 0 }).last(20, "int80").kinstr).toBe(72 + 1);
  });

  it("by int 0x80 through the vsyscall page: the stub's INT and RET", () => {
    const { last } = calls({ ring: 3, kernel: "linux", entry: "int80" });
    expect(last(20, "vsyscall")).toMatchObject({ path: "A", kinstr: 48 + 1 + 1 + 1 });
  });

  it("n arguments take n pushes", () => {
    const nrs = { 1: 13, 2: 78, 3: 97, 4: 174, 5: 172, 6: 240 };
    for (const [argc, nr] of Object.entries(nrs)) {
      const w = world(
        `mov edi, vsyscall\n${`mov eax, ${nr}\nmov ebx, -1\nmov ecx, -1\nmov edx, -1\ncall edi\n`.repeat(2)}
         mov eax, 252\nint 0x80`,
        { ring: 0, options: QEMU },
      );
      w.run();
      const event = ofKind(w.recorder.events, "syscall").findLast((e) => e.nr === nr)!;
      expect([argc, event.kinstr]).toEqual([argc, 20 + Number(argc)]);
    }
  });
});

describe("stack starvation", () => {
  const PUSHES = `
  and esp, -4096
  mov ecx, 4
again:
  push 0
  sub esp, 4092
  dec ecx
  jnz again
  mov esp, data+0x2000
  mov eax, 252
  int 0x80
`;

  it("is one double fault a page: 110 + 17 + 4 + 196 instructions", () => {
    const w = world(PUSHES, { ring: 0, options: QEMU });
    w.run();
    const faults = ofKind(w.recorder.events, "fault").filter((event) => event.path === "H");
    // The task's first round has no jump back behind it; the last one comes from the INT's push.
    expect(faults.map((event) => event.kinstr)).toEqual([326, 327, 327, 327, 327]);
    for (const event of faults) expect(event.flags & FLAG.esp_absent).toBeTruthy();
    expect(w.k.cpu.cr0 & 8).toBe(8);
  });

  it("re-executes what was interrupted: the call whose push starved is one event", () => {
    const w = world(
      `mov eax, 20\nmov ecx, vsyscall\ncall ecx\nmov dword [data+0x2000], 0\nmov esp, data+0x2004
       mov eax, 20\nmov ecx, vsyscall\ncall ecx\nmov eax, 252\nint 0x80`,
      { ring: 0, options: QEMU },
    );
    w.run();
    const direct = ofKind(w.recorder.events, "syscall").filter((event) => event.path === "C");
    expect(direct.map((event) => event.kinstr)).toEqual([20, 21]);
    // The stub's first push found no page: the fault lies inside the call.
    const starved = ofKind(w.recorder.events, "fault").filter((event) => event.path === "H");
    expect(starved).toHaveLength(1);
    expect(starved[0].parent).toBe(w.recorder.events.indexOf(direct[1]));
  });
});

describe("interrupts", () => {
  const SPIN = "mov ecx, 600000\nspin:\ndec ecx\njnz spin\nmov eax, 252\nint 0x80";

  it("path I in ring 3, J in ring 0", () => {
    // Nobody counted these on a real kernel. By hand from the published code: about 45 and 75, without ESPFIX's six instructions
    // and the test for rescheduling on the way out.
    const ring3 = ofKind(
      (() => {
        const w = world(SPIN, { ring: 3, kernel: "linux" });
        w.run();
        return w.recorder.events;
      })(),
      "irq",
    );
    expect(ring3.map(({ path, kinstr }) => [path, kinstr])).toEqual([
      ["I", 53],
      ["I", 53],
    ]);
    const w = world(SPIN, { ring: 0 });
    w.run();
    expect(ofKind(w.recorder.events, "irq").map(({ path, kinstr }) => [path, kinstr])).toEqual([
      ["J", 71],
      ["J", 71],
    ]);
  });

  it("lost in a double fault is replayed: path K inside path H, and the timer lives on", () => {
    const w = world(`mov esp, data+0x8000\n${SPIN}`, { ring: 0 });
    w.run();
    const irqs = ofKind(w.recorder.events, "irq");
    expect(irqs.map(({ path }) => path)).toEqual(["K", "J"]);
    expect(w.recorder.events[irqs[0].parent!]).toMatchObject({ path: "H" });
  });

  it("in a direct call are the kernel's: path L", () => {
    // Charges make time jump inside the call, so that ticks fall due on the kernel stack.
    const w = world(
      "mov esi, 40000\nmov edi, vsyscall\nagain:\nmov eax, 20\ncall edi\ndec esi\njnz again\nmov eax, 252\nint 0x80",
      { ring: 0 },
    );
    w.run();
    const irq = ofKind(w.recorder.events, "irq").find(({ path }) => path === "L")!;
    expect(irq.flags & FLAG.in_kernel).toBeTruthy();
    expect(w.recorder.events[irq.parent!]).toMatchObject({ kind: "syscall", path: "C" });
  });
});

describe("non-maskable interrupts", () => {
  const PROGRAM =
    "mov ecx, 100000\nspin:\ndec ecx\njnz spin\nmov esp, data+0x8000\npush 5\npop ebx\nmov eax, 252\nint 0x80";

  /** Runs the program and raises NMI when asked; gives its status and how many NMIs were handled. */
  function withNmi(o: WorldOptions, raise: (w: ReturnType<typeof world>, nmi: () => void) => void) {
    const w = world(PROGRAM, o);
    let handled = 0;
    const hooks = w.machine.hooks!;
    w.machine.hooks = {
      ...hooks,
      kcall: (n) => {
        if (n === KCALL.NMI) handled++;
        hooks.kcall(n);
      },
    };
    raise(w, () => {
      w.k.cpu.nmi = true;
    });
    return { status: w.run(), handled, ts: (w.k.cpu.cr0 & 8) !== 0 };
  }

  it("reach the kernel through a task gate with KML, through an interrupt gate without", () => {
    const inSpin = (w: ReturnType<typeof world>, nmi: () => void) => void w.k.clock.at(100_000, nmi);
    expect(withNmi({ ring: 0 }, inSpin)).toEqual({ status: 5, handled: 1, ts: true });
    expect(withNmi({ ring: 3 }, inSpin)).toEqual({ status: 5, handled: 1, ts: true });
    expect(withNmi({ ring: 3, kernel: "linux" }, inSpin)).toEqual({ status: 5, handled: 1, ts: false });
  });

  it("during a double fault wait for its end", () => {
    const inDoubleFault = (w: ReturnType<typeof world>, nmi: () => void) => {
      let raised = false;
      const { probes } = w.k.cpu;
      for (const [at, tell] of probes) {
        probes.set(at, () => {
          tell();
          if (raised || w.k.entry.paths.top?.path !== PATH.H) return;
          raised = true;
          nmi();
        });
      }
    };
    expect(withNmi({ ring: 0 }, inDoubleFault)).toEqual({ status: 5, handled: 1, ts: true });
  });
});

describe("events", () => {
  const MIXED = `
  mov esi, 20000
  mov edi, vsyscall
again:
  mov eax, 20
  call edi
  test esi, 7
  jnz skip
  mov eax, 24
  int 0x80
  mov eax, esi
  and eax, 0xff00
  mov [data+eax], esi
skip:
  dec esi
  jnz again
  mov eax, 252
  int 0x80
`;

  it("program instructions are the same by int 0x80, by sysenter and by direct calls", () => {
    const user = (o: WorldOptions) => {
      const w = world(MIXED, o);
      w.run();
      return w.recorder.events.reduce((sum, event) => sum + event.user, 0);
    };
    const int80 = user({ ring: 3, kernel: "linux", entry: "int80" });
    expect(user({ ring: 3, kernel: "linux", entry: "sysenter" })).toBe(int80);
    expect(user({ ring: 3, kernel: "kml-4.0", entry: "int80" })).toBe(int80);
    expect(user({ ring: 0 })).toBe(int80);
  });

  it("every instruction belongs to the program, to a path or to a body", () => {
    const w = world(MIXED, { ring: 3, kernel: "linux" });
    w.run();
    const { events } = w.recorder;
    const paths = events.reduce((sum, event) => sum + Math.max(0, event.kinstr), 0);
    const program = events.reduce((sum, event) => sum + event.user, 0);
    const bodies = 2 * events.filter((event) => event.kinstr >= 0 && event.parent === undefined).length;
    const left = w.k.cpu.icount - program - paths - bodies;
    // The idle task's first steps, and the way into the last call.
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(60);
  });
});
