// Stack starvation and its cure: #DF and NMI are tasks of their own; the double-fault task rebuilds the frame that the
// exception could not push, and goes back to the interrupted task to handle it as a write fault.
import { KCALL } from "../kcall-numbers.ts";
import { AREA, EFLAGS, IRQ_LINES, KERNEL_BASE, KU_CS, PHYS, SELECTOR, TSS } from "../layout.ts";
import type { EntryVariant } from "../variant.ts";
import { hex } from "./macros.ts";

const MAIN_BUSY_BYTE = hex(KERNEL_BASE + PHYS.GDT + SELECTOR.TSS + 5);

/** #PF error code of a write: what the fixup hands to the page-fault handler. */
const WRITE = 2;

/** No stack yet but three words of its own: 32 instructions with the jump that starts the next round. */
const task = (): string => `
double_fault_task:
  cld
  add esp, 4
  pop edi
  pop ebx
  cmp word [edi+${TSS.LINK}], ${SELECTOR.TSS}
  jne near df_die
  cmp ebx, ${hex(AREA.TSS)}
  jne near df_die
  cmp dword [ebx+${TSS.EIP}], ia32_sysenter_target
  je near df_die
  movzx edx, word [ebx+${TSS.CS}]
  movzx eax, word [ebx+${TSS.SS}]
  mov ecx, [ebx+${TSS.ESP}]
  cmp edx, ${SELECTOR.KERNEL_CS}
  jne df_user
  cmp ecx, ${hex(KERNEL_BASE)}
  ja df_kernel
df_user:
  mov esp, [${hex(AREA.ESP0)}]
  push eax
  push ecx
df_frame:
  push dword [ebx+${TSS.EFLAGS}]
  push edx
  push dword [ebx+${TSS.EIP}]
  mov eax, esp
  mov edx, ebx
  call prepare_fault_handler
  pushf
  and dword [esp], ${hex(~EFLAGS.NT)}
  popf
  mov esp, [edi+${TSS.ESP0}]
df_switch:
  jmp far ${SELECTOR.TSS}:0
double_fault_again:
  jmp double_fault_task
df_kernel:
  mov esp, ecx
  jmp df_frame
df_die:
  kcall ${KCALL.DIE}
  jmp df_die
`;

/** EAX = frame, EDX = interrupted TSS: makes the interrupted task go on in the fixup. 17 instructions. */
const prepare = (): string => `
prepare_fault_handler:
  push ebp
  mov ebp, esp
  and byte [${MAIN_BUSY_BYTE}], ~2
  cmp dword [edx+${TSS.ESP}], ${hex(KERNEL_BASE)}
  ja .kernel
  mov dword [eax+4], ${hex(KU_CS.EXCEPTION)}
.kernel:
  mov dword [edx+${TSS.EIP}], double_fault_fixup
  mov dword [edx+${TSS.CS}], ${SELECTOR.KERNEL_CS}
  mov ecx, [edx+${TSS.EFLAGS}]
  and ecx, ${hex(~(EFLAGS.TF | EFLAGS.IF))}
  mov [edx+${TSS.EFLAGS}], ecx
  mov [edx+${TSS.ESP}], eax
  mov dword [edx+${TSS.SS}], ${SELECTOR.KERNEL_DS}
  mov dword [edx+${TSS.LINK}], 0
  xor eax, eax
  pop ebp
  ret
`;

/** In the interrupted task again, on its kernel stack: 14 instructions into the page-fault handler. */
const fixup = (): string => `
double_fault_fixup:
  push eax
  push edx
  push ecx
  mov eax, cr2
  push eax
  call do_interrupt_handling
  pop eax
  mov cr2, eax
  pop ecx
  pop edx
  pop eax
  push dword ${WRITE}
  push dword do_trap_14
  jmp error_code
`;

/**
 * The vector whose delivery failed is lost, but the 8259s still have it in service: asks both (4 OUT, 2 IN) and calls
 * the handler of every line found, as the interrupt would have. 4 instructions and 196 when nothing is in service.
 */
const interrupts = (v: EntryVariant): string => `
do_interrupt_handling:
  cmp dword [${hex(AREA.NEED_NMI)}], 0
  jne .nmi
  call in_service_lines
  ret
.nmi:
  mov dword [${hex(AREA.NEED_NMI)}], 0
  call do_nmi
  call in_service_lines
  ret

in_service_lines:
  push ebx
  push esi
  mov al, 0x0b
  out 0xa0, al
  in al, 0xa0
  mov ah, al
  mov al, 0x0a
  out 0xa0, al
  mov al, 0x0b
  out 0x20, al
  in al, 0x20
  movzx ebx, ax
  mov al, 0x0a
  out 0x20, al
  and ebx, ~4
  xor esi, esi
.next:
  mov ecx, esi
  call line_bit
  test eax, eax
  jne .replay
.again:
  inc esi
  cmp esi, ${IRQ_LINES}
  jne .next
  xor eax, eax
  pop esi
  pop ebx
  ret
.replay:
  pushf
  push cs
  call [replay_table+esi*4]
  jmp .again

line_bit:
  mov eax, 1
  shl eax, cl
  and eax, ebx
  ret

align 4
replay_table:
${Array.from({ length: IRQ_LINES }, (_, line) => `  dd ${v.replay === "right" ? `irq_entry_${line}` : "unhandled_vector"}`).join("\n")}
unhandled_vector:
  iret
`;

/** The NMI runs as its own task and returns to whichever was interrupted; during a double fault it is only remembered. */
const nmi = (): string => `
nmi_task:
  cmp word [${hex(AREA.NMI_TSS + TSS.LINK)}], ${SELECTOR.DF_TSS}
  je nmi_later
  call do_nmi
nmi_return:
  iret
nmi_again:
  jmp nmi_task
nmi_later:
  mov dword [${hex(AREA.NEED_NMI)}], 1
nmi_later_return:
  iret
nmi_later_again:
  jmp nmi_task
`;

const doNmi = (): string => `
do_nmi:
  kcall ${KCALL.NMI}
  ret
nmi_gate:
  call do_nmi
nmi_gate_return:
  iret
`;

/** Without KML a double fault is the end: its task only says so. */
const fatal = (): string => `
double_fault_task:
  kcall ${KCALL.DIE}
  jmp double_fault_task
`;

export function doubleFaultText(v: EntryVariant): string {
  if (!v.kml) return fatal() + doNmi();
  return task() + prepare() + fixup() + interrupts(v) + nmi() + doNmi();
}
