/* One row of RMSNorm: out = x / √(mean(x²) + eps) · weight; the mean is summed in float64. out may be x. */
#ifndef FEWBIT_RMS_NORM_H
#define FEWBIT_RMS_NORM_H

#include <math.h>

#include "../include/fewbit.h"
#include "../include/vec.h"

static inline double sum_of_squares(const float *x, int64_t n) {
  vd sum = vd_zero();
  int64_t i = 0;
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) {
    vd value = vd_load_f32(x + i);
    sum = vd_fma(sum, value, value);
  }
  double total = vd_sum(sum);
  for (; i < n; i++) total += (double)x[i] * x[i];
  return total;
}

static inline void rms_row(float *out, const float *x, const float *weight, int64_t n, double eps) {
  float factor = (float)(1 / sqrt(sum_of_squares(x, n) / (double)n + eps));
  vf f = vf_set1(factor);
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) {
    vf_store(out + i, vf_mul(vf_mul(vf_load(x + i), f), vf_load(weight + i)));
  }
  for (; i < n; i++) out[i] = x[i] * factor * weight[i];
}

#endif
