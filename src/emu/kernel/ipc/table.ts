// What System V semaphores, shared memory and messages have in common: keys, numbers, permissions (ipc/util.c).
import { EACCES, EEXIST, EINVAL, ENOENT, ENOSPC, EPERM, SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut } from "../user.ts";

export const IPC_PRIVATE = 0;
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;
export const IPC_RMID = 0;
export const IPC_SET = 1;
export const IPC_STAT = 2;
export const IPC_INFO = 3;
export const S_IRUGO = 0o444;
export const S_IWUGO = 0o222;
/** Numbers: index in the low bits, how often the indices went around above. */
const INDEX_BITS = 15;
/** Indices go up to at least this before they start again. */
const MIN_CYCLE = 64;
const CAP_IPC_OWNER = 1n << 15n;

/** Owner, creator and mode of an object (struct kern_ipc_perm). */
export class IpcPerm {
  id = -1;
  key: number;
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  mode: number;
  deleted = false;

  constructor(t: Task, key: number, mode: number) {
    this.key = key;
    this.uid = this.cuid = t.creds.euid;
    this.gid = this.cgid = t.creds.egid;
    this.mode = mode & 0o777;
  }

  get seq(): number {
    return this.id >> INDEX_BITS;
  }
}

/** An object of a table. */
export interface IpcObject {
  readonly perm: IpcPerm;
}

/** May the task do what `flags` asks for (bits of S_IRUGO, S_IWUGO or a mode)? */
export function ipcPermitted(t: Task, perm: IpcPerm, flags: number): boolean {
  const { euid, egid, groups, capEffective } = t.creds;
  const inGroup = (gid: number) => egid === gid || groups.includes(gid);
  const wanted = (flags >> 6) | (flags >> 3) | flags;
  let granted = perm.mode;
  if (euid === perm.cuid || euid === perm.uid) granted >>= 6;
  else if (inGroup(perm.cgid) || inGroup(perm.gid)) granted >>= 3;
  return (wanted & ~granted & 7) === 0 || (capEffective & CAP_IPC_OWNER) !== 0n;
}

/** Objects by number and key. */
export class IpcTable<T extends IpcObject> {
  private readonly slots = new Map<number, T>();
  private readonly limit: number;
  private lastIndex = -1;
  private seq = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.slots.size;
  }

  /** In order of index. */
  all(): T[] {
    return [...this.slots].sort(([a], [b]) => a - b).map(([, object]) => object);
  }

  /** The highest index in use; 0 if there is none. */
  get highest(): number {
    return Math.max(0, ...this.slots.keys());
  }

  /** The *get calls: an old object that `fits`, or a new one. */
  get(t: Task, key: number, flags: number, fits: (object: T) => number, make: () => T): number {
    if (key !== IPC_PRIVATE) {
      for (const object of this.slots.values()) {
        if (object.perm.key !== key) continue;
        if (flags & IPC_CREAT && flags & IPC_EXCL) return -EEXIST;
        const error = fits(object);
        if (error !== 0) return error;
        return ipcPermitted(t, object.perm, flags & 0o777) ? object.perm.id : -EACCES;
      }
      if (!(flags & IPC_CREAT)) return -ENOENT;
    }
    const object = make();
    if (this.slots.size >= this.limit) return -ENOSPC;
    return this.add(object);
  }

  private add(object: T): number {
    const cycle = Math.min(this.limit, Math.max(Math.floor((this.slots.size * 3) / 2), MIN_CYCLE));
    let index = this.lastIndex + 1;
    for (let tries = 0; index >= cycle || this.slots.has(index); tries++) {
      index = index + 1 >= cycle && tries <= cycle ? 0 : index + 1;
    }
    if (index <= this.lastIndex) this.seq = (this.seq + 1) & 0xffff;
    this.lastIndex = index;
    this.slots.set(index, object);
    object.perm.id = (this.seq << INDEX_BITS) | index;
    return object.perm.id;
  }

  /** The object of a number. @throws SysError(EINVAL) */
  at(id: number): T {
    const object = id < 0 ? undefined : this.slots.get(id & ((1 << INDEX_BITS) - 1));
    if (object === undefined || object.perm.id !== id) throw new SysError(EINVAL);
    return object;
  }

  /** The object of an index: the *_STAT commands. @throws SysError(EINVAL) */
  atIndex(index: number): T {
    const object = this.slots.get(index);
    if (object === undefined) throw new SysError(EINVAL);
    return object;
  }

  remove(object: T): void {
    object.perm.deleted = true;
    this.slots.delete(object.perm.id & ((1 << INDEX_BITS) - 1));
  }
}

