// Stack starvation and its cure, step by step: what the double-fault task finds, what it leaves, what the fix-up asks the
// interrupt controllers, and where a direct call can starve.
import { describe, expect, it } from "vitest";
import { AREA, KERNEL_BASE, KU_CS, PHYS, PT, SELECTOR, TSS } from "../../../../src/emu/kernel/entry/layout.ts";
import { doubleFaultText } from "../../../../src/emu/kernel/entry/text/double-fault.ts";
import { entryVariant } from "../../../../src/emu/kernel/entry/variant.ts";
import { PIC_PORTS } from "../../../../src/emu/machine/pic.ts";
import { FLAG } from "../../../../src/traces/schema/enums.ts";
import { DATA, type Event, ofKind, type World, type WorldOptions, watchLabel, world } from "./harness.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";
/** A push on an absent page, and back to a stack that is there. */
const STARVED =
  "mov ebx, esp\nmov dword [data], 0\nmov edx, 0x55\nmov esp, data+0x9000\nstarved:\npush edx\nmov esp, ebx\n";

const starved = (w: World): Event[] => ofKind(w.recorder.events, "fault").filter(({ path }) => path === "H");

function ran(source: string, o: Partial<WorldOptions> = {}): World {
  const w = world(source + EXIT, { ring: 0, ...o });
  w.run();
  return w;
}

/** Runs a program and looks at the machine at each execution of a label. */
function seenAt<T>(label: string, look: (w: World) => T, source = STARVED): T[] {
  const w = world(source + EXIT, { ring: 0 });
  const seen: T[] = [];
  watchLabel(w, label, () => seen.push(look(w)));
  w.run();
  return seen;
}

const phys = (w: World, la: number) => w.k.memory.readPhys32((la >>> 0) - KERNEL_BASE) | 0;
const NT = 0x4000;
const IF = 0x200;
const CR0_TS = 8;

describe("the double-fault task", () => {
  it("begins with NT set, interrupts off, CR0.TS set, TR 0xf8, FS, GS and LDT 0, on three words of its own", () => {
    const [state] = seenAt("double_fault_task", ({ k: { cpu } }) => ({
      nt: cpu.getEflags() & NT,
      if: cpu.getEflags() & IF,
      ts: cpu.cr0 & CR0_TS,
      tr: cpu.trSel,
      fs: cpu.sel[4],
      gs: cpu.sel[5],
      ldt: cpu.ldtSel,
      stack: [cpu.r[4] - (AREA.DF_STACK | 0)],
      words: [0, 4, 8].map((at) => phys({ k: { memory: cpu.memory } } as World, AREA.DF_STACK + at)),
    }));
    expect(state).toEqual({
      nt: NT,
      if: 0,
      ts: CR0_TS,
      tr: SELECTOR.DF_TSS,
      fs: 0,
      gs: 0,
      ldt: 0,
      stack: [0],
      // The error code of a double fault is 0; own and interrupted TSS.
      words: [0, AREA.DF_TSS | 0, AREA.TSS | 0],
    });
  });

  it("finds the interrupted state whole in the main TSS: EIP at the push, ESP as it was", () => {
    const [saved] = seenAt("double_fault_task", (w) => ({
      esp: phys(w, AREA.TSS + TSS.ESP) >>> 0,
      cs: phys(w, AREA.TSS + TSS.CS) & 0xffff,
      back: phys(w, AREA.DF_TSS + TSS.LINK) & 0xffff,
      cr2: w.k.cpu.cr2 >>> 0,
    }));
    expect(saved).toEqual({ esp: DATA + 0x9000, cs: SELECTOR.KERNEL_CS, back: SELECTOR.TSS, cr2: DATA + 0x8ffc });
  });

  it("rebuilds on the process's kernel stack the frame that an ordinary fault would have left, CS 0x20073", () => {
    const [frame] = seenAt("double_fault_fixup", (w) => {
      const { cpu } = w.k;
      const sp = cpu.r[4];
      return {
        below: w.task.esp0 - (sp >>> 0),
        cs: phys(w, sp + 4),
        esp: phys(w, sp + 12) >>> 0,
        ss: phys(w, sp + 16),
        pushed: w.word(phys(w, sp)) & 0xff,
      };
    });
    // Five words; EIP is that of PUSH EDX (0x52).
    expect(frame).toEqual({ below: 20, cs: KU_CS.EXCEPTION, esp: DATA + 0x9000, ss: SELECTOR.KERNEL_DS, pushed: 0x52 });
  });

  it("goes back by a second task switch: TR 0x80, NT and IF off, the main TSS busy and its own available again", () => {
    const [state] = seenAt("double_fault_fixup", (w) => ({
      tr: w.k.cpu.trSel,
      flags: w.k.cpu.getEflags() & (NT | IF),
      main: (w.k.memory.readPhys32(PHYS.GDT + SELECTOR.TSS + 4) >>> 8) & 0xff,
      own: (w.k.memory.readPhys32(PHYS.GDT + SELECTOR.DF_TSS + 4) >>> 8) & 0xff,
    }));
    expect(state).toEqual({ tr: SELECTOR.TSS, flags: 0, main: 0x8b, own: 0x89 });
  });

  it("leaves without IRET, which would let NMIs in", () => {
    const task = doubleFaultText(entryVariant("kml-4.0")).split("prepare_fault_handler:\n")[0];
    expect(task).toMatch(/jmp far 128:0/);
    expect(task).not.toMatch(/\biret\b/);
  });

  it("is ready for the next time: its saved EIP is the jump back to its start, its ESP the three words", () => {
    const two = `${STARVED}${STARVED.replace("0x9000", "0xb000").replace("starved:", "")}`;
    const again = seenAt("double_fault_again", (w) => w.k.cpu.r[4] - (AREA.DF_STACK | 0), two);
    expect(again).toEqual([0]);
    expect(seenAt("double_fault_task", (w) => w.k.cpu.trSel, two)).toEqual([SELECTOR.DF_TSS, SELECTOR.DF_TSS]);
  });

  it("without KML a double fault is the end of the machine", () => {
    const w = world(`mov eax, 1${EXIT}`, { ring: 3, kernel: "linux" });
    const { symbols } = w.k.entry.text;
    expect(symbols["double_fault_fixup"]).toBeUndefined();
    expect(symbols["double_fault_task"]).toBeDefined();
  });
});

