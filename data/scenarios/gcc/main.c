#include <stdio.h>
#include "words.h"
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("%s %zu %08x\n", argv[i], vowels(argv[i]), hash(argv[i]));
  return 0;
}
