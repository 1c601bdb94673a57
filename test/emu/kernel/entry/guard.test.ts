// A ring-0 stack that runs into a guard page, or grows beyond its limit: the push that finds no page is a double fault, and the program
// gets SIGSEGV on its alternate stack, as in ring 3.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { captureProgram } from "../../../../src/emu/run.ts";
import { FLAG, KIND, PATH } from "../../../../src/traces/schema/enums.ts";
import { staticElf } from "../../../guest/static-elf.ts";
import { imageOf } from "../proc/image.ts";

/** Prepares a handler of SIGSEGV on a stack of its own; it exits with 42 if it runs there and si_addr is [bss]. */
const CATCH = `
  mov eax, 186 ; sigaltstack
  mov ebx, altstack
  xor ecx, ecx
  int 0x80
  mov eax, 67 ; sigaction
  mov ebx, 11
  mov ecx, action
  xor edx, edx
  int 0x80
  jmp begin
altstack:
  dd bss+0x1000, 0, 0x2000
action:
  dd caught, 0, 0x08000004, 0
caught:
  mov ebx, 1
  cmp esp, bss+0x1000
  jb wrong
  cmp esp, bss+0x3000
  ja wrong
  inc ebx
  mov eax, [esp+8] ; siginfo
  mov eax, [eax+12] ; si_addr
  cmp eax, [bss]
  jne wrong
  mov ebx, 42
wrong:
  mov eax, 1
  int 0x80
`;

const GUARD = `
begin:
  mov eax, 192 ; mmap2: two pages, the lower one without access
  xor ebx, ebx
  mov ecx, 8192
  mov edx, 3
  mov esi, 0x22
  mov edi, -1
  xor ebp, ebp
  int 0x80
  mov ebx, eax
  lea esp, [eax+8192]
  lea eax, [eax+4092]
  mov [bss], eax
  mov eax, 125 ; mprotect
  mov ecx, 4096
  xor edx, edx
  int 0x80
again:
  push eax
  jmp again
`;

const LIMIT = `
begin:
  mov eax, 75 ; setrlimit: a stack of 64 KiB
  mov ebx, 3
  mov ecx, limit
  int 0x80
  mov ecx, esp
again:
  push eax
  mov [bss], esp
  sub dword [bss], 4
  jmp again
limit:
  dd 0x10000, 0x10000
`;

function run(source: string, ring: 0 | 3) {
  return captureProgram({
    image: imageOf({ "/bin/p": staticElf(CATCH + source, 0x4000) }),
    argv: ["/bin/p"],
    host: new MemoryIo(),
    memoryMiB: 16,
    cwd: "/",
    ring,
    instructionLimit: 1_000_000,
  });
}

describe.each([
  ["a guard page", GUARD],
  ["the stack's limit", LIMIT],
])("a stack that meets %s", (_what, source) => {
  it("in ring 3 is SIGSEGV by a page fault", () => {
    expect(run(source, 3).exit).toEqual({ kind: "exit", code: 42 });
  });

  it("in ring 0 is SIGSEGV by a double fault", () => {
    const { exit, trace } = run(source, 0);
    expect(exit).toEqual({ kind: "exit", code: 42 });
    const { events } = trace;
    const signal = events.kind.indexOf(KIND.signal);
    expect(events.nr[signal]).toBe(11);
    const fault = events.parent[signal];
    expect(events.path[fault]).toBe(PATH.H);
    expect(events.flags[fault] & FLAG.esp_absent).toBeTruthy();
  });
});
