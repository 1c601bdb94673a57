// Makes a failing trial small: takes away statements, steps, words and files as long as the failure stays.
import type { Trial } from "./generate.ts";

/** How many smaller trials are tried at most: each is four runs. */
const MAX_ATTEMPTS = 250;

/**
 * The smallest trial found that still fails.
 * @param fails whether a trial shows the failure
 */
export function shrink(trial: Trial, fails: (trial: Trial) => boolean): Trial {
  let best = trial;
  let attempts = 0;
  for (let progress = true; progress && attempts < MAX_ATTEMPTS; ) {
    progress = false;
    for (const smaller of smallerTrials(best)) {
      if (++attempts > MAX_ATTEMPTS) break;
      if (!fails(smaller)) continue;
      best = smaller;
      progress = true;
      break;
    }
  }
  return best;
}

/** Trials with one thing less, the greatest losses first. */
export function* smallerTrials(trial: Trial): Generator<Trial> {
  const { statements, members } = trial;
  for (let i = 0; i < statements.length && statements.length > 1; i++) {
    yield { ...trial, statements: without(statements, i) };
  }
  for (const [i, s] of statements.entries()) {
    for (let n = s.steps.length - 1; n >= 0 && s.steps.length > 1; n--) {
      if (hidesOrder(s.steps, n)) continue;
      yield { ...trial, statements: replaced(statements, i, { ...s, steps: without(s.steps, n) }) };
    }
  }
  // Halves of the files first, then one by one.
  for (let size = members.length >> 1; size >= 1; size >>= 1) {
    for (let at = 1; at < members.length; at += size) {
      const gone = new Set(members.slice(at, at + size).map((m) => m.path));
      const kept = members.filter(
        (m) => !gone.has(m.path) && !hangsOn(m.path, gone) && !(m.type === "hardlink" && gone.has(m.link!)),
      );
      yield { ...trial, members: kept };
    }
  }
  for (const [i, s] of statements.entries()) {
    for (const [n, step] of s.steps.entries()) {
      for (let w = 1; w < step.length; w++) {
        if (WALKERS.has(step[0]) && /^'?t(\/|$)/.test(step[w])) continue;
        yield {
          ...trial,
          statements: replaced(statements, i, { ...s, steps: replaced(s.steps, n, without(step, w)) }),
        };
      }
    }
  }
  if (trial.shell !== "sh") yield { ...trial, shell: "sh" };
}

/** Programs that walk directories: without their operand they would walk /w, in whatever order it has. */
const WALKERS = new Set(["find", "du", "grep", "ls", "tar"]);

/** Whether a step sorts what a walker found: without it, the order of a directory would count as a difference. */
function hidesOrder(steps: readonly (readonly string[])[], n: number): boolean {
  return steps[n][0] === "sort" && n > 0 && WALKERS.has(steps[n - 1][0]);
}

/** Whether a path lies in a directory that is gone. */
function hangsOn(path: string, gone: ReadonlySet<string>): boolean {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
    if (gone.has(path.slice(0, at))) return true;
  return false;
}

function without<T>(list: readonly T[], i: number): T[] {
  return [...list.slice(0, i), ...list.slice(i + 1)];
}

function replaced<T>(list: readonly T[], i: number, item: T): T[] {
  return [...list.slice(0, i), item, ...list.slice(i + 1)];
}
