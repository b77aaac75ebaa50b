/* How ops that work row by row are split: whole rows, about 16 thousand elements a chunk. */
#ifndef FEWBIT_ROWS_H
#define FEWBIT_ROWS_H

#include "../include/fewbit.h"

static inline int64_t rows_per_chunk(int64_t columns) { return fb_max(1, 16384 / fb_max(1, columns)); }

static inline int64_t row_chunks(int64_t rows, int64_t columns) {
  return fb_ceil_div(rows, rows_per_chunk(columns));
}

#endif
