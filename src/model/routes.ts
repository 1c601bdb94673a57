// Which way an event takes under a mechanism: the names of the paths in data/kernels/paths.csv that add up to it.

/** A mechanism: how calls through the vsyscall page enter the kernel. */
export const MECHANISMS = ["int80", "sysenter", "kml", "kml-all", "free"] as const;
export type Mechanism = (typeof MECHANISMS)[number];

export const MECHANISM_MEANING: Readonly<Record<Mechanism, string>> = {
  int80: "ring 3; the vsyscall page enters by int 0x80",
  sysenter: "ring 3; the vsyscall page enters by SYSENTER",
  kml: "ring 0; the vsyscall page calls the kernel; inline int 0x80 stays a trap",
  "kml-all": "as kml, and inline int 0x80 calls go through the vsyscall page too",
  free: "ring 3 with calls whose ways in and out cost nothing: the most that calls alone could gain",
};

/** Does program code run in ring 0 under this mechanism? */
export function inRing0(mechanism: Mechanism): boolean {
  return mechanism === "kml" || mechanism === "kml-all";
}

/** What decides the way of a call. */
export interface CallSite {
  /** The call is made by an inline trap instruction, which no mechanism changes. */
  readonly inline: boolean;
  /** It needs the saved registers (fork, execve, ...). */
  readonly special: boolean;
  readonly args: number;
  /** A return from a signal handler: an inline int 0x80 in ring 3, a jump within the kernel in ring 0. */
  readonly sigreturn: boolean;
  /** A signal or a switch waits at the way out. */
  readonly exitWork?: boolean;
}

/** Paths of a call. */
export function callRoute(mechanism: Mechanism, site: CallSite): readonly string[] {
  if (mechanism === "free") return [];
  // The registers to return to are the signal frame's: a return from a handler takes the long way out.
  const work = site.exitWork === true || site.sigreturn;
  if (!inRing0(mechanism)) return work ? [...ring3Route(mechanism, site), "exit-work"] : ring3Route(mechanism, site);
  if (site.inline && !site.sigreturn && mechanism === "kml") return work ? ["E", "exit-work.kml"] : ["E"];
  // A direct call with work at its way out makes the frame that a special one has from the start.
  if (work) return ["D", "exit-work.kml"];
  if (site.special) return ["D"];
  return site.args === 0 ? ["C0"] : ["C"];
}

function ring3Route(mechanism: Mechanism, site: CallSite): readonly string[] {
  if (site.inline || site.sigreturn) return ["A"];
  return mechanism === "int80" ? ["stub.int80", "A"] : ["stub.sysenter", "B"];
}

/** Path of a page fault that the program or the kernel takes. */
export function faultRoute(mechanism: Mechanism, inKernel: boolean): readonly string[] {
  if (inKernel) return ["F.kernel"];
  return inRing0(mechanism) ? ["G"] : ["F"];
}

/** Paths of a fault on a stack page that something was pushed on in ring 0: the double fault, then the fault's own handling. */
export const STARVED_ROUTE: readonly string[] = ["G", "starvation"];

/** Path of a timer interrupt. */
export function tickRoute(mechanism: Mechanism, inKernel: boolean): string {
  if (inKernel) return "L";
  return inRing0(mechanism) ? "J" : "I";
}

/** Paths added to a context switch, where the kernel has them. */
export function switchRoute(mechanism: Mechanism): { task: readonly string[]; mm: readonly string[] } {
  if (inRing0(mechanism)) return { task: ["switch.kml"], mm: ["mm_switch.kml"] };
  return mechanism === "sysenter" ? { task: ["switch.sysenter"], mm: [] } : { task: [], mm: [] };
}
