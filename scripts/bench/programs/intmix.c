/* argv[1] thousand rounds of integer work over a small table: shifts, products, branches, calls, a division now and then. */
#include <stdio.h>
#include <stdlib.h>
static unsigned table[1024];
static __attribute__((noinline)) unsigned mix(unsigned a, unsigned b) {
  a ^= b << 13;
  a += (b >> 7) * 2654435761u;
  return (a << 5) | (a >> 27);
}
int main(int argc, char **argv) {
  unsigned rounds = (argc > 1 ? atoi(argv[1]) : 1) * 1000u, x = 12345, sum = 0;
  for (unsigned i = 0; i < rounds; i++) {
    unsigned *slot = &table[x & 1023];
    x = mix(x, *slot + i);
    if (x & 4) *slot += x;
    else *slot ^= sum;
    if ((i & 63) == 0) sum += x / ((i & 1023) + 1);
    sum = sum * 31 + (x >> 16);
  }
  printf("%u\n", sum);
  return 0;
}
