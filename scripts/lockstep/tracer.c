/* Runs an i386 program on the real processor one instruction at a time and tells everything on standard output:
   registers after each instruction, x87 and SIMD state after those that work on it, and memory at every system call.
   usage: tracer ROOT LIMIT PROGRAM ARG... ; standard input: what CPUID shall say. Build: gcc -m32 -O2 -static
   ROOT is entered by chroot (needs root). The program sees no address randomisation, a 3 GB limit and no vDSO. CPUID, RDTSC
   and rseq are answered here. Words are little endian; see feed.ts for the other side. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <asm/ldt.h>
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP = 1, FORCED, FPU, PAGE, REGIONS, THREAD, CHECKED, END, SYSCALL };
enum { PAGE_BYTES = 4096, EVERY = 5000, MOST_REGIONS = 1024, CPUIDS = 160 };

struct region { uint32_t start, end, prot; };
struct shadow { uint8_t *bytes; uint8_t known; };
struct cpuid { uint32_t leaf, subleaf, words[4]; };

static pid_t pid;
static int memory;
static struct region regions[MOST_REGIONS], before[MOST_REGIONS];
static int count, before_count;
/* Last contents sent, by page; 0 = zeros. */
static uint8_t *shadow[1 << 20];
static struct cpuid cpuids[CPUIDS];

static void fail(const char *what) { perror(what); exit(3); }
static void put(const void *p, size_t n) { if (fwrite(p, 1, n, stdout) != n) exit(4); }
static void word(uint32_t w) { put(&w, 4); }
static int peek(uint32_t at, void *to, size_t n) { return pread(memory, to, n, at) == (ssize_t)n; }
static void poke(uint32_t at, const void *from, size_t n) { if (pwrite(memory, from, n, at) != (ssize_t)n) fail("poke"); }

static void read_regions(void) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  /* Opened before chroot would hide it: the parent never enters the root. */
  FILE *f = fopen(path, "r");
  if (!f) fail(path);
  count = 0;
  while (fgets(line, sizeof line, f) && count < MOST_REGIONS) {
    unsigned start, end;
    char flags[8];
    if (sscanf(line, "%x-%x %7s", &start, &end, flags) != 3) continue;
    if (start >= 0xc0000000 || strstr(line, "[vvar") || strstr(line, "[vdso")) continue;
    uint32_t prot = (flags[0] == 'r') | (flags[1] == 'w') << 1 | (flags[2] == 'x') << 2;
    if (strstr(line, "[stack]")) prot |= 8;
    regions[count++] = (struct region){start, end, prot};
  }
  fclose(f);
}

static int zeros(const uint8_t *p) {
  for (int i = 0; i < PAGE_BYTES; i += 4) if (*(const uint32_t *)(p + i)) return 0;
  return 1;
}

/* Send pages that are not as last sent. */
static void send_pages(int writable_only) {
  static uint8_t buffer[64 * PAGE_BYTES];
  for (int r = 0; r < count; r++) {
    if (!(regions[r].prot & 1) || (writable_only && !(regions[r].prot & 2))) continue;
    for (uint32_t at = regions[r].start; at < regions[r].end;) {
      uint32_t bytes = regions[r].end - at;
      if (bytes > sizeof buffer) bytes = sizeof buffer;
      if (!peek(at, buffer, bytes)) { at += bytes; continue; }
      for (uint32_t i = 0; i < bytes; i += PAGE_BYTES) {
        uint8_t **old = &shadow[(at + i) >> 12];
        if (*old ? !memcmp(*old, buffer + i, PAGE_BYTES) : zeros(buffer + i)) continue;
        if (!*old && !(*old = malloc(PAGE_BYTES))) fail("malloc");
        memcpy(*old, buffer + i, PAGE_BYTES);
        word(PAGE);
        word(at + i);
        put(*old, PAGE_BYTES);
      }
      at += bytes;
    }
  }
}

