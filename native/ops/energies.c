/*
 * sums[j] += Σ_t x[t, j]² in float64, x [T, n] float32. Bound by memory: one read an element. Split over
 * threads by columns; each adds its rows in order.
 */
#include "../include/fewbit.h"

#define COLUMNS 64

typedef struct {
  double *sums;
  const float *x;
  int64_t rows, columns;
} energies_call;

static FB_BODY(energies_chunk) {
  const energies_call *call = context;
  int64_t first = chunk * COLUMNS, width = fb_min(COLUMNS, call->columns - first);
  double sums[COLUMNS];
  (void)thread;
  for (int64_t j = 0; j < width; j++) sums[j] = call->sums[first + j];
  for (int64_t t = 0; t < call->rows; t++) {
    const float *row = call->x + t * call->columns + first;
    for (int64_t j = 0; j < width; j++) sums[j] += (double)row[j] * row[j];
  }
  for (int64_t j = 0; j < width; j++) call->sums[first + j] = sums[j];
}

/* buffers: sums, x; sizes: rows, columns */
FB_OP(energies) {
  energies_call call = {args->buffer[0], args->buffer[1], args->size[0], args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.columns * 8);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, fb_ceil_div(call.columns, COLUMNS), energies_chunk, &call);
  return NULL;
}
