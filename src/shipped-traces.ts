// The small captures that come with kmlab in data/traces, each by every way into the kernel: `npm run record-traces` makes them.

export interface ShippedProgram {
  readonly name: string;
  readonly argv: readonly string[];
  /** Files come from the disk. */
  readonly cold?: boolean;
}

/** What was run. */
export const SHIPPED_TRACES: readonly ShippedProgram[] = [
  { name: "find", argv: ["find", "/etc", "-size", "+1k"] },
  { name: "cp", argv: ["cp", "-a", "/etc", "/tmp/copy"] },
  {
    name: "forks",
    argv: ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do expr $i + $i; (cd /etc; echo $i); done | sort -n | tail -2"],
  },
  {
    name: "pipe",
    argv: ["sh", "-c", "ls -lR /usr/share/doc | sort | uniq -c | wc; sleep 0.02; cat /etc/passwd | head -3"],
    cold: true,
  },
];

/** How it was captured: NAME-ring3.kmtrace (by SYSENTER), NAME-int80.kmtrace, NAME-ring0.kmtrace. */
export const SHIPPED_WAYS = [
  { suffix: "ring3", ring: 3, entry: "sysenter" },
  { suffix: "int80", ring: 3, entry: "int80" },
  { suffix: "ring0", ring: 0, entry: "sysenter" },
] as const;

/** A table of 11 MiB and lookups in it, some parts more often than others, each written by a call of its own. */
const LOOKUPS = `BEGIN {
  for (i = 0; i < 10; i++) pad = pad "0123456789abcdefghijklmnopqrst ABCDEFGHIJKLMNOPQRSTUVWXYZ---"
  n = 16000
  for (i = 0; i < n; i++) table[i] = i pad i
  r = 1
  for (k = 0; k < 4000; k++) {
    r = (r * 16807) % 2147483647
    u = r / 2147483647
    print k, substr(table[int(n * u * u * u)], 300, 40)
    fflush()
  }
}`;

/** What pages as soon as memory is scarce, captured in ring 3 alone: enough memory, and pages in use noted often enough to replay with less. */
export const PAGING_TRACE = {
  name: "lookups",
  argv: ["mawk", LOOKUPS],
  memoryMiB: 64,
  epochInstr: 100_000,
} as const;
