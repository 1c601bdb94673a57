// The vDSO: one page with the code that programs enter the kernel through, return from handlers by, and read the clock
// with, dressed as an ELF shared object, and the page of clock data beside it.
import { assembleOnce } from "../cpu/asm/assemble.ts";
import { VDSO_BASE, VVAR_BASE } from "./entry/layout.ts";
import { VdsoElf, type Version } from "./vdso-elf.ts";

const PAGE = 4096;
/** What the way to SYSENTER pushes, by DWARF's numbers: ECX, EDX, EBP, a byte each. */
const SYSENTER_PUSHES = [1, 2, 5];
const NS_PER_SECOND = 1_000_000_000;
/** Resolution of the coarse clocks: a tick of 100 Hz. */
const COARSE_NS = 10_000_000;

/** Offsets in the clock data page: 64-bit nanoseconds to add to the time since boot; whether the counter may not be read yet. */
export const VVAR = { REALTIME: 0, MONOTONIC: 8, UNTRUSTED: 16 } as const;

/** Which clocks the functions know: realtime, monotonic, raw, both coarse, boottime. Others become calls. */
const REALTIME_CLOCKS = 0x21;
const MONOTONIC_CLOCKS = 0xd2;
const COARSE_CLOCKS = 0x60;

export interface VdsoOptions {
  /** What __kernel_vsyscall does in ring 3. */
  readonly entry: "int80" | "sysenter";
  /** Whether the clock functions are there. */
  readonly clock: boolean;
  /** Linear address of kml_call_table; undefined: no KML. */
  readonly kmlCallTable?: number;
  /** Nanoseconds in a unit of the time-stamp counter, a power of two. */
  readonly nsPerUnit: number;
  /** How the clock functions ask the kernel; SYSENTER takes a ring-0 program to ring 3. Default int80. */
  readonly clockFallback?: "int80" | "sysenter";
}

/** A clock function: the call it stands for, where it begins, and its RETs. */
export interface ClockCall {
  readonly nr: number;
  readonly entry: number;
  readonly leaves: readonly number[];
}

/** The built page. Numbers without "address" are offsets in it. */
export interface VdsoCode {
  readonly image: Uint8Array;
  readonly entry: "int80" | "sysenter";
  readonly vsyscall: { readonly entry: number; readonly leave: number };
  /** -1: none. */
  readonly kmlVsyscall: number;
  readonly sigreturn: number;
  readonly rtSigreturn: number;
  /** Where SYSEXIT returns to. */
  readonly sysenterReturn: number;
  readonly clockCalls: readonly ClockCall[];
  /** Physical address of an offset. */
  physical(offset: number): number;
  /** Whether an address lies behind the kernel entry of __kernel_vsyscall, up to its RET. */
  inVsyscallTail(address: number): boolean;
  /** Whether a call restarted at this address enters __kernel_vsyscall from its beginning (its first instruction is the INT). */
  restartsVsyscall(address: number): boolean;
}

const vsyscallText = (entry: "int80" | "sysenter"): string =>
  entry === "int80"
    ? `
vdso_vsyscall:
  int 0x80
vdso_sysenter_return:
vdso_vsyscall_leave:
  ret`
    : `
vdso_vsyscall:
  push ecx
  push edx
  push ebp
  mov ebp, esp
  sysenter
  int 0x80
vdso_sysenter_return:
  pop ebp
  pop edx
  pop ecx
vdso_vsyscall_leave:
  ret`;

/** EDX:EAX = nanoseconds: the counter in nanoseconds plus the 64-bit word at ECX. */
const readClock = (nsPerUnit: number): string => `
  rdtsc
${"  add eax, eax\n  adc edx, edx\n".repeat(Math.log2(nsPerUnit))}
  add eax, [ecx]
  adc edx, [ecx+4]
  mov ebx, ${NS_PER_SECOND}
  div ebx`;

/** The call itself: by int 0x80 in any ring, or through the page's own stub. */
const ask = (o: VdsoOptions): string => (o.clockFallback === "sysenter" ? "  call vdso_vsyscall" : "  int 0x80");

/** Jump if the counter is not to be read yet. */
const testCounter = (o: VdsoOptions, target: string): string =>
  o.clockFallback === "sysenter" ? `  cmp dword [${VVAR_BASE + VVAR.UNTRUSTED}], 0\n  jne near ${target}` : "";

