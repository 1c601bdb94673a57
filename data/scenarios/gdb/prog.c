#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node {
  const char *name;
  int weight;
  struct node *next;
};

static int total;
static volatile int caught, waiting = 1;

static int fib(int n) {
  if (n < 2)
    return n;
  return fib(n - 1) + fib(n - 2);
}

static struct node *push(struct node *list, const char *name, int weight) {
  struct node *made = malloc(sizeof *made);
  made->name = name;
  made->weight = weight;
  made->next = list;
  total += weight;
  return made;
}

static void on_signal(int number) {
  caught = number;
}

static double mean(const struct node *list) {
  double sum = 0;
  int count = 0;
  for (; list != NULL; list = list->next) {
    sum += list->weight;
    count++;
  }
  return sum / count;
}

int main(int argc, char **argv) {
  struct node *list = NULL;
  const char *mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "wait") == 0) {
    puts("waiting");
    fflush(stdout);
    while (waiting)
      usleep(10000);
    printf("let go with %d\n", total);
    return 0;
  }
  list = push(list, "lead", 82);
  list = push(list, "tin", 50);
  list = push(list, "iron", 26);
  printf("fib %d\n", fib(6));
  printf("total %d mean %.3f\n", total, mean(list));
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  printf("caught %d\n", caught);
  if (strcmp(mode, "crash") == 0)
    list->next->next->next->weight = 1;
  return 3;
}
