// The enumerated columns of a trace: every name a cell may hold, and the number that stands for it in typed arrays.

/** Numbers of the names of one enumeration: 0 is always "unknown", written as an empty cell. */
function numbered<const Names extends readonly string[]>(names: Names): Readonly<Record<Names[number], number>> {
  return Object.freeze(Object.fromEntries(names.map((name, index) => [name, index]))) as Readonly<
    Record<Names[number], number>
  >;
}

/**
 * What happened. `nr` is a call number for syscall and vdso, a vector for fault and irq, a signal number for signal. The last four
 * are what memory management does within another event or in a thread of the kernel: a page loses its frame, a page goes to the
 * disk, a page comes back from swap, a process is killed for lack of memory.
 */
export const KINDS = [
  "unknown",
  "syscall",
  "fault",
  "irq",
  "signal",
  "sigreturn",
  "switch",
  "spawn",
  "exec",
  "exit",
  "vdso",
  "evict",
  "writeback",
  "swapin",
  "oom",
] as const;
export const KIND = numbered(KINDS);
export type KindName = (typeof KINDS)[number];

/** Kinds whose `nr` is a call number. */
export const CALL_KINDS: ReadonlySet<number> = new Set([
  KIND.syscall,
  KIND.spawn,
  KIND.exec,
  KIND.exit,
  KIND.sigreturn,
]);

/** Which call table `nr` counts in. */
export const ABIS = ["unknown", "i386", "x86_64", "x32"] as const;
export const ABI = numbered(ABIS);

/**
 * Where in the program the call was made: a property of the program, the same in every ring and under every mechanism.
 * vsyscall: `call *%gs:0x10` or AT_SYSINFO; int80, sysenter, syscall64: that instruction inline; direct: a C call of the kernel's own table.
 */
export const SITES = ["unknown", "vsyscall", "int80", "direct", "sysenter", "syscall64"] as const;
export const SITE = numbered(SITES);
export type SiteName = (typeof SITES)[number];

/**
 * The way taken into the kernel. A int 0x80 from ring 3; B sysenter; C direct call; D direct call of a call that needs the
 * saved registers; E int 0x80 in ring 0; F page fault from ring 3; G page fault in ring 0, stack present; H the same with the
 * stack page absent or read-only (double fault through the task gate); I interrupt in ring 3; J interrupt in ring 0;
 * K interrupt in ring 0 with the stack page absent (lost and replayed); L interrupt while in the kernel.
 */
export const PATHS = ["unknown", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "other"] as const;
export const PATH = numbered(PATHS);
export type PathName = (typeof PATHS)[number];

/** Why one completion had to wait for another event (or would have, had the other been later). */
export const EDGE_KINDS = [
  "unknown",
  "data",
  "space",
  "futex",
  "child",
  "signal",
  "timer",
  "device",
  "lock",
  "spawn",
] as const;
export const EDGE = numbered(EDGE_KINDS);
export type EdgeKind = number;

/** How a page was touched. */
export const ACCESSES = ["unknown", "r", "w", "x"] as const;
export const ACCESS = numbered(ACCESSES);

/**
 * What a page fault was for. major: the page had to come from the disk first; prot: an access that the mapping forbids;
 * bad: no mapping there (prot and bad end as a signal). Of an eviction: whose page it was (anon, file). Of a write: why it was
 * made (swap, reclaim: its frame is wanted; age, limit: dirty for long, too many dirty; sync: it was asked for). Of a page that comes
 * from swap: swap, or ahead when nobody asked for it yet.
 */
export const CAUSES = [
  "unknown",
  "anon",
  "file",
  "cow",
  "stack_grow",
  "swap",
  "major",
  "prot",
  "bad",
  "reclaim",
  "age",
  "limit",
  "sync",
  "ahead",
] as const;
export const CAUSE = numbered(CAUSES);

/** What an object is. */
export const OBJECT_TYPES = ["unknown", "file", "pipe", "socket", "futex", "timer", "device", "anon"] as const;
export const OBJECT = numbered(OBJECT_TYPES);

/** Who touched a page: the program, the kernel copying for it, or the page cache behind a call. */
export const SOURCES = ["unknown", "user", "copy", "cache"] as const;
export const SOURCE = numbered(SOURCES);

/**
 * Bits of the flags column, in order:
 * restart: the call is a restarted one; inferred: the record was deduced, not seen; stack: the faulting address lies in the
 * user stack (fault: at or just above ESP), or the user's stack was about to be pushed to; esp_absent: the page under the
 * user's ESP was absent at entry; esp_cow: it was present but not writable; if_off: the program ran with interrupts off;
 * exit_work: the way out did work (signal, reschedule); short: fewer bytes than asked; timing_sensitive: the result
 * depends on when the call was made (short read, EAGAIN, several ready descriptors, timeout); in_kernel: the event interrupted
 * the kernel, not the program.
 */
export const FLAGS = [
  "restart",
  "inferred",
  "stack",
  "esp_absent",
  "esp_cow",
  "if_off",
  "exit_work",
  "short",
  "timing_sensitive",
  "in_kernel",
] as const;
export type FlagName = (typeof FLAGS)[number];
export const FLAG = Object.freeze(Object.fromEntries(FLAGS.map((name, bit) => [name, 1 << bit]))) as Readonly<
  Record<FlagName, number>
>;
/** Set (alone) when nothing is known about an event's flags; written as an empty cell, while "-" means "none is set". */
export const FLAGS_UNKNOWN = 0x8000;

/** Instruction classes of mix.csv, in the order of the CPU's counters. */
export const CLASSES = [
  "alu",
  "mul",
  "div",
  "load",
  "store",
  "branch",
  "indirect",
  "ret",
  "x87",
  "simd",
  "string_iter",
  "seg",
  "priv",
] as const;
export type ClassName = (typeof CLASSES)[number];

/** i386 numbers of the calls that the trace's own code must know. */
export const NR = {
  fork: 2,
  execve: 11,
  sigsuspend: 72,
  iopl: 110,
  sigreturn: 119,
  clone: 120,
  rt_sigreturn: 173,
  rt_sigsuspend: 179,
  sigaltstack: 186,
  vfork: 190,
  execveat: 358,
  clone3: 435,
} as const;

/** The same calls by their x86-64 numbers. */
export const NR_OF_X86_64: ReadonlyMap<number, number> = new Map([
  [15, NR.rt_sigreturn],
  [56, NR.clone],
  [57, NR.fork],
  [58, NR.vfork],
  [59, NR.execve],
  [130, NR.rt_sigsuspend],
  [131, NR.sigaltstack],
  [172, NR.iopl],
  [322, NR.execveat],
  [435, NR.clone3],
]);
