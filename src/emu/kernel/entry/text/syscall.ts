// System calls by int 0x80 and by sysenter, the common way out with its work, and the first instruction of a new task.
import { KCALL } from "../kcall-numbers.ts";
import { AREA, EFLAGS, KERNEL_BASE, NR_SYSCALLS, POPF_RESTORES, PT, SELECTOR, TI, TSS } from "../layout.ts";
import type { EntryVariant } from "../variant.ts";
import {
  body,
  hex,
  NEED_RESCHED,
  restoreAll,
  saveAll,
  switchStack,
  testEspfix,
  testTraced,
  threadInfo,
  WORK,
} from "./macros.ts";

const ENOSYS = 38;
const EFAULT = 14;
/** Where sysenter_return lies, seen from ESP after SS, ESP, EFLAGS and CS were pushed at esp0 = top - 8. */
const SYSENTER_RETURN = TI.SYSENTER_RETURN - (8192 - 8 - 16);

/** int 0x80. Ring 3: 48 instructions with ESPFIX, 42 without, 4 more on a KML kernel; ring 0: 72. */
const systemCall = (v: EntryVariant): string => `
system_call:
${switchStack(v, "system_call")}
  push eax
${saveAll()}
${threadInfo()}
${testTraced("syscall_trace_entry")}
  cmp eax, ${NR_SYSCALLS}
  jae near syscall_badsys
syscall_call:
  call [sys_call_table+eax*4]
syscall_after_call:
  mov [esp+${PT.EAX}], eax
syscall_exit:
  cli
  mov ecx, [ebp+${TI.FLAGS}]
  test ecx, ${WORK}
  jne near syscall_exit_work
restore_all:
${testEspfix(v, "espfix_stack")}
espfix_checked:
${v.kml ? `  cmp word [esp+${PT.CS + 2}], 0\n  jne near ret_to_ku` : ""}
restore_nocheck:
${restoreAll("ring3")}
irq_return:
  iret

syscall_trace_entry:
  call look_at_call
  cmp eax, ${NR_SYSCALLS}
  jb syscall_call
syscall_badsys:
  mov eax, -${ENOSYS}
  jmp syscall_after_call
syscall_fault:
  mov dword [esp+${PT.EAX}], -${EFAULT}
${threadInfo()}
  jmp resume_userspace
`;

/** sysenter: 48 instructions. The sixth argument lies on the user stack, where the vsyscall page pushed EBP. */
const sysenterEntry = (): string => `
ia32_sysenter_target:
  mov esp, [esp${hexOffset(AREA.TSS + TSS.ESP0 - AREA.SYSENTER_STACK_TOP)}]
sysenter_past_esp:
  push dword ${SELECTOR.USER_DS}
  push ebp
  pushf
  or dword [esp], ${hex(EFLAGS.IF)}
  push dword ${SELECTOR.USER_CS}
  push dword [esp${hexOffset(SYSENTER_RETURN)}]
  push eax
${saveAll()}
  sti
  cmp ebp, ${hex(KERNEL_BASE - 3)}
  jae near syscall_fault
sysenter_arg6:
  mov ebp, [ebp]
  mov [esp+${PT.EBP}], ebp
${threadInfo()}
${testTraced("sysenter_trace")}
  cmp eax, ${NR_SYSCALLS}
  jae near sysenter_badsys
sysenter_do_call:
  call [sys_call_table+eax*4]
sysenter_after_call:
  mov [esp+${PT.EAX}], eax
  cli
  mov ecx, [ebp+${TI.FLAGS}]
  test ecx, ${WORK}
  jne near syscall_exit_work
sysenter_exit:
  mov edx, [esp+${PT.EIP}]
  mov ecx, [esp+${PT.OLDESP}]
  xor ebp, ebp
sysenter_fs:
  mov fs, [esp+${PT.FS}]
  sti
sysenter_leave:
  sysexit

sysenter_trace:
  call look_at_call
  cmp eax, ${NR_SYSCALLS}
  jb sysenter_do_call
sysenter_badsys:
  mov eax, -${ENOSYS}
  jmp sysenter_after_call
`;

function hexOffset(n: number): string {
  return n < 0 ? `-${hex(-n)}` : `+${hex(n)}`;
}

