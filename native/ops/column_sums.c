/*
 * out[j] = Σ_t x[t, j] in float64, x [T, n]. Bound by memory: one read an element. Split over threads by columns; each
 * adds its rows in order.
 */
#include "../include/fewbit.h"

#define COLUMNS 256

typedef struct {
  float *out;
  const float *x;
  int64_t rows, columns;
} sums_call;

static FB_BODY(sums_chunk) {
  const sums_call *call = context;
  int64_t first = chunk * COLUMNS, width = fb_min(COLUMNS, call->columns - first);
  double sums[COLUMNS];
  (void)thread;
  for (int64_t j = 0; j < width; j++) sums[j] = 0;
  for (int64_t t = 0; t < call->rows; t++) {
    const float *row = call->x + t * call->columns + first;
    for (int64_t j = 0; j < width; j++) sums[j] += row[j];
  }
  for (int64_t j = 0; j < width; j++) call->out[first + j] = (float)sums[j];
}

/* buffers: out, x; sizes: rows, columns */
FB_OP(column_sums) {
  sums_call call = {args->buffer[0], args->buffer[1], args->size[0], args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.columns * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, fb_ceil_div(call.columns, COLUMNS), sums_chunk, &call);
  return NULL;
}
