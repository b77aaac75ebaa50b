/* dV = dOut·step·h'(v) elementwise, h' of soft_rounding.h. Bound by memory: three reads and one write an element. */
#include "../include/fewbit.h"
#include "soft_rounding.h"

typedef struct {
  float *d_v;
  const float *d_out, *step, *v;
  int64_t count;
} soft_call;

FB_INLINE void back_vector(const soft_call *call, int64_t i, int n) {
  vf upstream = vf_mul(vf_load_up_to(call->d_out + i, n), vf_load_up_to(call->step + i, n));
  vf_store_up_to(call->d_v + i, vf_mul(upstream, soft_slope(vf_load_up_to(call->v + i, n))), n);
}

static FB_BODY(back_chunk) {
  const soft_call *call = context;
  int64_t i = chunk * SOFT_CHUNK, end = fb_min(call->count, i + SOFT_CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) back_vector(call, i, VF_WIDTH);
  if (i < end) back_vector(call, i, (int)(end - i));
}

/* buffers: dV, dOut, step, v; sizes: elements */
FB_OP(round_softly_backward) {
  soft_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->buffer[3], args->size[0]};
  for (int i = 0; i < 4; i++) FB_REQUIRE(args->bytes[i] == (size_t)call.count * 4);
  fb_parallel(team, fb_ceil_div(call.count, SOFT_CHUNK), back_chunk, &call);
  return NULL;
}
