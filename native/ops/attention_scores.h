/* What every kind of attention does with scores of queries and keys. */
#ifndef FEWBIT_ATTENTION_SCORES_H
#define FEWBIT_ATTENTION_SCORES_H

#include "exp.h"

#define NOTHING_SEEN -1e30f /* a finite start for maxima, below every score */

/* Caps scores: cap · tanh(s / cap), s on VF_WIDTH keys or queries. */
static inline vf cap_scores(vf scores, float cap) {
  return vf_mul(vf_set1(cap), vf_tanh(vf_mul(scores, vf_set1(1 / cap))));
}

/* q·k of VF_WIDTH keys whose rows lie `apart` floats from each other. */
static inline __attribute__((always_inline)) vf score_group(const float *q, const float *k, int64_t apart,
                                                            int64_t width) {
  vf sum[VF_WIDTH];
#pragma GCC unroll 16
  for (int j = 0; j < VF_WIDTH; j++) sum[j] = vf_zero();
  for (const float *end = q + width; q < end; q += VF_WIDTH, k += VF_WIDTH) {
    vf x = vf_load(q);
    const float *row = k; /* one pointer that moves on: registers for all of them there are not */
#pragma GCC unroll 4
    for (int j = 0; j < VF_WIDTH; j += 4, row += 4 * apart) {
      sum[j] = vf_fma(sum[j], x, vf_load(row));
      sum[j + 1] = vf_fma(sum[j + 1], x, vf_load(row + apart));
      sum[j + 2] = vf_fma(sum[j + 2], x, vf_load(row + 2 * apart));
      sum[j + 3] = vf_fma(sum[j + 3], x, vf_load(row + 3 * apart));
    }
  }
  return vf_sum_each(sum);
}

#endif
