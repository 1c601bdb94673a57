// Micro-benchmarks for `kmlab calibrate --machine`: instructions and system calls of the machine it runs on, in ticks of its time
// stamp counter. Prints "name,minimum,median" for one operation, over ROUNDS rounds.
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 31
static double rounds[ROUNDS];

static inline uint64_t ticks(void) {
  uint32_t low, high;
  __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
  return ((uint64_t)high << 32) | low;
}

// Ticks in a microsecond.
static double rate(void) {
  struct timespec a, b;
  double us;
  clock_gettime(CLOCK_MONOTONIC, &a);
  uint64_t from = ticks();
  do {
    clock_gettime(CLOCK_MONOTONIC, &b);
    us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
  } while (us < 20000);
  return (double)(ticks() - from) / us;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void report(const char *name) {
  qsort(rounds, ROUNDS, sizeof rounds[0], ascending);
  printf("%s,%.4f,%.4f\n", name, rounds[0], rounds[ROUNDS / 2]);
}

// Runs `code` times times in each round; `each` operations a time.
#define BENCH(name, times, each, code)                              \
  do {                                                              \
    for (int round = 0; round < ROUNDS; round++) {                  \
      uint64_t from = ticks();                                      \
      for (int i = 0; i < (times); i++) { code; }                   \
      rounds[round] = (double)(ticks() - from) / (times) / (each);  \
    }                                                               \
    report(name);                                                   \
  } while (0)

#define INLINE static inline __attribute__((always_inline))
#define TEN(text) text text text text text text text text text text

#ifdef __i386__
enum { GETPID = 20, GETPPID = 64, UMASK = 60, LSEEK = 19, FCNTL = 55, PREAD = 180, POLL = 168, ACCESS = 33, STAT = 106, FSTAT = 108, KILL = 37, OPEN = 5, CLOSE = 6 };
#define TRAP(instruction)                                                                                  \
  __asm__ volatile(instruction : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory")
INLINE long call(long number, long a, long b, long c, long d, long e) {
  long result;
  TRAP("call *%%gs:0x10");
  return result;
}
INLINE long int80(long number, long a, long b, long c, long d, long e) {
  long result;
  TRAP("int $0x80");
  return result;
}
#else
enum { GETPID = 39, GETPPID = 110, UMASK = 95, LSEEK = 8, FCNTL = 72, PREAD = 17, POLL = 7, ACCESS = 21, STAT = 4, FSTAT = 5, KILL = 62, OPEN = 2, CLOSE = 3 };
INLINE long call(long number, long a, long b, long c, long d, long e) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}
#endif

// A function that returns after a call: what was to return where may have been forgotten meanwhile.
static __attribute__((noinline)) long returning(void) { return call(GETPID, 0, 0, 0, 0, 0); }

static void instructions(void) {
  static void *volatile word;
  unsigned long x = 1;
  word = (void *)&word;
  BENCH("dependent_add", 2000, 10, __asm__ volatile(TEN("add $1, %0\n\t") : "+r"(x)));
  BENCH("load", 2000, 10, __asm__ volatile(TEN("mov (%0), %0\n\t") : "+r"(word)));
#ifdef __i386__
  BENCH("push_pop", 2000, 10, __asm__ volatile(TEN("push %%eax\n\t") TEN("pop %%ecx\n\t")::: "ecx", "memory"));
  BENCH("seg_load", 500, 1, __asm__ volatile("mov %%ds, %%eax\n\tmov %%eax, %%es" ::: "eax"));
  BENCH("push_pop_seg", 500, 1, __asm__ volatile("push %%gs\n\tpop %%gs" ::: "memory"));
  BENCH("pushf_popf", 500, 1, __asm__ volatile("pushf\n\tpopf" ::: "memory", "cc"));
  BENCH("iret", 500, 1, __asm__ volatile("pushf\n\tpush %%cs\n\tpush $1f\n\tiret\n1:" ::: "memory", "cc"));
  BENCH("call_ret", 2000, 1, __asm__ volatile("call 1f\n\tjmp 2f\n1:\tret\n2:" ::: "memory"));
#else
  // Calls and pushes would write below the stack pointer, where the compiler may keep things: step over them.
  BENCH("push_pop", 2000, 10, __asm__ volatile("sub $128, %%rsp\n\t" TEN("push %%rax\n\t") TEN("pop %%rcx\n\t") "add $128, %%rsp" ::: "rcx", "memory", "cc"));
  BENCH("pushf_popf", 500, 1, __asm__ volatile("sub $128, %%rsp\n\tpushfq\n\tpopfq\n\tadd $128, %%rsp" ::: "memory", "cc"));
  BENCH("call_ret", 2000, 1, __asm__ volatile("sub $128, %%rsp\n\tcall 1f\n\tjmp 2f\n1:\tret\n2:\tadd $128, %%rsp" ::: "memory", "cc"));
#endif
  uint32_t a, c, unused;
  BENCH("cpuid", 20, 1, __asm__ volatile("cpuid" : "=a"(a), "=c"(c), "=d"(unused) : "a"(1) : "ebx"));
  printf("hypervisor,%d,0\n", (int)(c >> 31));
}

int main(void) {
  static char path[] = "/usr/bin/env";
  static char buffer[256];
  int file = open(path, O_RDONLY), pipes[2];
  if (file < 0 || pipe(pipes) != 0) {
    fprintf(stderr, "cannot open %s\n", path);
    return 1;
  }
  struct pollfd one = {pipes[0], POLLIN, 0};
  long pid = getpid(), mask = umask(0);
  umask((mode_t)mask);
  printf("tsc_mhz,%.3f,0\n", rate());
  instructions();
  BENCH("getpid", 500, 1, call(GETPID, 0, 0, 0, 0, 0));
  BENCH("getpid_return", 500, 1, returning());
#ifdef __i386__
  BENCH("int80", 100, 1, int80(GETPID, 0, 0, 0, 0, 0));
#endif
  BENCH("fstat", 500, 1, call(FSTAT, file, (long)buffer, 0, 0, 0));
  BENCH("getppid", 500, 1, call(GETPPID, 0, 0, 0, 0, 0));
  BENCH("umask", 500, 1, call(UMASK, mask, 0, 0, 0, 0));
  BENCH("lseek", 500, 1, call(LSEEK, file, 0, SEEK_SET, 0, 0));
  BENCH("fcntl", 500, 1, call(FCNTL, file, F_GETFD, 0, 0, 0));
  BENCH("pread64", 300, 1, call(PREAD, file, (long)buffer, 1, 0, 0));
  BENCH("poll", 300, 1, call(POLL, (long)&one, 1, 0, 0, 0));
  BENCH("access", 200, 1, call(ACCESS, (long)path, F_OK, 0, 0, 0));
  BENCH("stat", 200, 1, call(STAT, (long)path, (long)buffer, 0, 0, 0));
  BENCH("kill", 300, 1, call(KILL, pid, 0, 0, 0, 0));
  BENCH("open+close", 100, 1, call(CLOSE, call(OPEN, (long)path, O_RDONLY, 0, 0, 0), 0, 0, 0, 0));
  return 0;
}
