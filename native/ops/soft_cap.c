/* out = cap · tanh(x / cap), elementwise. Bound by compute. out may be x. */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"

#define CHUNK 4096

typedef struct {
  float *out;
  const float *x;
  int64_t count;
  float cap;
} cap_call;

static FB_BODY(cap_chunk) {
  const cap_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  vf cap = vf_set1(call->cap), share = vf_set1(1 / call->cap);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i += VF_WIDTH) {
    int n = (int)fb_min(VF_WIDTH, end - i);
    vf_store_n(call->out + i, vf_mul(cap, vf_tanh(vf_mul(vf_load_n(call->x + i, n), share))), n);
  }
}

/* buffers: out, x; sizes: elements; reals: cap */
FB_OP(soft_cap) {
  cap_call call = {args->buffer[0], args->buffer[1], args->size[0], (float)args->real[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(call.cap > 0);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), cap_chunk, &call);
  return NULL;
}
