// Interprocess communication as a whole, and ipc(), the call through which the C library of i386 reaches it (ipc/syscall.c).
import { EINVAL, ENOSYS } from "../errno.ts";
import type { Sys } from "../kernel.ts";
import { readI32, writeU32 } from "../user.ts";
import { PosixQueues } from "./mqueue.ts";
import { MessageQueues, msgctl, sys_msgget, sys_msgrcv, sys_msgsnd } from "./msg.ts";
import { Semaphores, semctl, semtimedop32, sys_semget } from "./sem.ts";
import { SharedMemory, shmctl, sys_shmat, sys_shmdt, sys_shmget } from "./shm.ts";

/** What a machine has of them. */
export class Ipc {
  readonly sem = new Semaphores();
  readonly shm = new SharedMemory();
  readonly msg = new MessageQueues();
  readonly mq = new PosixQueues();
}

const IPC_64 = 0x100;

/** ipc(call, three words, pointer, fifth word); the call's high half is a version, IPC_64 in a command asks for wide structs. */
export const sys_ipc: Sys = (k, t, number, first, second, third, ptr, fifth) => {
  const version = number >>> 16;
  const wide = (cmd: number) => (cmd & IPC_64) !== 0;
  switch (number & 0xffff) {
    case 1:
      return semtimedop32(k, t, first, ptr, second, 0);
    case 2:
      return sys_semget(k, t, first, second, third, 0, 0, 0);
    case 3:
      if (ptr === 0) return -EINVAL;
      return semctl(k, t, first, second, third & ~IPC_64, readI32(k, t, ptr), wide(third));
    case 4:
      return semtimedop32(k, t, first, ptr, second, fifth);
    case 11:
      return sys_msgsnd(k, t, first, ptr, second, third, 0, 0);
    case 12:
      if (version !== 0) return sys_msgrcv(k, t, first, ptr, second, fifth, third, 0);
      if (ptr === 0) return -EINVAL;
      return sys_msgrcv(k, t, first, readI32(k, t, ptr), second, readI32(k, t, ptr + 4), third, 0);
    case 13:
      return sys_msgget(k, t, first, second, 0, 0, 0, 0);
    case 14:
      return msgctl(k, t, first, second & ~IPC_64, ptr, wide(second));
    case 21: {
      if (version === 1) return -EINVAL;
      const at = sys_shmat(k, t, first, ptr, second, 0, 0, 0) as number;
      if (at < 0 && at > -4096) return at;
      writeU32(k, t, third, at);
      return 0;
    }
    case 22:
      return sys_shmdt(k, t, ptr, 0, 0, 0, 0, 0);
    case 23:
      return sys_shmget(k, t, first, second, third, 0, 0, 0);
    case 24:
      return shmctl(k, t, first, second & ~IPC_64, ptr, wide(second));
    default:
      return -ENOSYS;
  }
};
