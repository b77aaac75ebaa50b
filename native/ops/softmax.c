/*
 * out = e^(x - max) / Σ e^(x - max) over the last dimension, in three passes over a row; see
 * softmax.h. out may be x.
 */
#include "rows.h"
#include "softmax.h"

typedef struct {
  float *out;
  const float *x;
  int64_t rows, columns;
} softmax_call;

static void softmax_row(float *out, const float *x, int64_t n) {
  double sum = exponentiate(out, x, row_maximum(x, n), n);
  float factor = (float)(1 / sum);
  for (int64_t i = 0; i < n; i++) out[i] *= factor;
}

static FB_BODY(softmax_chunk) {
  const softmax_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    softmax_row(call->out + row * n, call->x + row * n, n);
  }
}

/* buffers: out, x; sizes: rows, columns */
FB_OP(softmax) {
  softmax_call call = {args->buffer[0], args->buffer[1], args->size[0], args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.columns) * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0]);
  fb_parallel(team, row_chunks(call.rows, call.columns), softmax_chunk, &call);
  return NULL;
}
