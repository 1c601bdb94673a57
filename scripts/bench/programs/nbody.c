/* Five bodies under gravity, argv[1] steps: dependent double arithmetic with a square root and a division a pair. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#define BODIES 5
static double position[BODIES][3] = {{0, 0, 0}, {4.84, -1.16, -0.10}, {8.34, 4.12, -0.4}, {12.89, -15.11, -0.22}, {15.38, -25.92, 0.18}};
static double velocity[BODIES][3] = {{0, 0, 0}, {0.61, 2.81, -0.02}, {-1.01, 1.82, 0.008}, {1.08, 0.87, -0.011}, {0.98, 0.59, -0.035}};
static const double mass[BODIES] = {39.48, 0.037, 0.011, 0.0017, 0.002};
static void advance(double dt) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++) {
      double d[3], squares = 0;
      for (int k = 0; k < 3; k++) {
        d[k] = position[i][k] - position[j][k];
        squares += d[k] * d[k];
      }
      double force = dt / (squares * sqrt(squares));
      for (int k = 0; k < 3; k++) {
        velocity[i][k] -= d[k] * mass[j] * force;
        velocity[j][k] += d[k] * mass[i] * force;
      }
    }
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) position[i][k] += dt * velocity[i][k];
}
int main(int argc, char **argv) {
  for (int steps = argc > 1 ? atoi(argv[1]) : 1; steps > 0; steps--) advance(0.01);
  printf("%.17g %.17g\n", position[0][0], velocity[4][2]);
  return 0;
}
