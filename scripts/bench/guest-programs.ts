// Small freestanding guest programs for the benchmark.
import { staticElf } from "../../test/guest/static-elf.ts";

const EXIT = "mov eax, 1\nxor ebx, ebx\nint 0x80\n";

/** Sieve of Eratosthenes over 1 MiB, `rounds` times: byte stores in tight loops. */
export const sieve = (rounds: number): Uint8Array =>
  staticElf(
    `
    mov ebp, ${rounds}
round:
    mov edi, bss
    mov ecx, 0x40000
    mov eax, 0x01010101
    cld
    rep stosd
    mov esi, 2
prime:
    cmp byte [bss+esi], 0
    je next
    lea edi, [esi+esi]
strike:
    mov byte [bss+edi], 0
    add edi, esi
    cmp edi, 0x100000
    jb strike
next:
    inc esi
    cmp esi, 1024
    jb prime
    dec ebp
    jnz round
    ${EXIT}`,
    0x100000,
  );

/** Recursive Fibonacci: calls, returns, stack traffic. */
export const fibonacci = (n: number): Uint8Array =>
  staticElf(`
    push dword ${n}
    call fib
    add esp, 4
    ${EXIT}
fib:
    push ebx
    mov ebx, [esp+8]
    cmp ebx, 2
    jae recurse
    mov eax, ebx
    pop ebx
    ret
recurse:
    lea eax, [ebx-1]
    push eax
    call fib
    mov [esp], eax
    lea eax, [ebx-2]
    push eax
    call fib
    add esp, 4
    pop edx
    add eax, edx
    pop ebx
    ret
`);

/** CRC-32 by table over 64 KiB, `rounds` times: loads, shifts, xors. */
export const crc32 = (rounds: number): Uint8Array =>
  staticElf(
    `
    xor ecx, ecx
table:
    mov eax, ecx
    mov edx, 8
bit:
    shr eax, 1
    jnc even
    xor eax, 0xedb88320
even:
    dec edx
    jnz bit
    mov [bss+ecx*4], eax
    inc ecx
    cmp ecx, 256
    jb table
    mov ebp, ${rounds}
round:
    mov esi, bss+1024
    mov ecx, 0x10000
    or eax, -1
byte_loop:
    movzx edx, byte [esi]
    xor dl, al
    shr eax, 8
    xor eax, [bss+edx*4]
    inc esi
    dec ecx
    jnz byte_loop
    dec ebp
    jnz round
    ${EXIT}`,
    0x12000,
  );

/** `count` getpid calls by way of AT_SYSINFO (the vsyscall page, as libc does) or by an inline int 0x80. */
export const getpidLoop = (count: number, way: "vsyscall" | "int80"): Uint8Array =>
  staticElf(
    `
    mov esi, esp
skip_argv:
    lodsd
    mov ecx, eax
    lea esi, [esi+ecx*4+4]
skip_env:
    lodsd
    test eax, eax
    jnz skip_env
auxv:
    lodsd
    mov edx, eax
    lodsd
    cmp edx, 32
    jne auxv
    mov [bss], eax
    mov ebp, ${count}
again:
    mov eax, 20
    ${way === "vsyscall" ? "call [bss]" : "int 0x80"}
    dec ebp
    jnz again
    ${EXIT}`,
    4096,
  );