/** clock_gettime(clock, timespec); wide: 64-bit seconds. A clock that is not known is asked for. */
const clockGettime = (name: string, nr: number, wide: boolean, o: VdsoOptions): string => `
${name}:
  push ebx
  mov eax, [esp+8]
  cmp eax, 7
  ja ${name}_call
${testCounter(o, `${name}_call`)}
  mov ecx, ${VVAR_BASE + VVAR.REALTIME}
  mov edx, ${REALTIME_CLOCKS}
  bt edx, eax
  jc ${name}_read
  mov ecx, ${VVAR_BASE + VVAR.MONOTONIC}
  mov edx, ${MONOTONIC_CLOCKS}
  bt edx, eax
  jnc ${name}_call
${name}_read:
${readClock(o.nsPerUnit)}
  mov ecx, [esp+12]
  mov [ecx], eax
${
  wide
    ? `  mov dword [ecx+4], 0
  mov [ecx+8], edx
  mov dword [ecx+12], 0`
    : "  mov [ecx+4], edx"
}
  xor eax, eax
  pop ebx
${name}_leave_1:
  ret
${name}_call:
  mov eax, ${nr}
  mov ebx, [esp+8]
  mov ecx, [esp+12]
${ask(o)}
  pop ebx
${name}_leave_2:
  ret`;

const gettimeofday = (nsPerUnit: number): string => `
vdso_gettimeofday:
  push ebx
  mov ecx, [esp+8]
  test ecx, ecx
  jz vdso_gettimeofday_zone
  mov ecx, ${VVAR_BASE + VVAR.REALTIME}
${readClock(nsPerUnit)}
  mov ecx, [esp+8]
  mov [ecx], eax
  mov eax, edx
  xor edx, edx
  mov ebx, 1000
  div ebx
  mov [ecx+4], eax
vdso_gettimeofday_zone:
  mov ecx, [esp+12]
  test ecx, ecx
  jz vdso_gettimeofday_out
  mov dword [ecx], 0
  mov dword [ecx+4], 0
vdso_gettimeofday_out:
  xor eax, eax
  pop ebx
vdso_gettimeofday_leave_1:
  ret`;

const time = (nsPerUnit: number): string => `
vdso_time:
  push ebx
  mov ecx, ${VVAR_BASE + VVAR.REALTIME}
${readClock(nsPerUnit)}
  mov ecx, [esp+8]
  test ecx, ecx
  jz vdso_time_out
  mov [ecx], eax
vdso_time_out:
  pop ebx
vdso_time_leave_1:
  ret`;

const clockGetres = (o: VdsoOptions): string => `
vdso_clock_getres:
  push ebx
  mov eax, [esp+8]
  cmp eax, 7
  ja vdso_clock_getres_call
  mov edx, ${REALTIME_CLOCKS | MONOTONIC_CLOCKS}
  bt edx, eax
  jnc vdso_clock_getres_call
  mov ebx, 1
  mov edx, ${COARSE_CLOCKS}
  bt edx, eax
  jnc vdso_clock_getres_store
  mov ebx, ${COARSE_NS}
vdso_clock_getres_store:
  mov ecx, [esp+12]
  test ecx, ecx
  jz vdso_clock_getres_out
  mov dword [ecx], 0
  mov [ecx+4], ebx
vdso_clock_getres_out:
  xor eax, eax
  pop ebx
vdso_clock_getres_leave_1:
  ret
vdso_clock_getres_call:
  mov eax, 266
  mov ebx, [esp+8]
  mov ecx, [esp+12]
${ask(o)}
  pop ebx
vdso_clock_getres_leave_2:
  ret`;

const source = (o: VdsoOptions): string => `
${vsyscallText(o.entry)}
${o.kmlCallTable === undefined ? "" : `align 16\nvdso_vsyscall_kml:\n  jmp [${o.kmlCallTable >>> 0}+eax*4]`}
align 16
vdso_sigreturn:
  pop eax
  mov eax, 119
  int 0x80
align 16
vdso_rt_sigreturn:
  mov eax, 173
  int 0x80
${
  o.clock
    ? clockGettime("vdso_clock_gettime", 265, false, o) +
      clockGettime("vdso_clock_gettime64", 403, true, o) +
      gettimeofday(o.nsPerUnit) +
      time(o.nsPerUnit) +
      clockGetres(o)
    : ""
}
vdso_end:
`;

