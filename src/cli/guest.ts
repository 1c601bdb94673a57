// From the words of `run` and `capture` to the options of a run: root image, host directories, streams.
import { existsSync, statSync } from "node:fs";
import process from "node:process";
import { afterFirstRun } from "../emu/first-run-node.ts";
import { guestState } from "../emu/guest-state.ts";
import { processIo } from "../emu/host-node.ts";
import { EACCES, EIO, ELIBBAD, ENOENT, ENOEXEC, ENOMEM } from "../emu/kernel/errno.ts";
import { openHostDir } from "../emu/kernel/fs/hostdir-node.ts";
import type { BindMount } from "../emu/kernel/fs/vfs.ts";
import { openImage } from "../emu/rootfs/image-node.ts";
import { ensureRoot, rootFor } from "../emu/rootfs/roots-node.ts";
import type { RunOptions, RunResult } from "../emu/run.ts";
import { terminalIo } from "../emu/terminal-node.ts";
import { InputError } from "../errors.ts";
import { type LongRunArguments, limitsOf } from "./long-run.ts";
import { progressBar } from "./rootfs.ts";

/** What yargs makes of GUEST_OPTIONS. */
export interface GuestArguments extends LongRunArguments {
  ring: number;
  trusted: string;
  kernel?: string;
  entry: string;
  root?: string;
  package?: string[];
  /** What the guest has run once before. */
  first?: readonly string[];
  bind?: string[];
  memory: number;
  swap?: number;
  cpu: string;
  tier: string;
  hz: number;
  scheduler: string;
  nmiWatchdog: boolean;
  cold: boolean;
  seed: number;
  env?: string[];
  cwd: string;
  vdsoClock: boolean;
  missing: boolean;
  interactive: boolean;
  tty: boolean;
  "--"?: string[];
}

const MIN_MEMORY_MIB = 4;
const MAX_MEMORY_MIB = 768;
const MAX_SWAP_MIB = 2048;

/** What programs ask about the terminal that they are shown on. */
function terminalEnv(): string[] {
  const { TERM, LC_ALL, LC_CTYPE, LANG } = process.env;
  const utf8 = /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
  return [`TERM=${TERM || "xterm"}`, ...(utf8 ? ["LC_ALL=C.UTF-8"] : [])];
}

function bindOf(text: string): BindMount {
  const [host, guest, mode, ...more] = text.split(":");
  if (!host || !guest?.startsWith("/") || more.length > 0 || (mode !== undefined && mode !== "rw" && mode !== "ro"))
    throw new InputError(`--bind ${text}: give HOST:GUEST or HOST:GUEST:rw, GUEST an absolute path`);
  if (!existsSync(host)) throw new InputError(`--bind ${text}: ${host} does not exist`);
  if (!statSync(host).isDirectory())
    throw new InputError(`--bind ${text}: ${host} is no directory; bind the one that it is in`);
  const writable = mode === "rw";
  return { host: openHostDir(host, writable), guest, writable };
}

/**
 * Everything a run needs, from the command line.
 * @throws InputError for words that make no sense, or a root that cannot be had
 */
