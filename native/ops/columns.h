/* What take_columns and its gradient share: which columns there are, and whether they are in range. */
#ifndef FEWBIT_COLUMNS_H
#define FEWBIT_COLUMNS_H

#include "../include/fewbit.h"

typedef struct {
  float *out;
  const float *x;
  const int32_t *columns;
  int64_t rows, taken, width; /* columns that are taken, columns that there are */
} columns_call;

static inline int columns_fit(const columns_call *call) {
  for (int64_t j = 0; j < call->taken; j++) {
    if (call->columns[j] < 0 || call->columns[j] >= call->width) return 0;
  }
  return 1;
}

#endif
