bits 32
start:
 mov eax, ebx
 mov eax, [ebx]
 mov [ebx+4], eax
 mov eax, [esp+8]
 mov eax, [ebx+esi*4+0x100]
 mov eax, [esi*4+0x100]
 mov eax, [0x1234]
 mov [0x1234], al
 mov al, [gs:0x10]
 mov eax, [gs:0x14]
 mov byte [ebp-1], 5
 mov dword [ebp+0x1000], -1
 mov word [esp], 0x1234
 mov ax, 5
 mov bl, 'a'
 add eax, 5
 add eax, 0x1000
 add ebx, 0x1000
 add byte [eax], 5
 adc dword [eax], 5
 sub esp, 0x80
 cmp eax, 0xffffffff
 cmp ax, 0xffff
 test eax, eax
 test byte [eax], 1
 test al, 4
 and esp, 0xffffe000
 xor edx, edx
 inc eax
 dec dword [edi]
 neg ecx
 not byte [esi]
 mul ebx
 imul eax, ebx
 imul eax, ebx, 5
 imul eax, 500
 div dword [ecx]
 idiv bl
 shl eax, 1
 shl eax, 5
 sar byte [ebx], cl
 shld eax, ebx, cl
 shrd [eax], ebx, 4
 bt eax, 5
 bts [eax], ecx
 bsf eax, ebx
 push eax
 push dword [eax]
 push 5
 push 0x1000
 push byte 7
 push es
 push gs
 pop fs
 pop dword [esp+4]
 pusha
 popad
 pushf
 popfd
 enter 16, 0
 leave
 ret
 ret 8
 retf
 iret
 iretd
 call start
 call eax
 call [eax]
 call dword [eax+4]
 jmp [ebx*4+start]
 jmp far [eax]
 call 0x60:0x1000
 jmp 0x60:later
 jz later
 jmp short later
 jmp near later
later:
 loop later
 jecxz later
 int 0x80
 int3
 into
 bound eax, [ebx]
 sysenter
 sysexit
 lock cmpxchg [edi], ecx
 lock xadd [eax], ebx
 lock cmpxchg8b [esi]
 lock inc dword [eax]
 rep movsd
 rep stosb
 repne scasb
 repe cmpsb
 cld
 std
 cli
 sti
 hlt
 nop
 xchg eax, ebx
 xchg [eax], ebx
 xchg ebx, [eax]
 bswap edx
 movzx eax, byte [ebx]
 movzx eax, bl
 movsx ecx, word [eax]
 cmovz eax, [ebx]
 setnz al
 lea eax, [ebx+ecx*2+5]
 lgdt [0x1000]
 lidt [eax]
 sgdt [eax]
 lldt ax
 ltr ax
 str ax
 sldt [eax]
 smsw eax
 lmsw ax
 clts
 invlpg [eax]
 mov cr0, eax
 mov eax, cr3
 mov dr7, eax
 mov ds, ax
 mov es, [eax]
 mov eax, ds
 mov ax, gs
 mov [eax], fs
 mov gs, eax
 lss esp, [eax]
 in al, 0x20
 in eax, dx
 out 0x20, al
 out dx, ax
 rdtsc
 cpuid
 rdmsr
 wrmsr
 wbinvd
 ud2
 fninit
 fnsave [eax]
 frstor [eax]
 fxsave [esp+0x10]
 fld dword [eax]
 fld qword [eax]
 fstp tword [eax]
 faddp
 fadd st0, st1
 fld st2
 fxch
 fnstsw ax
 fwait
 fsqrt
 fild dword [eax]
 fistp qword [eax]
 cbw
 cwde
 cdq
 lahf
 sahf
 xlatb
 daa
 aam
 aad
 mov ax, [bx+si+5]
 mov eax, [ds:ebp+4]
 mov eax, [ss:eax]
 es movsb
 o16 push word 5
 movsw
 arpl ax, bx
 lar eax, bx
 lsl eax, ebx
 verr ax
 db "hello", 0, 1+2*3, 'x'
 dw 0x1234, start
 dd start, later-start, $
 times 3 nop
 times 4-(($-$$) & 3) db 0xcc
 align 16
K equ later-start
 mov eax, K
 mov eax, [esp+K]
 jmp start
 jnz near start
.loc:
 jmp .loc
 mov eax, [eax*2]
 mov eax, [ebp]
 mov eax, [esp]
 mov eax, [ebp+ebx]
 mov eax, [eax+start]
 sub dword [esp+4], 1<<3
 mov dword [eax], start
 push dword start
 push start
 mov ebx, start
 cmp byte [start+esi], 0
 mov byte [start], 1
 add dword [eax+0x7f], 0x7f
 add dword [eax+0x80], 0x80
 jmp eax
 jmp [eax]
 mov eax, [0x80000000+ebx]
 test eax, [ebx]
 int1
 salc
