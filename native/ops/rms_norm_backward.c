/*
 * Gradients of RMSNorm. With n = x/r, r = √(mean(x²) + eps), g = dOut · weight:
 *
 *   dX = (g - n · mean(g·n)) / r,      dWeight = Σ_t dOut · n
 *
 * Bound by memory: a row is read twice, the second time from the cache. dX may be dOut.
 */
#include "rms_norm.h"

#include "row_parts.h"

typedef struct {
  float *d_x, *parts;
  const float *d_out, *x, *weight;
  int64_t rows, columns;
  double eps;
} norm_call;

/* Σ dOut · weight · x in float64. */
static double weighted_dot(const float *d_out, const float *weight, const float *x, int64_t n) {
  vd sum = vd_zero();
  int64_t i = 0;
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) {
    sum = vd_fma(sum, vd_mul(vd_load_f32(d_out + i), vd_load_f32(weight + i)), vd_load_f32(x + i));
  }
  double total = vd_sum(sum);
  for (; i < n; i++) total += (double)d_out[i] * weight[i] * x[i];
  return total;
}

static void back_row(const norm_call *call, float *part, int64_t row) {
  int64_t n = call->columns, i = 0;
  float *d_x = call->d_x ? call->d_x + row * n : NULL;
  const float *d_out = call->d_out + row * n, *x = call->x + row * n, *weight = call->weight;
  double factor = 1 / sqrt(sum_of_squares(x, n) / (double)n + call->eps);
  double mean = d_x ? weighted_dot(d_out, weight, x, n) * factor / (double)n : 0;
  vf f = vf_set1((float)factor), pull = vf_set1((float)(mean * factor * factor));
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) {
    vf upstream = vf_load(d_out + i), value = vf_load(x + i);
    if (part) vf_store(part + i, vf_fma(vf_load(part + i), upstream, vf_mul(value, f)));
    vf scaled = vf_mul(vf_mul(upstream, vf_load(weight + i)), f);
    if (d_x) vf_store(d_x + i, vf_sub(scaled, vf_mul(value, pull)));
  }
  for (; i < n; i++) {
    float upstream = d_out[i];
    if (part) part[i] += upstream * (x[i] * (float)factor);
    if (d_x) d_x[i] = upstream * weight[i] * (float)factor - x[i] * (float)(mean * factor * factor);
  }
}

static FB_BODY(norm_chunk) {
  const norm_call *call = context;
  int64_t end = fb_min(call->rows, (chunk + 1) * PART_ROWS);
  float *part = begin_parts(call->parts, chunk, call->columns);
  (void)thread;
  for (int64_t row = chunk * PART_ROWS; row < end; row++) back_row(call, part, row);
}

/* buffers: dX or NULL, dWeight or NULL, dOut, x, weight; sizes: rows, columns; reals: eps */
FB_OP(rms_norm_backward) {
  norm_call call = {args->buffer[0], NULL, args->buffer[2], args->buffer[3], args->buffer[4],
                    args->size[0], args->size[1], args->real[0]};
  size_t row_bytes = (size_t)call.columns * 4, bytes = (size_t)call.rows * row_bytes;
  int64_t chunks = part_chunks(call.rows);
  FB_REQUIRE(!call.d_x || args->bytes[0] == bytes);
  FB_REQUIRE(!args->buffer[1] || args->bytes[1] == row_bytes);
  FB_REQUIRE(args->bytes[2] == bytes && args->bytes[3] == bytes && args->bytes[4] == row_bytes);
  if (args->buffer[1]) {
    if (!fb_reserve(team, (size_t)chunks * row_bytes, 0)) return "gradient of RMSNorm: out of memory";
    call.parts = fb_shared(team);
  }
  fb_parallel(team, chunks, norm_chunk, &call);
  part_sums sums = {{args->buffer[1]}, call.parts, chunks, call.columns, 1};
  if (args->buffer[1]) add_parts(team, &sums);
  return NULL;
}
