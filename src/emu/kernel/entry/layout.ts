// Where the kernel's own structures lie: selectors, physical frames, offsets in TSS, thread_info and pt_regs.

/** Segment selectors (Linux i386, GDT of 4.0; UP kernels keep FS = 0). */
export const SELECTOR = {
  TLS: 0x33,
  KERNEL_CS: 0x60,
  KERNEL_DS: 0x68,
  USER_CS: 0x73,
  USER_DS: 0x7b,
  TSS: 0x80,
  LDT: 0x88,
  ESPFIX_SS: 0xd0,
  NMI_TSS: 0xf0,
  DF_TSS: 0xf8,
} as const;

/** First GDT entry of thread-local storage, and how many there are. */
export const TLS_ENTRY = 6;
export const TLS_ENTRIES = 3;

/** Where every program finds the vDSO and its data. */
export const VDSO_BASE = 0xb7ff_f000;
export const VVAR_BASE = 0xb7ff_e000;

/** First linear address of the kernel: physical memory is mapped from here. */
export const KERNEL_BASE = 0xc000_0000;

/** Physical addresses of the boot-time structures. */
export const PHYS = {
  GDT: 0x1000,
  IDT: 0x2000,
  /** TSSs, per-CPU words and the small stacks that go with them. */
  TSS_PAGE: 0x3000,
  /** Stack of the boot code and of nothing else. */
  BOOT_STACK: 0x4000,
  /** The kernel's own page directory: all RAM from KERNEL_BASE in 4 MB pages. */
  PGD: 0x5000,
  /** The vDSO's page and the page of clock data that it reads; both are mapped into every program. */
  VDSO: 0x6000,
  VVAR: 0x7000,
  /** Kernel text and the call tables. */
  TEXT: 0x10_0000,
} as const;

/** Bytes of kernel text at most; the frames behind PHYS.TEXT + TEXT_BYTES are free memory. */
export const TEXT_BYTES = 0x1_0000;

/** Where in it the call tables lie: sys_call_table, and kml_call_table with its slots below 0. */
export const TABLE_OFFSET = { SYS_CALLS: 0x8000, DIRECT_CALLS: 0x9000 } as const;

/** The first physical frame that is free for the kernel's allocator. */
export const FIRST_FREE_FRAME = (PHYS.TEXT + TEXT_BYTES) >>> 12;

/** Linear addresses inside the TSS page. */
const page = KERNEL_BASE + PHYS.TSS_PAGE;
export const AREA = {
  TSS: page,
  /** Stack that SYSENTER enters on: only deep enough for one frame, its TSS is found relative to it. */
  SYSENTER_STACK_TOP: page + 0x200,
  /** Copy of the current task's esp0, scratch word of the interrupt path, set when an NMI came during a double fault. */
  ESP0: page + 0x200,
  UNUSED: page + 0x204,
  NEED_NMI: page + 0x208,
  NMI_TSS: page + 0x300,
  DF_TSS: page + 0x400,
  /** Three words: room for the error code, own TSS, interrupted TSS. */
  DF_STACK: page + 0x500,
  NMI_STACK_TOP: page + 0xc00,
} as const;

/** Offsets in a 32-bit TSS (Intel SDM vol. 3, figure "32-Bit Task-State Segment"). */
export const TSS = {
  LINK: 0,
  ESP0: 4,
  SS0: 8,
  CR3: 28,
  EIP: 32,
  EFLAGS: 36,
  EAX: 40,
  ESP: 56,
  ES: 72,
  CS: 76,
  SS: 80,
  DS: 84,
  FS: 88,
  GS: 92,
  LDT: 96,
  IOMAP: 102,
  BYTES: 104,
} as const;

/** Offsets in thread_info, at the bottom of each kernel stack. */
export const TI = { FLAGS: 8, SYSENTER_RETURN: 32 } as const;

/** Offsets in pt_regs, the frame that an entry leaves on the kernel stack. */
export const PT = {
  EBX: 0,
  ECX: 4,
  EDX: 8,
  ESI: 12,
  EDI: 16,
  EBP: 20,
  EAX: 24,
  DS: 28,
  ES: 32,
  FS: 36,
  GS: 40,
  ORIG_EAX: 44,
  EIP: 48,
  CS: 52,
  EFLAGS: 56,
  OLDESP: 60,
  OLDSS: 64,
  BYTES: 68,
} as const;

/** Saved CS of a task that runs in ring 0: low half as in ring 3, high half says how to return. */
export const KU_CS = { INTERRUPT: 0x1_0073, EXCEPTION: 0x2_0073 } as const;

/** Vectors. */
export const VECTOR = { NMI: 2, IRQ0: 0x30, SYSCALL: 0x80 } as const;
export const IRQ_LINES = 16;

/** Calls in the table; numbers from here on are ENOSYS in every path. */
export const NR_SYSCALLS = 461;
/** Slots of kml_call_table: behind the last call and before the first, a stub that returns ENOSYS. */
export const DIRECT_SLOTS = 1024;
export const DIRECT_SLOTS_BELOW = 64;

/** thread_info.flags: look at a call before it is made (strict seccomp; a tracer would be another reason). */
export const TIF_LOOK_AT_CALLS = 1 << 0;
/** thread_info.flags: look at the task before it returns to its program (and do not return by SYSEXIT). */
export const TIF_NOTIFY_RESUME = 1 << 1;

export const EFLAGS = {
  CF: 1,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x1_0000,
  VM: 0x2_0000,
  AC: 0x4_0000,
  ID: 0x20_0000,
} as const;

/** EFLAGS bits that POPF restores like IRET does: with any other set, a return to ring-0 user code takes the IRET. */
export const POPF_RESTORES = 0x24_0fd7;
