// What memory management has done since boot: the counts of /proc/vmstat, by its names.

export class VmStat {
  /** KiB read from and written to the disk. */
  pgpgin = 0;
  pgpgout = 0;
  pswpin = 0;
  pswpout = 0;
  pgfault = 0;
  pgmajfault = 0;
  pgactivate = 0;
  pgdeactivate = 0;
  pgrotated = 0;
  pgscan_kswapd = 0;
  pgscan_direct = 0;
  pgsteal_kswapd = 0;
  pgsteal_direct = 0;
  allocstall = 0;
  pageoutrun = 0;
  swap_ra = 0;
  swap_ra_hit = 0;
  oom_kill = 0;
}
