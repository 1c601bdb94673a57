// What a machine holds open, counted by somebody else: every file that is opened or let go of is noted as it happens, and at the end of a
// run each must have as many holders as it believes, each inode as many files, each socket a file, and each address space tasks.
import { File } from "../../src/emu/kernel/fs/file.ts";
import type { Inode } from "../../src/emu/kernel/fs/inode.ts";
import { Pipe } from "../../src/emu/kernel/ipc/pipe.ts";
import type { Kernel } from "../../src/emu/kernel/kernel.ts";
import { Socket } from "../../src/emu/kernel/net/socket.ts";

/** The files that a run has left open, and what was wrong meanwhile. */
export interface Ledger {
  readonly open: ReadonlySet<File>;
  readonly wrong: readonly string[];
}

const nameOf = (file: File): string => `${file.path.dentry.name || "/"} (inode ${file.inode.ino})`;

/** Does something while noting the files of all machines that it runs. */
export function noting<T>(run: () => T): { readonly result: T; readonly ledger: Ledger } {
  const open = new Set<File>();
  const wrong: string[] = [];
  const { get, put } = File.prototype;
  File.prototype.get = function (this: File) {
    open.add(this);
    return get.call(this) as typeof this;
  };
  File.prototype.put = function (this: File, k: Kernel) {
    put.call(this, k);
    if (this.refs <= 0 && !open.delete(this)) wrong.push(`${nameOf(this)} was let go of once too often`);
  };
  try {
    return { result: run(), ledger: { open, wrong } };
  } finally {
    File.prototype.get = get;
    File.prototype.put = put;
  }
}

/** How often each thing occurs. */
function tally<T>(things: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const thing of things) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  return counts;
}

/** Who holds files: descriptors, mappings, programs being run, and messages under way to sockets. */
function* holders(k: Kernel, open: ReadonlySet<File>): Generator<File> {
  for (const files of new Set([...k.tasks.values()].map((t) => t.files)))
    for (const fd of files?.open() ?? []) yield files!.get(fd)!;
  for (const mm of k.mms.values()) {
    if (mm.exeFile) yield mm.exeFile;
    for (const vma of mm.vmas.list) if (vma.file) yield vma.file;
  }
  for (const socket of sockets(open)) for (const piece of socket.received) yield* piece.files;
}

/** Sockets that are open, and those that wait to be accepted. */
function sockets(open: ReadonlySet<File>): Set<Socket> {
  const found = new Set<Socket>();
  const add = (socket: Socket) => {
    found.add(socket);
    for (const waiting of socket.backlog) add(waiting);
  };
  for (const { data } of open) if (data instanceof Socket) add(data);
  return found;
}

/** What the machine whose run is over keeps that nobody holds, or believes of its files that is not so; nothing if all is well. */
export function kept(k: Kernel, { open, wrong }: Ledger): string[] {
  const found = [...wrong];
  const expect = (what: string, is: number, right: number) => {
    if (is !== right) found.push(`${what}: ${is}, not ${right}`);
  };
  const held = tally(holders(k, open));
  for (const file of open) expect(`holders of ${nameOf(file)}`, file.refs, held.get(file) ?? 0);
  const opens = tally([...open].map(({ inode }) => inode));
  const writers = tally([...open].filter((f) => f.writable && f.inode.isRegular).map(({ inode }) => inode));
  for (const [inode, n] of opens) {
    expect(`files of inode ${inode.ino}`, inode.opens, n);
    if (inode.isRegular) expect(`writers of inode ${inode.ino}`, inode.writers, writers.get(inode) ?? 0);
  }
  pipes(open, expect);
  const known = sockets(open);
  for (const ports of [k.vfs.inet.tcp, k.vfs.inet.udp])
    for (const socket of ports.all())
      if (!known.has(socket)) found.push(`socket on port ${socket.local.port} of no file`);
  const users = tally([...k.tasks.values()].map((t) => t.mm));
  for (const mm of k.mms.values()) expect(`tasks of address space ${mm.id}`, mm.users, users.get(mm) ?? 0);
  return found;
}

/** A pipe has as many ends as there are files of them. */
function pipes(open: ReadonlySet<File>, expect: (what: string, is: number, right: number) => void): void {
  const ends = new Map<Pipe, { readers: number; writers: number; inode: Inode }>();
  for (const file of open) {
    if (!(file.data instanceof Pipe)) continue;
    const { data: pipe, inode } = file;
    const of = ends.get(pipe) ?? { readers: 0, writers: 0, inode };
    ends.set(pipe, of);
    if (file.readable) of.readers++;
    if (file.writable) of.writers++;
  }
  for (const [pipe, { readers, writers, inode }] of ends) {
    expect(`readers of pipe ${inode.ino}`, pipe.readers, readers);
    expect(`writers of pipe ${inode.ino}`, pipe.writers, writers);
  }
}
