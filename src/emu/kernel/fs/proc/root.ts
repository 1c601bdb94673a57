// The files of /proc itself: memory, processor, versions, and the settings of /proc/sys that programs read.
import type { CpuModel } from "../../../cpu/models.ts";
import { EINVAL, EPERM } from "../../errno.ts";
import type { Kernel } from "../../kernel.ts";
import { UTSNAME } from "../../misc.ts";
import type { Task } from "../../task.ts";
import { INOTIFY_LIMITS } from "../inotify.ts";
import { meminfo, swaps, vmstat } from "./memory.ts";
import { NET_FILES } from "./net.ts";

/** Path below /proc, its text, and what writing it does (missing: read-only). */
export type RootFile = readonly [
  path: string,
  text: (k: Kernel, t: Task) => string,
  write?: (k: Kernel, text: string, t: Task) => number,
];

/** Names of CPUID.1:EDX's bits (arch/x86/include/asm/cpufeatures.h). */
const FLAGS =
  "fpu vme de pse tsc msr pae mce cx8 apic _ sep mtrr pge mca cmov pat pse36 pn clflush _ dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe".split(
    " ",
  );

/** Names of CPUID.1:ECX's bits 0 to 9. */
const MORE_FLAGS = "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3".split(" ");

function flagsOf(model: CpuModel): string {
  const named = (names: readonly string[], bits: number) =>
    names.filter((name, bit) => name !== "_" && (bits >>> bit) & 1);
  return [...named(FLAGS, model.edx), ...named(MORE_FLAGS, model.ecx)].join(" ");
}

function signatureOf({ signature }: CpuModel): { family: number; number: number; stepping: number } {
  return { family: (signature >> 8) & 15, number: (signature >> 4) & 15, stepping: signature & 15 };
}

function cpuinfo(k: Kernel): string {
  const mhz = 1000 / k.nsPerUnit;
  const { model } = k.cpu;
  const { family, number, stepping } = signatureOf(model);
  const rows: [string, string | number][] = [
    ["processor\t", 0],
    ["vendor_id\t", "GenuineIntel"],
    ["cpu family\t", family],
    ["model\t\t", number],
    ["model name\t", model.title || model.brand.trim().replace(/ +/g, " ")],
    ["stepping\t", stepping],
    ["cpu MHz\t\t", mhz.toFixed(3)],
    ["cache size\t", `${model.cacheKib} KB`],
    ["physical id\t", 0],
    ["siblings\t", 1],
    ["core id\t\t", 0],
    ["cpu cores\t", 1],
    ["fdiv_bug\t", "no"],
    ["f00f_bug\t", "no"],
    ["coma_bug\t", "no"],
    ["fpu\t\t", "yes"],
    ["fpu_exception\t", "yes"],
    ["cpuid level\t", model.maxLeaf],
    ["wp\t\t", "yes"],
    ["flags\t\t", flagsOf(model)],
    ["bugs\t\t", ""],
    ["bogomips\t", (mhz * 2).toFixed(2)],
    ["clflush size\t", model.flushBytes],
    ["cache_alignment\t", model.alignment],
    ["address sizes\t", "32 bits physical, 32 bits virtual"],
    ["power management", ""],
  ];
  return `${rows.map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n`;
}

