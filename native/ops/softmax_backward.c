/* dX = y · (dOut - Σ dOut·y) a row, y the result of softmax. Bound by memory. dX may be dOut. */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "rows.h"

typedef struct {
  float *d_x;
  const float *d_out, *y;
  int64_t rows, columns;
} softmax_call;

static double dot_rows(const float *a, const float *b, int64_t n) {
  vd sum = vd_zero();
  int64_t i = 0;
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) sum = vd_fma(sum, vd_load_f32(a + i), vd_load_f32(b + i));
  double total = vd_sum(sum);
  for (; i < n; i++) total += (double)a[i] * b[i];
  return total;
}

static FB_BODY(softmax_chunk) {
  const softmax_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    float *d_x = call->d_x + row * n;
    const float *d_out = call->d_out + row * n, *y = call->y + row * n;
    float mean = (float)dot_rows(d_out, y, n);
    for (int64_t i = 0; i < n; i++) d_x[i] = y[i] * (d_out[i] - mean);
  }
}

/* buffers: dX, dOut, y; sizes: rows, columns */
FB_OP(softmax_backward) {
  softmax_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0], args->size[1]};
  for (int i = 0; i < 3; i++) FB_REQUIRE(args->bytes[i] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, row_chunks(call.rows, call.columns), softmax_chunk, &call);
  return NULL;
}
