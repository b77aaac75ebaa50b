/*
 * out = e^(x - max) / Σ e^(x - max) over the last dimension, in three passes over a row; sums run in
 * float32 lanes over blocks that are added up in float64. out may be x.
 */
#include "../include/fewbit.h"
#include "exp.h"
#include "log_sum.h"
#include "rows.h"

#define BLOCK 4096

typedef struct {
  float *out;
  const float *x;
  int64_t rows, columns;
} softmax_call;

/* Writes e^(x - top) and returns its sum. */
static double exponentiate(float *out, const float *x, float top, int64_t n) {
  double total = 0;
  vf shift = vf_set1(top);
  for (int64_t start = 0; start < n; start += BLOCK) {
    int64_t i = start, end = fb_min(n, start + BLOCK);
    vf sum = vf_zero();
    for (; i + VF_WIDTH <= end; i += VF_WIDTH) {
      vf power = vf_exp(vf_sub(vf_load(x + i), shift));
      vf_store(out + i, power);
      sum = vf_add(sum, power);
    }
    total += vf_sum(sum);
    int rest = (int)(end - i);
    if (!rest) continue;
    vf_store_n(out + i, vf_exp(vf_sub(vf_load_n(x + i, rest), shift)), rest);
    for (; i < end; i++) total += out[i];
  }
  return total;
}

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