/** Return from interrupts and exceptions, and the work that any way out may have to do first. */
const exits = (): string => `
ret_from_exception:
ret_from_intr:
${threadInfo()}
  mov eax, [esp+${PT.EFLAGS}]
  mov al, [esp+${PT.CS}]
  and eax, ${hex(EFLAGS.VM | 3)}
  cmp eax, 3
  jb near restore_all
resume_userspace:
  cli
  mov ecx, [ebp+${TI.FLAGS}]
  and ecx, ${WORK}
  jne work_pending
  jmp restore_all
reload_and_resume:
${threadInfo()}
  jmp resume_userspace

syscall_exit_work:
  test ecx, ${WORK}
  jz near restore_all
work_pending:
  test cl, ${NEED_RESCHED}
  jz work_notifysig
work_resched:
  call schedule
  cli
  mov ecx, [ebp+${TI.FLAGS}]
  and ecx, ${WORK}
  jz near restore_all
  test cl, ${NEED_RESCHED}
  jnz work_resched
work_notifysig:
  mov eax, esp
  mov bl, [esp+${PT.CS}]
  and bl, 3
  cmp bl, 3
  jb near restore_all
  xor edx, edx
  call do_notify_resume
  jmp resume_userspace
${body("schedule", KCALL.SCHEDULE)}
${body("do_notify_resume", KCALL.NOTIFY_RESUME)}

ret_from_fork:
  push eax
  call schedule_tail
${threadInfo()}
  pop eax
  push dword ${hex(EFLAGS.IF | 2)}
  popf
  jmp syscall_exit
${body("schedule_tail", KCALL.RET_FROM_FORK)}

cpu_idle:
  kcall ${KCALL.IDLE}
  jmp cpu_idle
${body("sys_call", KCALL.SYSCALL)}
${body("look_at_call", KCALL.LOOK_AT_CALL)}
`;

/**
 * KML: back to ring-0 user code. cmp and jne before it, then 17 instructions beside the restoring of registers:
 * EBP, EFLAGS and EIP go to the 12 bytes below the user's ESP and are taken from there by POP, POPF and RET, so that no
 * IRET is needed. If EFLAGS holds bits that POPF would not restore, a same-ring IRET from there does it.
 * Every store to the user's stack happens while pt_regs is still whole, so a store that fails can end in a signal.
 */
const returnToKu = (v: EntryVariant, ignoreRf: boolean): string =>
  !v.kml
    ? ""
    : `
ret_to_ku:
  test byte [esp+${PT.CS + 2}], 2
  jz ret_to_ku_interrupt
ret_to_ku_exception:
  mov eax, [esp+${PT.EFLAGS}]
  test eax, ${hex(~(POPF_RESTORES | (ignoreRf ? EFLAGS.RF : 0)))}
  jnz ret_to_ku_iret
  mov ecx, [esp+${PT.OLDESP}]
  lea ecx, [ecx-12]
ku_store_1:
  mov [ecx+4], eax
  mov eax, [esp+${PT.EIP}]
ku_store_2:
  mov [ecx+8], eax
  mov eax, [esp+${PT.EBP}]
ku_store_3:
  mov [ecx], eax
  mov [esp+${PT.OLDESP}], ecx
${restoreAll("ku")}
  mov esp, [esp+12]
  pop ebp
  popf
ku_ret:
  ret

ret_to_ku_iret:
  mov ecx, [esp+${PT.OLDESP}]
  lea ecx, [ecx-12]
ku_store_4:
  mov [ecx+8], eax
  mov eax, [esp+${PT.EIP}]
ku_store_5:
  mov [ecx], eax
ku_store_6:
  mov dword [ecx+4], ${SELECTOR.KERNEL_CS}
  mov [esp+${PT.OLDESP}], ecx
${restoreAll("ku_iret")}
  mov esp, [esp+12]
ku_iret:
  iret

ret_to_ku_interrupt:
  mov ecx, [esp+${PT.OLDESP}]
ku_load_1:
  mov eax, [ecx+8]
ku_store_7:
  mov [ecx+4], eax
ku_load_2:
  mov eax, [ecx]
ku_store_8:
  mov [ecx+8], eax
  lea ecx, [ecx+4]
  mov [esp+${PT.OLDESP}], ecx
${restoreAll("ku_intr")}
  mov esp, [esp+12]
  popf
ku_intr_ret:
  ret
`;

/** @param ignoreRf leave RF out of the choice between POPF+RET and IRET, as on a processor that does not push it */
export function syscallText(v: EntryVariant, ignoreRf: boolean): string {
  return systemCall(v) + sysenterEntry() + exits() + returnToKu(v, ignoreRf);
}
