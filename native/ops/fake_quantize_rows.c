/*
 * out = s · rne(x/s) a row, s = max|x|/levels; a row of zeros stays. Bound by memory. out may be x.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"
#include "rows.h"

typedef struct {
  float *out;
  const float *x;
  int64_t rows, columns;
  double levels;
} rows_call;

static float largest_magnitude(const float *x, int64_t n) {
  vf top = vf_zero();
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) top = vf_max(top, vf_abs(vf_load(x + i)));
  if (i < n) top = vf_max(top, vf_abs(vf_load_n(x + i, (int)(n - i))));
  return vf_max_of(top);
}

static FB_BODY(quantize_chunk) {
  const rows_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    const float *x = call->x + row * n;
    float *out = call->out + row * n, step = (float)(largest_magnitude(x, n) / call->levels);
    vf scale = vf_set1(step), divisor = vf_set1(step > 0 ? step : 1);
    for (int64_t i = 0; i < n; i += VF_WIDTH) {
      int count = (int)fb_min(VF_WIDTH, n - i);
      vf code = vf_rne(vf_div(vf_load_n(x + i, count), divisor));
      vf_store_n(out + i, vf_mul(scale, code), count);
    }
  }
}

/* buffers: out, x; sizes: rows, columns; reals: levels */
FB_OP(fake_quantize_rows) {
  rows_call call = {args->buffer[0], args->buffer[1], args->size[0], args->size[1], args->real[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.columns) * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(call.levels > 0);
  fb_parallel(team, row_chunks(call.rows, call.columns), quantize_chunk, &call);
  return NULL;
}
