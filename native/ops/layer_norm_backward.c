/*
 * Gradients of LayerNorm. With n = (x - mean)/σ, σ = √(var + eps), g = dOut · weight:
 *
 *   dX = (g - mean(g) - n · mean(g·n)) / σ,    dWeight = Σ_t dOut · n,    dBias = Σ_t dOut
 *
 * Bound by memory: a row is read a few times, all but the first from the cache. dX may be dOut.
 */
#include "layer_norm.h"
#include "row_parts.h"

typedef struct {
  float *d_x, *parts;
  const float *d_out, *x, *weight;
  int64_t rows, columns;
  double eps;
} norm_call;

/* What a row's gradient needs to know of it. */
typedef struct {
  double mean, factor; /* factor = 1/σ */
  double slope, dot;   /* mean(g), mean(g·n) */
} row_moments;

static row_moments measure_row(const norm_call *call, const float *d_out, const float *x) {
  int64_t n = call->columns, i = 0;
  const float *weight = call->weight;
  double mean = sum_of_row(x, n) / (double)n;
  vd center = vd_set1(mean), squares = vd_zero(), slopes = vd_zero(), dots = vd_zero();
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) {
    vd distance = vd_sub(vd_load_f32(x + i), center), g = vd_load_f32(d_out + i);
    if (weight) g = vd_mul(g, vd_load_f32(weight + i));
    squares = vd_fma(squares, distance, distance);
    slopes = vd_add(slopes, g);
    dots = vd_fma(dots, g, distance);
  }
  double square = vd_sum(squares), slope = vd_sum(slopes), dot = vd_sum(dots);
  for (; i < n; i++) {
    double distance = x[i] - mean, g = weight ? (double)d_out[i] * weight[i] : d_out[i];
    square += distance * distance;
    slope += g;
    dot += g * distance;
  }
  double factor = 1 / sqrt(square / (double)n + call->eps);
  return (row_moments){mean, factor, slope / (double)n, dot * factor / (double)n};
}

static void back_row(const norm_call *call, float *parts, int64_t row) {
  int64_t n = call->columns;
  const float *d_out = call->d_out + row * n, *x = call->x + row * n, *weight = call->weight;
  row_moments moments = measure_row(call, d_out, x);
  float mean = (float)moments.mean, factor = (float)moments.factor;
  float slope = (float)moments.slope, dot = (float)moments.dot;
  float *d_x = call->d_x ? call->d_x + row * n : NULL;
  for (int64_t i = 0; parts && i < n; i++) parts[i] += d_out[i] * ((x[i] - mean) * factor);
  for (int64_t i = 0; parts && i < n; i++) parts[n + i] += d_out[i];
  if (!d_x) return;
  if (weight) {
    for (int64_t i = 0; i < n; i++) {
      d_x[i] = factor * (d_out[i] * weight[i] - slope - (x[i] - mean) * factor * dot);
    }
  } else {
    for (int64_t i = 0; i < n; i++) d_x[i] = factor * (d_out[i] - slope - (x[i] - mean) * factor * dot);
  }
}

static FB_BODY(norm_chunk) {
  const norm_call *call = context;
  int64_t end = fb_min(call->rows, (chunk + 1) * PART_ROWS);
  float *parts = begin_parts(call->parts, chunk, 2 * call->columns);
  (void)thread;
  for (int64_t row = chunk * PART_ROWS; row < end; row++) back_row(call, parts, row);
}

/* buffers: dX, dWeight, dBias (any may be NULL), dOut, x, weight or NULL; sizes: rows, columns; reals: eps */
FB_OP(layer_norm_backward) {
  norm_call call = {args->buffer[0], NULL, args->buffer[3], args->buffer[4], args->buffer[5],
                    args->size[0], args->size[1], args->real[0]};
  size_t row_bytes = (size_t)call.columns * 4, bytes = (size_t)call.rows * row_bytes;
  int64_t chunks = part_chunks(call.rows);
  FB_REQUIRE(!call.d_x || args->bytes[0] == bytes);
  FB_REQUIRE(!args->buffer[1] || args->bytes[1] == row_bytes);
  FB_REQUIRE(!args->buffer[2] || args->bytes[2] == row_bytes);
  FB_REQUIRE(args->bytes[3] == bytes && args->bytes[4] == bytes);
  FB_REQUIRE(!call.weight || args->bytes[5] == row_bytes);
  if (args->buffer[1] || args->buffer[2]) {
    if (!fb_reserve(team, (size_t)chunks * 2 * row_bytes, 0)) return "gradient of LayerNorm: out of memory";
    call.parts = fb_shared(team);
  }
  fb_parallel(team, chunks, norm_chunk, &call);
  part_sums sums = {{args->buffer[1], args->buffer[2]}, call.parts, chunks, call.columns, 2};
  if (call.parts) add_parts(team, &sums);
  return NULL;
}
