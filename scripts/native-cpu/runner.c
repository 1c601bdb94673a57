/* Executes single i386 instructions on the real processor and reports what they did.
   stdin: records `struct in`; stdout: records `struct out`, one per input. Build: gcc -m32 -O1 -static -o runner runner.c
   An integer instruction runs alone, with TF set, so that the trap comes behind it wherever it branches. An x87
   instruction runs between FRSTOR and FNSAVE, with an int3 behind. A sequence runs to the int3 behind it. The driver lives in the signal handler: every trap
   reports one case and sigreturn starts the next. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { SINGLE, X87, SEQUENCE };
enum { CODE_BYTES = 112 };
enum { CODE = 0x10000000, DATA = 0x20000000, WINDOW = DATA + 0xf80, WINDOW_BYTES = 256, READ_ONLY = 0x20010000, FPU_IN = 0x20020000, FPU_OUT = 0x20020100 };

struct in {
  uint8_t code[CODE_BYTES];
  uint32_t length, kind, regs[8], eflags;
  uint8_t window[WINDOW_BYTES], fpu[108];
} __attribute__((packed));

struct out {
  uint32_t signal, trap, error, cr2, regs[8], eip, eflags;
  uint8_t window[WINDOW_BYTES], fpu[108];
} __attribute__((packed));

static struct in current;
static struct out result;
static int started;
/* EAX ECX EDX EBX ESP EBP ESI EDI */
static const int order[8] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI};

static void read_all(void *to, size_t bytes) {
  uint8_t *at = to;
  while (bytes) {
    ssize_t n = read(0, at, bytes);
    if (n <= 0) _exit(at == (uint8_t *)to ? 0 : 3);
    at += n;
    bytes -= n;
  }
}

static void write_all(const void *from, size_t bytes) {
  const uint8_t *at = from;
  while (bytes) {
    ssize_t n = write(1, at, bytes);
    if (n <= 0) _exit(4);
    at += n;
    bytes -= n;
  }
}

static void next(ucontext_t *uc) {
  greg_t *g = uc->uc_mcontext.gregs;
  uint8_t *code = (uint8_t *)CODE;
  read_all(&current, sizeof current);
  memcpy((void *)WINDOW, current.window, WINDOW_BYTES);
  memset(code, 0xcc, 2 * CODE_BYTES);
  if (current.kind == X87) {
    uint32_t at = FPU_IN;
    memcpy((void *)FPU_IN, current.fpu, sizeof current.fpu);
    memset((void *)FPU_OUT, 0, sizeof current.fpu);
    /* FNINIT: an exception left pending by the last case must not meet FRSTOR. */
    *code++ = 0xdb;
    *code++ = 0xe3;
    *code++ = 0xdd;
    *code++ = 0x25;
    memcpy(code, &at, 4);
    code += 4;
    memcpy(code, current.code, current.length);
    code += current.length;
    at = FPU_OUT;
    *code++ = 0xdd;
    *code++ = 0x35;
    memcpy(code, &at, 4);
  } else memcpy(code, current.code, current.length);
  for (int i = 0; i < 8; i++) g[order[i]] = current.regs[i];
  g[REG_UESP] = current.regs[4];
  g[REG_EIP] = CODE;
  g[REG_EFL] = current.eflags | (current.kind == SINGLE ? 0x100 : 0);
}

static void handler(int sig, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  greg_t *g = uc->uc_mcontext.gregs;
  (void)info;
  if (started) {
    memset(&result, 0, sizeof result);
    result.signal = sig;
    result.trap = g[REG_TRAPNO];
    result.error = g[REG_ERR];
    result.cr2 = uc->uc_mcontext.cr2;
    for (int i = 0; i < 8; i++) result.regs[i] = g[order[i]];
    result.eip = g[REG_EIP];
    result.eflags = g[REG_EFL];
    memcpy(result.window, (void *)WINDOW, WINDOW_BYTES);
    memcpy(result.fpu, (void *)FPU_OUT, sizeof result.fpu);
    write_all(&result, sizeof result);
  }
  started = 1;
  next(uc);
}

static void map(uint32_t at, uint32_t bytes, int protection) {
  void *p = mmap((void *)at, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (p != (void *)at) _exit(5);
}

int main(void) {
  static uint8_t alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  static const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS};
  map(CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, 8192, PROT_READ | PROT_WRITE);
  map(READ_ONLY, 4096, PROT_READ | PROT_WRITE);
  for (int i = 0; i < 4096; i++) ((uint8_t *)READ_ONLY)[i] = i * 37;
  mprotect((void *)READ_ONLY, 4096, PROT_READ);
  map(FPU_IN, 4096, PROT_READ | PROT_WRITE);
  sigaltstack(&stack, 0);
  sigfillset(&action.sa_mask);
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  alarm(120);
  raise(SIGTRAP);
  return 1;
}
