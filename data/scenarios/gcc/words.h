#include <stddef.h>
size_t vowels(const char *word);
unsigned hash(const char *word);
