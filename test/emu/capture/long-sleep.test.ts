// A guest that sleeps for half a year is captured as quickly as one that sleeps for a minute, and what it does when it wakes up is in the epochs
// that it is done in.
import { expect, it } from "vitest";
import { MemoryIo } from "../../../src/emu/host.ts";
import { captureProgram } from "../../../src/emu/run.ts";
import { staticElf } from "../../guest/static-elf.ts";
import { imageOf } from "../kernel/proc/image.ts";

/** nanosleep, then 40,000 instructions, and a store to a new page at the end. */
const sleeper = (seconds: number): Uint8Array =>
  staticElf(
    `
  mov dword [bss], ${seconds}
  mov dword [bss+4], 0
  mov eax, 162
  mov ebx, bss
  xor ecx, ecx
  int 0x80
  mov ecx, 20000
spin:
  dec ecx
  jnz spin
  mov dword [bss+0x3000], 1
  mov eax, 1
  xor ebx, ebx
  int 0x80
`,
    0x4000,
  );

function sleep(seconds: number) {
  let looks = 0;
  const { status, trace } = captureProgram({
    image: imageOf({ "/bin/p": sleeper(seconds) }),
    argv: ["/bin/p"],
    host: new MemoryIo(),
    memoryMiB: 16,
    cwd: "/",
    epochInstr: 10_000,
    attach: (k) => {
      const watch = k.clock.watch.bind(k.clock);
      k.clock.watch = (time, fire) => {
        looks++;
        return watch(time, fire);
      };
    },
  });
  const last = Math.max(...trace.pages.epoch);
  return { status, looks, last };
}

it("a sleep of half a year costs no more looks at the clock than one of a minute", () => {
  const minute = sleep(60);
  const long = sleep(15_768_000);
  expect([minute.status, long.status]).toEqual([0, 0]);
  expect(long.looks).toBeLessThan(minute.looks + 100);
  expect(minute.looks).toBeLessThan(2000);
  // The store behind the spin is in the epoch of its instruction in both.
  expect(long.last).toBe(minute.last);
  expect(long.last).toBeGreaterThanOrEqual(4);
});
