// What kernel work costs on the virtual clock, in clock units (2 ns): one table, fixed, the same for every processor and kernel
// model, written into the trace with each call. A unit stands for one instruction of the C code that the bodies replace; the
// figures are rounded counts for Linux bodies (a KML 4.0 kernel under full emulation: getpid 31, gettimeofday 178-245,
// anonymous fault 1,665) and same-order estimates for the rest.

export interface Charges {
  /** A body that is not listed. */
  readonly body: number;
  /** By name of the call. */
  readonly calls: Readonly<Record<string, number>>;
  /** A page fault's body, and the signal it may become. */
  readonly fault: number;
  /** A context switch between tasks, beyond the instructions of schedule()'s entry code. */
  readonly contextSwitch: number;
  /** A timer tick's body; a device interrupt's. */
  readonly tick: number;
  readonly interrupt: number;
  /** Setting up a signal frame. */
  readonly signal: number;
  /** Copying: per 64 bytes moved between user and kernel. */
  readonly copy64: number;
  /** Fork and exit, per page table entry copied or dropped; exec, fixed part. */
  readonly perPage: number;
  /** Reclaim: a page looked at; a mapping asked or taken away; a page sent to the disk; a page freed. */
  readonly reclaim: {
    readonly look: number;
    readonly mapping: number;
    readonly write: number;
    readonly free: number;
  };
  /** The loopback device: a connection's three packets; one segment or datagram, both ends, without its copy. */
  readonly loopback: { readonly connect: number; readonly segment: number };
}

// Grouped by what the body does; ids and the like fall under `body`'s neighbours.
const TRIVIAL = 35;
const SMALL = 150;
const MEDIUM = 500;
const LARGE = 1500;

function each(units: number, names: string): Record<string, number> {
  return Object.fromEntries(names.split(" ").map((name) => [name, units]));
}

export const CHARGES: Charges = {
  body: 250,
  calls: {
    ...each(
      TRIVIAL,
      "getpid gettid getppid getpgrp getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 umask",
    ),
    ...each(TRIVIAL, "set_tid_address set_robust_list rseq sched_yield time restart_syscall iopl"),
    ...each(
      SMALL,
      "rt_sigprocmask sigprocmask rt_sigaction sigaction sigaltstack brk dup dup2 dup3 fcntl fcntl64 lseek _llseek",
    ),
    ...each(
      SMALL,
      "gettimeofday clock_gettime clock_gettime64 uname getcwd set_thread_area prctl getrusage times close alarm",
    ),
    ...each(SMALL, "sched_getaffinity prlimit64 ugetrlimit getrlimit getpgid getsid futex futex_time64 nanosleep"),
    ...each(
      MEDIUM,
      "read write pread64 pwrite64 readv writev ioctl fstat64 poll mprotect munmap madvise wait4 waitpid waitid kill",
    ),
    ...each(
      MEDIUM,
      "tgkill tkill pipe pipe2 select _newselect epoll_wait epoll_ctl getdents64 getdents sysinfo statfs64 fstatfs64",
    ),
    ...each(MEDIUM, "clock_nanosleep clock_nanosleep_time64 setitimer rt_sigreturn sigreturn eventfd2 socketpair"),
    ...each(
      LARGE,
      "open openat stat64 lstat64 fstatat64 statx access faccessat faccessat2 readlink readlinkat chdir mmap2 mmap",
    ),
    ...each(
      LARGE,
      "unlink unlinkat mkdir mkdirat rmdir rename renameat renameat2 link linkat symlink symlinkat chmod chown32",
    ),
    ...each(
      LARGE,
      "getxattr lgetxattr listxattr llistxattr setxattr utimensat truncate64 ftruncate64 socket connect accept4 bind",
    ),
    ...each(12_000, "fork clone clone3"),
    vfork: 6_000,
    ...each(25_000, "execve execveat"),
    ...each(6_000, "exit_group exit"),
  },
  fault: 600,
  contextSwitch: 250,
  tick: 1_000,
  interrupt: 600,
  signal: 500,
  copy64: 8,
  perPage: 12,
  reclaim: { look: 60, mapping: 120, write: 900, free: 150 },
  loopback: { connect: 12_000, segment: 4_000 },
};
