// System calls that are refused for a reason, with the error that a Linux without the feature or the privilege gives.
import { ENOENT, ENOSYS, EOPNOTSUPP, EPERM, ESTALE } from "./errno.ts";

/** Why a call always fails. */
export interface Refusal {
  readonly errno: number;
  readonly why: string;
}

// biome-ignore format: a row a reason
const ROWS: readonly (readonly [errno: number, why: string, names: string])[] = [
  [ENOSYS, "numbers that Linux never filled or has emptied since", "_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx nfsservctl prof profil putpmsg query_module stty ulimit vserver"],
  [EPERM, "what an unprivileged caller gets: the tree of mounts is fixed when the machine boots", "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root umount umount2"],
  [ENOSYS, "CONFIG_IO_URING=n; programs that would like it fall back", "io_uring_enter io_uring_register io_uring_setup"],
  [ENOSYS, "CONFIG_AIO=n; libaio's users fall back", "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit"],
  [ENOSYS, "CONFIG_BPF_SYSCALL=n", "bpf"],
  [ENOSYS, "CONFIG_SECURITY_LANDLOCK=n", "landlock_add_rule landlock_create_ruleset landlock_restrict_self"],
  [ENOSYS, "CONFIG_KEYS=n", "add_key keyctl request_key"],
  [ENOSYS, "CONFIG_FANOTIFY=n", "fanotify_init fanotify_mark"],
  [ENOSYS, "CONFIG_QUOTA=n", "quotactl quotactl_fd"],
  [ENOSYS, "CONFIG_KEXEC=n", "kexec_load"],
  [ENOSYS, "CONFIG_PROFILING=n", "lookup_dcookie"],
  [ENOSYS, "CONFIG_NUMA=n: there is one node", "migrate_pages move_pages set_mempolicy_home_node"],
  [ENOSYS, "CONFIG_USERFAULTFD=n", "userfaultfd"],
  [ENOSYS, "secretmem.enable=0, the default of 6.1", "memfd_secret"],
  [ENOSYS, "protection keys are of 64-bit kernels", "pkey_alloc pkey_free"],
  [ENOENT, "no performance monitoring unit counts any event", "perf_event_open"],
  [EPERM, "modules are not loaded, as with kernel.modules_disabled=1", "finit_module"],
  [EOPNOTSUPP, "the file systems give out no handles", "name_to_handle_at"],
  [ESTALE, "the file systems give out no handles", "open_by_handle_at"],
];

/** By name of the call. */
export const REFUSED: ReadonlyMap<string, Refusal> = new Map(
  ROWS.flatMap(([errno, why, names]) => names.split(" ").map((name) => [name, { errno, why }] as const)),
);

/** The reasons in order, each with its calls: what docs/syscalls.md shows. */
export const REFUSALS: readonly (Refusal & { readonly names: readonly string[] })[] = ROWS.map(
  ([errno, why, names]) => ({ errno, why, names: names.split(" ") }),
);
