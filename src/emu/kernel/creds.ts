// User and group ids and capabilities (kernel/sys.c, kernel/capability.c). The calls without "32" take 16-bit ids.
import { EFAULT, EINVAL, EPERM, ESRCH } from "./errno.ts";
import type { Kernel, Sys } from "./kernel.ts";
import { CAP_ALL, type Creds, type Task } from "./task.ts";
import { copyIn, copyOut, writeU32 } from "./user.ts";

const NGROUPS_MAX = 65536;
/** What a 16-bit id says when the real one does not fit. */
const OVERFLOW_ID = 65534;

/** A changed copy; ids that change lose or give capabilities as root's rules say. */
function commit(t: Task, change: Partial<Creds>): number {
  const old = t.creds;
  const next: Creds = { ...old, ...change };
  const wasRoot = old.uid === 0 || old.euid === 0 || old.suid === 0;
  const isRoot = next.uid === 0 || next.euid === 0 || next.suid === 0;
  if (wasRoot && !isRoot && !t.keepCaps) {
    next.capPermitted = 0n;
    next.capEffective = 0n;
    next.capAmbient = 0n;
  }
  if (old.euid === 0 && next.euid !== 0) next.capEffective = 0n;
  if (old.euid !== 0 && next.euid === 0) next.capEffective = next.capPermitted;
  t.creds = next;
  return 0;
}

const same = -1;

/** Sign-extends a 16-bit "unchanged" and zero-extends the rest. */
function id16(value: number): number {
  const id = value & 0xffff;
  return id === 0xffff ? same : id;
}

function low16(id: number): number {
  return id > 0xffff ? OVERFLOW_ID : id;
}

export const sys_getuid32: Sys = (_k, t) => t.creds.uid;
export const sys_geteuid32: Sys = (_k, t) => t.creds.euid;
export const sys_getgid32: Sys = (_k, t) => t.creds.gid;
export const sys_getegid32: Sys = (_k, t) => t.creds.egid;
export const sys_getuid: Sys = (_k, t) => low16(t.creds.uid);
export const sys_geteuid: Sys = (_k, t) => low16(t.creds.euid);
export const sys_getgid: Sys = (_k, t) => low16(t.creds.gid);
export const sys_getegid: Sys = (_k, t) => low16(t.creds.egid);

export const sys_setuid32: Sys = (k, t, uid) => {
  if (uid === same) return -EINVAL;
  const id = uid >>> 0;
  const { creds } = t;
  if (k.ids.capable(t, "SETUID")) return commit(t, { uid: id, euid: id, suid: id, fsuid: id });
  if (id !== creds.uid && id !== creds.suid) return -EPERM;
  return commit(t, { euid: id, fsuid: id });
};

export const sys_setgid32: Sys = (k, t, gid) => {
  if (gid === same) return -EINVAL;
  const id = gid >>> 0;
  const { creds } = t;
  if (k.ids.capable(t, "SETGID")) return commit(t, { gid: id, egid: id, sgid: id, fsgid: id });
  if (id !== creds.gid && id !== creds.sgid) return -EPERM;
  return commit(t, { egid: id, fsgid: id });
};

export const sys_setreuid32: Sys = (k, t, ruid, euid) => {
  const { creds } = t;
  const free = k.ids.capable(t, "SETUID");
  if (!free && ruid !== same && ruid !== creds.uid && ruid !== creds.euid) return -EPERM;
  if (!free && euid !== same && euid !== creds.uid && euid !== creds.euid && euid !== creds.suid) return -EPERM;
  const uid = ruid === same ? creds.uid : ruid >>> 0;
  const next = euid === same ? creds.euid : euid >>> 0;
  const suid = ruid !== same || (euid !== same && next !== creds.uid) ? next : creds.suid;
  return commit(t, { uid, euid: next, suid, fsuid: next });
};

export const sys_setregid32: Sys = (k, t, rgid, egid) => {
  const { creds } = t;
  const free = k.ids.capable(t, "SETGID");
  if (!free && rgid !== same && rgid !== creds.gid && rgid !== creds.egid) return -EPERM;
  if (!free && egid !== same && egid !== creds.gid && egid !== creds.egid && egid !== creds.sgid) return -EPERM;
  const gid = rgid === same ? creds.gid : rgid >>> 0;
  const next = egid === same ? creds.egid : egid >>> 0;
  const sgid = rgid !== same || (egid !== same && next !== creds.gid) ? next : creds.sgid;
  return commit(t, { gid, egid: next, sgid, fsgid: next });
};

