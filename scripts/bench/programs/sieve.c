/* Sieve of Eratosthenes over 1 MiB, argv[1] times: byte loads and stores in tight loops. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define SIZE (1 << 20)
static unsigned char composite[SIZE];
int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1, count = 0;
  while (rounds-- > 0) {
    memset(composite, 0, SIZE);
    count = 0;
    for (int i = 2; i < SIZE; i++) {
      if (composite[i]) continue;
      count++;
      for (int j = 2 * i; j < SIZE; j += i) composite[j] = 1;
    }
  }
  printf("%d\n", count);
  return 0;
}
