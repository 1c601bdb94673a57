// The bugs of the patch as it was published, one by one: each seen in kml-4.0-published, and gone in kml-4.0.
import { describe, expect, it } from "vitest";
import { KERNEL_BASE, SELECTOR } from "../../../../src/emu/kernel/entry/layout.ts";
import { FLAG } from "../../../../src/traces/schema/enums.ts";
import { DATA, ofKind, type World, type WorldOptions, watchLabel, world } from "./harness.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";
const MENDED = { ring: 0, kernel: "kml-4.0" } as const;
const PUBLISHED = { ring: 0, kernel: "kml-4.0-published" } as const;
const SIGSEGV = 11;
const IF = 0x200;
/** A word of memory that outlives the program: the kernel's page above its first 4 MiB. */
const KEPT = KERNEL_BASE + 0x60_0000;

/** Runs until the program ends or the machine stops by itself; what it died of, and the world. */
function ended(source: string, o: WorldOptions): { w: World; signal: number } {
  const w = world(`${source}\nmov eax, 1\nmov ebx, 0\nint 0x80`, o);
  w.k.clock.at(w.k.clock.now() + 20_000_000, () => w.machine.stop());
  w.machine.run();
  return { w, signal: w.task.exitCode & 0x7f };
}

function ran(source: string, o: WorldOptions): World {
  const w = world(source + EXIT, o);
  w.run();
  return w;
}

/** A timer for one SIGALRM in 2 ms, then a loop of six million instructions without a call; EBX: how often it came. */
const ALARM = `
  mov dword [data+0x100], handler
  mov eax, 67
  mov ebx, 14
  mov ecx, data+0x100
  mov edx, 0
  int 0x80
  mov dword [data+0x11c], 2000
  mov eax, 104
  mov ebx, 0
  mov ecx, data+0x110
  mov edx, 0
  int 0x80
  mov ecx, 3000000
spin:
  dec ecx
  jnz spin
  pushf
  pop dword [data+0x14]
  mov ebx, [data]
${EXIT}
handler:
  inc dword [data]
  pushf
  pop dword [data+8]
  mov eax, 20
  mov ecx, vsyscall
  call ecx
  pushf
  pop dword [data+12]
  mov eax, 20
  int 0x80
  pushf
  pop dword [data+16]
  ret
`;

describe("B1: the stack switch of device interrupts is dead code", () => {
  it("SIGALRM never arrives in a loop without calls", () => {
    expect(world(ALARM, MENDED).run()).toBe(1);
    const w = world(ALARM, PUBLISHED);
    expect(w.run()).toBe(0);
    const ticks = ofKind(w.recorder.events, "irq");
    expect(ticks.length).toBeGreaterThan(10);
    expect(ticks.filter((event) => event.flags & FLAG.exit_work)).toEqual([]);
  });

  it("the frame lies on the user's stack with CS 0x60, so that the way out takes it for the kernel's own", () => {
    const frames = (o: WorldOptions) => {
      const w = world(`mov ecx, 600000\nspin:\ndec ecx\njnz spin${EXIT}`, o);
      const seen: [boolean, number][] = [];
      watchLabel(w, "do_irq", () => {
        if (w.k.current !== w.task) return;
        const frame = w.k.cpu.r[0];
        seen.push([frame >>> 0 > KERNEL_BASE, w.k.entry.regsAt(frame)!.get(52)]);
      });
      w.run();
      return seen[0];
    };
    expect(frames(MENDED)).toEqual([true, 0x1_0073]);
    expect(frames(PUBLISHED)).toEqual([false, 0x60]);
  });
});

describe("B2: the table of stubs has no entries for four holes", () => {
  const stub = (o: WorldOptions, nr: number): string => {
    const { k } = world("nop", o);
    const { symbols } = k.entry.text;
    const at = k.memory.readPhys32((symbols["kml_call_table"] >>> 0) - KERNEL_BASE + 4 * nr) | 0;
    return Object.keys(symbols).find((label) => symbols[label] === at) ?? "nowhere";
  };

  it.each([
    [220, "kml_3", "kml_3"],
    [240, "kml_6", "kml_3"],
    [252, "kml_1", "kml_4"],
    [268, "kml_3", "kml_2"],
    [300, "kml_4", "kml_3"],
    [340, "kml_4", "kml_1"],
  ])("call %i goes through %s, published %s", (nr, right, published) => {
    expect(stub(MENDED, nr)).toBe(right);
    expect(stub(PUBLISHED, nr)).toBe(published);
  });

  it("the function is right, its arguments are not: what is missing is read from above the kernel stack", () => {
    // prlimit64(0, RLIMIT_NOFILE, 0, data).
    const limit = (o: WorldOptions) =>
      ran("mov eax, 340\nmov ebx, 0\nmov ecx, 7\nmov edx, 0\nmov esi, data\nmov edi, vsyscall\ncall edi", o).word(DATA);
    expect(limit(MENDED)).toBe(1024);
    expect(limit(PUBLISHED)).toBe(0);
  });
});

