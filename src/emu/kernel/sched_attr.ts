// sched_setattr and sched_getattr: policy, nice value and priority in one struct (kernel/sched/core.c).
import { E2BIG, EINVAL, EPERM, ESRCH } from "./errno.ts";
import type { Sys } from "./kernel.ts";
import { copyIn, copyOut, readU32, writeU32 } from "./user.ts";

/** sizeof(struct sched_attr), without and with utilization clamps. */
const VER0 = 48;
const VER1 = 56;
const PAGE = 4096;
const MAX_RT_PRIORITY = 99;

const realTime = (policy: number) => policy === 1 || policy === 2;

/** sched_setattr(pid, struct sched_attr, flags). */
export const sys_sched_setattr: Sys = (k, t, pid, addr, flags) => {
  if (addr === 0 || pid < 0 || flags !== 0) return -EINVAL;
  const size = readU32(k, t, addr) || VER0;
  if (size < VER0 || size > PAGE) {
    writeU32(k, t, addr, VER1);
    return -E2BIG;
  }
  const bytes = copyIn(k, t, addr, size);
  if (bytes.subarray(VER1).some((byte) => byte !== 0)) {
    writeU32(k, t, addr, VER1);
    return -E2BIG;
  }
  const [, policy, how, howHigh, nice, priority] = new Int32Array(bytes.buffer, 0, 6);
  if (policy < 0) return -EINVAL;
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (howHigh !== 0 || how & ~0x7f || ![0, 1, 2, 3, 5].includes(policy)) return -EINVAL;
  if (priority < 0 || priority > MAX_RT_PRIORITY || realTime(policy) !== priority > 0) return -EINVAL;
  const level = Math.min(19, Math.max(-20, nice));
  const lowers = !realTime(policy) && level < target.nice;
  if ((realTime(policy) || lowers) && !k.ids.capable(t, "SYS_NICE")) return -EPERM;
  k.sched.change(target, () => {
    target.policy = policy;
    target.rtPriority = priority;
    if (!realTime(policy)) target.nice = level;
  });
  return 0;
};

/** sched_getattr(pid, buffer, its size, flags). */
export const sys_sched_getattr: Sys = (k, t, pid, addr, size, flags) => {
  const bytes = size >>> 0;
  if (addr === 0 || pid < 0 || bytes > PAGE || bytes < VER0 || flags !== 0) return -EINVAL;
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  const out = new Uint8Array(Math.min(bytes, VER1));
  const words = new Int32Array(out.buffer);
  words.set([out.length, target.policy, 0, 0, realTime(target.policy) ? 0 : target.nice, target.rtPriority]);
  // No utilization clamp: 0 to 1024.
  if (out.length >= VER1) words[13] = 1024;
  copyOut(k, t, addr, out);
  return 0;
};