export const sys_setresuid32: Sys = (k, t, ruid, euid, suid) => {
  const { creds } = t;
  const mine = [creds.uid, creds.euid, creds.suid];
  const wanted = [ruid, euid, suid];
  if (!k.ids.capable(t, "SETUID") && wanted.some((id) => id !== same && !mine.includes(id >>> 0))) return -EPERM;
  const [uid, next, saved] = wanted.map((id, i) => (id === same ? mine[i] : id >>> 0));
  return commit(t, { uid, euid: next, suid: saved, fsuid: next });
};

export const sys_setresgid32: Sys = (k, t, rgid, egid, sgid) => {
  const { creds } = t;
  const mine = [creds.gid, creds.egid, creds.sgid];
  const wanted = [rgid, egid, sgid];
  if (!k.ids.capable(t, "SETGID") && wanted.some((id) => id !== same && !mine.includes(id >>> 0))) return -EPERM;
  const [gid, next, saved] = wanted.map((id, i) => (id === same ? mine[i] : id >>> 0));
  return commit(t, { gid, egid: next, sgid: saved, fsgid: next });
};

export const sys_setuid: Sys = (k, t, uid, ...rest) => sys_setuid32(k, t, id16(uid), ...rest);
export const sys_setgid: Sys = (k, t, gid, ...rest) => sys_setgid32(k, t, id16(gid), ...rest);
export const sys_setreuid: Sys = (k, t, a, b, ...rest) => sys_setreuid32(k, t, id16(a), id16(b), ...rest);
export const sys_setregid: Sys = (k, t, a, b, ...rest) => sys_setregid32(k, t, id16(a), id16(b), ...rest);
export const sys_setresuid: Sys = (k, t, a, b, c, ...rest) => sys_setresuid32(k, t, id16(a), id16(b), id16(c), ...rest);
export const sys_setresgid: Sys = (k, t, a, b, c, ...rest) => sys_setresgid32(k, t, id16(a), id16(b), id16(c), ...rest);

function tell32(k: Kernel, t: Task, addresses: number[], values: number[]): number {
  for (const [i, addr] of addresses.entries()) writeU32(k, t, addr, values[i]);
  return 0;
}

function tell16(k: Kernel, t: Task, addresses: number[], values: number[]): number {
  for (const [i, addr] of addresses.entries()) {
    const id = low16(values[i]);
    copyOut(k, t, addr, Uint8Array.of(id, id >> 8));
  }
  return 0;
}

export const sys_getresuid32: Sys = (k, t, a, b, c) =>
  tell32(k, t, [a, b, c], [t.creds.uid, t.creds.euid, t.creds.suid]);
export const sys_getresgid32: Sys = (k, t, a, b, c) =>
  tell32(k, t, [a, b, c], [t.creds.gid, t.creds.egid, t.creds.sgid]);
export const sys_getresuid: Sys = (k, t, a, b, c) => tell16(k, t, [a, b, c], [t.creds.uid, t.creds.euid, t.creds.suid]);
export const sys_getresgid: Sys = (k, t, a, b, c) => tell16(k, t, [a, b, c], [t.creds.gid, t.creds.egid, t.creds.sgid]);

export const sys_setfsuid32: Sys = (k, t, uid) => {
  const { creds } = t;
  const old = creds.fsuid;
  const id = uid >>> 0;
  const allowed = [creds.uid, creds.euid, creds.suid, creds.fsuid].includes(id) || k.ids.capable(t, "SETUID");
  if (uid !== same && allowed) t.creds = { ...creds, fsuid: id };
  return old;
};

export const sys_setfsgid32: Sys = (k, t, gid) => {
  const { creds } = t;
  const old = creds.fsgid;
  const id = gid >>> 0;
  const allowed = [creds.gid, creds.egid, creds.sgid, creds.fsgid].includes(id) || k.ids.capable(t, "SETGID");
  if (gid !== same && allowed) t.creds = { ...creds, fsgid: id };
  return old;
};