describe("B3: the SS slot of a ring-0 program's frame is what the last direct call left there", () => {
  const last = (argument: number) =>
    `mov eax, 132\nmov ebx, ${argument}\nmov ecx, vsyscall\ncall ecx\nmov dword [data+0x5000], 1`;

  it("its last argument: with bit 2 set the next return takes the way for 16-bit stacks, and goes wild", () => {
    expect(ended(last(4), MENDED).signal).toBe(0);
    expect(ended(last(2), PUBLISHED).signal).toBe(0);
    // By RET, as on the emulated processor of the real run, or by IRET where faults push RF.
    for (const ignoreRf of [true, false]) {
      const w = world(`${last(4)}\nmov eax, 20\nint 0x80${EXIT}`, { ...PUBLISHED, options: { ignoreRf } });
      const stacks = new Set<number>();
      for (const label of ["page_fault", "trap_13"]) watchLabel(w, label, () => stacks.add(w.k.cpu.sel[2]));
      w.k.clock.at(20_000_000, () => w.machine.stop());
      w.machine.run();
      expect(w.task.exitCode & 0x7f).toBe(SIGSEGV);
      expect([...stacks]).toContain(SELECTOR.ESPFIX_SS);
    }
  });

  it("so it shows in a signal's context", () => {
    // kill(getpid(), SIGUSR1) directly: its last argument is 10.
    const program = `mov dword [data+0x100], handler\nmov eax, 67\nmov ebx, 10\nmov ecx, data+0x100\nmov edx, 0\nint 0x80
      mov eax, 37\nmov ebx, 100\nmov ecx, 10\nmov edx, vsyscall\ncall edx${EXIT}
handler:\nmov eax, [esp+8+72]\nmov [data], eax\nmov eax, 252\nint 0x80`;
    const ss = (o: WorldOptions) => {
      const w = world(program, o);
      w.run();
      return w.word(DATA) & 0xffff;
    };
    expect(ss(MENDED)).toBe(SELECTOR.KERNEL_DS);
    expect(ss(PUBLISHED)).toBe(10);
  });
});

describe("B4: a lost interrupt is replayed through a vector without a handler", () => {
  const LOST =
    "mov ebx, esp\nmov ecx, 800000\nfirst:\ndec ecx\njnz first\nmov esp, data+0x8000\nmov ecx, 800000\nsecond:\ndec ecx\njnz second\nmov esp, ebx\nmov ecx, 2000000\nthird:\ndec ecx\njnz third";

  it("the timer is dead from the first lost tick on", () => {
    const mended = ofKind(ran(LOST, MENDED).recorder.events, "irq").map(({ path }) => path);
    expect(mended.filter((path) => path === "K")).toHaveLength(1);
    expect(mended.indexOf("K")).toBeLessThan(mended.length - 5);
    const w = ran(LOST, PUBLISHED);
    const published = ofKind(w.recorder.events, "irq").map(({ path }) => path);
    expect(published).toEqual(mended.slice(0, mended.indexOf("K")));
    // Never told that it is over, the controller holds the line and everything behind it back.
    w.machine.pic.write(0x20, 0x0b);
    expect(w.machine.pic.read(0x20)).toBe(1);
    expect(w.k.cpu.intr).toBe(false);
  });
});

