/*
 * out = low + step·h(v) elementwise, in float32 or bfloat16, with h of soft_rounding.h, or with `hard` 1 for v >= 0 and
 * else 0. Bound by memory: three reads and one write an element.
 */
#include "../include/fewbit.h"
#include "narrow.h"
#include "soft_rounding.h"

typedef struct {
  void *out;
  const float *low, *step, *v;
  int64_t count, dtype, hard;
} soft_call;

FB_INLINE void round_vector(const soft_call *call, int64_t i, int n) {
  vf v = vf_load_up_to(call->v + i, n);
  vf h = call->hard ? vf_select_ge(v, vf_zero(), vf_set1(1), vf_zero()) : soft_rounding(v);
  /* Product and sum are rounded one after the other at every level. */
  vf value = vf_add(vf_load_up_to(call->low + i, n), vf_mul(vf_load_up_to(call->step + i, n), h));
  float *floats = call->out;
  uint16_t *halves = call->out;
  if (call->dtype == FB_F32) vf_store_up_to(floats + i, value, n);
  else if (n == VF_WIDTH) vf_store_bf16(halves + i, value);
  else store_bf16_n(halves + i, value, n);
}

static FB_BODY(round_chunk) {
  const soft_call *call = context;
  int64_t i = chunk * SOFT_CHUNK, end = fb_min(call->count, i + SOFT_CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) round_vector(call, i, VF_WIDTH);
  if (i < end) round_vector(call, i, (int)(end - i));
}

/* buffers: out, low, step, v; sizes: elements, dtype of out, whether hard */
FB_OP(round_softly) {
  const int64_t *size = args->size;
  FB_REQUIRE(size[1] == FB_F32 || size[1] == FB_BF16);
  soft_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->buffer[3], size[0], size[1], size[2]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * fb_dtype_bytes(call.dtype));
  for (int i = 1; i < 4; i++) FB_REQUIRE(args->bytes[i] == (size_t)call.count * 4);
  fb_parallel(team, fb_ceil_div(call.count, SOFT_CHUNK), round_chunk, &call);
  return NULL;
}
