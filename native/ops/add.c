/*
 * out[t, d] = a[t, d] + b[t, d], or + b[d] when b is one row. All float32; out may be a.
 * Bound by memory: two reads and one write an element, split over threads by rows of output.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"

typedef struct {
  float *out;
  const float *a, *b;
  int64_t count, period;
} add_call;

#define CHUNK 16384

static void add_run(float *out, const float *a, const float *b, int64_t n) {
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) vf_store(out + i, vf_add(vf_load(a + i), vf_load(b + i)));
  for (; i < n; i++) out[i] = a[i] + b[i];
}

static FB_BODY(add_chunk) {
  const add_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end;) {
    int64_t column = i % call->period;
    int64_t run = fb_min(end - i, call->period - column);
    add_run(call->out + i, call->a + i, call->b + column, run);
    i += run;
  }
}

/* buffers: out, a, b; sizes: elements of out, elements of b */
FB_OP(add) {
  add_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0], args->size[1]};
  FB_REQUIRE(call.count == 0 || (call.period > 0 && call.count % call.period == 0));
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)call.period * 4);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), add_chunk, &call);
  return NULL;
}
