// Exceptions and device interrupts.
import { KCALL } from "../kcall-numbers.ts";
import { IRQ_LINES, KERNEL_BASE, PHYS, PT, SELECTOR, VECTOR } from "../layout.ts";
import type { EntryVariant } from "../variant.ts";
import { body, hex, saveAll, switchStack, switchStackError, switchStackInterrupt, trapBody } from "./macros.ts";

const ESPFIX_DESCRIPTOR = KERNEL_BASE + PHYS.GDT + SELECTOR.ESPFIX_SS;

/** Exceptions for which the processor pushes an error code, without #DF. */
export const WITH_ERROR_CODE: readonly number[] = [10, 11, 12, 13, 14, 17];
/** Exceptions with a gate, without NMI (2), #DF (8) and the reserved 15. */
export const EXCEPTIONS: readonly number[] = [0, 1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19];

/** An exception on the ESPFIX stack moves back to the flat one: 3 instructions to see that it does not. */
const unwindEspfix = (v: EntryVariant): string =>
  v.espfix
    ? `
  mov eax, ss
  cmp ax, ${SELECTOR.ESPFIX_SS}
  je near espfix_unwind
espfix_unwound:`
    : "";

/** Between the push of the handler and error_code lies padding up to a 16-byte line; its no-ops execute. */
const padding = (v: EntryVariant): string => (v.espfix && !v.kml ? "  nop\n  nop" : "  nop");

/** The page fault runs straight into error_code. F: 58 instructions on Linux, 52 on KML; G: 79. */
const pageFault = (v: EntryVariant): string => `
page_fault:
${switchStackError(v, "page_fault")}
  push dword do_trap_14
${padding(v)}
error_code:
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
  cld
  mov ecx, 0
  mov fs, ecx
${unwindEspfix(v)}
  mov edi, [esp+${PT.GS}]
  mov edx, [esp+${PT.ORIG_EAX}]
  mov dword [esp+${PT.ORIG_EAX}], -1
  mov ecx, ${SELECTOR.USER_DS}
  mov ds, ecx
  mov es, ecx
  mov eax, esp
  call edi
  jmp ret_from_exception
`;

const exception = (v: EntryVariant, vector: number): string => {
  // #DB was forgotten in every version of the patch: it stays on the stack that it came on.
  const switches = vector !== 1;
  const id = `trap_${vector}`;
  if (WITH_ERROR_CODE.includes(vector)) {
    return `
trap_${vector}:
${switchStackError(v, id)}
  push dword do_trap_${vector}
  jmp error_code`;
  }
  return `
trap_${vector}:
${switches ? switchStack(v, id) : ""}
  push dword 0
  push dword do_trap_${vector}
  jmp error_code`;
};

const irq = (v: EntryVariant, line: number): string => `
irq_entry_${line}:
${v.irqSwitch ? switchStackInterrupt(v, `irq_${line}`) : ""}
  push dword ${hex(~(VECTOR.IRQ0 + line) + 0x80)}
  jmp common_interrupt`;

/**
 * The ESPFIX stack: the kernel's stack seen through a segment whose base makes up for an ESP with the user's upper half, so
 * that an IRET that loads only SP leaves no kernel address there.
 */
const espfix = (): string => `
espfix_stack:
  mov eax, [esp+${PT.OLDESP}]
  mov edx, esp
  mov ax, dx
  sub edx, eax
  shr edx, 16
  mov [${hex(ESPFIX_DESCRIPTOR + 4)}], dl
  mov [${hex(ESPFIX_DESCRIPTOR + 7)}], dh
  push dword ${SELECTOR.ESPFIX_SS}
  push eax
  cli
  lss esp, [esp]
  jmp espfix_checked

espfix_unwind:
  mov eax, ${SELECTOR.KERNEL_DS}
  mov ds, eax
  mov ah, [${hex(ESPFIX_DESCRIPTOR + 7)}]
  mov al, [${hex(ESPFIX_DESCRIPTOR + 4)}]
  shl eax, 16
  add eax, esp
  push dword ${SELECTOR.KERNEL_DS}
  push eax
  lss esp, [esp]
  jmp espfix_unwound
`;

const lines = (): number[] => Array.from({ length: IRQ_LINES }, (_, line) => line);

export function trapText(v: EntryVariant): string {
  const rest = EXCEPTIONS.filter((vector) => vector !== 14);
  return `
${pageFault(v)}
${rest.map((vector) => exception(v, vector)).join("\n")}
${EXCEPTIONS.map(trapBody).join("\n")}
${v.espfix ? espfix() : ""}
${lines()
  .map((line) => irq(v, line))
  .join("\n")}
common_interrupt:
  add dword [esp], -0x80
${saveAll()}
  mov eax, esp
  call do_irq
  jmp ret_from_intr
${body("do_irq", KCALL.DO_IRQ)}
`;
}
