// Pieces of entry code that several paths share, as functions that give assembler source. Each says how many
// instructions it is, because the paths' lengths are part of what this kernel reproduces (see docs/emulator.md).
import { KCALL } from "../kcall-numbers.ts";
import { AREA, KERNEL_BASE, KU_CS, PT, SELECTOR, TI, TIF_LOOK_AT_CALLS } from "../layout.ts";
import type { EntryVariant } from "../variant.ts";

export const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;

/** Bits of thread_info.flags that send a way out to its slow side: notify (no SYSEXIT), signal pending, reschedule. */
export const WORK = 0x0e;
export const NEED_RESCHED = 0x08;

/** -THREAD_SIZE: and-ing it with ESP gives thread_info. */
export const THREAD_MASK = hex(-8192);

/** What may be read at the moment of an interrupt and belongs to the running kernel stack. 17 instructions. */
export const saveAll = (): string => `
  cld
  push dword 0
  push fs
  push es
  push ds
  push eax
  push ebp
  push edi
  push esi
  push edx
  push ecx
  push ebx
  mov edx, ${SELECTOR.USER_DS}
  mov ds, edx
  mov es, edx
  mov edx, 0
  mov fs, edx`;

/** The registers back, down to the hardware frame. 11 instructions; the three pops of selectors can fault. */
export const restoreAll = (id: string): string => `
  pop ebx
  pop ecx
  pop edx
  pop esi
  pop edi
  pop ebp
  pop eax
pop_ds_${id}:
  pop ds
pop_es_${id}:
  pop es
pop_fs_${id}:
  pop fs
  add esp, 8`;

/** EBP = thread_info. 2 instructions. */
export const threadInfo = (): string => `
  mov ebp, ${THREAD_MASK}
  and ebp, esp`;

/** Jump if the call is to be looked at first. 2 instructions, which the direct call does without. */
export const testTraced = (target: string): string => `
  test dword [ebp+${TI.FLAGS}], ${TIF_LOOK_AT_CALLS}
  jnz near ${target}`;

/** Where SS of the interrupted code would lie: ring-0 entries have none. */
const pushSs = (v: EntryVariant): string => (v.ssSlot ? `push dword ${SELECTOR.KERNEL_DS}` : "add esp, -4");

/**
 * KML: an entry without error code from ring-0 user code moves to the kernel stack and leaves there the frame that an
 * entry from ring 3 would have left. Ring-0 user code is told by ESP alone, so the decision is exact at every
 * instruction. EBP waits in the hardware frame's CS slot. 12 instructions when it switches, 2 when not.
 */
export const switchStack = (v: EntryVariant, id: string): string =>
  !v.kml
    ? ""
    : `
  cmp esp, ${hex(KERNEL_BASE)}
switch_${id}_above:
  ja near switched_${id}
switch_${id}:
  mov [esp+4], ebp
switch_${id}_esp:
  mov ebp, esp
switch_${id}_saved:
  mov esp, [${hex(AREA.ESP0)}]
  ${pushSs(v)}
  push ebp
  add dword [esp], 12
  push dword [ebp+8]
  push dword ${hex(KU_CS.EXCEPTION)}
  push dword [ebp]
  mov ebp, [ebp+4]
switched_${id}:`;

/** The same with an error code on top. 13 instructions when it switches, 2 when not. */
export const switchStackError = (v: EntryVariant, id: string): string =>
  !v.kml
    ? ""
    : `
  cmp esp, ${hex(KERNEL_BASE)}
  ja near switched_${id}
  mov [esp+8], ebp
  mov ebp, esp
  mov esp, [${hex(AREA.ESP0)}]
  ${pushSs(v)}
  push ebp
  add dword [esp], 16
  push dword [ebp+12]
  push dword ${hex(KU_CS.EXCEPTION)}
  push dword [ebp+4]
  push dword [ebp]
  mov ebp, [ebp+8]
switched_${id}:`;

/** An interrupt does not read the user stack on its way in: the hardware frame stays there. 11 instructions, or 2. */
export const switchStackInterrupt = (v: EntryVariant, id: string): string =>
  !v.kml
    ? ""
    : `
  cmp esp, ${hex(KERNEL_BASE)}
  ja near switched_${id}
  mov [${hex(AREA.UNUSED)}], ebp
  mov ebp, esp
  mov esp, [${hex(AREA.ESP0)}]
  ${pushSs(v)}
  push ebp
  push dword 0
  push dword ${hex(KU_CS.INTERRUPT)}
  push dword 0
  mov ebp, [${hex(AREA.UNUSED)}]
switched_${id}:`;

/** Linux: is SS:ESP a 16-bit stack of the LDT? 6 instructions. */
export const testEspfix = (v: EntryVariant, target: string): string =>
  !v.espfix
    ? ""
    : `
  mov eax, [esp+${PT.EFLAGS}]
  mov ah, [esp+${PT.OLDSS}]
  mov al, [esp+${PT.CS}]
  and eax, 0x20403
  cmp eax, 0x403
  je near ${target}`;

/** A C function: the reserved instruction, and back. */
export const body = (label: string, kcall: number): string => `
${label}:
  kcall ${kcall}
  ret`;

export const trapBody = (vector: number): string => body(`do_trap_${vector}`, KCALL.TRAP + vector);
