/*
 * sums[j] += Σ_t |x[t, j]| in float64 and peaks[j] = max(peaks[j], max_t |x[t, j]|), x [T, n] float32.
 * Bound by memory: one read an element. Split over threads by columns; each adds its rows in order.
 *
 *            chunk 0   chunk 1
 *   x    t=0 [ # # # # | # # # # | . . ]   COLUMNS of a row are one run of cache lines
 *        t=1 [ # # # # | # # # # | . . ]
 */
#include <math.h>

#include "../include/fewbit.h"

#define COLUMNS 64

typedef struct {
  double *sums;
  float *peaks;
  const float *x;
  int64_t rows, columns;
} magnitudes_call;

static FB_BODY(magnitudes_chunk) {
  const magnitudes_call *call = context;
  int64_t first = chunk * COLUMNS;
  int64_t width = fb_min(COLUMNS, call->columns - first);
  double sums[COLUMNS];
  float peaks[COLUMNS];
  (void)thread;
  for (int64_t j = 0; j < width; j++) {
    sums[j] = call->sums[first + j];
    peaks[j] = call->peaks[first + j];
  }
  for (int64_t t = 0; t < call->rows; t++) {
    const float *row = call->x + t * call->columns + first;
    for (int64_t j = 0; j < width; j++) {
      float magnitude = fabsf(row[j]);
      sums[j] += magnitude;
      peaks[j] = magnitude > peaks[j] ? magnitude : peaks[j];
    }
  }
  for (int64_t j = 0; j < width; j++) {
    call->sums[first + j] = sums[j];
    call->peaks[first + j] = peaks[j];
  }
}

/* buffers: sums, peaks, x; sizes: rows, columns */
FB_OP(magnitudes) {
  magnitudes_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0],
                          args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.columns * 8);
  FB_REQUIRE(args->bytes[1] == (size_t)call.columns * 4);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, fb_ceil_div(call.columns, COLUMNS), magnitudes_chunk, &call);
  return NULL;
}
