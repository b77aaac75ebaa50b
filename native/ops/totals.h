/*
 * Sums over a whole tensor that do not depend on the number of threads: each chunk writes its own float64, and these
 * are added in order.
 */
#ifndef FEWBIT_TOTALS_H
#define FEWBIT_TOTALS_H

#include "../include/fewbit.h"

#define TOTAL_CHUNK 16384 /* elements */

static inline double add_in_order(const double *parts, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += parts[i];
  return sum;
}

#endif
