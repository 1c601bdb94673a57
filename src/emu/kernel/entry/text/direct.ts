// KML's direct calls: one jump from the vsyscall page, stubs by number of arguments, calls that need the saved registers,
// work at the way out, and the return from signal handlers.
import { AREA, DIRECT_SLOTS, DIRECT_SLOTS_BELOW, TI } from "../layout.ts";
import type { EntryVariant } from "../variant.ts";
import { hex, saveAll, switchStack, THREAD_MASK, threadInfo, WORK } from "./macros.ts";

const ENOSYS = 38;
export const MAX_ARGUMENTS = 6;

/** What the direct table must know of a call. */
export interface CallShape {
  readonly argc: number;
  readonly special: boolean;
}

/** EBX, ECX, EDX, ESI, EDI, EBP: the sixth is EBP as the program had it, now on the user stack. */
const ARGUMENTS = ["ebx", "ecx", "edx", "esi", "edi", "dword [ebp]"] as const;

/** With no argument one word is pushed all the same. */
const pushArguments = (n: number): string =>
  n === 0
    ? "  push dword 0"
    : ARGUMENTS.slice(0, n)
        .reverse()
        .map((what) => `  push ${what}`)
        .join("\n");

/** The same in 2003, as far as is known: the body runs on the program's stack. 14 + n instructions, 13 for none. */
const directStubSameStack = (n: number): string => `
kml_${n}:
  push eax
  push edx
  push ecx
${ARGUMENTS.slice(0, n)
  .reverse()
  .map((what) => `  push ${what === "dword [ebp]" ? "ebp" : what}`)
  .join("\n")}
  call [sys_call_table+eax*4]
${n === 0 ? "" : `  add esp, ${4 * n}`}
  mov ecx, [${hex(AREA.ESP0)}]
  and ecx, ${THREAD_MASK}
  mov ecx, [ecx+${TI.FLAGS}]
  test ecx, ${WORK}
  pop ecx
  pop edx
  jne near kml_exit_work
  add esp, 4
kml_${n}_ret:
  ret`;

/** The stub for n arguments: 18 + n instructions, 19 for none; the jump here and the program's call come on top. */
const directStub = (n: number): string => `
kml_${n}:
  push eax
  push edx
  push ecx
  push ebp
  mov ebp, esp
  mov esp, [${hex(AREA.ESP0)}]
${pushArguments(n)}
  lea ecx, [sys_call_table+eax*4]
  call [ecx]
  mov ecx, ${THREAD_MASK}
  and ecx, esp
  leave
kml_${n}_left:
  mov ecx, [ecx+${TI.FLAGS}]
kml_${n}_test:
  test ecx, ${WORK}
kml_${n}_pop:
  pop ecx
kml_${n}_pop_edx:
  pop edx
kml_${n}_work:
  jne near kml_exit_work
  add esp, 4
kml_${n}_ret:
  ret`;

/**
 * Special calls fake what int 0x80 would have pushed and join system_call; they come back behind an int 0x80, so that a
 * call to be restarted (EIP - 2) is made again by that instruction. 79 instructions in all.
 */
const special = (): string => `
kml_special:
  add esp, -4
  pushf
  push cs
  push dword kml_wrapper_int_post
  jmp system_call

kml_wrapper_int:
  int 0x80
kml_wrapper_int_post:
  add esp, 4
kml_special_ret:
  ret

kml_nosys:
  mov eax, -${ENOSYS}
kml_nosys_ret:
  ret`;

/** A direct call with work at its end: the frame that int 0x80 would have left, then the common way out. */
const exitWork = (v: EntryVariant): string => `
kml_exit_work:
  pushf
kml_exit_cs:
  push cs
kml_exit_eip:
  push dword kml_wrapper_int_post
kml_exit_switch:
${switchStack(v, "exit_work")}
  push ebp
  mov ebp, [esp+16]
  mov ebp, [ebp]
  xchg ebp, [esp]
${saveAll()}
${threadInfo()}
  jmp syscall_exit`;

