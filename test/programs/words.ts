// Text that test files are made of.
import type { Random } from "./random.ts";

export const WORDS = [
  "kernel",
  "mode",
  "call",
  "trap",
  "gate",
  "page",
  "fault",
  "stack",
  "ring",
  "thread",
  "signal",
  "pipe",
  "file",
  "inode",
  "mount",
  "block",
  "cache",
  "queue",
  "timer",
  "clock",
  "fork",
  "exec",
  "wait",
  "sleep",
  "wake",
  "lock",
  "Alpha",
  "Beta",
  "gamma",
  "delta",
  "EPSILON",
  "zeta",
  "eta",
  "theta",
  "iota",
  "kappa",
  "lambda",
  "mu",
  "nu",
  "foo",
  "bar",
  "baz",
  "quux",
  "a",
  "an",
  "the",
  "of",
  "x86",
  "i386",
  "0x80",
  "errno",
  "EINTR",
  "ENOENT",
] as const;

/** A line of words. */
export function line(random: Random, words = 8): string {
  return Array.from({ length: random.between(1, words) }, () => random.pick(WORDS)).join(" ");
}

/** Lines of words, each ended. */
export function lines(random: Random, n: number, words = 8): string {
  return Array.from({ length: n }, () => `${line(random, words)}\n`).join("");
}
