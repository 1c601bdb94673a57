// Names of errors and signals as tools print them, by Linux's numbers on x86.

/** From 1; "-" where a number has no name of its own. */
const ERRORS = (
  "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV " +
  "ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG " +
  "ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL " +
  "ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP " +
  "EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS " +
  "ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT " +
  "EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS " +
  "ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT " +
  "ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON"
).split(" ");

const ERROR_NUMBERS: ReadonlyMap<string, number> = new Map<string, number>([
  ...ERRORS.map((name, index) => [name, index + 1] as const).filter(([name]) => name !== "-"),
  ["EWOULDBLOCK", 11],
  ["EDEADLOCK", 35],
  ["ENOTSUP", 95],
  ["ERESTARTSYS", 512],
  ["ERESTARTNOINTR", 513],
  ["ERESTARTNOHAND", 514],
  ["ENOIOCTLCMD", 515],
  ["ERESTART_RESTARTBLOCK", 516],
]);

/** The number of an error by its name; 0: no such error. */
export function errorNumber(name: string): number {
  return ERROR_NUMBERS.get(name) ?? 0;
}

/** Does this result say that the call is to be made again? */
export function isRestart(ret: number): boolean {
  return ret === -512 || ret === -513 || ret === -514 || ret === -516;
}

const SIGNALS = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ " +
  "VTALRM PROF WINCH IO PWR SYS"
).split(" ");

/** The number of a signal by its name, as SIGTERM or SIGRT_2; 0: no such signal. */
export function signalNumber(name: string): number {
  if (!name.startsWith("SIG")) return 0;
  if (name === "SIGRTMIN") return 32;
  if (name.startsWith("SIGRT_")) {
    const nth = Number(name.slice(6));
    return Number.isInteger(nth) && nth >= 0 && nth <= 32 ? 32 + nth : 0;
  }
  return SIGNALS.indexOf(name.slice(3)) + 1;
}

const ERROR_NAMES: ReadonlyMap<number, string> = new Map(
  [...ERROR_NUMBERS]
    .filter(([name]) => !["EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"].includes(name))
    .map(([name, n]) => [n, name]),
);

/** The name of an error by its number; the number in words when it has none. */
export function errorName(error: number): string {
  return ERROR_NAMES.get(error) ?? `Unknown error ${error}`;
}

/** The name of a signal by its number, as strace writes it. */
export function signalName(signal: number): string {
  if (signal >= 1 && signal <= SIGNALS.length) return `SIG${SIGNALS[signal - 1]}`;
  return signal === 32 ? "SIGRTMIN" : `SIGRT_${signal - 32}`;
}