describe("the fix-up", () => {
  it("goes on as a page fault for writing, with CR2 as it was; no second page fault is taken", () => {
    const w = world(STARVED + EXIT, { ring: 0 });
    const bodies: number[][] = [];
    let plain = 0;
    watchLabel(w, "do_trap_14", () =>
      bodies.push([w.k.cpu.r[2], w.k.cpu.cr2 >>> 0, w.k.entry.regs(w.task).get(PT.CS)]),
    );
    watchLabel(w, "page_fault", () => plain++);
    w.run();
    // The store to data's first page is the plain one.
    expect(plain).toBe(1);
    expect(bodies[1]).toEqual([2, DATA + 0x8ffc, KU_CS.EXCEPTION]);
  });

  it("asks both controllers what is in service: four writes and two reads of ports, and switches two of them back", () => {
    const w = world(STARVED + EXIT, { ring: 0, hz: 100 });
    const ports: string[] = [];
    const { pic } = w.machine;
    w.machine.attach(PIC_PORTS, {
      read: (port) => {
        ports.push(`in ${port.toString(16)}`);
        return pic.read(port);
      },
      write: (port, value) => {
        ports.push(`out ${port.toString(16)} ${value.toString(16)}`);
        pic.write(port, value);
      },
    });
    w.run();
    expect(ports).toEqual(["out a0 b", "in a0", "out a0 a", "out 20 b", "in 20", "out 20 a"]);
  });

  it("calls the handlers of all lines found but the cascade's, each once", () => {
    // A tick and a disk, both on their way when the stack is gone.
    const w = world(
      `mov ebx, esp\nmov esp, data+0x9000\nmov ecx, 200000\nspin:\ndec ecx\njnz spin\nmov esp, ebx${EXIT}`,
      {
        ring: 0,
        hz: 100,
      },
    );
    const DISK = 14;
    w.machine.pic.write(0x21, 0xfa);
    w.machine.pic.write(0xa1, 0xbf);
    w.k.clock.at(w.k.clock.now() + 100_000, () => w.machine.pic.pulse(DISK));
    w.run();
    const irqs = ofKind(w.recorder.events, "irq");
    expect(irqs.map(({ nr, path }) => [nr, path])).toEqual([[0x30 + DISK, "K"]]);
    expect(w.recorder.events[irqs[0].parent!]).toMatchObject({ path: "H" });
  });

  it("makes the instruction run again: a push is there once, a fault elsewhere is then an ordinary one", () => {
    const w = ran(`${STARVED}mov eax, [data+0x8ffc]\nmov [data+4], eax`);
    expect(w.word(DATA + 4)).toBe(0x55);
    // The store's own page is absent too: first the stack starves its fault, then it faults again.
    const store = ran("mov ebx, esp\nmov esp, data+0x9000\nmov dword [data+0x20000], 1\nmov esp, ebx");
    const faults = ofKind(store.recorder.events, "fault").filter(
      ({ addr }) => addr !== undefined && addr >= DATA && addr < DATA + 0x40000,
    );
    expect(faults.map(({ path, addr }) => [path, addr! - DATA])).toEqual([
      ["H", 0x8ffc],
      ["G", 0x20000],
    ]);
  });

  it("leaves CR0.TS set: the next x87 instruction traps once, and only then", () => {
    const faults = (source: string) => ofKind(ran(source).recorder.events, "fault").filter(({ nr }) => nr === 7).length;
    expect(faults("fninit\nfld1\nfld1")).toBe(0);
    expect(faults(`fninit\nfld1\n${STARVED}fld1\nfld1`)).toBe(1);
  });

  it("is for the kernel's own faults too: one behind SYSENTER's first instruction is the end", () => {
    const text = doubleFaultText(entryVariant("kml-4.0"));
    expect(text).toMatch(/ia32_sysenter_target\n\s+je near df_die/);
  });
});

