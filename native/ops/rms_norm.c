/*
 * out = x / √(mean(x²) + eps) · weight over the last dimension; the mean is summed in float64.
 * Bound by memory. out may be x.
 */
#include "rms_norm.h"

#include "rows.h"

typedef struct {
  float *out;
  const float *x, *weight;
  int64_t rows, columns;
  double eps;
} rms_call;

static FB_BODY(rms_chunk) {
  const rms_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    rms_row(call->out + row * n, call->x + row * n, call->weight, n, call->eps);
  }
}

/* buffers: out, x, weight; sizes: rows, columns; reals: eps */
FB_OP(rms_norm) {
  rms_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                   args->size[0],   args->size[1],   args->real[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.columns) * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0] && args->bytes[2] == (size_t)call.columns * 4);
  fb_parallel(team, row_chunks(call.rows, call.columns), rms_chunk, &call);
  return NULL;
}