/* Pages of regions that are new have no contents yet on the other side. */
static void send_regions(void) {
  memcpy(before, regions, sizeof regions);
  before_count = count;
  read_regions();
  if (count == before_count && !memcmp(before, regions, count * sizeof *regions)) { send_pages(1); return; }
  for (uint32_t page = 0; page < 0xc0000; page++) {
    if (!shadow[page]) continue;
    int mapped = 0;
    for (int r = 0; r < count && !mapped; r++) mapped = page >= regions[r].start >> 12 && page < regions[r].end >> 12;
    if (!mapped) { free(shadow[page]); shadow[page] = 0; }
  }
  word(REGIONS);
  word(count);
  put(regions, count * sizeof *regions);
  send_pages(0);
}

static void send_registers(uint32_t tag, const struct user_regs_struct *g) {
  uint32_t out[14] = {tag, g->eax, g->ecx, g->edx, g->ebx, g->esp, g->ebp, g->esi, g->edi, g->eip, g->eflags & ~0x10100,
                      (g->xes & 0xffff) | (g->xcs & 0xffff) << 16, (g->xss & 0xffff) | (g->xds & 0xffff) << 16,
                      (g->xfs & 0xffff) | (g->xgs & 0xffff) << 16};
  put(out, sizeof out);
}

static void send_fpu(void) {
  struct user_fpxregs_struct f;
  if (ptrace(PTRACE_GETFPXREGS, pid, 0, &f)) fail("fpxregs");
  word(FPU);
  put(&f, 512);
}

static void send_thread_areas(void) {
  for (uint32_t n = 12; n < 15; n++) {
    struct user_desc d;
    if (ptrace(25 /* PTRACE_GET_THREAD_AREA */, pid, n, &d)) continue;
    uint32_t flags;
    memcpy(&flags, (uint8_t *)&d + 12, 4);
    uint32_t out[5] = {THREAD, n, d.base_addr, d.limit, flags};
    put(out, sizeof out);
  }
}

/* The auxiliary vector: no vDSO, and the capabilities that CPUID will admit. */
static void edit_auxv(uint32_t esp) {
  uint32_t at = esp, w, pair[2];
  peek(at, &w, 4);
  at += 4 * (w + 2);
  while (peek(at, &w, 4) && w) at += 4;
  for (at += 4; peek(at, pair, 8) && pair[0] != AT_NULL; at += 8) {
    if (pair[0] == AT_SYSINFO || pair[0] == AT_SYSINFO_EHDR) pair[0] = AT_IGNORE;
    else if (pair[0] == AT_HWCAP) pair[1] = cpuids[1 * 4].words[3];
    else if (pair[0] == AT_HWCAP2) pair[1] = 0;
    poke(at, pair, 8);
  }
}

static void answer_cpuid(struct user_regs_struct *g) {
  const struct cpuid *found = 0;
  for (int i = 0; i < CPUIDS && !found; i++)
    if (cpuids[i].leaf == (uint32_t)g->eax && cpuids[i].subleaf == (uint32_t)(g->ecx & 3)) found = &cpuids[i];
  if (!found) found = &cpuids[31 * 4];
  g->eax = found->words[0];
  g->ebx = found->words[1];
  g->ecx = found->words[2];
  g->edx = found->words[3];
  g->eip += 2;
}

static int is_fp(const uint8_t *p) {
  while (*p == 0x66 || *p == 0x67 || *p == 0xf2 || *p == 0xf3 || *p == 0x2e || *p == 0x36 || *p == 0x3e || *p == 0x26 || *p == 0x64 || *p == 0x65) p++;
  if ((*p >= 0xd8 && *p <= 0xdf) || *p == 0x9b) return 1;
  if (*p != 0x0f) return 0;
  p++;
  return (*p >= 0x10 && *p <= 0x17) || (*p >= 0x28 && *p <= 0x2f) || (*p >= 0x38 && *p <= 0x3a) || (*p >= 0x50 && *p <= 0x7f) || *p == 0xae ||
         (*p >= 0xc2 && *p <= 0xc6) || *p >= 0xd0;
}

/* Code bytes by page, kept until the map changes. */
static uint8_t *cached[1 << 20];

