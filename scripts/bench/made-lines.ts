// Lines of each format, as many as wanted, for measuring imports: blocks whose seconds are counted up in place.
import type { TextSource } from "../../src/traces/importers/lines.ts";

const BLOCK_LINES = 8192;
const FIRST = 1_700_000;
/** Stands where a line has its seconds since boot. */
const SECONDS = String(FIRST);

interface Call {
  readonly name: string;
  readonly nr: number;
  readonly args: string;
  readonly ret: string;
}

const CALLS: readonly Call[] = [
  { name: "read", nr: 0, args: '3, "abcdefghijklmnopqrstuvwxyz012345"..., 4096', ret: "4096" },
  { name: "write", nr: 1, args: '4</tmp/x>, "hello, world\\n", 13', ret: "13" },
  { name: "openat", nr: 257, args: 'AT_FDCWD, "/usr/lib/libc.so.6", O_RDONLY|O_CLOEXEC', ret: "3" },
  { name: "close", nr: 3, args: "3", ret: "0" },
  {
    name: "mmap",
    nr: 9,
    args: "NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0",
    ret: "0x7f2f0a000000",
  },
  { name: "access", nr: 21, args: '"/etc/nothing", R_OK', ret: "-1 ENOENT (No such file or directory)" },
  { name: "fstat", nr: 5, args: "3, {st_mode=S_IFREG|0644, st_size=1234, ...}", ret: "0" },
  { name: "poll", nr: 7, args: "[{fd=5, events=POLLIN}], 1, 100", ret: "0 (Timeout)" },
];

/** The bare number of a result. */
function plain(ret: string): string {
  if (ret.startsWith("-1 ")) return "-2";
  return ret.startsWith("0x") ? String(Number(ret)) : ret.split(" ")[0];
}

type Maker = (call: Call, us: string, pid: number, nth: number) => readonly string[];

const ftraceHead = "# tracer: nop\n#\n";

/** Each gives the lines of one call. */
export const MAKERS: Readonly<Record<string, { readonly head?: string; readonly lines: Maker }>> = {
  strace: {
    lines: ({ name, args, ret }, us, pid, nth) => [
      `${pid} 170${SECONDS}.${us} ${name}(${args}) = ${ret} <0.000${String(11 + ((nth * 7919) % 900)).padStart(3, "0")}>`,
    ],
  },
  "perf-script": {
    lines: ({ nr, ret }, us, pid) => [
      `              ls ${pid} [000] ${SECONDS}.${us}: raw_syscalls:sys_enter: NR ${nr} (3, 7ffde601d1bc, 1000, 37f, 0, 0)`,
      `              ls ${pid} [000] ${SECONDS}.${us}:  raw_syscalls:sys_exit: NR ${nr} = ${plain(ret)}`,
    ],
  },
  ftrace: {
    head: ftraceHead,
    lines: ({ nr, ret }, us, pid) => [
      `            bash-${pid}   [001] .....  ${SECONDS}.${us}: sys_enter: NR ${nr} (3, 7ffde601d1bc, 1000, 0, 0, 0)`,
      `            bash-${pid}   [001] .....  ${SECONDS}.${us}: sys_exit: NR ${nr} = ${plain(ret)}`,
    ],
  },
  bpftrace: {
    lines: ({ nr, ret }, us, pid) => [
      `${SECONDS}${us}000 ${pid} ${pid} enter ${nr} 3 7ffde601d1bc 1000`,
      `${SECONDS}${us}000 ${pid} ${pid} exit ${nr} ${plain(ret)}`,
    ],
  },
  lttng: {
    lines: ({ name, ret }, us, pid) => {
      const head = (event: string) =>
        `[${SECONDS}.${us}000] (+0.000000778) host ${event}: { cpu_id = 2 }, { vpid = ${pid}, vtid = ${pid}, procname = "sh" }`;
      return [
        `${head(`syscall_entry_${name}`)}, { fd = 3, count = 4096 }`,
        `${head(`syscall_exit_${name}`)}, { ret = ${plain(ret)} }`,
      ];
    },
  },
  csv: {
    head: "time,pid,call,ret,duration_us\n",
    lines: ({ name, ret }, us, pid) => [`${SECONDS}.${us},${pid},${name},${plain(ret)},12`],
  },
};

function block(lines: Maker): { bytes: Uint8Array; places: number[] } {
  const list: string[] = [];
  for (let nth = 0; list.length < BLOCK_LINES; nth++) {
    const us = String(nth * 60 + ((nth * 2_654_435) % 53)).padStart(6, "0");
    list.push(...lines(CALLS[nth % CALLS.length], us, 2000 + ((nth >> 8) & 3), nth));
  }
  const text = `${list.slice(0, BLOCK_LINES).join("\n")}\n`;
  const places: number[] = [];
  for (let at = text.indexOf(SECONDS); at >= 0; at = text.indexOf(SECONDS, at + 1))
    places.push(at + SECONDS.length - 5);
  return { bytes: new TextEncoder().encode(text), places };
}

/** A file of a format with at least so many lines. */
export function madeSource(format: string, lines: number): TextSource {
  const { head, lines: maker } = MAKERS[format];
  return {
    name: `made-${format}.txt`,
    *pieces() {
      if (head !== undefined) yield new TextEncoder().encode(head);
      const { bytes, places } = block(maker);
      for (let second = 0; second * BLOCK_LINES < lines; second++) {
        const digits = new TextEncoder().encode(String(FIRST + second).slice(-5));
        for (const place of places) bytes.set(digits, place);
        yield bytes;
      }
    },
  };
}