export const sys_setfsuid: Sys = (k, t, uid, ...rest) => sys_setfsuid32(k, t, id16(uid), ...rest);
export const sys_setfsgid: Sys = (k, t, gid, ...rest) => sys_setfsgid32(k, t, id16(gid), ...rest);

export const sys_getgroups32: Sys = (k, t, size, list) => {
  const { groups } = t.creds;
  if (size < 0 || (size !== 0 && size < groups.length)) return -EINVAL;
  if (size !== 0) copyOut(k, t, list, new Uint8Array(Uint32Array.from(groups).buffer));
  return groups.length;
};

export const sys_getgroups: Sys = (k, t, size, list) => {
  const { groups } = t.creds;
  if (size < 0 || (size !== 0 && size < groups.length)) return -EINVAL;
  if (size !== 0) copyOut(k, t, list, new Uint8Array(Uint16Array.from(groups.map(low16)).buffer));
  return groups.length;
};

function setGroups(k: Kernel, t: Task, size: number, read: () => Iterable<number>): number {
  if (!k.ids.capable(t, "SETGID")) return -EPERM;
  if (size < 0 || size > NGROUPS_MAX) return -EINVAL;
  t.creds = { ...t.creds, groups: [...read()].sort((a, b) => a - b) };
  return 0;
}

export const sys_setgroups32: Sys = (k, t, size, list) =>
  setGroups(k, t, size, () => new Uint32Array(copyIn(k, t, list, 4 * size).buffer));
export const sys_setgroups: Sys = (k, t, size, list) =>
  setGroups(k, t, size, () => new Uint16Array(copyIn(k, t, list, 2 * size).buffer));

const CAP_VERSION_1 = 0x1998_0330;
const CAP_VERSION_2 = 0x2007_1026;
const CAP_VERSION_3 = 0x2008_0522;

/** Words per set of a header's version; 0 after telling the caller which version is right. */
function capWords(k: Kernel, t: Task, header: number): number {
  const version = new Uint32Array(copyIn(k, t, header, 8).buffer)[0];
  if (version === CAP_VERSION_1) return 1;
  if (version === CAP_VERSION_2 || version === CAP_VERSION_3) return 2;
  writeU32(k, t, header, CAP_VERSION_3);
  return 0;
}

export const sys_capget: Sys = (k, t, header, data) => {
  const words = capWords(k, t, header);
  if (words === 0) return data === 0 ? 0 : -EINVAL;
  const pid = new Int32Array(copyIn(k, t, header + 4, 4).buffer)[0];
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (pid < 0) return -EINVAL;
  if (target === undefined) return -ESRCH;
  if (data === 0) return 0;
  const { capEffective, capPermitted, capInheritable } = target.creds;
  const out = new Uint32Array(3 * words);
  for (let i = 0; i < words; i++) {
    const part = (set: bigint) => Number((set >> BigInt(32 * i)) & 0xffff_ffffn);
    out.set([part(capEffective), part(capPermitted), part(capInheritable)], 3 * i);
  }
  copyOut(k, t, data, new Uint8Array(out.buffer));
  return 0;
};

export const sys_capset: Sys = (k, t, header, data) => {
  const words = capWords(k, t, header);
  if (words === 0) return -EINVAL;
  const pid = new Int32Array(copyIn(k, t, header + 4, 4).buffer)[0];
  if (pid !== 0 && pid !== t.pid) return -EPERM;
  if (data === 0) return -EFAULT;
  const raw = new Uint32Array(copyIn(k, t, data, 12 * words).buffer);
  const set = (at: number) => {
    let out = 0n;
    for (let i = 0; i < words; i++) out |= BigInt(raw[3 * i + at]) << BigInt(32 * i);
    return out & CAP_ALL;
  };
  const effective = set(0);
  const permitted = set(1);
  const inheritable = set(2);
  const { creds } = t;
  const mayInherit = creds.capInheritable | (k.ids.capable(t, "SETPCAP") ? creds.capBounding : creds.capPermitted);
  if (permitted & ~creds.capPermitted || effective & ~permitted || inheritable & ~mayInherit) return -EPERM;
  t.creds = { ...creds, capEffective: effective, capPermitted: permitted, capInheritable: inheritable };
  return 0;
};