/** Where handlers of ring-0 programs return to, whatever restorer they asked for. */
const sigreturn = (): string => `
kml_sigreturn_shortcut:
  pop eax
  mov eax, 119
  pushf
  push cs
  push dword kml_wrapper_int_post
  jmp system_call
kml_rt_sigreturn_shortcut:
  mov eax, 173
  pushf
  push cs
  push dword kml_wrapper_int_post
  jmp system_call`;

/** Argument count as the published table has it: without entries for its four holes, later calls shift down. */
function publishedSlot(nr: number): number {
  if (nr <= 221) return nr;
  if (nr <= 249) return nr + 2;
  return nr <= 284 ? nr + 3 : nr + 4;
}

const PUBLISHED_CALLS = 355;
/** Behind the published table lies the one for programs that call as C does: as many slots as 4.0 has numbers. */
const C_CALLS = 359;

/** A C call of the kernel: arguments above the return address, ECX and EDX lost. EAX is the number by now. */
const cStub = (n: number): string => `
direct_${n}:
  push ebp
  mov ebp, esp
  mov esp, [${hex(AREA.ESP0)}]
${Array.from({ length: Math.max(n, 1) }, (_, i) => `  push dword [ebp+${8 + 4 * (Math.max(n, 1) - 1 - i)}]`).join("\n")}
  lea ecx, [sys_call_table+eax*4]
  call [ecx]
  mov edx, ${THREAD_MASK}
  and edx, esp
  leave
  ret`;

const argumentsOf = (call: CallShape | undefined): number => Math.min(call?.argc ?? 0, MAX_ARGUMENTS);

/** The published kernel's second table, which a number beyond the first finds. */
const cCalls = (calls: (nr: number) => CallShape | undefined): string => `
${Array.from({ length: MAX_ARGUMENTS + 1 }, (_, n) => cStub(n)).join("\n")}
${Array.from({ length: C_CALLS }, (_, nr) => `direct_call_${nr}:\n  mov eax, ${nr}\n  jmp near direct_${argumentsOf(calls(nr))}`).join("\n")}
`;

function slot(v: EntryVariant, nr: number, calls: (nr: number) => CallShape | undefined): string {
  if (v.directTable === "published" && nr >= PUBLISHED_CALLS) {
    return nr < PUBLISHED_CALLS + C_CALLS ? `direct_call_${nr - PUBLISHED_CALLS}` : "kml_wild";
  }
  const call = calls(v.directTable === "published" ? publishedSlot(nr) : nr);
  if (call === undefined) return "kml_nosys";
  return call.special ? "kml_special" : `kml_${Math.min(call.argc, MAX_ARGUMENTS)}`;
}

/** Labels of the stubs in kml_call_table, from DIRECT_SLOTS_BELOW slots before its label on. */
export function directTable(v: EntryVariant, calls: (nr: number) => CallShape | undefined): string[] {
  if (!v.kml) return [];
  const below = v.directTable === "published" ? "kml_wild" : "kml_nosys";
  const slots: string[] = new Array(DIRECT_SLOTS_BELOW).fill(below);
  for (let nr = 0; nr < DIRECT_SLOTS; nr++) slots.push(slot(v, nr, calls));
  return slots;
}

export function directText(v: EntryVariant, calls: (nr: number) => CallShape | undefined): string {
  if (!v.kml) return "";
  const stubs = Array.from({ length: MAX_ARGUMENTS + 1 }, (_, n) =>
    v.directSwitch ? directStub(n) : directStubSameStack(n),
  );
  return `
${stubs.join("\n")}
${special()}
${exitWork(v)}
${sigreturn()}
kml_wild:
  xor eax, eax
  jmp eax
${v.directTable === "published" ? cCalls(calls) : ""}
`;
}
