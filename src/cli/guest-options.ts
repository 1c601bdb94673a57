// The options that `run` and `capture` share: which machine, which kernel, which root.
import type { Options } from "yargs";
import { CPU_NAMES, DEFAULT_MODEL } from "../emu/cpu/models.ts";
import { DEFAULT_TIER, TIERS } from "../emu/cpu/state.ts";
import { KERNEL_NAMES } from "../emu/kernel/entry/variant.ts";
import { DEFAULT_SCHEDULER, SCHEDULER_NAMES } from "../emu/kernel/schedulers/schedulers.ts";

/** A yargs option with the one-letter alias as text. */
export type GuestOption = Options & { alias?: string };

/** Options of every verb that starts a guest program. */
export const GUEST_OPTIONS = {
  ring: { type: "number", choices: [0, 3], default: 3, describe: "privilege of the program: 0 is kernel mode" },
  trusted: {
    type: "string",
    choices: ["all", "program"],
    default: "all",
    describe: "with --ring 0: children found by PATH run in ring 0 too, or the program alone",
  },
  kernel: {
    type: "string",
    choices: KERNEL_NAMES,
    describe: "entry mechanism (default: kml-4.0 in ring 0, linux in ring 3)",
  },
  entry: {
    type: "string",
    choices: ["int80", "sysenter"],
    default: "sysenter",
    describe: "what __kernel_vsyscall does in ring 3",
  },
  root: { type: "string", describe: "guest root: an image's name, a directory or a tar (default: the base packages)" },
  package: { type: "string", array: true, alias: "p", describe: "add a Debian package to the default root" },
  bind: { type: "string", array: true, describe: "HOST:GUEST[:rw], a host directory in the guest" },
  memory: { type: "number", default: 256, describe: "guest memory in MiB" },
  swap: { type: "number", describe: "swap area in MiB (default: twice the memory)" },
  cpu: {
    type: "string",
    choices: CPU_NAMES,
    default: DEFAULT_MODEL.name,
    describe: "the processor: what CPUID admits, and so which instructions there are",
  },
  tier: {
    type: "string",
    choices: TIERS,
    default: DEFAULT_TIER,
    describe:
      "what executes instructions: the plain evaluator, generated code, or WebAssembly too; results are the same",
  },
  hz: { type: "number", choices: [100, 250, 1000], default: 100, describe: "timer interrupts a second" },
  scheduler: {
    type: "string",
    choices: SCHEDULER_NAMES,
    default: DEFAULT_SCHEDULER,
    describe: "who runs when: the emulated kernel's own way, round robin, Linux 2.4's goodness, Linux 2.6's O(1)",
  },
  "nmi-watchdog": {
    type: "boolean",
    default: false,
    describe: "non-maskable interrupts end a ring-0 program that keeps interrupts off",
  },
  cold: { type: "boolean", default: false, describe: "begin with an empty page cache: files come from the disk" },
  seed: { type: "number", default: 1, describe: "seed of everything that is random in the guest" },
  env: { type: "string", array: true, alias: "e", describe: "NAME=VALUE in the guest's environment" },
  cwd: { type: "string", alias: "w", default: "/root", describe: "working directory in the guest" },
  "vdso-clock": { type: "boolean", default: true, describe: "clock functions in the vDSO (--no-vdso-clock: calls)" },
  missing: { type: "boolean", default: false, describe: "list the calls the kernel does not have" },
  interactive: { type: "boolean", alias: "i", default: false, describe: "keep standard input open to the guest" },
  tty: { type: "boolean", alias: "t", default: false, describe: "standard streams are a terminal" },
} as const satisfies Record<string, GuestOption>;

/** Options of runs that may be long. */
export const LONG_RUN_OPTIONS = {
  "limit-instructions": { type: "number", describe: "end the run after so many instructions, with status 123" },
  "limit-seconds": {
    type: "number",
    describe: "end the run at so many seconds of the guest's clock (not the host's), with status 123",
  },
  progress: { type: "boolean", describe: "progress on standard error (default: if that is a terminal)" },
} as const satisfies Record<string, GuestOption>;

/** What `run` has besides. */
export const RUN_OPTIONS = {
  ...GUEST_OPTIONS,
  ...LONG_RUN_OPTIONS,
  paths: {
    type: "boolean",
    default: false,
    describe: "print, for each way into the kernel, how often it ran and what the processor did on it",
  },
  "touch-stack": {
    type: "boolean",
    default: false,
    describe: "in ring 0: make stacks present, and processes' own after fork, before anything is pushed there",
  },
} as const satisfies Record<string, GuestOption>;

/** What `capture` has besides. */
export const CAPTURE_OPTIONS = {
  ...GUEST_OPTIONS,
  ...LONG_RUN_OPTIONS,
  output: { type: "string", alias: "o", describe: "the trace (default: the program's name)" },
  repeat: { type: "number", default: 1, describe: "so many captures, each with its own seed" },
  json: { type: "boolean", default: false, describe: "print the traces' names and identities" },
} as const satisfies Record<string, GuestOption>;