/** ESP before a direct call such that the boundary comes behind n of its pushes (the CALL's is the first). */
const callAt = (page: number, n: number): string =>
  `mov ebx, esp\nmov esp, ${page}+${4 * n}\nmov eax, 20\ncall edi\nmov esp, ebx\ncmp eax, 100\njne bad\n`;

describe("a direct call starves", () => {
  it.each([
    [0, "the program's CALL", undefined],
    [1, "its first push", "C"],
    [2, "its second push", "C"],
    [3, "its third push", "C"],
    [4, "its fourth push", "C"],
  ] as const)("at push %i, %s, once; and is one call", (n, _what, parent) => {
    // The page above the boundary is there, the one below is not.
    const w = world(
      `mov edi, vsyscall\nmov eax, 20\ncall edi\nmov dword [data+0x9000], 0\n${callAt(DATA + 0x9000, n)}mov ebx, 7${EXIT}bad:\nmov ebx, 99${EXIT}`,
      { ring: 0, options: { ignoreRf: true } },
    );
    expect(w.run()).toBe(7);
    const events = starved(w);
    expect(events).toHaveLength(1);
    expect(events[0].flags & FLAG.esp_absent).toBeTruthy();
    expect(events[0].parent === undefined ? undefined : w.recorder.events[events[0].parent].path).toBe(parent);
    const calls = ofKind(w.recorder.events, "syscall").filter(({ path }) => path === "C");
    // Everything is counted once: what starved had not been done.
    expect(calls.map(({ kinstr }) => kinstr)).toEqual([20, 21]);
  });

  it("not at a fifth: the stack is the kernel's by then", () => {
    const w = ran(
      `mov edi, vsyscall\nmov eax, 20\ncall edi\nmov dword [data+0x9000], 0\nmov ebx, esp\nmov esp, data+0x9014\nmov eax, 20\ncall edi\nmov esp, ebx`,
    );
    expect(starved(w)).toHaveLength(0);
  });

  /** Pages of data are written, then the task forks; child and parent call on each boundary, the child first. */
  const CHILD = `mov edi, vsyscall\nmov esi, 0\n${[0, 1, 2, 3, 4].map((n) => `mov dword [data+${0x8000 + 0x2000 * n}], 1\nmov dword [data+${0x9000 + 0x2000 * n}], 1`).join("\n")}
mov eax, 2\nint 0x80\nmov ebp, eax\ntest eax, eax\njnz parent
${[0, 1, 2, 3, 4].map((n) => `mov dword [data+${0x9000 + 0x2000 * n}], 2\nmov ebx, esp\nmov esp, ${DATA + 0x9000 + 0x2000 * n + 4 * n}\nmov eax, 20\ncall edi\nmov esp, ebx\ncmp eax, 100\nje bad`).join("\n")}
mov eax, 1\nmov ebx, 7\nint 0x80
parent:\nmov eax, 7\nmov ebx, ebp\nmov ecx, data\nmov edx, 0\nint 0x80\nmov ebx, [data]\nshr ebx, 8${EXIT}bad:\nmov eax, 1\nmov ebx, 99\nint 0x80`;

  it("on a fork child's copy-on-write page at each of them", () => {
    const w = world(CHILD, { ring: 0 });
    expect(w.run()).toBe(7);
    const child = starved(w).filter(({ task }) => task !== w.task.id);
    expect(child).toHaveLength(5);
    for (const event of child) expect(event.flags & FLAG.esp_cow).toBeTruthy();
    expect(child.map((event) => (event.parent === undefined ? "" : w.recorder.events[event.parent].path))).toEqual([
      "",
      "C",
      "C",
      "C",
      "C",
    ]);
    // What the parent has there is untouched by the child's pushes.
    for (const n of [0, 1, 2, 3, 4]) expect(w.word(DATA + 0x8000 + 0x2000 * n)).toBe(1);
    expect(starved(w)).toHaveLength(5);
  });

  it("not after vfork: the pages are the parent's own", () => {
    const w = world(CHILD.replace("mov eax, 2\n", "mov eax, 190\n"), { ring: 0 });
    expect(w.run()).toBe(7);
    expect(starved(w)).toHaveLength(0);
  });
});

