// Numbers of the whole kernel that modules need while they are being loaded.

/** First linear address of the kernel. */
export const TASK_SIZE = 0xc000_0000;
/** Clock time at boot, in ms since 1970: 2027-01-01T00:00:00Z: the same on any day, and behind the times of the files in Debian roots. */
export const BOOT_TIME_MS = 1_798_761_600_000;
/** The number of the first program; 1 is the kernel's own init, which only waits for orphans. */
export const FIRST_PID = 1000;
