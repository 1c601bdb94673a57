// Where a ring-0 program starves follows from its page tables and its next instruction alone. Here that is worked out before
// each instruction by a walk of this test's own, and must be what the processor then does.
import { describe, expect, it } from "vitest";
import { disassemble } from "../../../../src/emu/cpu/disasm.ts";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { KERNEL_BASE, SELECTOR } from "../../../../src/emu/kernel/entry/layout.ts";
import type { Kernel } from "../../../../src/emu/kernel/kernel.ts";
import { openImage } from "../../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../../../../src/emu/run.ts";
import { KIND, PATH } from "../../../../src/traces/schema/enums.ts";
import { hasPackages } from "../../../cli/packages.ts";
import { runProgram } from "./programs.ts";

/** What one run showed. */
interface Tally {
  /** Pushes onto a page that could not be written. */
  predicted: number;
  /** Faults and interrupts of other instructions while the stack could not take their frame. */
  others: number;
  /** Double faults that were not foreseen, and foreseen ones that did not come. */
  wrong: string[];
}

/** Present and writable by the tables at CR3, from the guest's memory. */
function writable(k: Kernel, la: number): boolean {
  const { u8, ramBase } = k.memory;
  const words = new DataView(u8.buffer, ramBase);
  const pde = words.getUint32((k.cpu.cr3 & 0xffff_f000) + (la >>> 22) * 4, true);
  if ((pde & 3) !== 3) return false;
  if (pde & 0x80) return true;
  const pte = words.getUint32((pde & 0xffff_f000) + ((la >>> 12) & 0x3ff) * 4, true);
  return (pte & 3) === 3;
}

/** The instruction at EIP, if its bytes can be read. */
function instruction(k: Kernel): string {
  const eip = k.cpu.eip >>> 0;
  const { memory } = k;
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) {
    const entry = memory.tlb[2][(eip + i) >>> 12];
    if (entry & 0xfff) return i === 0 ? "" : disassemble(bytes.subarray(0, i), eip).text;
    bytes[i] = memory.u8[(entry + eip + i) | 0];
  }
  return disassemble(bytes, eip).text;
}

/** Makes the machine go one instruction at a time and looks before and behind each. */
function observe(k: Kernel, tally: Tally): void {
  const { cpu } = k;
  const run = cpu.run.bind(cpu);
  cpu.run = (until) => {
    const esp = cpu.r[4] >>> 0;
    const inProgram = cpu.cpl === 0 && esp <= KERNEL_BASE && cpu.trSel === SELECTOR.TSS && k.current.ku;
    const room = !inProgram || writable(k, esp - 4);
    const whole = room && (!inProgram || writable(k, esp - 16));
    const text = whole ? "" : instruction(k);
    const pushes = /^(push|call|int )/.test(text) && !(cpu.intr && cpu.getEflags() & 0x200);
    const foreseen = pushes && (!room || (text.startsWith("int ") && !writable(k, esp - 12)));
    run(Math.min(until, cpu.icount + 1));
    const starved = inProgram && cpu.trSel === SELECTOR.DF_TSS;
    if (foreseen) tally.predicted++;
    if (starved && !foreseen) {
      // Something else needed the stack: then it could not be written either.
      if (whole) tally.wrong.push(`unforeseen at ${text}, esp ${esp.toString(16)}`);
      tally.others++;
    }
    if (foreseen && !starved) tally.wrong.push(`${text} did not starve, esp ${esp.toString(16)}`);
  };
}

const ENV = ["PATH=/trusted:/bin", "HOME=/", "LC_ALL=C"];

it.each([
  "stk push 16",
  "stk call 16",
  "stk callat8 16",
  "stk int80 16",
  "stk submov 16",
  "stk rec 2000",
  "frk fork 5",
  "frk thread 3",
  "frk forkdeep 8",
  "sig",
])("%s: as many double faults as the page tables say", (command) => {
  const tally: Tally = { predicted: 0, others: 0, wrong: [] };
  const run = runProgram(command.split(" "), { ring: 0, env: ENV }, (kernel) => observe(kernel, tally));
  expect(run.exit).toEqual({ kind: "exit", code: 0 });
  expect(tally.wrong).toEqual([]);
  const events = run.events.filter((event) => event.kind === "fault" && event.path === "H");
  expect(events).toHaveLength(tally.predicted + tally.others);
  if (command.startsWith("stk") || command.includes("deep")) expect(tally.predicted + tally.others).toBeGreaterThan(7);
});

describe.runIf(hasPackages)("shells that fork", async () => {
  const image = hasPackages ? openImage((await ensureRoot("base")).directory) : undefined;
  /** Double faults of a script in ring 0, each of them foretold. So much environment puts the stack's beginning where its shell straddles a page. */
  const starved = (script: string, shell = ["busybox", "sh"], bytes = 1096): number => {
    const tally: Tally = { predicted: 0, others: 0, wrong: [] };
    const { trace, status } = captureProgram({
      image: image!,
      argv: [...shell, "-c", script],
      env: [`P=${"x".repeat(bytes)}`],
      host: new MemoryIo(),
      ring: 0,
      tier: "interpret",
      attach: (kernel) => observe(kernel, tally),
    });
    expect([status, tally.wrong]).toEqual([0, []]);
    const { events } = trace;
    const found = events.path.filter((path, i) => path === PATH.H && events.kind[i] === KIND.fault).length;
    expect(found).toBe(tally.predicted + tally.others);
    return found;
  };

  it.each([
    ["subshells", "for i in 1 2 3 4 5 6; do (:); done", 6],
    ["a pipeline in each round", "for i in 1 2 3; do echo $i | read x; done", 3],
    ["shells within shells", "(:; (:; (:; (:)))); (: | (:; :))", 4],
  ])("%s: as many double faults as the page tables say", (_, script, least) => {
    expect(starved(script)).toBeGreaterThanOrEqual(least);
  });

  it("programs started by vfork starve less often than by fork", () => {
    const by = (xargs: string) => starved(`seq 4 | ${xargs} -n 1 busybox true`, ["sh"], 2048);
    expect(by("busybox xargs")).toBeLessThan(by("xargs"));
  });
});