describe("int 0x80 starves", () => {
  it("at its first push; the INT is made again, and the call is one", () => {
    const w = ran("mov ebx, esp\nmov esp, data+0x9000\nmov eax, 20\nint 0x80\nmov esp, ebx\nmov [data], eax");
    expect(starved(w)).toHaveLength(1);
    expect(ofKind(w.recorder.events, "syscall").filter(({ nr }) => nr === 20)).toHaveLength(1);
    expect(w.word(DATA)).toBe(100);
  });

  it("at its second and third when the boundary lies there", () => {
    for (const above of [4, 8]) {
      const w = ran(
        `mov dword [data+0x9000], 1\nmov ebx, esp\nmov esp, data+${0x9000 + above}\nmov eax, 20\nint 0x80\nmov esp, ebx\nmov [data], eax`,
      );
      expect(starved(w)).toHaveLength(1);
      expect(w.word(DATA)).toBe(100);
    }
  });
});

describe("nothing starves", () => {
  it("in ring 3, or by a store while ESP is on a page that is there", () => {
    expect(starved(ran(STARVED, { ring: 3 }))).toHaveLength(0);
    expect(
      starved(
        ran("mov dword [data+0x9000], 1\nmov ebx, esp\nmov esp, data+0x9800\nmov dword [data+0x8ffc], 1\nmov esp, ebx"),
      ),
    ).toHaveLength(0);
  });

  it("in the page under ESP after fork: the way out has written there, one fault of the kernel's own in each process", () => {
    const w = ran(
      "mov eax, 2\nint 0x80\npush 1\npop ecx\ntest eax, eax\njz out\nmov ebx, eax\nmov eax, 7\nmov ecx, 0\nmov edx, 0\nint 0x80\nout:\nmov eax, 1\nmov ebx, 0",
    );
    expect(starved(w)).toHaveLength(0);
    const own = ofKind(w.recorder.events, "fault").filter(
      (event) => event.path === "other" && event.flags & FLAG.in_kernel,
    );
    expect(own).toHaveLength(2);
    expect(new Set(own.map(({ task }) => task)).size).toBe(2);
  });
});
