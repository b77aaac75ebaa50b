/* Maximum and log Σ e^x of a row of float32; sums in float64, in lanes so that compilers use vectors. */
#ifndef FEWBIT_LOG_SUM_H
#define FEWBIT_LOG_SUM_H

#include <math.h>

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp64.h"

#define SUM_BLOCK 256
#define SUM_LANES 8

static inline float row_maximum(const float *x, int64_t n) {
  vf top = vf_set1(-INFINITY);
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) top = vf_max(top, vf_load(x + i));
  float most = vf_max_of(top);
  for (; i < n; i++) most = x[i] > most ? x[i] : most;
  return most;
}

/* Σ of `count` <= SUM_BLOCK values. */
static inline double sum_block(const double *x, int64_t count) {
  double lanes[SUM_LANES] = {0}, sum = 0;
  int64_t i = 0;
  for (; i + SUM_LANES <= count; i += SUM_LANES) {
    for (int lane = 0; lane < SUM_LANES; lane++) lanes[lane] += x[i + lane];
  }
  for (; i < count; i++) sum += x[i];
  for (int lane = 0; lane < SUM_LANES; lane++) sum += lanes[lane];
  return sum;
}

static inline double log_sum_exp(const float *x, int64_t n) {
  double top = row_maximum(x, n), block[SUM_BLOCK], sum = 0;
  for (int64_t start = 0; start < n; start += SUM_BLOCK) {
    int64_t count = fb_min(SUM_BLOCK, n - start);
    exp_shifted(block, x + start, top, count);
    sum += sum_block(block, count);
  }
  return top + log(sum);
}

#endif
