// The emulated kernel's schedulers: who ends first by nice value and policy, and that nobody keeps the CPU by not giving it up.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../src/emu/host.ts";
import { SCHEDULER_NAMES, type SchedulerName } from "../../../src/emu/kernel/schedulers/schedulers.ts";
import { captureProgram, type RunOptions } from "../../../src/emu/run.ts";
import { KIND } from "../../../src/traces/schema/enums.ts";
import { type Cruncher, crunchers } from "../../guest/mix.ts";
import { staticElf } from "../../guest/static-elf.ts";
import { imageOf } from "./proc/image.ts";

const HZ = 1000;

function capture(program: Uint8Array, options: Partial<RunOptions>) {
  const image = imageOf({ "/bin/p": program });
  return captureProgram({ image, argv: ["/bin/p"], host: new MemoryIo(), memoryMiB: 16, cwd: "/", hz: HZ, ...options });
}

/** The indices of the processes in the order in which they end. */
function order(mix: readonly Cruncher[], scheduler: SchedulerName, ring: 0 | 3 = 3): number[] {
  const { exit, trace } = capture(crunchers(mix), { scheduler, ring });
  expect(exit).toEqual({ kind: "exit", code: 0 });
  const { events } = trace;
  const ends: number[] = [];
  for (let seq = 0; seq < events.length; seq++) {
    // The first program is task 2, its children those behind it.
    if (events.kind[seq] === KIND.syscall && events.nr[seq] === 1) ends.push(events.task[seq] - 3);
  }
  return ends.slice(0, -1);
}

describe("nice values", () => {
  const mix: Cruncher[] = [
    { millions: 30, nice: 10 },
    { millions: 30, nice: 0 },
    { millions: 30, nice: -10 },
  ];

  it.each(["emulator", "goodness", "o1"] as const)("%s: of equal work the least nice ends first", (scheduler) => {
    expect(order(mix, scheduler)).toEqual([2, 1, 0]);
  });

  it("rr: who began first ends first", () => {
    expect(order(mix, "rr")).toEqual([0, 1, 2]);
  });
});

describe("real-time policies", () => {
  it.each(SCHEDULER_NAMES)("%s: run before all others, the highest priority first", (scheduler) => {
    const mix: Cruncher[] = [
      { millions: 8, realtime: [1, 5] },
      { millions: 8, realtime: [2, 50] },
      { millions: 8, realtime: [1, 10] },
      { millions: 1 },
    ];
    // Each takes its policy when it first runs, and keeps the CPU from then on: a lower one that is on is not interrupted by one
    // that has yet to ask for more.
    const ends = order(mix, scheduler);
    expect(ends.indexOf(3)).toBe(3);
  });

  it("a higher priority takes the CPU at once when its call gives it", () => {
    // The parent becomes SCHED_FIFO 1, then gives its child 2; the child kills it before it has done anything else.
    const program = staticElf(
      `
      mov eax, 2
      int 0x80
      test eax, eax
      jz first
      mov edi, eax
      mov dword [bss], 1
      mov eax, 156
      xor ebx, ebx
      mov ecx, 1
      mov edx, bss
      int 0x80
      mov dword [bss], 2
      mov eax, 156
      mov ebx, edi
      mov ecx, 1
      mov edx, bss
      int 0x80
      mov eax, 1 ; not reached
      mov ebx, 3
      int 0x80
    first:
      mov eax, 37
      push eax
      mov eax, 64
      int 0x80
      mov ebx, eax
      mov ecx, 9
      pop eax
      int 0x80
      mov eax, 1
      xor ebx, ebx
      int 0x80`,
      0x1000,
    );
    for (const scheduler of SCHEDULER_NAMES) {
      const { exit } = capture(program, { scheduler });
      expect([scheduler, exit.kind]).toEqual([scheduler, "signal"]);
    }
  });
});

describe("a ring-0 program that never gives the CPU up", () => {
  const FOREVER = staticElf(
    `
    mov eax, 2
    int 0x80
    test eax, eax
    jz forever
    mov dword [bss], 0
    mov dword [bss+4], 20000000
    mov eax, 162 ; nanosleep
    mov ebx, bss
    xor ecx, ecx
    int 0x80
    mov ecx, 20000000
  spin:
    dec ecx
    jnz spin
    mov eax, 1
    mov ebx, 7
    int 0x80
  forever:
    jmp forever`,
    0x1000,
  );

  it.each(
    SCHEDULER_NAMES.flatMap((scheduler) => [100, 250, 1000].map((hz) => [scheduler, hz] as const)),
  )("is preempted by %s at %i Hz", (scheduler, hz) => {
    const { exit, trace } = capture(FOREVER, { scheduler, hz, ring: 0 });
    expect(exit).toEqual({ kind: "exit", code: 7 });
    expect(trace.tasks[2].ring).toBe(0);
  });
});

describe("the calls", () => {
  it("getpriority and setpriority of a process group, and of nobody", () => {
    const program = staticElf(`
      mov eax, 97 ; setpriority(PRIO_PGRP, 0, 7)
      mov ebx, 1
      xor ecx, ecx
      mov edx, 7
      int 0x80
      mov eax, 96 ; getpriority(PRIO_PROCESS, 0): 20 - 7
      xor ebx, ebx
      xor ecx, ecx
      int 0x80
      mov esi, eax
      mov eax, 96 ; no such process: -3
      xor ebx, ebx
      mov ecx, 4000
      int 0x80
      lea ebx, [esi+eax]
      mov eax, 1
      int 0x80`);
    expect(capture(program, {}).exit).toEqual({ kind: "exit", code: 10 });
  });
});
