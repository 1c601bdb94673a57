// Programs that run long and do much: what a machine is disturbed under for 10^10 instructions. Their output depends on nothing but their
// instructions.
import { staticElf } from "./static-elf.ts";

/**
 * Checksums over memory that it writes again and again, with a child on a pipe, x87 state, string instructions, a stack that grows into
 * pages that fork has made copy-on-write, and a handler of SIGUSR1 that restarts what it interrupts. It prints its sum as eight digits.
 * @param rounds about 100,000 instructions each
 */
export function longProgram(rounds: number): Uint8Array {
  return staticElf(
    `
  mov eax, 67 ; sigaction(SIGUSR1, SA_RESTART)
  mov ebx, 10
  mov ecx, action
  xor edx, edx
  int 0x80
  mov ebp, esp
  mov esi, esp ; AT_SYSINFO
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
  cmp edx, 32
  jne auxiliary
  mov [bss+4], eax
  fninit
  fld1
  mov dword [bss], ${rounds}
round:
  ; a pipe and a child that writes what it computes
  mov eax, 42
  mov ebx, bss+8
  int 0x80
  mov eax, 2
  int 0x80
  test eax, eax
  jz near child
  mov [bss+24], eax
  mov edi, bss+0x2000
  mov ecx, 0x1000
  mov eax, [bss+16]
  rep stosd
  mov esi, bss+0x2000
  mov edi, bss+0x7000
  mov ecx, 0x1000
  rep movsd
  mov ecx, 9000
  mov eax, [bss+16]
sum:
  mov edx, ecx
  and edx, 0xfff
  imul eax, eax, 1103515245
  add eax, [bss+0x7000+edx*4]
  add [bss+0x2000+edx*4], eax
  dec ecx
  jnz sum
  mov [bss+16], eax
  fadd dword [one]
  fld st0
  fsqrt
  fistp dword [bss+20]
  mov eax, [bss+20]
  add [bss+16], eax
  ; the stack, page by page
  mov ecx, 6
deeper:
  push ecx
  sub esp, 4092
  dec ecx
  jnz deeper
  mov ecx, 6
shallower:
  add esp, 4092
  pop edx
  add [bss+16], edx
  dec ecx
  jnz shallower
  ; calls both ways
  mov esi, 20
calls:
  mov eax, 64
  call [bss+4]
  add [bss+16], eax
  mov eax, 64
  int 0x80
  sub [bss+16], eax
  dec esi
  jnz calls
  mov eax, 3 ; read what the child wrote
  mov ebx, [bss+8]
  mov ecx, bss+28
  mov edx, 4
  call [bss+4]
  mov edx, [bss+28]
  add [bss+16], edx
  mov eax, 7
  mov ebx, [bss+24]
  mov ecx, bss+28
  xor edx, edx
  int 0x80
  mov eax, [bss+28]
  xor [bss+16], eax
  mov eax, 6
  mov ebx, [bss+8]
  int 0x80
  mov eax, 6
  mov ebx, [bss+12]
  int 0x80
  dec dword [bss]
  jnz near round
  mov esi, 8
  mov edi, bss+0x1000
  mov edx, [bss+16]
digit:
  rol edx, 4
  mov eax, edx
  and eax, 15
  add eax, 65
  stosb
  dec esi
  jnz digit
  mov al, 10
  stosb
  mov eax, 4
  mov ebx, 1
  mov ecx, bss+0x1000
  mov edx, 9
  int 0x80
  mov eax, 1
  xor ebx, ebx
  int 0x80

child:
  mov ecx, 3000
  mov eax, [bss+16]
mix:
  imul eax, eax, 69069
  inc eax
  push eax
  pop dword [bss+0x6000+ecx*4]
  dec ecx
  jnz mix
  mov [bss+28], eax
  mov eax, 4
  mov ebx, [bss+12]
  mov ecx, bss+28
  mov edx, 4
  call [bss+4]
  mov eax, 1
  mov ebx, 3
  int 0x80

caught:
  push eax
  mov eax, 20
  call [bss+4]
  pop eax
  ret
action:
  dd caught, 0, 0x10000000, 0
one:
  dd 0x3f800000
`,
    0xc000,
  );
}
