/* log Σ e^x of a row of float32, in float64. */
#ifndef FEWBIT_LOG_SUM_H
#define FEWBIT_LOG_SUM_H

#include <math.h>

#include "../include/fewbit.h"
#include "exp64.h"

#define LOG_SUM_BLOCK 256
#define LOG_SUM_LANES 8

/* Index of the largest value; the first of equals. */
static inline int64_t top_index(const float *x, int64_t n) {
  int64_t top = 0;
  for (int64_t i = 1; i < n; i++) {
    if (x[i] > x[top]) top = i;
  }
  return top;
}

static inline double log_sum_exp(const float *x, double top, int64_t n) {
  double lanes[LOG_SUM_LANES] = {0}, block[LOG_SUM_BLOCK], sum = 0;
  for (int64_t start = 0; start < n; start += LOG_SUM_BLOCK) {
    int64_t count = fb_min(LOG_SUM_BLOCK, n - start), i = 0;
    exp_shifted(block, x + start, top, count);
    for (; i + LOG_SUM_LANES <= count; i += LOG_SUM_LANES) {
      for (int lane = 0; lane < LOG_SUM_LANES; lane++) lanes[lane] += block[i + lane];
    }
    for (; i < count; i++) sum += block[i];
  }
  for (int lane = 0; lane < LOG_SUM_LANES; lane++) sum += lanes[lane];
  return top + log(sum);
}

#endif
