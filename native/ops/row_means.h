/*
 * Means of the values of a row, of their magnitudes or their squares, from eight sums in float64, of the columns
 * i mod 8, added in pairs: every level gives the same bits.
 */
#ifndef FEWBIT_ROW_MEANS_H
#define FEWBIT_ROW_MEANS_H

#include <math.h>

#include "../include/fewbit.h"

enum { OF_VALUES, OF_MAGNITUDES, OF_SQUARES };

FB_INLINE double summand(float x, const int of) {
  return of == OF_SQUARES ? (double)x * x : of == OF_MAGNITUDES ? fabs((double)x) : (double)x;
}

/* 0 for no values; `of` is a constant at each call. */
FB_INLINE double row_mean(const float *x, int64_t n, const int of) {
  double sum[8] = {0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; j++) sum[j] += summand(x[i + j], of);
  }
  for (int j = 0; i < n; i++, j++) sum[j] += summand(x[i], of);
  double total = (sum[0] + sum[1]) + (sum[2] + sum[3]) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
  return total / (double)fb_max(1, n);
}

#endif
