// No frame can be freed: the process that holds most memory is killed (mm/oom_kill.c).
import { KIND } from "../../../traces/schema/enums.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";

const SIGKILL = 9;
const SI_KERNEL = 0x80;
const PAGE_KIB = 4;
/** oom_score_adj of a process that is never chosen. */
const OOM_SCORE_ADJ_MIN = -1000;

/** A process that was killed for lack of memory. */
export interface OomKill {
  readonly pid: number;
  readonly comm: string;
  /** Its share of all memory in thousandths, its adjustment added. */
  readonly score: number;
  /** KiB of private memory, of files and in swap that it had. */
  readonly anonKib: number;
  readonly fileKib: number;
  readonly swapKib: number;
}

/** Pages that a process' end would free, moved by its adjustment (oom_badness); 0: it cannot be chosen. */
export function badness(k: Kernel, t: Task): number {
  const { mm, signal } = t;
  if (mm === undefined || !t.alive || signal.oomScoreAdj === OOM_SCORE_ADJ_MIN) return 0;
  const total = k.frames.managed + k.swap.total;
  const tables = mm.pgd.tables.reduce((n, table) => n + (table === undefined ? 0 : 1), 0);
  const points = mm.rss + mm.swapPages + tables;
  // Processes of root get a discount of three hundredths (until Linux 4.17).
  const discount = t.creds.euid === 0 ? Math.floor(points * 0.03) : 0;
  return Math.max(1, points - discount + Math.floor((signal.oomScoreAdj * total) / 1000));
}

/** /proc/PID/oom_score. */
export function oomScore(k: Kernel, t: Task): number {
  return Math.floor((badness(k, t) * 1000) / (k.frames.managed + k.swap.total));
}

/**
 * Kills the worst process, unless one that was killed is still on its way out.
 * @param t who needs memory
 * @returns the process that goes: its memory is to be waited for
 */
export function outOfMemory(k: Kernel, t: Task): Task | undefined {
  let victim: Task | undefined;
  let worst = 0;
  for (const other of k.tasks.values()) {
    if (other.mm === undefined || !other.alive) continue;
    if (other.signal.oomVictim) return other.mm === t.mm ? t : other;
    const points = badness(k, other);
    if (points <= worst) continue;
    worst = points;
    victim = other;
  }
  if (victim === undefined) return undefined;
  const { mm } = victim;
  for (const other of k.tasks.values()) {
    if (other.mm !== mm || !other.alive) continue;
    other.signal.oomVictim = true;
    k.signals.sendGroup(other, { signo: SIGKILL, code: SI_KERNEL, errno: 0 });
  }
  tell(k, victim, t);
  return mm === t.mm ? t : victim;
}

function tell(k: Kernel, victim: Task, t: Task): void {
  const { mm } = victim;
  k.vm.oom_kill++;
  k.oomKills.push({
    pid: victim.tgid,
    comm: victim.comm,
    score: oomScore(k, victim),
    anonKib: (mm?.anonPages ?? 0) * PAGE_KIB,
    fileKib: (mm?.filePages ?? 0) * PAGE_KIB,
    swapKib: (mm?.swapPages ?? 0) * PAGE_KIB,
  });
  if (!k.recorder.enabled) return;
  const tIn = k.clock.now();
  const parent = t.seq >= 0 ? t.seq : undefined;
  const seq = k.recorder.enter({ task: victim.id, kind: KIND.oom, nr: SIGKILL, tIn, parent, user: 0 });
  k.recorder.leave(seq, { tOut: tIn, kinstr: 0, blocked: 0 });
}
