/*
 * Sums over the rows of a matrix, for gradients of weights that all rows share: each chunk of PART_ROWS rows adds its
 * rows to a row of its own in float32, and these are added in order in float64. So the sums do not depend on the
 * number of threads.
 *
 *   parts  [row chunks][sums][columns]      sums: how many such gradients the op has
 */
#ifndef FEWBIT_ROW_PARTS_H
#define FEWBIT_ROW_PARTS_H

#include "../include/fewbit.h"

#define PART_ROWS 32
#define PART_COLUMNS 256

typedef struct {
  float *out[2]; /* NULL where not wanted */
  const float *parts;
  int64_t chunks, columns;
  int sums;
} part_sums;

static inline int64_t part_chunks(int64_t rows) { return fb_ceil_div(rows, PART_ROWS); }

/* The sums of a row chunk, `count` of them, as zeros; NULL where none are wanted. */
static inline float *begin_parts(float *parts, int64_t chunk, int64_t count) {
  if (!parts) return NULL;
  for (int64_t i = 0; i < count; i++) parts[chunk * count + i] = 0;
  return parts + chunk * count;
}

static FB_BODY(add_parts_chunk) {
  const part_sums *call = context;
  int64_t first = chunk * PART_COLUMNS, width = fb_min(PART_COLUMNS, call->columns - first);
  double sums[PART_COLUMNS];
  (void)thread;
  for (int s = 0; s < call->sums; s++) {
    if (!call->out[s]) continue;
    for (int64_t j = 0; j < width; j++) sums[j] = 0;
    for (int64_t c = 0; c < call->chunks; c++) {
      const float *part = call->parts + (c * call->sums + s) * call->columns + first;
      for (int64_t j = 0; j < width; j++) sums[j] += part[j];
    }
    for (int64_t j = 0; j < width; j++) call->out[s][first + j] = (float)sums[j];
  }
}

static void add_parts(fb_team *team, part_sums *call) {
  fb_parallel(team, fb_ceil_div(call->columns, PART_COLUMNS), add_parts_chunk, call);
}

#endif
