// The numbers of the reserved instruction: where the guest's entry code hands over to TypeScript.

/** 0 to 31 are the exceptions, by vector (14 is the page fault). */
export const KCALL = {
  TRAP: 0,
  /** Body of a system call: number in EAX, return address and then the arguments on the stack. Result in EAX. */
  SYSCALL: 0x20,
  /** Interrupt: pt_regs in EAX, its orig_eax is ~vector. */
  DO_IRQ: 0x21,
  /** The task gives up the CPU on its way out. */
  SCHEDULE: 0x22,
  /** Signals, on the way out: pt_regs in EAX. */
  NOTIFY_RESUME: 0x23,
  /** A new task's first instruction. */
  RET_FROM_FORK: 0x24,
  /** Nothing to run. */
  IDLE: 0x25,
  /** Non-maskable interrupt. */
  NMI: 0x26,
  /** A double fault that nothing mends: the machine is dead. */
  DIE: 0x27,
  /** A call that is to be looked at before it is made: number in EAX. */
  LOOK_AT_CALL: 0x28,
} as const;

/** Instructions that stand for a C body: the reserved one and the RET behind it. They are no part of a path. */
export const BODY_INSTRUCTIONS = 2;