static const uint8_t *code_at(uint32_t eip, uint8_t *spare) {
  if ((eip & 0xfff) > PAGE_BYTES - 16) { memset(spare, 0, 16); if (!peek(eip, spare, 16)) peek(eip, spare, PAGE_BYTES - (eip & 0xfff)); return spare; }
  uint8_t **page = &cached[eip >> 12];
  if (!*page) {
    *page = malloc(PAGE_BYTES);
    if (!peek(eip & ~0xfff, *page, PAGE_BYTES)) fail("code");
  }
  return *page + (eip & 0xfff);
}

static void drop_code(void) {
  for (uint32_t i = 0; i < 1 << 20; i++) if (cached[i]) { free(cached[i]); cached[i] = 0; }
}

static int writable_code(uint32_t eip) {
  for (int r = 0; r < count; r++) if (eip >= regions[r].start && eip < regions[r].end) return (regions[r].prot & 2) != 0;
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  if (fread(cpuids, sizeof cpuids, 1, stdin) != 1) return 2;
  long limit = atol(argv[2]);
  static char out[1 << 20];
  setvbuf(stdout, out, _IOFBF, sizeof out);
  pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    if (chroot(argv[1]) || chdir("/")) fail("chroot");
    personality(ADDR_NO_RANDOMIZE | ADDR_LIMIT_3GB);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", 0};
    execve(argv[3], argv + 3, environment);
    fail(argv[3]);
  }
  int status;
  waitpid(pid, &status, 0);
  if (!WIFSTOPPED(status)) return 3;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  memory = open(path, O_RDWR);
  if (memory < 0) fail(path);
  struct user_regs_struct g;
  ptrace(PTRACE_GETREGS, pid, 0, &g);
  edit_auxv(g.esp);
  send_regions();
  send_thread_areas();
  send_registers(FORCED, &g);
  send_fpu();
  uint32_t reason = 0;
  for (long n = 0; n < limit; n++) {
    uint8_t spare[16];
    if (writable_code(g.eip)) { free(cached[g.eip >> 12]); cached[g.eip >> 12] = 0; }
    const uint8_t *p = code_at(g.eip, spare);
    uint32_t tag = STEP;
    int fp = is_fp(p), pushf = p[0] == 0x9c, call = p[0] == 0xcd && p[1] == 0x80;
    if (n % EVERY == EVERY - 1 || call) {
      send_pages(1);
      word(CHECKED);
    }
    if (p[0] == 0x0f && p[1] == 0xa2) {
      answer_cpuid(&g);
      ptrace(PTRACE_SETREGS, pid, 0, &g);
      send_registers(STEP, &g);
      continue;
    }
    if (p[0] == 0x0f && p[1] == 0x31) {
      g.eax = n;
      g.edx = 0;
      g.eip += 2;
      ptrace(PTRACE_SETREGS, pid, 0, &g);
      send_registers(FORCED, &g);
      continue;
    }
    if (call) {
      tag = SYSCALL;
      if (g.eax == 386) {
        g.eax = -38;
        g.eip += 2;
        ptrace(PTRACE_SETREGS, pid, 0, &g);
        send_registers(FORCED, &g);
        continue;
      }
    }
    uint32_t was = g.eax;
    if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0)) fail("step");
    if (waitpid(pid, &status, 0) < 0) fail("wait");
    if (!WIFSTOPPED(status)) { reason = WIFEXITED(status) ? WEXITSTATUS(status) : 0x100 | WTERMSIG(status); break; }
    if (WSTOPSIG(status) != 5) { reason = 0x200 | WSTOPSIG(status); break; }
    ptrace(PTRACE_GETREGS, pid, 0, &g);
    if (pushf) {
      uint32_t flags;
      peek(g.esp, &flags, 4);
      flags &= ~0x100;
      poke(g.esp, &flags, 4);
    }
    if (call) {
      if (was == 243) send_thread_areas();
      send_regions();
      drop_code();
    }
    send_registers(tag, &g);
    if (fp) send_fpu();
  }
  word(END);
  word(reason);
  fflush(stdout);
  kill(pid, 9);
  return 0;
}
