/* out = gate / (1 + e^-gate) · up, elementwise. Bound by memory on one thread or more. out may be gate. */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"

#define CHUNK 8192

typedef struct {
  float *out;
  const float *gate, *up;
  int64_t count;
} swiglu_call;

static inline vf swiglu(vf gate, vf up) { return vf_mul(vf_mul(gate, vf_logistic(gate)), up); }

static FB_BODY(swiglu_chunk) {
  const swiglu_call *call = context;
  int64_t i = chunk * CHUNK, end = fb_min(call->count, i + CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) {
    vf_store(call->out + i, swiglu(vf_load(call->gate + i), vf_load(call->up + i)));
  }
  int rest = (int)(end - i);
  if (rest) {
    vf_store_n(call->out + i, swiglu(vf_load_n(call->gate + i, rest), vf_load_n(call->up + i, rest)), rest);
  }
}

/* buffers: out, gate, up; sizes: elements */
FB_OP(swiglu) {
  swiglu_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0] && args->bytes[2] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), swiglu_chunk, &call);
  return NULL;
}