export async function guestRun(args: GuestArguments): Promise<RunOptions> {
  const argv = args["--"] ?? [];
  if (argv.length === 0) throw new InputError("name the program to run, such as `kmlab run ls -l`");
  if (!Number.isInteger(args.memory) || args.memory < MIN_MEMORY_MIB || args.memory > MAX_MEMORY_MIB)
    throw new InputError(`--memory ${args.memory}: give whole MiB from ${MIN_MEMORY_MIB} to ${MAX_MEMORY_MIB}`);
  if (args.swap !== undefined && !(Number.isInteger(args.swap) && args.swap >= 0 && args.swap <= MAX_SWAP_MIB))
    throw new InputError(`--swap ${args.swap}: give whole MiB from 0 to ${MAX_SWAP_MIB}`);
  if (!Number.isSafeInteger(args.seed) || args.seed < 0)
    throw new InputError(`--seed ${args.seed}: give a whole number from 0`);
  for (const word of args.env ?? []) if (!/^[^=]+=/.test(word)) throw new InputError(`--env ${word}: give NAME=VALUE`);
  if (args.tty && !process.stdin.isTTY) throw new InputError("-t: standard input is no terminal");
  const progress = progressBar();
  const location = args.package ? await ensureRoot(args.package, { progress }) : await rootFor(args.root, { progress });
  const image = openImage(location.directory, location.index);
  return {
    image: args.first ? await afterFirstRun(image, args.first, progress) : image,
    argv,
    host: args.tty ? terminalIo() : processIo(args.interactive || !process.stdin.isTTY),
    env: [...(args.tty ? terminalEnv() : []), ...(args.env ?? [])],
    cwd: args.cwd,
    ring: args.ring === 0 ? 0 : 3,
    trusted: args.trusted as RunOptions["trusted"],
    kernel: args.kernel as RunOptions["kernel"],
    entry: args.entry as RunOptions["entry"],
    memoryMiB: args.memory,
    swapMiB: args.swap,
    cpu: args.cpu,
    tier: args.tier as RunOptions["tier"],
    hz: args.hz,
    scheduler: args.scheduler as RunOptions["scheduler"],
    nmiWatchdog: args.nmiWatchdog,
    cold: args.cold,
    seed: args.seed,
    vdsoClock: args.vdsoClock,
    tty: args.tty,
    limits: limitsOf(args),
    binds: (args.bind ?? []).map(bindOf),
  };
}

/** By errno, why a program was not started. */
const WHY_NOT_STARTED: Readonly<Record<number, string>> = {
  [ENOENT]: "not found in the guest, or the interpreter it names is not there",
  [ENOEXEC]: "not an i386 program: foreign, damaged, or text without #!",
  [EACCES]: "not executable: check its permissions in the guest",
  [ELIBBAD]: "its interpreter is damaged or foreign",
  [EIO]: "damaged: it ends before what its headers promise",
  [ENOMEM]: "not enough guest memory to load it: give more with --memory",
};

/** Why a run went no further. */
function stopText({ by, limit }: Extract<RunResult["exit"], { kind: "stopped" }>): string {
  if (by === "interrupt") return "interrupted";
  return by === "seconds" ? `limit of ${limit} seconds of guest time reached` : "limit reached";
}

/** A word as a shell reads it. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** What is said where kmlab itself failed: where, what the guest was doing, and how to see it again. */
export function internalError(run: RunResult, bug: string, words = process.argv.slice(2)): string {
  const input = run.kernel.vfs.streams.bytesRead > 0 ? " (with the same standard input)" : "";
  return `kmlab: internal error: ${bug}\n${guestState(run.kernel)}\nkmlab: to see it again${input}: ${["kmlab", ...words].map(quoted).join(" ")}\n`;
}

/** Says on standard error what ended a run if that was no ordinary exit, and which calls were missing if asked. */
export function reportEnd(run: RunResult, argv: readonly string[], missing: boolean): void {
  const say = (text: string) => process.stderr.write(`kmlab: ${text}\n`);
  for (const { pid, comm, anonKib, fileKib, swapKib } of run.kernel.oomKills)
    say(
      `out of memory: killed process ${pid} (${comm}) with ${anonKib} KiB of its own, ${fileKib} of files, ${swapKib} in swap`,
    );
  for (const message of run.kernel.messages) say(message);
  const { exit } = run;
  if (exit.kind === "dead" && exit.bug !== undefined) process.stderr.write(internalError(run, exit.bug));
  else if (exit.kind === "dead") say(`the machine died: ${exit.reason}`);
  if (exit.kind === "stopped") say(`${stopText(exit)} after ${run.instructions} instructions`);
  if (run.exit.kind === "exec") say(`${argv[0]}: ${WHY_NOT_STARTED[run.exit.errno] ?? `error ${run.exit.errno}`}`);
  if (!missing) return;
  if (run.missing.length === 0) say("no call was missing");
  for (const { nr, name, count } of run.missing)
    say(`missing: ${name} (${nr}), called ${count} times, answered ENOSYS`);
}
