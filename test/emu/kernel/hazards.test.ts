// What a ring-0 program can do to the machine, and what the command reports of it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { MemoryIo } from "../../../src/emu/host.ts";
import { captureProgram } from "../../../src/emu/run.ts";
import { KIND } from "../../../src/traces/schema/enums.ts";
import { kmlab } from "../../cli/kmlab.ts";
import { hasPackages } from "../../cli/packages.ts";
import { HAZARDS } from "../../guest/hazards.ts";
import { staticElf } from "../../guest/static-elf.ts";
import { imageOf } from "./proc/image.ts";

const scratch = mkdtempSync(join(tmpdir(), "kmlab-hazards-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function capture(source: string, options: object = {}) {
  const image = imageOf({ "/bin/p": staticElf(source, 0x2000) });
  const run = captureProgram({
    image,
    argv: ["/bin/p"],
    host: new MemoryIo(),
    memoryMiB: 16,
    cwd: "/",
    ring: 0,
    ...options,
  });
  return { ...run, messages: run.kernel.messages };
}

describe("a ring-0 program that", () => {
  it.each(HAZARDS)("$name", ({ source, options, ended, status, says }) => {
    const run = capture(source, options);
    expect(run.trace.meta.ended).toMatch(ended);
    expect(run.status).toBe(status);
    expect(run.messages.join("\n")).toMatch(says ?? /^$/);
    if (says !== undefined) expect(run.trace.meta.warnings).toEqual(run.messages);
  });
});

describe("the NMI watchdog", () => {
  const BUSY = `mov ecx, 60000000\nspin:\ndec ecx\njnz spin\nmov eax, 1\nmov ebx, 3\nint 0x80`;

  it.each([
    0, 3,
  ] as const)("leaves programs in peace that leave interrupts on, in ring %i, and its NMIs are events", (ring) => {
    const [without, guarded] = [false, true].map((nmiWatchdog) => capture(BUSY, { nmiWatchdog, ring }));
    expect([guarded.exit, guarded.messages]).toEqual([without.exit, []]);
    const nmis = ({ trace: { events } }: typeof guarded) =>
      [...events.kind.subarray(0, events.length)].filter((kind, seq) => kind === KIND.irq && events.nr[seq] === 2);
    expect(nmis(without)).toHaveLength(0);
    expect(nmis(guarded).length).toBeGreaterThanOrEqual(2);
    // What an NMI executes is its own, not the program's.
    const user = ({ trace: { events } }: typeof guarded) =>
      events.user.subarray(0, events.length).reduce((a, b) => a + b, 0);
    expect(user(guarded)).toBe(user(without));
  });

  it("lets others go on when it has ended one", () => {
    const run = capture(
      `mov eax, 2\nint 0x80\ntest eax, eax\njz child\nmov ebx, eax\nmov eax, 7\nmov ecx, bss\nxor edx, edx\nint 0x80
       mov eax, 1\nmov ebx, [bss]\nint 0x80\nchild:\ncli\nforever:\njmp forever`,
      { nmiWatchdog: true },
    );
    expect(run.exit).toEqual({ kind: "exit", code: 9 });
    expect(run.messages).toHaveLength(1);
  });
});

describe.runIf(hasPackages)("kmlab run", () => {
  it("says why the machine died, with status 124, and what the watchdog did", () => {
    writeFileSync(join(scratch, "cli"), staticElf("cli\nforever:\njmp forever"), { mode: 0o755 });
    const run = (...options: string[]) =>
      kmlab(["run", "--ring", "0", "--bind", `${scratch}:/mnt`, ...options, "/mnt/cli"]);
    const dead = run();
    expect([dead.status, dead.stderr]).toEqual([
      124,
      "kmlab: the machine died: 1000000000 instructions with interrupts off\n",
    ]);
    const killed = run("--nmi-watchdog");
    expect(killed.status).toBe(137);
    expect(killed.stderr).toMatch(
      /^kmlab: NMI watchdog: no timer interrupt for 0\.3 s, eip 0x[0-9a-f]+, cli \(1000\): killed\n$/,
    );
  });
});
