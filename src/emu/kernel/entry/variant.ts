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
  /** #DB in ring-0 user code switches to the kernel stack (the published patch forgot it). */
  readonly debugSwitch: boolean;
  /** Frames of ring-0 user code hold a defined SS (bug B3: whatever lay there). */
  readonly ssSlot: boolean;
  /** Argument counts of direct calls are right (bug B2: shifted behind the holes 222, 223, 251, 285). */
  readonly directTable: "right" | "published";
  /** Interrupts lost in a double fault are replayed through the right vector (bug B4: through one without handler). */
  readonly replay: "right" | "published";
  /** A handler entered from an interrupt frame has the program's EFLAGS (bug B6: 0). */
  readonly handlerFlags: boolean;
}

const LINUX: EntryVariant = {
  name: "linux",
  kml: false,
  espfix: true,
  irqSwitch: false,
  debugSwitch: false,
  ssSlot: true,
  directTable: "right",
  replay: "right",
  handlerFlags: true,
};

const KML: EntryVariant = { ...LINUX, name: "kml-4.0", kml: true, espfix: false, irqSwitch: true, debugSwitch: true };

const PUBLISHED: EntryVariant = {
  ...KML,
  name: "kml-4.0-published",
  espfix: true,
  irqSwitch: false,
  debugSwitch: false,
  ssSlot: false,
  directTable: "published",
  replay: "published",
  handlerFlags: false,
};

/** The entry code of a kernel by its name on the command line. */
export function entryVariant(name: KernelName): EntryVariant {
  if (name === "linux") return LINUX;
  if (name === "kml-4.0") return KML;
  if (name === "kml-4.0-published") return PUBLISHED;
  throw new InputError(`kernel ${name}: its entry code is not there yet; use linux, kml-4.0 or kml-4.0-published`);
}
