// What a machine was doing, for whoever has to find out why kmlab itself failed: registers, the task, what every task asked for last.
import type { Kernel } from "./kernel/kernel.ts";
import { syscallName } from "./kernel/syscalls.ts";

const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
/** Tasks that are listed at most. */
const TASKS = 40;

const hex = (n: number) => (n >>> 0).toString(16).padStart(8, "0");

/** The state of a machine, as lines of text. Looks only; whatever cannot be read any more is left out. */
export function guestState(kernel: Kernel): string {
  const { cpu, clock, current } = kernel;
  const who = current === kernel.idle ? "nobody" : `task ${current.pid} (${current.comm})`;
  const registers = REGISTERS.map((name, i) => `${name} ${hex(cpu.r[i])}`);
  const lines = [
    `after ${cpu.icount} instructions, at ${clock.now()} on the clock; ${who} runs, in ring ${cpu.cpl}`,
    `  ${registers.join("  ")}`,
    `  eip ${hex(cpu.eip)}  eflags ${hex(cpu.getEflags())}  cr2 ${hex(cpu.cr2)}  cr3 ${hex(cpu.cr3)}`,
    `  ${SEGMENTS.map((name, i) => `${name} ${hex(cpu.sel[i]).slice(4)}`).join("  ")}`,
  ];
  const tasks = [...kernel.tasks.values()].filter((t) => t !== kernel.init);
  for (const t of tasks.slice(0, TASKS)) {
    const call = t.lastCall >= 0 ? `, last call ${syscallName(t.lastCall)}` : "";
    lines.push(`  task ${t.pid} (${t.comm}), process ${t.tgid}: ${t.state}${call}`);
  }
  if (tasks.length > TASKS) lines.push(`  and ${tasks.length - TASKS} tasks more`);
  return lines.join("\n");
}
