// The files of a process' directory in /proc (fs/proc/base.c, array.c, task_mmu.c).
import { EINVAL } from "../../errno.ts";
import type { Kernel } from "../../kernel.ts";
import type { Mm } from "../../mm/mm.ts";
import { oomScore } from "../../mm/oom.ts";
import { PTE_P, PTE_SWAP } from "../../mm/pagetable.ts";
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE, type Vma } from "../../mm/vma.ts";
import { RLIM_INFINITY, type SigSet, type Task } from "../../task.ts";
import { major, makedev, minor } from "../const.ts";
import type { Path } from "../inode.ts";

/** One entry of /proc/PID. */
export type PidEntry =
  | { name: string; kind: "dir" | "tasks" }
  | { name: string; kind: "fd"; info?: boolean }
  | { name: string; kind: "mem" }
  | { name: string; kind: "link"; path: (k: Kernel, task: Task) => Path | null }
  | {
      name: string;
      kind: "file";
      mode: number;
      text: (k: Kernel, task: Task, reader: Task) => string;
      write?: (k: Kernel, task: Task, text: string) => number;
    };

const hex = (n: number, width: number) => n.toString(16).padStart(width, "0");

/** Bytes of another address space, as far as its pages are present. */
function readMm(k: Kernel, mm: Mm, start: number, end: number): string {
  let out = "";
  for (let la = start; la < end; ) {
    const pte = k.pageTables.get(mm.pgd, la);
    if ((pte & PTE_P) === 0) break;
    const n = Math.min(end - la, 4096 - (la & 4095));
    const at = k.memory.ramBase + (pte >>> 12) * 4096 + (la & 4095);
    for (let i = 0; i < n; i++) out += String.fromCharCode(k.memory.u8[at + i]);
    la += n;
  }
  return out;
}

function cmdline(k: Kernel, task: Task): string {
  const mm = task.mm;
  return mm && task.alive ? readMm(k, mm, mm.argStart, Math.min(mm.argEnd, mm.argStart + 131072)) : "";
}

function environ(k: Kernel, task: Task): string {
  const mm = task.mm;
  return mm && task.alive ? readMm(k, mm, mm.envStart, Math.min(mm.envEnd, mm.envStart + 131072)) : "";
}

function vmaName(k: Kernel, mm: Mm, vma: Vma, reader: Task): string {
  if (vma.file) return k.vfs.nameOf(vma.file.path, reader.fs!.root).replaceAll("\n", "\\012");
  if (vma.name) return vma.name;
  if (vma.start <= mm.brk && vma.end >= mm.startBrk && mm.brk > mm.startBrk) return "[heap]";
  return vma.start <= mm.startStack && vma.end >= mm.startStack ? "[stack]" : "";
}

function mapsLine(k: Kernel, mm: Mm, vma: Vma, reader: Task): string {
  const f = vma.flags;
  const perms = `${f & VM_READ ? "r" : "-"}${f & VM_WRITE ? "w" : "-"}${f & VM_EXEC ? "x" : "-"}${f & VM_SHARED ? "s" : "p"}`;
  const inode = vma.file?.inode;
  const dev = inode ? inode.sb.dev : 0;
  const offset = vma.file ? vma.pgoff * 4096 : 0;
  const head = `${hex(vma.start, 8)}-${hex(vma.end, 8)} ${perms} ${hex(offset, 8)} ${hex(major(dev), 2)}:${hex(minor(dev), 2)} ${inode?.ino ?? 0} `;
  const name = vmaName(k, mm, vma, reader);
  return name === "" ? `${head}\n` : `${head.padEnd(49)}${name}\n`;
}

function maps(k: Kernel, task: Task, reader: Task): string {
  const mm = task.mm;
  return mm ? mm.vmas.list.map((vma) => mapsLine(k, mm, vma, reader)).join("") : "";
}

