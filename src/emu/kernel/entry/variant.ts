// What distinguishes the entry code of one kernel from another's.
import { InputError } from "../../../errors.ts";

export type KernelName = "linux" | "kml-4.0" | "kml-4.0-published" | "kml-2003";

export interface EntryVariant {
  readonly name: KernelName;
  /** Programs may run in ring 0: stack switching at entry, direct calls, double faults mended by a task. */
  readonly kml: boolean;
  /** The exit path looks for a 16-bit user stack (CONFIG_X86_ESPFIX32). */
  readonly espfix: boolean;
  /** Device interrupts in ring-0 user code switch to the kernel stack (bug B1 of the published patch: they do not). */
  readonly irqSwitch: boolean;
  /** Frames of ring-0 user code hold a defined SS (bug B3: whatever lay there). */
  readonly ssSlot: boolean;
  /** A direct call moves to the kernel stack, or (2003) leaves the body on the program's. */
  readonly directSwitch: boolean;
  /** Argument counts of direct calls are right (bug B2: shifted behind the holes 222, 223, 251, 285). */
  readonly directTable: "right" | "published";
  /** Interrupts lost in a double fault are replayed through the right vector (bug B4: through one without handler). */
  readonly replay: "right" | "published";
  /** A handler entered from an interrupt frame has the program's EFLAGS (bug B6: 0). */
  readonly handlerFlags: boolean;
  /**
   * A call to be made again is, although its signal came in the last instructions of its stub (a fault of the published patch too: the
   * program sees -512).
   */
  readonly restartsInStubs: boolean;
  /** The vDSO's clock functions ask by a trap that any ring may use (bug B7: by SYSENTER, and always in the first second). */
  readonly clockFallback: "int80" | "sysenter";
}

const LINUX: EntryVariant = {
  name: "linux",
  kml: false,
  espfix: true,
  irqSwitch: false,
  ssSlot: true,
  directSwitch: true,
  directTable: "right",
  replay: "right",
  handlerFlags: true,
  restartsInStubs: true,
  clockFallback: "int80",
};

const KML: EntryVariant = { ...LINUX, name: "kml-4.0", kml: true, espfix: false, irqSwitch: true };

const PUBLISHED: EntryVariant = {
  ...KML,
  name: "kml-4.0-published",
  espfix: true,
  irqSwitch: false,
  ssSlot: false,
  directTable: "published",
  replay: "published",
  handlerFlags: false,
  restartsInStubs: false,
  clockFallback: "sysenter",
};

/** Its direct call is known by its price alone, which leaves no room for a stack switch; the rest is taken to be 4.0's. */
const KML_2003: EntryVariant = { ...KML, name: "kml-2003", directSwitch: false };

const VARIANTS: readonly EntryVariant[] = [LINUX, KML, PUBLISHED, KML_2003];
export const KERNEL_NAMES: readonly KernelName[] = VARIANTS.map(({ name }) => name);

/** The entry code of a kernel by its name on the command line. */
export function entryVariant(name: KernelName): EntryVariant {
  const variant = VARIANTS.find((v) => v.name === name);
  if (variant === undefined) throw new InputError(`kernel ${name}: there are ${KERNEL_NAMES.join(", ")}`);
  return variant;
}
