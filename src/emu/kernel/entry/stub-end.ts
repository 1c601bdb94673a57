// A signal that finds a ring-0 program in the last instructions of a direct call's stub, behind a body that said "make this call again".
// Delivered there, it leaves the program with a result that only the kernel should see (-512): what restarts calls looks at the call's
// own way out, which comes later and finds nothing to do. So the way out is taken at once: the frame becomes the one it would have made.
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readU32 } from "../user.ts";
import { KU_CS, PT } from "./layout.ts";
import type { PtRegs } from "./regs.ts";
import { MAX_ARGUMENTS } from "./text/direct.ts";
import type { KernelText } from "./text/text.ts";

/** ERESTARTSYS to ERESTART_RESTARTBLOCK: results that say so. */
const FIRST_RESTART = 512;
const LAST_RESTART = 516;

/** Where in the stub: how far above ESP the call's number lies, and which registers are still on the stack. */
interface Place {
  readonly number: number;
  readonly ecx?: number;
  readonly edx?: number;
  /** EBP is in the word of the frame that holds CS, 8 below the number. */
  readonly ebpSaved?: true;
}

/** By the address of the next instruction. */
export function stubEnds(text: KernelText): ReadonlyMap<number, Place> {
  const places = new Map<number, Place>();
  const at = (label: string, place: Place) => {
    const address = text.symbols[label];
    if (address !== undefined) places.set(address, place);
  };
  for (let n = 0; n <= MAX_ARGUMENTS; n++) {
    for (const label of ["left", "test", "pop"]) at(`kml_${n}_${label}`, { number: 8, ecx: 0, edx: 4 });
    at(`kml_${n}_pop_edx`, { number: 4, edx: 0 });
    at(`kml_${n}_work`, { number: 0 });
  }
  at("kml_exit_work", { number: 0 });
  at("kml_exit_cs", { number: 4 });
  at("kml_exit_eip", { number: 8 });
  for (const label of ["kml_exit_switch", "switch_exit_work_above", "switch_exit_work", "switch_exit_work_esp"])
    at(label, { number: 12 });
  at("switch_exit_work_saved", { number: 12, ebpSaved: true });
  return places;
}

/**
 * If the frame is such a one, makes it the one of the call's end.
 * @throws Retry if a word of the program's stack must be waited for; SysError if it is gone
 */
export function endStub(k: Kernel, t: Task, text: KernelText, places: ReadonlyMap<number, Place>, regs: PtRegs): void {
  const result = -regs.get(PT.EAX);
  if (!(result >= FIRST_RESTART && result <= LAST_RESTART) || regs.get(PT.ORIG_EAX) >= 0) return;
  const word = (address: number) => readU32(k, t, address) | 0;
  const cs = regs.get(PT.CS);
  const interrupted = cs === KU_CS.INTERRUPT;
  if (!interrupted && cs !== KU_CS.EXCEPTION) return;
  // An interrupt's frame is still on the program's stack.
  const frame = regs.get(PT.OLDESP);
  const eip = interrupted ? word(frame) : regs.get(PT.EIP);
  const place = places.get(eip);
  if (place === undefined) return;
  const esp = interrupted ? frame + 12 : frame;
  const number = word(esp + place.number);
  const ecx = place.ecx === undefined ? regs.get(PT.ECX) : word(esp + place.ecx);
  const edx = place.edx === undefined ? regs.get(PT.EDX) : word(esp + place.edx);
  const ebp = place.ebpSaved ? word(esp + place.number - 8) : regs.get(PT.EBP);
  const eflags = interrupted ? word(frame + 8) : regs.get(PT.EFLAGS);
  regs.set(PT.EIP, text.symbols["kml_wrapper_int_post"]);
  regs.set(PT.CS, KU_CS.EXCEPTION);
  regs.set(PT.EFLAGS, eflags);
  regs.set(PT.OLDESP, esp + place.number);
  regs.set(PT.ORIG_EAX, number);
  regs.set(PT.ECX, ecx);
  regs.set(PT.EDX, edx);
  regs.set(PT.EBP, ebp);
}
