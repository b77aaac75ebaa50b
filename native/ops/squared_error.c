/*
 * total = Σ (a - b)² in float64, and difference = scale · (a - b). Bound by memory: two reads and one write an
 * element. difference may be a.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "totals.h"

typedef struct {
  double *parts;
  float *difference;
  const float *a, *b;
  int64_t count;
  float scale;
} error_call;

static FB_BODY(error_chunk) {
  const error_call *call = context;
  int64_t i = chunk * TOTAL_CHUNK, end = fb_min(call->count, i + TOTAL_CHUNK);
  const float *a = call->a, *b = call->b;
  vd sum[2] = {vd_zero(), vd_zero()};
  vf scale = vf_set1(call->scale);
  (void)thread;
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
    call->difference[i] = call->scale * (a[i] - b[i]);
  }
  call->parts[chunk] = total;
}

/* buffers: total, difference, a, b; sizes: elements; reals: scale */
FB_OP(squared_error) {
  error_call call = {NULL,           args->buffer[1], args->buffer[2],
                     args->buffer[3], args->size[0],  (float)args->real[0]};
  int64_t chunks = fb_ceil_div(call.count, TOTAL_CHUNK);
  FB_REQUIRE(args->bytes[0] == 8 && args->bytes[1] == (size_t)call.count * 4);
  FB_REQUIRE(args->bytes[2] == args->bytes[1] && args->bytes[3] == args->bytes[1]);
  if (!fb_reserve(team, (size_t)chunks * 8, 0)) return "squared error: out of memory";
  call.parts = fb_shared(team);
  fb_parallel(team, chunks, error_chunk, &call);
  *(double *)args->buffer[0] = add_in_order(call.parts, chunks);
  return NULL;
}
