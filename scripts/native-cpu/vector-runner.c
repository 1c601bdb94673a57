/* Executes single i386 instructions on the real processor, in ring 3, and reports all they did.
   stdin: records `struct in`; stdout: records `struct out`, one per input. Build: gcc -m32 -O1 -static -fno-stack-protector
   An instruction lies at INSTRUCTION. A plain one runs alone with TF set, so that the trap comes behind it wherever it
   goes. An x87 or SIMD one runs between FXRSTOR and FXSAVE, with an INT3 behind; if it faults, the FXSAVE runs next. The
   driver lives in the signal handler: every signal reports one case and sigreturn starts the next. */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { PLAIN, FP };
enum { CODE = 0x10000000, INSTRUCTION = CODE + 0x100, SAVE = CODE + 0x200, DATA = 0x20000000, LOW = 0x8000, READ_ONLY = 0x20010000,
       WINDOW = DATA + 0xe00, WINDOW_BYTES = 1024, FX_IN = 0x20020000, FX_OUT = 0x20020200 };

struct in {
  uint8_t code[16];
  uint32_t length, kind, regs[8], eflags;
  uint8_t window[WINDOW_BYTES], fx[512];
} __attribute__((packed));

struct out {
  uint32_t signal, trap, error, cr2, regs[8], eip, eflags, segs[6];
  uint8_t window[WINDOW_BYTES], fx[512];
} __attribute__((packed));

static struct in current;
static struct out result;
static int started, saving;
static uint32_t own_gs;
/* EAX ECX EDX EBX ESP EBP ESI EDI */
static const int order[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI};
/* ES CS SS DS FS GS */
static const int segments[6] = {REG_ES, REG_CS, REG_SS, REG_DS, REG_FS, REG_GS};
static const uint32_t selectors[6] = {0x2b, 0x23, 0x2b, 0x2b, 0x6b, 0x73};

/* By hand, so that nothing touches the C library's thread area while the signal comes from foreign code. */
static long call(long n, long a, long b, long c) {
  long r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
  return r;
}

static void stop(int status) { call(SYS_exit_group, status, 0, 0); }

static void read_all(void *to, uint32_t bytes) {
  uint8_t *at = to;
  while (bytes) {
    long n = call(SYS_read, 0, (long)at, bytes);
    if (n <= 0) stop(at == (uint8_t *)to ? 0 : 3);
    at += n;
    bytes -= n;
  }
}

static void write_all(const void *from, uint32_t bytes) {
  const uint8_t *at = from;
  while (bytes) {
    long n = call(SYS_write, 1, (long)at, bytes);
    if (n <= 0) stop(4);
    at += n;
    bytes -= n;
  }
}

static void copy(volatile uint8_t *to, const volatile uint8_t *from, uint32_t bytes) {
  while (bytes--) *to++ = *from++;
}

static void put_address(uint8_t *at, uint8_t reg, uint32_t address) {
  at[0] = 0x0f;
  at[1] = 0xae;
  at[2] = reg << 3 | 5;
  copy(at + 3, (uint8_t *)&address, 4);
}

static void next(greg_t *g) {
  uint8_t *code = (uint8_t *)CODE;
  read_all(&current, sizeof current);
  copy((uint8_t *)WINDOW, current.window, WINDOW_BYTES);
  for (int i = 0; i < 0x220; i++) code[i] = 0xcc;
  copy((uint8_t *)INSTRUCTION, current.code, current.length);
  g[REG_EIP] = INSTRUCTION;
  if (current.kind == FP) {
    copy((uint8_t *)FX_IN, current.fx, 512);
    put_address((uint8_t *)INSTRUCTION - 7, 1, FX_IN);
    put_address((uint8_t *)INSTRUCTION + current.length, 0, FX_OUT);
    put_address((uint8_t *)SAVE, 0, FX_OUT);
    g[REG_EIP] = INSTRUCTION - 7;
  }
  for (int i = 0; i < 8; i++) g[order[i]] = current.regs[i];
  g[REG_UESP] = current.regs[4];
  for (int i = 0; i < 6; i++) g[segments[i]] = selectors[i];
  g[REG_EFL] = current.eflags | (current.kind == PLAIN ? 0x100 : 0);
}

static void handler(int sig, siginfo_t *info, void *context) {
  __asm__ volatile("movl %0, %%gs" : : "r"(own_gs));
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  (void)info;
  if (started) {
    if (!saving) {
      copy((uint8_t *)&result, (uint8_t *)&(struct out){0}, sizeof result);
      result.signal = sig;
      result.trap = g[REG_TRAPNO];
      result.error = g[REG_ERR];
      result.cr2 = ((ucontext_t *)context)->uc_mcontext.cr2;
      for (int i = 0; i < 8; i++) result.regs[i] = g[order[i]];
      for (int i = 0; i < 6; i++) result.segs[i] = g[segments[i]] & 0xffff;
      result.eip = g[REG_EIP];
      result.eflags = g[REG_EFL];
      copy(result.window, (uint8_t *)WINDOW, WINDOW_BYTES);
      if (current.kind == FP && !(sig == SIGTRAP && result.eip == INSTRUCTION + current.length + 8)) {
        saving = 1;
        g[REG_EIP] = SAVE;
        return;
      }
    }
    saving = 0;
    if (current.kind == FP) copy(result.fx, (uint8_t *)FX_OUT, 512);
    write_all(&result, sizeof result);
  }
  started = 1;
  next(g);
}

static void map(uint32_t at, uint32_t bytes, int protection, int file, uint32_t offset) {
  int flags = MAP_FIXED | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
  if (mmap((void *)at, bytes, protection, flags, file, offset) != (void *)at) stop(5);
}

static void segment(uint32_t selector, struct user_desc *d) {
  d->entry_number = selector >> 3;
  d->seg_32bit = 1;
  d->useable = 1;
  if (syscall(SYS_set_thread_area, d)) stop(6);
}

int main(void) {
  static uint8_t alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  static const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS};
  int file = memfd_create("window", 0);
  if (file < 0 || ftruncate(file, 8192)) stop(7);
  map(CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, -1, 0);
  map(DATA, 8192, PROT_READ | PROT_WRITE, file, 0);
  /* The same bytes where 16-bit addresses reach; needs the right to map low pages. */
  map(LOW, 8192, PROT_READ | PROT_WRITE, file, 0);
  map(READ_ONLY, 4096, PROT_READ | PROT_WRITE, -1, 0);
  for (int i = 0; i < 4096; i++) ((uint8_t *)READ_ONLY)[i] = i * 37;
  mprotect((void *)READ_ONLY, 4096, PROT_READ);
  map(FX_IN, 4096, PROT_READ | PROT_WRITE, -1, 0);
  segment(selectors[4], &(struct user_desc){.base_addr = DATA, .limit = 0x1fff});
  segment(selectors[5], &(struct user_desc){.base_addr = DATA + 0x1000, .limit = 0, .limit_in_pages = 1, .read_exec_only = 1});
  __asm__ volatile("movl %%gs, %0" : "=r"(own_gs));
  sigaltstack(&stack, 0);
  sigfillset(&action.sa_mask);
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  raise(SIGTRAP);
  return 1;
}
