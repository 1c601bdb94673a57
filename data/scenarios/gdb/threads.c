#include <pthread.h>
#include <stdio.h>

static int parts[3];

static void *work(void *part) {
  int n = *(int *)part;
  *(int *)part = n * n;
  return NULL;
}

int main(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) {
    parts[i] = i + 2;
    pthread_create(&threads[i], NULL, work, &parts[i]);
    pthread_join(threads[i], NULL);
  }
  printf("%d %d %d\n", parts[0], parts[1], parts[2]);
  return 0;
}
