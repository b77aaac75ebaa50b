/*
 * out = (x - mean) / √(var + eps) · weight + bias over the last dimension, moments summed in float64, the
 * variance after the mean so that nothing cancels. Bound by memory. out may be x.
 */
#include "layer_norm.h"
#include "rows.h"

typedef struct {
  float *out;
  const float *x, *weight, *bias;
  int64_t rows, columns;
  double eps;
} layer_call;

static double sum_of_deviations(const float *x, double mean, int64_t n) {
  vd sum = vd_zero(), center = vd_set1(mean);
  int64_t i = 0;
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) {
    vd value = vd_sub(vd_load_f32(x + i), center);
    sum = vd_fma(sum, value, value);
  }
  double total = vd_sum(sum);
  for (; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
  return total;
}

static void layer_row(const layer_call *call, int64_t row) {
  int64_t n = call->columns;
  float *out = call->out + row * n;
  const float *x = call->x + row * n, *weight = call->weight, *bias = call->bias;
  double mean = sum_of_row(x, n) / (double)n;
  double variance = sum_of_deviations(x, mean, n) / (double)n;
  float center = (float)mean, factor = (float)(1 / sqrt(variance + call->eps));
  for (int64_t i = 0; i < n; i++) out[i] = (x[i] - center) * factor;
  if (weight) {
    for (int64_t i = 0; i < n; i++) out[i] *= weight[i];
  }
  if (bias) {
    for (int64_t i = 0; i < n; i++) out[i] += bias[i];
  }
}

static FB_BODY(layer_chunk) {
  const layer_call *call = context;
  int64_t rows = rows_per_chunk(call->columns), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) layer_row(call, row);
}

/* buffers: out, x, weight or NULL, bias or NULL; sizes: rows, columns; reals: eps */
FB_OP(layer_norm) {
  layer_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->buffer[3],
                     args->size[0],   args->size[1],   args->real[0]};
  size_t row_bytes = (size_t)call.columns * 4;
  FB_REQUIRE(args->bytes[0] == (size_t)call.rows * row_bytes && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(!call.weight || args->bytes[2] == row_bytes);
  FB_REQUIRE(!call.bias || args->bytes[3] == row_bytes);
  fb_parallel(team, row_chunks(call.rows, call.columns), layer_chunk, &call);
  return NULL;
}
