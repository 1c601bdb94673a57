#include <string.h>
#include "words.h"
size_t vowels(const char *word) {
  size_t n = 0;
  for (; *word; word++) if (strchr("aeiou", *word)) n++;
  return n;
}
