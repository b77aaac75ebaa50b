/*
 * out = x · Φ(x), elementwise, with the normal distribution function Φ or with
 * ½(1 + tanh(u)) = 1/(1 + e^-2u), u = √(2/π)·(x + 0.044715·x³). Bound by compute. out may be x.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"

#define CHUNK 4096

typedef struct {
  float *out;
  const float *x;
  int64_t count;
  int tanh;
} gelu_call;

static inline vf gelu_exact(vf x) { return vf_mul(x, vf_normal_share(x)); }

static inline vf gelu_tanh(vf x) {
  vf cube = vf_mul(vf_mul(x, x), x);
  vf sum = vf_fma(x, vf_set1(0.044715f), cube);
  return vf_mul(x, vf_logistic(vf_mul(vf_set1(1.59576912f), sum)));
}

static FB_BODY(gelu_chunk) {
  const gelu_call *call = context;
  int64_t start = chunk * CHUNK, end = fb_min(call->count, start + CHUNK);
  (void)thread;
  for (int64_t i = start; i < end; i += VF_WIDTH) {
    int n = (int)fb_min(VF_WIDTH, end - i);
    vf x = vf_load_n(call->x + i, n);
    vf_store_n(call->out + i, call->tanh ? gelu_tanh(x) : gelu_exact(x), n);
  }
}

/* buffers: out, x; sizes: elements, 1 for the tanh approximation */
FB_OP(gelu) {
  gelu_call call = {args->buffer[0], args->buffer[1], args->size[0], args->size[1] != 0};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), gelu_chunk, &call);
  return NULL;
}