function smaps(k: Kernel, task: Task, reader: Task): string {
  const mm = task.mm;
  if (!mm) return "";
  let out = "";
  for (const vma of mm.vmas.list) {
    let present = 0;
    let swapped = 0;
    for (let la = vma.start; la < vma.end && vma.pages < 65536; la += 4096) {
      const pte = k.pageTables.get(mm.pgd, la);
      if (pte & PTE_P) present += 4;
      if (pte & PTE_SWAP) swapped += 4;
    }
    const row = (name: string, n: number) => `${`${name}:`.padEnd(16)}${String(n).padStart(8)} kB\n`;
    const priv = vma.flags & VM_WRITE ? present : 0;
    out += mapsLine(k, mm, vma, reader) + row("Size", vma.pages * 4) + row("KernelPageSize", 4) + row("MMUPageSize", 4);
    out += row("Rss", present) + row("Pss", present) + row("Shared_Clean", present - priv) + row("Shared_Dirty", 0);
    out += row("Private_Clean", 0) + row("Private_Dirty", priv) + row("Referenced", present) + row("Swap", swapped);
  }
  return out;
}

const STATES = {
  running: "R",
  interruptible: "S",
  uninterruptible: "D",
  stopped: "T",
  zombie: "Z",
  dead: "X",
} as const;

/** What field 3 of stat shows. */
function stateLetter(task: Task): string {
  return task.trace?.stop !== undefined && task.state === "stopped" ? "t" : STATES[task.state];
}

/** A signal set as a number that may lose high bits, as stat shows it. */
function low(set: SigSet): number {
  return Number(set & 0x7fff_ffffn);
}

function handled(task: Task): { ignored: SigSet; caught: SigSet } {
  let ignored = 0n;
  let caught = 0n;
  task.sighand.actions.forEach((a, signo) => {
    if (signo === 0) return;
    const b = 1n << BigInt(signo - 1);
    if (a.handler === 1) ignored |= b;
    else if (a.handler !== 0) caught |= b;
  });
  return { ignored, caught };
}

function ttyFields(task: Task): [number, number] {
  const { tty } = task.signal;
  return tty === undefined ? [0, -1] : [makedev(136, tty.index), tty.pgrp === 0 ? -1 : tty.pgrp];
}

function stat(k: Kernel, task: Task): string {
  const ticks = (units: number) => Math.floor((units * k.nsPerUnit) / 1e7);
  const { signal, mm } = task;
  const { ignored, caught } = handled(task);
  const [tty, tpgid] = ttyFields(task);
  const usage = k.processUsage(task);
  const children = signal.childrenUsage;
  const rssLimit = signal.rlimits[5]?.cur ?? RLIM_INFINITY;
  const fields = [
    task.pid,
    `(${task.comm})`,
    stateLetter(task),
    signal.leader.parent?.tgid ?? 0,
    signal.pgrp,
    signal.session,
    tty,
    tpgid,
    4194304,
    usage.minorFaults,
    children.minorFaults,
    usage.majorFaults,
    children.majorFaults,
    ticks(usage.user),
    ticks(usage.system),
    ticks(children.user),
    ticks(children.system),
    20 + task.nice,
    task.nice,
    signal.threads.size,
    0,
    ticks(task.startTime),
    (mm?.totalPages ?? 0) * 4096,
    mm?.rss ?? 0,
    rssLimit === RLIM_INFINITY ? 4294967295 : rssLimit,
    mm?.startCode ?? 0,
    mm?.endCode ?? 0,
    mm?.startStack ?? 0,
    0,
    0,
    low(task.pending.set),
    low(task.blocked),
    low(ignored),
    low(caught),
    0,
    0,
    0,
    task.exitSignal,
    0,
    task.rtPriority,
    task.policy,
    0,
    0,
    0,
    mm?.startData ?? 0,
    mm?.endData ?? 0,
    mm?.startBrk ?? 0,
    mm?.argStart ?? 0,
    mm?.argEnd ?? 0,
    mm?.envStart ?? 0,
    mm?.envEnd ?? 0,
    task.alive ? 0 : task.exitCode,
  ];
  return `${fields.join(" ")}\n`;
}

function statm(_k: Kernel, task: Task): string {
  const mm = task.mm;
  if (!mm) return "0 0 0 0 0 0 0\n";
  const text = Math.ceil((mm.endCode - mm.startCode) / 4096);
  return `${mm.totalPages} ${mm.rss} ${mm.filePages} ${text} 0 ${mm.dataPages} 0\n`;
}

const STATE_NAMES = {
  running: "R (running)",
  interruptible: "S (sleeping)",
  uninterruptible: "D (disk sleep)",
  stopped: "T (stopped)",
  zombie: "Z (zombie)",
  dead: "X (dead)",
} as const;