/** Symbol, its label, its version. */
type Export = readonly [name: string, label: string, version: Version];
const EXPORTS: readonly Export[] = [
  ["__kernel_vsyscall", "vdso_vsyscall", "LINUX_2.5"],
  ["__kernel_vsyscall_kml", "vdso_vsyscall_kml", "LINUX_2.5"],
  ["__kernel_sigreturn", "vdso_sigreturn", "LINUX_2.5"],
  ["__kernel_rt_sigreturn", "vdso_rt_sigreturn", "LINUX_2.5"],
  ["__vdso_clock_gettime", "vdso_clock_gettime", "LINUX_2.6"],
  ["__vdso_clock_gettime64", "vdso_clock_gettime64", "LINUX_2.6"],
  ["__vdso_gettimeofday", "vdso_gettimeofday", "LINUX_2.6"],
  ["__vdso_time", "vdso_time", "LINUX_2.6"],
  ["__vdso_clock_getres", "vdso_clock_getres", "LINUX_2.6"],
];
const CLOCK_CALLS: readonly (readonly [label: string, nr: number, leaves: number])[] = [
  ["vdso_clock_gettime", 265, 2],
  ["vdso_clock_gettime64", 403, 2],
  ["vdso_gettimeofday", 78, 1],
  ["vdso_time", 13, 1],
  ["vdso_clock_getres", 266, 2],
];

/** Builds the vDSO for its fixed place. @param pfn the frame it will lie in */
export function buildVdso(o: VdsoOptions, pfn: number): VdsoCode {
  const probe = assembleOnce(source(o), { origin: VDSO_BASE });
  const names = EXPORTS.filter(([, label]) => probe.symbols[label] !== undefined);
  const elf = new VdsoElf(names.map(([name, , version]) => ({ name, version })));
  const code = assembleOnce(source(o), { origin: VDSO_BASE + elf.text });
  const offset = (label: string) => (code.symbols[label] >>> 0) - VDSO_BASE;
  const image = elf.image(
    code.bytes,
    names.map(([, label]) => offset(label)),
    {
      begin: offset("vdso_vsyscall"),
      end: offset("vdso_vsyscall_leave") + 1,
      pushes: o.entry === "sysenter" ? { registers: SYSENTER_PUSHES, pops: offset("vdso_sysenter_return") } : undefined,
    },
  );

  const vsyscall = { entry: offset("vdso_vsyscall"), leave: offset("vdso_vsyscall_leave") };
  const sysenterReturn = offset("vdso_sysenter_return");
  const clockCalls = CLOCK_CALLS.filter(([label]) => code.symbols[label] !== undefined).map(([label, nr, leaves]) => ({
    nr,
    entry: offset(label),
    leaves: Array.from({ length: leaves }, (_, i) => offset(`${label}_leave_${i + 1}`)),
  }));
  return {
    image,
    entry: o.entry,
    vsyscall,
    kmlVsyscall: o.kmlCallTable === undefined ? -1 : offset("vdso_vsyscall_kml"),
    sigreturn: offset("vdso_sigreturn"),
    rtSigreturn: offset("vdso_rt_sigreturn"),
    sysenterReturn,
    clockCalls,
    physical: (at) => pfn * PAGE + at,
    inVsyscallTail: (address) => {
      const at = (address >>> 0) - VDSO_BASE;
      return at >= sysenterReturn && at <= vsyscall.leave;
    },
    restartsVsyscall: (address) => o.entry === "int80" && (address >>> 0) - VDSO_BASE === vsyscall.entry,
  };
}

/**
 * The clock data page.
 * @param realtimeNs nanoseconds since 1970 at boot
 */
export function vvarPage(realtimeNs: bigint): Uint8Array {
  const page = new Uint8Array(PAGE);
  const view = new DataView(page.buffer);
  view.setBigUint64(VVAR.REALTIME, realtimeNs, true);
  view.setBigUint64(VVAR.MONOTONIC, 0n, true);
  return page;
}
