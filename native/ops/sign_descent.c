/*
 * One step of signed gradient descent in place, with momentum where there are moments:
 *
 *   m = momentum·m + g,  w = clip(w - rate·sign(m), low, high)         sign(0) = 0; without moments m is g
 *
 * Bound by memory: two reads and one write an element, with moments three and two.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"

#define CHUNK 16384

typedef struct {
  float *value, *moments; /* NULL without momentum */
  const float *gradient;
  int64_t count;
  float rate, momentum, low, high;
} descent_call;

static inline vf sign_of(vf x) {
  vf positive = vf_select_ge(x, vf_zero(), vf_set1(1), x); /* NaN stays */
  vf negative = vf_select_ge(x, vf_zero(), vf_zero(), vf_set1(-1));
  return vf_select_ge(vf_zero(), x, negative, positive);
}

FB_INLINE void descend(const descent_call *call, int64_t i, int n) {
  vf g = vf_load_up_to(call->gradient + i, n);
  if (call->moments) {
    g = vf_fma(g, vf_set1(call->momentum), vf_load_up_to(call->moments + i, n));
    vf_store_up_to(call->moments + i, g, n);
  }
  vf moved = vf_sub(vf_load_up_to(call->value + i, n), vf_mul(vf_set1(call->rate), sign_of(g)));
  /* in this order NaN passes */
  vf_store_up_to(call->value + i, vf_min(vf_set1(call->high), vf_max(vf_set1(call->low), moved)), n);
}

static FB_BODY(descent_chunk) {
  const descent_call *call = context;
  int64_t i = chunk * CHUNK, end = fb_min(call->count, i + CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) descend(call, i, VF_WIDTH);
  if (i < end) descend(call, i, (int)(end - i));
}

/* buffers: value, moments or NULL, gradient; sizes: elements; reals: rate, momentum, low, high */
FB_OP(sign_descent) {
  const double *real = args->real;
  descent_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0],
                       (float)real[0],  (float)real[1],  (float)real[2],  (float)real[3]};
  size_t bytes = (size_t)call.count * 4;
  FB_REQUIRE(args->bytes[0] == bytes && args->bytes[2] == bytes && (!call.moments || args->bytes[1] == bytes));
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), descent_chunk, &call);
  return NULL;
}
