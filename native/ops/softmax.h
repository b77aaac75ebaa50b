/* One row of softmax: e^(x - max), whose sum runs in float32 lanes over blocks that are added up in float64. */
#ifndef FEWBIT_SOFTMAX_H
#define FEWBIT_SOFTMAX_H

#include "../include/fewbit.h"
#include "exp.h"
#include "log_sum.h"

#define EXP_BLOCK 4096

/* Writes e^(x - top) and returns its sum. */
static inline double exponentiate(float *out, const float *x, float top, int64_t n) {
  double total = 0;
  vf shift = vf_set1(top);
  for (int64_t start = 0; start < n; start += EXP_BLOCK) {
    int64_t i = start, end = fb_min(n, start + EXP_BLOCK);
    vf sum = vf_zero();
    for (; i + VF_WIDTH <= end; i += VF_WIDTH) {
      vf power = vf_exp(vf_sub(vf_load(x + i), shift));
      vf_store(out + i, power);
      sum = vf_add(sum, power);
    }
    total += vf_sum(sum);
    int rest = (int)(end - i);
    if (!rest) continue;
    vf_store_n(out + i, vf_exp(vf_sub(vf_load_n(x + i, rest), shift)), rest);
    for (; i < end; i++) total += out[i];
  }
  return total;
}

#endif
