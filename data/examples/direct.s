; Calls the kernel without a C library, in three ways: through the address that the kernel gives each program (AT_SYSINFO), through
; %gs:0x10 as a C library does, and in ring 0 past the vsyscall page, straight through the kernel's table of direct calls, whose
; address stands in the one instruction of that page: jmp [table+eax*4] (ff 24 85 and four bytes).
;
; In ring 3 the page holds INT 0x80 or SYSENTER instead, and there is no table: the third way is left out.
_start:
  mov esi, esp            ; argc, arguments, 0, environment, 0, then pairs of the auxiliary vector
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
  cmp edx, 32             ; AT_SYSINFO
  jne auxiliary
  mov [sysinfo], eax

  mov ecx, first
  mov edx, second-first
  mov ebx, 1
  mov eax, 4              ; write, by the address
  call [sysinfo]

  mov eax, 243            ; set_thread_area: a segment of our own, as a C library makes for each thread
  mov ebx, descriptor
  call [sysinfo]
  mov eax, [descriptor]
  lea eax, [eax*8+3]
  mov gs, ax
  mov eax, [sysinfo]
  mov [gs:0x10], eax
  mov ecx, second
  mov edx, third-second
  mov ebx, 1
  mov eax, 4              ; write, as a C library would
  call [gs:0x10]

  mov ebx, 3              ; status: the ring
  mov eax, cs
  and eax, 3
  jnz over
  mov esi, [sysinfo]
  movzx eax, word [esi]
  cmp eax, 0x24ff
  jne over
  mov edi, [esi+3]        ; the table
  mov ecx, third
  mov edx, end-third
  mov ebx, 1
  mov eax, 4              ; write, through the table
  call [edi+eax*4]
  mov ebx, 0
over:
  mov eax, 1              ; exit
  call [sysinfo]

first:
  db "by the address of AT_SYSINFO", 10
second:
  db "by %gs:0x10", 10
third:
  db "through the table of direct calls", 10
end:
align 4
sysinfo:
  dd 0
descriptor:
  dd -1, block, 0xfffff, 0x51
block:
  dd 0, 0, 0, 0, 0, 0, 0, 0
