// docs/stack-starvation.md, written from what was run and priced. The words are here so that they and the numbers stay together.
import type { Interval } from "../model/interval.ts";
import { grouped } from "../traces/show/table.ts";
import type { StarvationPrices } from "./starvation-prices.ts";
import { perPassage, type Subjects } from "./starvation-runs.ts";
import type { StarvationShare } from "./starvation-shares.ts";

export interface StarvationResult {
  readonly runs: readonly Subjects[];
  readonly prices: readonly StarvationPrices[];
  readonly shares: readonly StarvationShare[];
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heading), line(heading.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

const whole = (value: number): string => grouped(Math.round(value));
const span = ({ value, low, high }: Interval): string => `${whole(value)} (${whole(low)} to ${whole(high)})`;
const percent = (part: number, of: number): string => (of === 0 ? "-" : `${((100 * part) / of).toFixed(1)} %`);

function events({ runs }: StarvationResult): string {
  return table(
    [
      "program",
      "tasks",
      "direct calls",
      "exceptions with a stack",
      "starved",
      "made present by the way out",
      "starved, stacks touched",
    ],
    runs.map(({ plain, touched }) => [
      plain.name,
      ...[plain.tasks, plain.direct, plain.faults, plain.starved, plain.wayOut, touched.starved].map(grouped),
    ]),
  );
}

function oneEvent({ runs }: StarvationResult): string {
  const ways = ["G", "H"].map((path) => perPassage(runs, path));
  return table(
    ["", "page fault with its stack (G)", "without (H)"],
    Object.keys(ways[0]).map((what) => [
      what,
      ...ways.map((way) => way[what].toFixed(way[what] % 1 > 0.05 && way[what] % 1 < 0.95 ? 1 : 0)),
    ]),
  );
}

function cycles({ prices }: StarvationResult): string {
  return table(
    ["processor", "page fault in ring 0", "starved", "microseconds", "times as much", "of it ports"],
    prices.map((p) => [
      `\`${p.profile}\``,
      span(p.fault),
      span(p.starved),
      (p.starved.value / p.mhz).toFixed(1),
      (p.starved.value / p.fault.value).toFixed(0),
      percent(p.ports, p.starved.value),
    ]),
  );
}

function shares({ shares: all }: StarvationResult): string {
  return table(
    ["trace", "processor", "cycles by direct calls", "starvation", "of all", "of what direct calls save"],
    all.map((s) => [
      `\`${s.command.replaceAll("|", "\\|")}\``,
      `\`${s.profile}\``,
      grouped(s.total),
      grouped(s.starvation),
      percent(s.starvation, s.total),
      percent(s.starvation, s.saved + s.starvation),
    ]),
  );
}

/** Cycles that all exceptions of a run take on their way in and out, by remedy. */
function remedies({ runs, prices }: StarvationResult, profile: string): string {
  const p = prices.find((row) => row.profile === profile)!;
  const forked = (name: string) => (name.includes("forks") ? Number(/(\d+) times/.exec(name)?.[1] ?? 0) : 0);
  return table(
    [
      "program",
      "as it is",
      "stacks touched (run)",
      "a stack for exceptions",
      "controllers not asked",
      "4 MB stack pages",
    ],
    runs.map(({ plain, touched }) => {
      const as = (faults: number, starved: number) => faults * p.fault.value + starved * p.starved.value;
      const forks = forked(plain.name);
      return [
        plain.name,
        whole(as(plain.faults, plain.starved)),
        whole(as(touched.faults, touched.starved)),
        whole((plain.faults + plain.starved) * p.ist.value),
        whole(as(plain.faults, plain.starved) - plain.starved * p.ports),
        forks === 0 ? "" : whole((plain.faults + plain.starved) * p.fault.value + forks * p.largePage.value),
      ];
    }),
  );
}

export function starvationPage(result: StarvationResult): string {
  return `# Stack starvation

In ring 0 the processor changes no stacks. When a Kernel Mode Linux program pushes onto a page that is absent or read-only, the page
fault cannot push its frame either, and the double fault goes through a task gate ([kml.md](kml.md#the-double-fault)). T. Maeda's
documentation calls that rare; nobody has published what it costs. This page does, for the emulated KML kernel (\`kml-4.0\`), whose counts
are those of a real one, row by row (\`test/emu/kernel/entry/oracle.test.ts\`). It is the output of
\`npx --no kmlab starvation\`. Everything counted is the same on every host. Cycles are the model's ([model.md](model.md)): a value, and where nine of ten draws lie.

## Events

Whole programs in ring 0, their children too. "Starved" is a double fault; an exception with a stack is a page fault, or #NM for the FPU
after a task switch. The way out of a system call writes below the program's ESP and so makes that page present, and after fork the process's
own, by a fault of the kernel's. In the last column stacks were touched beforehand (\`kmlab run --ring 0 --touch-stack\`).

${events(result)}

- Starvation is a matter of depth and of where a stack begins in its page, not of calls: a KiB of environment more or less decides whether a
  forking shell's parent starves at every fork.
- The page under ESP is never starved after fork. Only pages further up or down are, when something is pushed there next.
- A program that is executed starves once or twice at its start, whoever started it. By fork its parent may starve too, every time; by vfork
  there is no page to be copied: the same programs, half the double faults.
- A new thread does not starve at its start: its first return has written to its stack.

## One event

Instructions are those of the way in and out, without the page fault's body.

${oneEvent(result)}

A descriptor load is a look into the GDT; each of the two task switches makes five or six, saves and loads 104 bytes and drops the TLB. The port
accesses ask both 8259s which interrupt was lost meanwhile: four writes and two reads, whether or not there was one.

## Cycles

${cycles(result)}

Two thirds and more of it on the Pentium 4 and the Duron are port accesses, at about a microsecond each on the ISA bus.
Processors whose kernels are 64-bit have no hardware task switch, and their stack is changed by the interrupt stack table.

## Whole programs

The traces that come with kmlab, recorded in ring 3 and replayed as direct calls: \`kmlab whatif TRACE --mech sysenter,kml\`. What is saved is against
SYSENTER (the Pentium has none: against int 0x80).

${shares(result)}

## Remedies

Cycles of all exceptions' ways in and out on the \`p4\`, by remedy.

${remedies(result, "p4")}

- *Stacks touched*: run, not modelled. execve makes 64 KiB below the stack pointer present, fork gives both processes their own pages at once.
  It costs pages that a program may never use.
- *vfork*: run: programs started by \`busybox xargs\` (vfork) beside xargs (fork).
- *A stack for exceptions*, as the interrupt stack table of AMD64 gives it: every exception lands on a stack of its own and 20 to 25
  instructions leave it for the kernel's. Nothing starves, and every exception pays.
- *Controllers not asked*: what starvation would cost if the fix-up knew without port accesses that no interrupt was lost.
- *4 MB stack pages*: one fault for any depth, but fork's first push copies 4 MB
  (${span(result.prices.find(({ profile }) => profile === "p4")!.largePage)} cycles on the \`p4\`). Only for programs that fork.
`;
}
