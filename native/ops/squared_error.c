/*
 * total = Σ_t w[t] · Σ (a[t] - b[t])² over rows t, in float64, and difference[t] = scale · w[t] · (a[t] - b[t]); without
 * weights w = 1. Bound by memory: two reads and one write an element. difference may be a.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "totals.h"

typedef struct {
  double *parts;
  float *difference;
  const float *a, *b, *weights;
  int64_t count, columns;
  float scale;
} error_call;

/* Elements i to end, which share a weight: their differences by `factor`, and Σ (a - b)². */
static double error_run(const error_call *call, int64_t i, int64_t end, float factor) {
  const float *a = call->a, *b = call->b;
  vd sum[2] = {vd_zero(), vd_zero()};
  vf scale = vf_set1(factor);
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) {
    for (int half = 0; half < 2; half++) {
      int64_t at = i + half * VD_WIDTH;
      vd error = vd_sub(vd_load_f32(a + at), vd_load_f32(b + at));
      sum[half] = vd_fma(sum[half], error, error);
    }
    vf_store(call->difference + i, vf_mul(scale, vf_sub(vf_load(a + i), vf_load(b + i))));
  }
  double total = vd_sum(vd_add(sum[0], sum[1]));
  for (; i < end; i++) {
    double error = (double)a[i] - (double)b[i];
    total += error * error;
    call->difference[i] = factor * (a[i] - b[i]);
  }
  return total;
}

static FB_BODY(error_chunk) {
  const error_call *call = context;
  int64_t i = chunk * TOTAL_CHUNK, end = fb_min(call->count, i + TOTAL_CHUNK);
  double total = 0;
  (void)thread;
  while (i < end) {
    int64_t row = i / call->columns, stop = call->weights ? fb_min(end, (row + 1) * call->columns) : end;
    float weight = call->weights ? call->weights[row] : 1;
    total += weight * error_run(call, i, stop, call->scale * weight);
    i = stop;
  }
  call->parts[chunk] = total;
}

/* buffers: total, difference, a, b, weights or none; sizes: rows, columns; reals: scale */
FB_OP(squared_error) {
  int64_t rows = args->size[0], columns = args->size[1], count = rows * columns;
  error_call call = {NULL,  args->buffer[1], args->buffer[2],       args->buffer[3], args->buffer[4],
                     count, columns,         (float)args->real[0]};
  int64_t chunks = fb_ceil_div(count, TOTAL_CHUNK);
  FB_REQUIRE(args->bytes[0] == 8 && args->bytes[1] == (size_t)count * 4);
  FB_REQUIRE(args->bytes[2] == args->bytes[1] && args->bytes[3] == args->bytes[1]);
  FB_REQUIRE(!call.weights || args->bytes[4] == (size_t)rows * 4);
  if (!fb_reserve(team, (size_t)chunks * 8, 0)) return "squared error: out of memory";
  call.parts = fb_shared(team);
  fb_parallel(team, chunks, error_chunk, &call);
  *(double *)args->buffer[0] = add_in_order(call.parts, chunks);
  return NULL;
}
