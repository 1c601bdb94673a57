/* Executes one x87 instruction on many states and reports what it did, on the real processor.
   argv[1]: the instruction in hex, its memory operand at MEMORY. stdin: records of 128 bytes, an FNSAVE image (32-bit,
   protected mode), 16 bytes of memory, EFLAGS; stdout: the same after it. Build: gcc -m32 -O1 -static */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CODE = 0x10000000, MEMORY = 0x10002000 };

struct record {
  uint8_t image[108], memory[16];
  uint32_t eflags;
};

static uint8_t *put(uint8_t *at, const void *bytes, unsigned n) {
  memcpy(at, bytes, n);
  return at + n;
}

static uint8_t *with_address(uint8_t *at, const char *opcode, unsigned n, const void *address) {
  uint32_t word = (uint32_t)address;
  return put(put(at, opcode, n), &word, 4);
}

int main(int argc, char **argv) {
  static struct record all[4096];
  uint8_t *code = mmap((void *)CODE, 0x4000, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  struct record *r = (struct record *)(MEMORY - 108);
  uint8_t *at = code;
  size_t n;
  if (argc != 2 || code != (void *)CODE) return 1;
  at = put(at, "\xdb\xe3", 2);                             /* fninit */
  at = with_address(at, "\xdd\x25", 2, r->image);          /* frstor */
  at = with_address(at, "\xff\x35", 2, &r->eflags);        /* push */
  at = put(at, "\x9d", 1);                                 /* popf */
  for (const char *hex = argv[1]; *hex; hex += 2) {
    char byte[3] = {hex[0], hex[1], 0};
    *at++ = strtoul(byte, 0, 16);
  }
  at = put(at, "\x9c", 1);                                 /* pushf */
  at = with_address(at, "\x8f\x05", 2, &r->eflags);        /* pop */
  at = with_address(at, "\xdd\x35", 2, r->image);          /* fnsave */
  at = put(at, "\xc3", 1);
  while ((n = fread(all, sizeof *all, 4096, stdin)) > 0) {
    for (size_t i = 0; i < n; i++) {
      *r = all[i];
      ((void (*)(void))CODE)();
      all[i] = *r;
    }
    if (fwrite(all, sizeof *all, n, stdout) != n) return 2;
  }
  return 0;
}