function stateName(task: Task): string {
  return stateLetter(task) === "t" ? "t (tracing stop)" : STATE_NAMES[task.state];
}

function status(_k: Kernel, task: Task): string {
  const { creds, signal, mm } = task;
  const { ignored, caught } = handled(task);
  const set = (s: bigint) => s.toString(16).padStart(16, "0");
  const kb = (pages: number) => `${String(pages * 4).padStart(8)} kB`;
  const lines = [
    `Name:\t${task.comm.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    `Umask:\t${(task.fs?.umask ?? 0).toString(8).padStart(4, "0")}`,
    `State:\t${stateName(task)}`,
    `Tgid:\t${task.tgid}`,
    "Ngid:\t0",
    `Pid:\t${task.pid}`,
    `PPid:\t${signal.leader.parent?.tgid ?? 0}`,
    `TracerPid:\t${task.trace?.tracer.tgid ?? 0}`,
    `Uid:\t${creds.uid}\t${creds.euid}\t${creds.suid}\t${creds.fsuid}`,
    `Gid:\t${creds.gid}\t${creds.egid}\t${creds.sgid}\t${creds.fsgid}`,
    `FDSize:\t${Math.max(64, task.files?.length ?? 0)}`,
    `Groups:\t${creds.groups.map((g) => `${g} `).join("")}`,
    `NStgid:\t${task.tgid}`,
    `NSpid:\t${task.pid}`,
    `NSpgid:\t${signal.pgrp}`,
    `NSsid:\t${signal.session}`,
  ];
  if (mm) {
    const stack = mm.vmas.at(mm.startStack)?.pages ?? 0;
    const text = Math.ceil((mm.endCode - mm.startCode) / 4096);
    lines.push(
      `VmPeak:\t${kb(mm.peakPages)}`,
      `VmSize:\t${kb(mm.totalPages)}`,
      `VmLck:\t${kb(mm.lockedPages)}`,
      `VmPin:\t${kb(0)}`,
      `VmHWM:\t${kb(mm.peakRss)}`,
      `VmRSS:\t${kb(mm.rss)}`,
      `RssAnon:\t${kb(mm.anonPages)}`,
      `RssFile:\t${kb(mm.filePages)}`,
      `RssShmem:\t${kb(0)}`,
      `VmData:\t${kb(mm.dataPages)}`,
      `VmStk:\t${kb(stack)}`,
      `VmExe:\t${kb(text)}`,
      `VmLib:\t${kb(0)}`,
      `VmPTE:\t${kb(mm.pgd.tables.filter((table) => table !== undefined).length)}`,
      `VmSwap:\t${kb(mm.swapPages)}`,
    );
  }
  lines.push(
    `Threads:\t${signal.threads.size}`,
    `SigQ:\t${signal.pending.queue.length}/4096`,
    `SigPnd:\t${set(task.pending.set)}`,
    `ShdPnd:\t${set(signal.pending.set)}`,
    `SigBlk:\t${set(task.blocked)}`,
    `SigIgn:\t${set(ignored)}`,
    `SigCgt:\t${set(caught)}`,
    `CapInh:\t${set(creds.capInheritable)}`,
    `CapPrm:\t${set(creds.capPermitted)}`,
    `CapEff:\t${set(creds.capEffective)}`,
    `CapBnd:\t${set(creds.capBounding)}`,
    `CapAmb:\t${set(creds.capAmbient)}`,
    `NoNewPrivs:\t${task.noNewPrivs ? 1 : 0}`,
    `Seccomp:\t${task.seccompStrict ? 1 : 0}`,
    "Cpus_allowed:\t1",
    "Cpus_allowed_list:\t0",
    "Mems_allowed:\t1",
    "Mems_allowed_list:\t0",
    `voluntary_ctxt_switches:\t${task.usage.voluntarySwitches}`,
    `nonvoluntary_ctxt_switches:\t${task.usage.involuntarySwitches}`,
  );
  return `${lines.join("\n")}\n`;
}

const LIMITS: readonly (readonly [string, string])[] = [
  ["Max cpu time", "seconds"],
  ["Max file size", "bytes"],
  ["Max data size", "bytes"],
  ["Max stack size", "bytes"],
  ["Max core file size", "bytes"],
  ["Max resident set", "bytes"],
  ["Max processes", "processes"],
  ["Max open files", "files"],
  ["Max locked memory", "bytes"],
  ["Max address space", "bytes"],
  ["Max file locks", "locks"],
  ["Max pending signals", "signals"],
  ["Max msgqueue size", "bytes"],
  ["Max nice priority", ""],
  ["Max realtime priority", ""],
  ["Max realtime timeout", "us"],
];

function limits(_k: Kernel, task: Task): string {
  const show = (n: number) => (n === RLIM_INFINITY ? "unlimited" : String(n)).padEnd(20);
  const rows = LIMITS.map(([name, unit], i) => {
    const limit = task.signal.rlimits[i];
    return `${name.padEnd(25)} ${show(limit.cur)} ${show(limit.max)} ${unit.padEnd(10)}\n`;
  });
  return `${"Limit".padEnd(25)} ${"Soft Limit".padEnd(20)} ${"Hard Limit".padEnd(20)} ${"Units".padEnd(10)}\n${rows.join("")}`;
}

function mounts(k: Kernel, _task: Task, reader: Task): string {
  return k.vfs.mounts
    .map((m) => {
      const at = k.vfs.nameOf({ mnt: m, dentry: m.root }, reader.fs!.root);
      return `${m.source} ${at} ${m.root.inode.sb.type} ${m.readOnly ? "ro" : "rw"},relatime 0 0\n`;
    })
    .join("");
}

function mountinfo(k: Kernel, _task: Task, reader: Task): string {
  return k.vfs.mounts
    .map((m) => {
      const { dev, type } = m.root.inode.sb;
      const at = k.vfs.nameOf({ mnt: m, dentry: m.root }, reader.fs!.root);
      const rw = m.readOnly ? "ro" : "rw";
      return `${m.id} ${m.at?.mnt.id ?? 0} ${major(dev)}:${minor(dev)} / ${at} ${rw},relatime - ${type} ${m.source} ${rw}\n`;
    })
    .join("");
}

function setComm(k: Kernel, task: Task, text: string): number {
  task.comm = text.replace(/\n$/, "").slice(0, 15);
  k.recorder.comm(task.id, task.comm);
  return 0;
}

function setOomScore(_k: Kernel, task: Task, text: string): number {
  const n = Number(text.trim());
  if (!Number.isInteger(n) || n < -1000 || n > 1000) return -EINVAL;
  task.signal.oomScoreAdj = n;
  return 0;
}

const file = (name: string, text: (k: Kernel, task: Task, reader: Task) => string, mode = 0o444): PidEntry => ({
  name,
  kind: "file",
  mode,
  text,
});

export const PID_ENTRIES: readonly PidEntry[] = [
  { name: "task", kind: "tasks" },
  { name: "fd", kind: "fd" },
  { name: "fdinfo", kind: "fd", info: true },
  file("environ", environ, 0o400),
  file("auxv", (_k, task) => String.fromCharCode(...(task.mm?.auxv ?? [])), 0o400),
  file("status", status),
  file("limits", limits),
  { name: "comm", kind: "file", mode: 0o644, text: (_k, task) => `${task.comm}\n`, write: setComm },
  file("cmdline", cmdline),
  file("stat", stat),
  file("statm", statm),
  file("maps", maps),
  file("smaps", smaps),
  { name: "cwd", kind: "link", path: (_k, task) => task.fs?.cwd ?? null },
  { name: "root", kind: "link", path: (_k, task) => task.fs?.root ?? null },
  { name: "exe", kind: "link", path: (_k, task) => task.mm?.exeFile?.path ?? null },
  file("mounts", mounts),
  file("mountinfo", mountinfo),
  file("cgroup", () => "0::/\n"),
  file("oom_score", (k, task) => `${oomScore(k, task)}\n`),
  {
    name: "oom_score_adj",
    kind: "file",
    mode: 0o644,
    text: (_k, task) => `${task.signal.oomScoreAdj}\n`,
    write: setOomScore,
  },
  file("loginuid", () => "4294967295"),
  file("sessionid", () => "4294967295"),
  { name: "coredump_filter", kind: "file", mode: 0o644, text: () => "00000033\n", write: () => 0 },
  file("personality", (_k, task) => `${hex(task.personality, 8)}\n`, 0o400),
  file("wchan", () => "0"),
  { name: "mem", kind: "mem" },
];