function stat(k: Kernel): string {
  const ticks = (units: number) => Math.floor((units * k.nsPerUnit) / 1e7);
  let user = 0;
  let system = 0;
  let running = 0;
  for (const t of k.tasks.values()) {
    user += t.usage.user;
    system += t.usage.system;
    if (t.state === "running") running++;
  }
  const idle = Math.max(0, k.clock.now() - user - system);
  const cpu = `${ticks(user)} 0 ${ticks(system)} ${ticks(idle)} 0 0 0 0 0 0`;
  const boot = k.realtime().sec - Math.floor(k.uptimeNs / 1e9);
  return (
    `cpu  ${cpu}\ncpu0 ${cpu}\nintr 0\nctxt ${k.sched.switches}\nbtime ${boot}\nprocesses ${k.tasks.size}\n` +
    `procs_running ${running}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  );
}

function seconds(ns: number): string {
  return `${Math.floor(ns / 1e9)}.${String(Math.floor((ns % 1e9) / 1e7)).padStart(2, "0")}`;
}

function uptime(k: Kernel): string {
  let busy = 0;
  for (const t of k.tasks.values()) busy += t.usage.user + t.usage.system;
  return `${seconds(k.uptimeNs)} ${seconds(Math.max(0, k.uptimeNs - busy * k.nsPerUnit))}\n`;
}

function loadavg(k: Kernel): string {
  let running = 0;
  let last = 0;
  for (const t of k.tasks.values()) {
    if (t.state === "running") running++;
    if (t.pid > last) last = t.pid;
  }
  return `0.00 0.00 0.00 ${running}/${k.tasks.size} ${last}\n`;
}

const fixed = (text: string) => () => `${text}\n`;

/** A setting that accepts what it holds: changing it has no effect here. */
const root = (_k: Kernel, text: string, t: Task): number =>
  t.creds.fsuid !== 0 ? -EPERM : text.trim() === "" ? -EINVAL : 0;

export const ROOT_FILES: readonly RootFile[] = [
  ["cgroups", fixed("#subsys_name\thierarchy\tnum_cgroups\tenabled")],
  ["cmdline", fixed("root=/dev/sda1 ro")],
  ["cpuinfo", cpuinfo],
  ["devices", fixed("Character devices:\n  1 mem\n  4 tty\n  5 /dev/tty\n136 pts\n\nBlock devices:\n  8 sd")],
  ["filesystems", fixed("nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n\text4")],
  [
    "interrupts",
    (k) =>
      `           CPU0       \n  0: ${String(Math.floor((k.uptimeNs * k.options.hz) / 1e9)).padStart(10)}    XT-PIC      timer\n`,
  ],
  ["loadavg", loadavg],
  ["meminfo", meminfo],
  ["modules", () => ""],
  ...NET_FILES,
  [
    "net/dev",
    fixed(
      "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0",
    ),
  ],
  [
    "net/route",
    fixed(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       ",
    ),
  ],
  ["partitions", fixed("major minor  #blocks  name\n\n   8        1   16777216 sda1")],
  ["stat", stat],
  ["swaps", swaps],
  ["sys/fs/file-max", fixed("98304")],
  ["sys/fs/file-nr", fixed("64\t0\t98304")],
  ["sys/fs/nr_open", fixed("1048576")],
  ["sys/fs/pipe-max-size", fixed("1048576"), root],
  ["sys/fs/protected_hardlinks", fixed("1"), root],
  ["sys/fs/protected_symlinks", fixed("0"), root],
  ["sys/kernel/cap_last_cap", fixed("40")],
  ["sys/kernel/domainname", (k) => `${k.domainname}\n`],
  ["sys/kernel/hostname", (k) => `${k.nodename}\n`],
  ["sys/kernel/ngroups_max", fixed("65536")],
  ["sys/kernel/osrelease", () => `${UTSNAME.release}\n`],
  ["sys/kernel/ostype", fixed("Linux")],
  ["sys/kernel/overflowgid", fixed("65534")],
  ["sys/kernel/overflowuid", fixed("65534")],
  ["sys/kernel/pid_max", fixed("32768"), root],
  ["sys/kernel/random/boot_id", fixed("6b6d6c61-6200-4000-8000-000000000001")],
  ["sys/kernel/random/entropy_avail", fixed("256")],
  ["sys/kernel/random/uuid", (k) => uuid(k)],
  ["sys/kernel/randomize_va_space", (k) => (k.options.aslr ? "2\n" : "0\n"), root],
  ["sys/kernel/threads-max", fixed("8192")],
  ["sys/kernel/version", () => `${UTSNAME.version}\n`],
  ["sys/net/core/somaxconn", fixed("4096"), root],
  ["sys/net/ipv4/ip_local_port_range", fixed("32768\t60999"), root],
  ["sys/vm/max_map_count", fixed("65530"), root],
  ["sys/vm/mmap_min_addr", fixed("65536")],
  ["sys/vm/overcommit_memory", fixed("0"), root],
  ["sys/vm/overcommit_ratio", fixed("50"), root],
  ["sys/vm/swappiness", fixed("60"), root],
  ["sys/vm/page-cluster", fixed("3"), root],
  ["uptime", uptime],
  ["vmstat", vmstat],
  ["version", () => `Linux version ${UTSNAME.release} (kmlab) ${UTSNAME.version}\n`],
  // Behind the others, which keep their inode numbers.
  ["sysvipc/msg", (k) => k.ipc.msg.text()],
  ["sysvipc/sem", (k) => k.ipc.sem.text()],
  ["sysvipc/shm", (k) => k.ipc.shm.text()],
  ...Object.entries(INOTIFY_LIMITS).map(([name, n]): RootFile => [`sys/fs/inotify/${name}`, fixed(`${n}`), root]),
  ["sys/kernel/msgmax", fixed("8192")],
  ["sys/kernel/msgmnb", fixed("16384")],
  ["sys/kernel/msgmni", fixed("32000")],
  ["sys/kernel/sem", fixed("32000\\t1024000000\\t500\\t32000")],
  ["sys/kernel/shmall", fixed("4278190079")],
  ["sys/kernel/shmmax", fixed("4278190079")],
  ["sys/kernel/shmmni", fixed("4096")],
];

function uuid(k: Kernel): string {
  const b = k.random.bytes(16);
  b[6] = (b[6] & 15) | 0x40;
  b[8] = (b[8] & 63) | 0x80;
  const hex = [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}\n`;
}
