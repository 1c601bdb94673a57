// The first stack of a program: strings, auxiliary vector, environment and argument pointers (create_elf_tables).
import { VDSO_BASE, VVAR_BASE } from "../entry/layout.ts";
import { ENOMEM, SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { type Mm, PAGE, pageDown } from "../mm/mm.ts";
import { VM_EXEC, VM_GROWSDOWN, VM_MAYEXEC, VM_MAYREAD, VM_MAYWRITE, VM_READ, VM_WRITE, Vma } from "../mm/vma.ts";
import { RLIMIT, type Task } from "../task.ts";
import { bytesOf, copyOut, TASK_SIZE } from "../user.ts";
import type { Elf } from "./elf.ts";
import type { Loaded } from "./load.ts";

/** A new stack reaches this far below its contents. */
const STACK_EXPAND = 128 * 1024;
const PLATFORM = "i686";
/** Bytes of the largest signal frame: rt_sigframe, FPU state, alignment. */
const SIGFRAME_BYTES = 976;
const USER_HZ = 100;

const AT = {
  NULL: 0,
  PHDR: 3,
  PHENT: 4,
  PHNUM: 5,
  PAGESZ: 6,
  BASE: 7,
  FLAGS: 8,
  ENTRY: 9,
  UID: 11,
  EUID: 12,
  GID: 13,
  EGID: 14,
  PLATFORM: 15,
  HWCAP: 16,
  CLKTCK: 17,
  SECURE: 23,
  RANDOM: 25,
  HWCAP2: 26,
  EXECFN: 31,
  SYSINFO: 32,
  SYSINFO_EHDR: 33,
  MINSIGSTKSZ: 51,
} as const;

/** What the stack is made of. */
export interface StackContents {
  argv: readonly string[];
  env: readonly string[];
  /** The name execve was called with. */
  filename: string;
  elf: Elf;
  program: Loaded;
  /** Where the interpreter was loaded; 0 without one. */
  interpreterBase: number;
  /** AT_SECURE: the program got rights that its caller had not. */
  secure: boolean;
  executable: boolean;
  /** Bytes to move the stack's top down by, and its contents by. */
  random: { top: number; contents: number };
}

/** Maps the vDSO and its clock page. */
export function mapVdso(k: Kernel, mm: Mm): void {
  const { vdso, vvar } = k.entry.vdsoPages;
  const area = (name: string, start: number, pfns: readonly number[], flags: number) => {
    const end = start + pfns.length * PAGE;
    mm.addVma(new Vma(start, end, flags | VM_MAYREAD | VM_MAYEXEC, 0, undefined, undefined, { name, pfns }));
  };
  area("[vvar]", VVAR_BASE, vvar, VM_READ);
  area("[vdso]", VDSO_BASE, vdso, VM_READ | VM_EXEC);
  mm.vdso = VDSO_BASE;
}

/** The stack's area, big enough for `bytes` of contents, under the limit. */
function mapStack(t: Task, mm: Mm, top: number, bytes: number, executable: boolean): void {
  const limit = t.signal.rlimits[RLIMIT.STACK].cur;
  const contents = pageDown(top - bytes);
  const wanted = top - contents + STACK_EXPAND;
  const size = wanted > limit ? Math.max(top - contents, pageDown(limit)) : wanted;
  const flags = VM_READ | VM_WRITE | VM_GROWSDOWN | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | (executable ? VM_EXEC : 0);
  const vma = new Vma(top - size, top, flags, (top - size) / PAGE);
  vma.name = "[stack]";
  mm.addVma(vma);
}

/**
 * Builds the stack in the task's (new, empty at that place) address space.
 * @returns the stack pointer that the program starts with
 * @throws SysError(ENOMEM)
 */
export function setUpStack(k: Kernel, t: Task, c: StackContents): number {
  const mm = t.mm!;
  const top = TASK_SIZE - pageDown(c.random.top);
  const strings = [...c.argv, ...c.env, c.filename];
  const stringBytes = strings.reduce((sum, s) => sum + s.length + 1, 0);
  const pointers = (c.argv.length + c.env.length + 64) * 4;
  mapStack(t, mm, top, stringBytes + pointers + 8192 + 256, c.executable);
  let at = top - 4 - stringBytes;
  const addresses: number[] = [];
  const block = new Uint8Array(stringBytes);
  let offset = 0;
  for (const s of strings) {
    addresses.push(at + offset);
    block.set(bytesOf(s, true), offset);
    offset += s.length + 1;
  }
  copyOut(k, t, at, block);
  const argAddresses = addresses.slice(0, c.argv.length);
  const envAddresses = addresses.slice(c.argv.length, c.argv.length + c.env.length);
  const execfn = addresses[addresses.length - 1];
  mm.argStart = at;
  mm.argEnd = envAddresses[0] ?? execfn;
  mm.envStart = mm.argEnd;
  mm.envEnd = execfn;
  at = (at - c.random.contents) & ~15;
  at = (at >>> 0) - (PLATFORM.length + 1);
  const platform = at;
  copyOut(k, t, platform, bytesOf(PLATFORM, true));
  at -= 16;
  const random = at;
  copyOut(k, t, random, k.random.bytes(16));
  const auxv = auxiliary(k, t, c, { platform, random, execfn });
  const words = [c.argv.length, ...argAddresses, 0, ...envAddresses, 0, ...auxv];
  const sp = (at - 4 * auxv.length - 4 * (words.length - auxv.length)) & ~15;
  const bytes = new Uint8Array(Uint32Array.from(words).buffer);
  copyOut(k, t, sp >>> 0, bytes);
  mm.startStack = sp >>> 0;
  mm.auxv = new Uint8Array(Uint32Array.from(auxv).buffer);
  if (sp >>> 0 > top) throw new SysError(ENOMEM);
  return sp >>> 0;
}

function auxiliary(
  k: Kernel,
  t: Task,
  c: StackContents,
  at: { platform: number; random: number; execfn: number },
): number[] {
  const { creds } = t;
  return [
    [AT.SYSINFO, k.entry.sysinfo(t.ku)],
    [AT.SYSINFO_EHDR, t.mm!.vdso],
    [AT.MINSIGSTKSZ, SIGFRAME_BYTES],
    [AT.HWCAP, k.cpu.model.edx],
    [AT.PAGESZ, PAGE],
    [AT.CLKTCK, USER_HZ],
    [AT.PHDR, c.program.phdr],
    [AT.PHENT, 32],
    [AT.PHNUM, c.elf.phnum],
    [AT.BASE, c.interpreterBase],
    [AT.FLAGS, 0],
    [AT.ENTRY, c.elf.entry + c.program.bias],
    [AT.UID, creds.uid],
    [AT.EUID, creds.euid],
    [AT.GID, creds.gid],
    [AT.EGID, creds.egid],
    [AT.SECURE, c.secure ? 1 : 0],
    [AT.RANDOM, at.random],
    [AT.HWCAP2, 0],
    [AT.EXECFN, at.execfn],
    [AT.PLATFORM, at.platform],
    [AT.NULL, 0],
  ].flat();
}
