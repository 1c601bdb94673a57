// Runs that show where ring-0 programs starve: a handful of programs, as they are and with each remedy that can be run.
import type { PathCount } from "../emu/capture/path-counter.ts";
import { MemoryIo } from "../emu/host.ts";
import type { RootImage } from "../emu/rootfs/image.ts";
import { runProgram } from "../emu/run.ts";
import { InputError } from "../errors.ts";

/** A program that is run, and what is asked of it. */
interface Subject {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: readonly string[];
}

/** Environment that puts the stack's beginning so much lower, and so elsewhere in its page. */
const shifted = (bytes: number): string[] => [`P=${"x".repeat(bytes)}`];
const FORKS = "i=0; while [ $i -lt 20 ]; do (:); i=$((i+1)); done";
const SERVER =
  "busybox httpd -p 8080 -h /etc; i=0; while [ $i -lt 10 ]; do busybox wget -q -O /dev/null http://127.0.0.1:8080/passwd; i=$((i+1)); done";

const SUBJECTS: readonly Subject[] = [
  { name: "ls -l /usr/bin", argv: ["ls", "-l", "/usr/bin"] },
  { name: "a shell that forks 20 times", argv: ["busybox", "sh", "-c", FORKS], env: shifted(1024) },
  { name: "the same, its stack begun 1 KiB higher", argv: ["busybox", "sh", "-c", FORKS] },
  {
    name: "20 programs started by fork (xargs)",
    argv: ["sh", "-c", "seq 20 | xargs -n 1 busybox true"],
    env: shifted(2048),
  },
  {
    name: "the same by vfork (busybox xargs)",
    argv: ["sh", "-c", "seq 20 | busybox xargs -n 1 busybox true"],
    env: shifted(2048),
  },
  { name: "a pipeline of three", argv: ["sh", "-c", "ls /usr/bin | sort -r | head -1"] },
  { name: "a sort in two threads", argv: ["sh", "-c", "seq 132000 > /tmp/x; sort --parallel=2 /tmp/x | tail -1"] },
  { name: "a web server that forks, 10 requests", argv: ["busybox", "sh", "-c", SERVER] },
];

/** What a run showed. */
export interface StarvationRun {
  readonly name: string;
  /** Tasks that there were, and calls that were direct. */
  readonly tasks: number;
  readonly direct: number;
  /** Exceptions that found a stack, and that found none. */
  readonly faults: number;
  readonly starved: number;
  /** Faults of the kernel's own way out, which makes the page under ESP present. */
  readonly wayOut: number;
  readonly instructions: number;
  readonly paths: readonly PathCount[];
}

/** A run with the stack as KML leaves it, and with one whose pages are made present before they are used. */
export interface Subjects {
  readonly plain: StarvationRun;
  readonly touched: StarvationRun;
}

function one(image: RootImage, { name, argv, env }: Subject, touchedStack: boolean): StarvationRun {
  const { paths, exit, instructions } = runProgram({
    image,
    argv: [...argv],
    env: [...(env ?? [])],
    host: new MemoryIo(),
    ring: 0,
    paths: true,
    touchedStack,
  });
  if (exit.kind !== "exit" || exit.code !== 0 || paths === undefined)
    throw new InputError(`${name}: ended with ${JSON.stringify(exit)}; give a root that has ${argv[0]} with --root`);
  const times = (path: string, what = "") =>
    paths.filter((p) => p.path === path && p.what.includes(what)).reduce((sum, { count }) => sum + count, 0);
  return {
    name,
    tasks: times("other", "first return"),
    direct: times("C") + times("D"),
    faults: times("G"),
    starved: times("H"),
    wayOut: times("other", "entry code"),
    instructions,
    paths,
  };
}

/** All programs, both ways. */
export function starvationRuns(image: RootImage): Subjects[] {
  return SUBJECTS.map((subject) => ({ plain: one(image, subject, false), touched: one(image, subject, true) }));
}

/** What one passage of a way costs: the sums of all runs over its count. */
export function perPassage(runs: readonly Subjects[], path: string): Readonly<Record<string, number>> {
  const rows = runs.flatMap(({ plain }) => plain.paths.filter((p) => p.path === path));
  const mean = (of: (p: PathCount) => number) =>
    rows.reduce((sum, p) => sum + of(p), 0) / rows.reduce((sum, p) => sum + p.count, 0);
  return {
    instructions: mean((p) => p.instructions),
    "descriptor loads": mean((p) => p.descriptors),
    pushes: mean((p) => p.pushes),
    "task switches": mean((p) => p.tasks),
    "TLB drops": mean((p) => p.drops),
    "port accesses": mean((p) => p.ports),
  };
}
