/*
 * The rectified sigmoid of AdaRound, h(v) = clip(1.2·σ(v) - 0.1, 0, 1), and its slope, 0 where it is clipped. NaN
 * stays NaN in h.
 */
#ifndef FEWBIT_SOFT_ROUNDING_H
#define FEWBIT_SOFT_ROUNDING_H

#include "../include/vec.h"
#include "exp.h"

#define SOFT_CHUNK 16384 /* elements */

static inline vf stretched(vf share) { return vf_fma(vf_set1(-0.1f), vf_set1(1.2f), share); }

static inline vf soft_rounding(vf v) {
  return vf_min(vf_set1(1), vf_max(vf_zero(), stretched(vf_logistic(v)))); /* in this order NaN passes */
}

static inline vf soft_slope(vf v) {
  vf one = vf_set1(1), share = vf_logistic(v), h = stretched(share);
  vf slope = vf_mul(vf_set1(1.2f), vf_mul(share, vf_sub(one, share)));
  slope = vf_select_ge(h, vf_zero(), slope, vf_zero());
  return vf_select_ge(one, h, slope, vf_zero());
}

#endif