describe("B5: the table has no end", () => {
  const direct = (nr: number, o: WorldOptions) =>
    ended(
      `mov edi, vsyscall\nmov ebx, 0\nmov ecx, 0x1111\nmov edx, 0x2222\npush 0\npush 0\npush 0\nmov eax, ${nr}\ncall edi\nmov [${KEPT}], eax\nmov [${KEPT}+4], ecx`,
      o,
    );
  const kept = ({ w }: { w: World }) => [0, 4].map((at) => w.k.memory.readPhys32(KEPT - KERNEL_BASE + at) | 0);

  it("a number beyond 355 is the call of 355 less, with C's arguments from the stack and ECX lost", () => {
    // membarrier in 6.1; getpid's slot of the second table.
    expect(kept(direct(375, MENDED))).toEqual([-22, 0x1111]);
    const [result, ecx] = kept(direct(375, PUBLISHED));
    expect(result).toBe(100);
    expect(ecx).not.toBe(0x1111);
  });

  it("beyond that table, and below the first, it is a jump to 0", () => {
    for (const nr of [1000, -1]) {
      expect(direct(nr, MENDED).signal).toBe(0);
      expect(direct(nr, PUBLISHED).signal).toBe(SIGSEGV);
    }
  });

  it("by int 0x80 it is ENOSYS", () => {
    const { w } = ended(`mov eax, 1000\nint 0x80\nmov [${KEPT}], eax`, PUBLISHED);
    expect(kept({ w })[0]).toBe(-38);
  });
});

describe("B6: a handler entered from an interrupt gets EFLAGS 0", () => {
  const flags = (variant: { handlerFlags: boolean; irqSwitch: boolean }) => {
    const w = world(ALARM, { ...MENDED, options: { variant } });
    expect(w.run()).toBe(1);
    return [8, 12, 16, 20].map((at) => w.word(DATA + at) & IF);
  };

  it("it runs with interrupts off, and no call in it turns them on: only its end does", () => {
    expect(flags({ irqSwitch: true, handlerFlags: true })).toEqual([IF, IF, IF, IF]);
    // On one processor B1 hides it: no handler is ever entered from an interrupt there.
    expect(flags({ irqSwitch: true, handlerFlags: false })).toEqual([0, 0, 0, IF]);
  });
});

describe("B7: the vDSO's clock functions fall back to SYSENTER", () => {
  const clock = (o: WorldOptions, uptimeUnits = 0) => {
    const { entry } = world("nop", o).k.entry.vdso.clockCalls.find((call) => call.nr === 403)!;
    const w = world(
      `push data+16\npush 1\nmov eax, vdso+${entry}\ncall eax\nadd esp, 8\nmov eax, cs\nmov [data], eax\nmov eax, 20\nmov ecx, vsyscall\ncall ecx${EXIT}`,
      o,
    );
    w.k.clock.charge(uptimeUnits);
    w.k.clock.at(w.k.clock.now() + 20_000_000, () => w.machine.stop());
    let cs = -1;
    watchLabel(w, "sys_call", () => {
      cs = w.word(DATA);
    });
    w.machine.run();
    return { cs, signal: w.task.exitCode & 0x7f };
  };

  it("until the counter is trusted, a second after the start, reading the time costs ring 0 and the next direct call the life", () => {
    expect(clock(PUBLISHED).signal).toBe(SIGSEGV);
    expect(clock(PUBLISHED, 500_000_000)).toMatchObject({ cs: 0x60 });
    expect(clock(MENDED)).toMatchObject({ cs: 0x60 });
  });
});

describe("#DB was never patched, in any version", () => {
  it.each([
    "kml-4.0",
    "kml-4.0-published",
    "kml-2003",
  ] as const)("%s: a single step in ring 0 is taken for the kernel's", (kernel) => {
    const step = "pushf\nor dword [esp], 0x100\npopf\nnop\nnop";
    const { w, signal } = ended(step, { ring: 0, kernel });
    expect(signal).toBe(0);
    const steps = ofKind(w.recorder.events, "fault").filter(({ nr }) => nr === 1);
    expect(steps.map(({ path }) => path)).toEqual(["G"]);
    expect(ended(step, { ring: 3, kernel }).signal).toBe(5);
  });

  it("its frame is on the user's stack, with CS 0x60", () => {
    const w = world(`mov esp, data+0x800\npushf\nor dword [esp], 0x100\npopf\nnop${EXIT}`, MENDED);
    let frame = 0;
    watchLabel(w, "do_trap_1", () => {
      frame = w.k.cpu.r[0];
      expect(w.word(frame + 52)).toBe(SELECTOR.KERNEL_CS);
    });
    w.run();
    expect((frame >>> 0) - DATA).toBe(0x800 - 60);
  });

  it("int3 has its switch", () => {
    expect(ended("int3", MENDED).signal).toBe(5);
    expect(ended("int3", PUBLISHED).signal).toBe(5);
  });
});

describe("what is right in the published kernel", () => {
  it("ring-3 programs: all of the above are about ring 0", () => {
    const o = { ring: 3, kernel: "kml-4.0-published" } as const;
    expect(world(ALARM, o).run()).toBe(1);
  });
});