/** @throws SysError(EACCES) unless the task may do what the flags ask for */
export function demand(t: Task, perm: IpcPerm, flags: number): void {
  if (!ipcPermitted(t, perm, flags)) throw new SysError(EACCES);
}

/** @throws SysError(EPERM) unless the task may change or remove the object */
export function demandOwner(k: Kernel, t: Task, perm: IpcPerm): void {
  const { euid } = t.creds;
  if (euid !== perm.uid && euid !== perm.cuid && !k.ids.capable(t, "SYS_ADMIN")) throw new SysError(EPERM);
}

/**
 * IPC_STAT, which takes a number, and the commands that take an index: copies what `bytes` makes of the object to `arg`.
 * @param any nobody is asked for permission (*_STAT_ANY)
 */
export function ipcStat<T extends IpcObject>(
  k: Kernel,
  t: Task,
  table: IpcTable<T>,
  { id, cmd, arg, any }: { id: number; cmd: number; arg: number; any: boolean },
  bytes: (object: T) => Uint8Array,
): number {
  const object = cmd === IPC_STAT ? table.at(id) : table.atIndex(id);
  if (!any) demand(t, object.perm, S_IRUGO);
  copyOut(k, t, arg, bytes(object));
  return cmd === IPC_STAT ? 0 : object.perm.id;
}

/** Words of a struct, little-endian; a pair is [value, bytes]. */
export function struct(fields: readonly (number | readonly [number, 2])[], bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const field of fields) {
    if (typeof field === "number") {
      view.setInt32(at, field, true);
      at += 4;
    } else {
      view.setUint16(at, field[0], true);
      at += 2;
    }
  }
  return out;
}

/** struct ipc64_perm, 36 bytes, or struct ipc_perm, 16. */
export function permFields(perm: IpcPerm, wide: boolean): (number | readonly [number, 2])[] {
  const { key, uid, gid, cuid, cgid, mode, seq } = perm;
  if (wide) return [key, uid, gid, cuid, cgid, mode, seq & 0xffff, 0, 0];
  return [key, ...[uid, gid, cuid, cgid, mode, seq].map((n): readonly [number, 2] => [n & 0xffff, 2])];
}

/** IPC_SET takes owner and mode from a struct of either layout. */
export function setPerm(k: Kernel, t: Task, perm: IpcPerm, addr: number, wide: boolean): void {
  const view = new DataView(copyIn(k, t, addr, wide ? 22 : 14).buffer);
  demandOwner(k, t, perm);
  const uid = wide ? view.getUint32(4, true) : view.getUint16(4, true);
  const gid = wide ? view.getUint32(8, true) : view.getUint16(6, true);
  if (uid === 0xffff_ffff || gid === 0xffff_ffff) throw new SysError(EINVAL);
  perm.uid = uid;
  perm.gid = gid;
  const mode = view.getUint16(wide ? 20 : 12, true);
  perm.mode = (perm.mode & ~0o777) | (mode & 0o777);
}

/** A time as both halves of 64 bits. */
export function wideTime(sec: number): [number, number] {
  return [sec | 0, Math.floor(sec / 0x1_0000_0000)];
}

/** A column of /proc/sysvipc. */
export function column(value: number, width: number, base = 10): string {
  return value.toString(base).padStart(width);
}
