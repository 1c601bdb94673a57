// A trace is the same, to its identity, whichever engine executed: in both rings, by every way into the kernel, with
// timer ticks, signals, children and code that changes, and with epochs so short that the page arrays are dropped often.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { DEFAULT_TIER, TIERS } from "../../src/emu/cpu/state.ts";
import { MemoryIo } from "../../src/emu/host.ts";
import type { ExitInfo } from "../../src/emu/kernel/kernel.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { captureProgram, type RunOptions } from "../../src/emu/run.ts";
import { writeTrace } from "../../src/traces/node.ts";
import { hasPackages } from "../cli/packages.ts";
import { staticElf } from "../guest/static-elf.ts";
import { imageOf } from "./kernel/proc/image.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;
const scratch = mkdtempSync(join(tmpdir(), "kmlab-tiers-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const EXIT = "mov eax, 1\nxor ebx, ebx\nint 0x80\n";

/** Programs, and the exit or signal by which each ends. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "nothing but its end: 0": EXIT,
  "a loop across ticks, with repeated strings: 0": `
    mov ebp, 40
again:
    mov edi, bss
    mov ecx, 3000
    mov al, 7
    rep stosb
    mov esi, bss
    mov edi, bss+5
    mov ecx, 700
    rep movsd
    imul eax, ebp, 77
    fild dword [bss]
    fsqrt
    fstp qword [bss+8]
    dec ebp
    jnz again
    ${EXIT}`,
  "calls until their way in and out is hot: 0": `
    mov ebp, 6000
again:
    mov eax, 20
    int 0x80
    dec ebp
    jnz again
    ${EXIT}`,
  "calls of the vsyscall page until it is hot: 0": `
    mov esi, esp
    lodsd
    lea esi, [esi+eax*4+4]
environment:
    lodsd
    test eax, eax
    jnz environment
auxiliary:
    lodsd
    mov edx, eax
    lodsd
    cmp edx, 32 ; AT_SYSINFO
    jne auxiliary
    mov edi, eax
    mov ebp, 3500
again:
    mov eax, 20
    call edi
    dec ebp
    jnz again
    ${EXIT}`,
  "a signal's handler, and one that cannot be handled: 11": `
    mov eax, 48 ; signal
    mov ebx, 10
    mov ecx, handler
    int 0x80
    mov eax, 20
    int 0x80
    mov ebx, eax
    mov ecx, 10
    mov eax, 37 ; kill
    int 0x80
    mov eax, [0]
handler:
    inc dword [bss]
    ret`,
  "a child: 3": `
    mov eax, 2 ; fork
    int 0x80
    test eax, eax
    jz child
    mov ebx, eax
    mov ecx, bss
    xor edx, edx
    mov eax, 7 ; waitpid
    int 0x80
    mov ebx, [bss]
    shr ebx, 8
    mov eax, 1
    int 0x80
child:
    mov ecx, 2000
spin:
    inc dword [bss+4*ecx]
    loop spin
    mov eax, 1
    mov ebx, 3
    int 0x80`,
  "code that it writes: 0": `
    mov dword [bss], 0xc30001b8 ; mov eax, imm
    mov dword [bss+4], 0xc3c30000
    mov eax, 125 ; mprotect
    mov ebx, bss
    and ebx, 0xfffff000
    mov ecx, 4096
    mov edx, 7
    int 0x80
    mov ebp, 300
again:
    mov edx, ebp
    mov byte [bss+1], dl
    mov byte [bss+2], 0
    mov dword [bss+3], 0x90900000
    mov byte [bss+5], 0xc3
    call bss
    dec ebp
    jnz again
    ${EXIT}`,
};

/** Runs on every engine; what is compared is the traces' identity, the end and the output. */
function agree(options: Omit<RunOptions, "host">, epochInstr: number): ExitInfo {
  const runs = TIERS.map((tier) => {
    const host = new MemoryIo();
    const run = captureProgram({ ...options, host, tier, epochInstr });
    const id = writeTrace(join(scratch, "t.kmtrace"), run.trace);
    return { tier, id, exit: run.exit, instructions: run.instructions, out: host.text("out") };
  });
  for (const run of runs) expect({ ...run, tier: "" }, run.tier).toEqual({ ...runs[0], tier: "" });
  return runs[0].exit;
}

const WAYS = [
  { ring: 3, entry: "int80" },
  { ring: 3, entry: "sysenter" },
  { ring: 0, entry: "sysenter" },
] as const;

describe("every engine gives the same trace", () => {
  it("names them", () => {
    expect(TIERS).toContain(DEFAULT_TIER);
    expect(TIERS).toContain("oracle");
  });

  it.each(Object.keys(PROGRAMS))("%s", (name) => {
    const image = imageOf({ "/bin/program": staticElf(PROGRAMS[name], 0x4000) });
    for (const way of WAYS) {
      const exit = agree({ image, argv: ["/bin/program"], memoryMiB: 32, cwd: "/", hz: 1000, ...way }, 3000);
      const number = exit.kind === "exit" ? exit.code : exit.kind === "signal" ? exit.signal : -1;
      expect(`: ${number}`).toBe(name.slice(name.indexOf(":")));
    }
  });
});

describe.runIf(hasPackages)("every engine gives the same trace of Debian's programs", async () => {
  const image = hasPackages ? openImage((await ensureRoot("base")).directory) : undefined;

  it.each(WAYS)("true and find, ring $ring, $entry", (way) => {
    agree({ image: image!, argv: ["true"], ...way }, 20_000);
    agree({ image: image!, argv: ["find", "/etc/default"], ...way, cold: true }, 20_000);
  });

  it("a shell that traps, forks and pipes", () => {
    const script = 'trap "echo got" USR1; kill -USR1 $$; for i in 2 1; do echo $i; done | sort; (exit 3); echo $?';
    for (const way of SLOW ? WAYS : WAYS.slice(1, 2))
      agree({ image: image!, argv: ["sh", "-c", script], ...way }, 50_000);
  });
});
