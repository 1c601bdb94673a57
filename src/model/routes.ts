// Ways into the kernel: for each mechanism, which paths of data/kernels/paths.csv every kind of event takes (data/kernels/mechanisms.csv).
import { InputError } from "../errors.ts";
import { readTable } from "./table.ts";

/** A mechanism's name, as int80. */
export type Mechanism = string;

/**
 * A mechanism: how each kind of event enters the kernel. Every list is of paths that add up; "PATH?" counts where the kernel has it,
 * "PATH/batch" once for every batch of calls, "PATH/poll" only when the kernel polls for calls.
 */
export interface Routes {
  readonly id: string;
  /** Program code runs in ring 0. */
  readonly ring0: boolean;
  /** The program's instruction set: "i386", "x86-64", or "" for any. */
  readonly target: string;
  /** The way that a kernel must offer; "" when it needs none. */
  readonly way: string;
  /** A call through the vsyscall page or the C library: with arguments, without, needing all registers, with work at its way out. */
  readonly call: readonly string[];
  readonly call0: readonly string[];
  readonly special: readonly string[];
  readonly callWork: readonly string[];
  /** A call by a trap instruction in the program itself. */
  readonly inline: readonly string[];
  readonly inlineWork: readonly string[];
  readonly sigreturn: readonly string[];
  /** A page fault of the program, of the kernel, and one on a stack page that something was pushed on in ring 0. */
  readonly fault: readonly string[];
  readonly faultInKernel: readonly string[];
  readonly starved: readonly string[];
  readonly tick: readonly string[];
  readonly tickInKernel: readonly string[];
  /** Added to a change of tasks, and of address spaces. */
  readonly switch: readonly string[];
  readonly mmSwitch: readonly string[];
  /** Only calls that io_uring has an operation for can be made this way; others are made as special ones. */
  readonly onlyUring: boolean;
  readonly meaning: string;
  readonly source: string;
}

/** Reads the table of mechanisms, given as text. */
export function readRoutes(text: string): Map<string, Routes> {
  const all = new Map<string, Routes>();
  for (const row of readTable("kernels/mechanisms.csv", text)) {
    const id = row.text("mechanism");
    if (all.has(id)) throw new InputError(`${row.where}: ${id} is there twice`);
    const paths = (column: string): string[] =>
      row
        .text(column)
        .split(" ")
        .filter((word) => word !== "");
    const or = (column: string, other: string): string[] => paths(row.text(column) === "" ? other : column);
    const ring = row.text("ring");
    if (ring !== "0" && ring !== "3") throw new InputError(`${row.where}: ring is 0 or 3`);
    if (row.text("source") === "") throw new InputError(`${row.where}: no source`);
    all.set(id, {
      id,
      ring0: ring === "0",
      target: row.text("target"),
      way: row.text("way"),
      call: paths("call"),
      call0: or("call0", "call"),
      special: or("special", "call"),
      callWork: paths("call_work"),
      inline: paths("inline"),
      inlineWork: paths("inline_work"),
      sigreturn: paths("sigreturn"),
      fault: paths("fault"),
      faultInKernel: paths("fault_in_kernel"),
      starved: paths("starved"),
      tick: paths("tick"),
      tickInKernel: paths("tick_in_kernel"),
      switch: paths("switch"),
      mmSwitch: paths("mm_switch"),
      onlyUring: row.text("only") === "uring",
      meaning: row.text("meaning"),
      source: row.text("source"),
    });
  }
  return all;
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
  /** io_uring has no operation for it. */
  readonly noUring?: boolean;
}

/** Paths of a call. */
export function callRoute(routes: Routes, site: CallSite): readonly string[] {
  // The registers to return to are the signal frame's: a return from a handler takes the long way out.
  if (site.sigreturn) return routes.sigreturn;
  const work = site.exitWork === true;
  if (site.inline) return directInline(routes, site, work);
  if (work) return routes.callWork;
  if (site.special || (routes.onlyUring && site.noUring === true)) return routes.special;
  return site.args === 0 ? routes.call0 : routes.call;
}

/** An inline trap; where the mechanism's list is empty but that of calls is not, it has become such a call. */
function directInline(routes: Routes, site: CallSite, work: boolean): readonly string[] {
  if (routes.inline.length > 0) return work ? routes.inlineWork : routes.inline;
  return callRoute(routes, { ...site, inline: false });
}
