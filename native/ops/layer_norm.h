/* What LayerNorm and its gradients share. */
#ifndef FEWBIT_LAYER_NORM_H
#define FEWBIT_LAYER_NORM_H

#include <math.h>

#include "../include/fewbit.h"
#include "../include/vec.h"

/* In float64. */
static inline double sum_of_row(const float *x, int64_t n) {
  vd sum = vd_zero();
  int64_t i = 0;
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) sum = vd_add(sum, vd_load_f32(x + i));
  double total = vd_sum(sum);
  for (; i < n; i++) total += x[i];
  return total;
}

#endif
