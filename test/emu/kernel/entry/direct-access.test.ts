// Programs without a C library: the example that comes with kmlab, and what a call through the kernel's table is in a trace.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { captureProgram, type RunOptions } from "../../../../src/emu/run.ts";
import { KIND, PATH, SITE } from "../../../../src/traces/schema/enums.ts";
import { staticElf } from "../../../guest/static-elf.ts";
import { imageOf } from "../proc/image.ts";
import { ofKind, world } from "./harness.ts";

const EXAMPLES = new URL("../../../../data/examples/", import.meta.url);

describe("data/examples/direct", () => {
  const program = readFileSync(new URL("direct", EXAMPLES));

  function run(options: Partial<RunOptions>) {
    const host = new MemoryIo();
    const image = imageOf({ "/bin/direct": program });
    const capture = captureProgram({ image, argv: ["/bin/direct"], host, memoryMiB: 16, cwd: "/", ...options });
    const { events } = capture.trace;
    const writes = [...Array(events.length).keys()].filter(
      (seq) => events.kind[seq] === KIND.syscall && events.nr[seq] === 4,
    );
    const calls = writes.map((seq) => [events.path[seq], events.site[seq], events.kinstr[seq]]);
    return { exit: capture.exit, lines: host.text("out").split("\n").slice(0, -1), calls };
  }

  it("is its source, assembled", () => {
    const source = readFileSync(new URL("direct.s", EXAMPLES), "utf8");
    expect(Buffer.compare(program, staticElf(source)), "run `npx tsx scripts/make-examples.ts`").toBe(0);
  });

  it("in ring 0 calls in three ways, the last an instruction shorter", () => {
    const { exit, lines, calls } = run({ ring: 0 });
    expect(exit).toEqual({ kind: "exit", code: 0 });
    expect(lines).toEqual(["by the address of AT_SYSINFO", "by %gs:0x10", "through the table of direct calls"]);
    // Three arguments: 20 + 3 from the program's call on, without the page's jump 19 + 3. The first call of all starves at its push, and
    // begins again at the page.
    expect(calls).toEqual([
      [PATH.C, SITE.vsyscall, 22],
      [PATH.C, SITE.vsyscall, 23],
      [PATH.C, SITE.direct, 22],
    ]);
  });

  it.each(["int80", "sysenter"] as const)("in ring 3 calls the page, which enters by %s", (entry) => {
    const { exit, lines, calls } = run({ ring: 3, entry });
    expect(exit).toEqual({ kind: "exit", code: 3 });
    expect(lines).toEqual(["by the address of AT_SYSINFO", "by %gs:0x10"]);
    const path = entry === "int80" ? PATH.A : PATH.B;
    expect(calls.map(([way, site]) => [way, site])).toEqual([
      [path, SITE.vsyscall],
      [path, SITE.vsyscall],
    ]);
  });

  it.each(["kml-4.0-published", "kml-2003"] as const)("works under %s", (kernel) => {
    expect(run({ ring: 0, kernel }).lines).toHaveLength(3);
  });
});

describe("a call through the table", () => {
  const CALLS = `
    mov esi, vsyscall
    mov esi, [esi+3]
    mov edi, 2
  again:
    mov eax, 20
    call [esi+eax*4]
    mov eax, 110
    xor ebx, ebx
    call [esi+eax*4]
    mov eax, 700
    call [esi+eax*4]
    dec edi
    jnz again
    mov eax, 252
    mov ebx, 0
    int 0x80`;

  it("is an event of its own: plain, with all registers, and of a number that does not exist", () => {
    const w = world(CALLS, { ring: 0 });
    expect(w.run()).toBe(0);
    const last = ofKind(w.recorder.events, "syscall").slice(-4, -1);
    expect(last.map(({ nr, site, path, kinstr, ret }) => [nr, site, path, kinstr, ret])).toEqual([
      [20, "direct", "C", 20, 100],
      [110, "direct", "D", 80, 0],
      [700, "direct", "C", 3, -38],
    ]);
  });
});
