/*
 * Gradients of swiglu, σ(x) = 1/(1 + e^-x):
 *
 *   dGate = dOut · up · σ(gate)·(1 + gate·(1 - σ(gate))),   dUp = dOut · gate · σ(gate)
 *
 * Bound by memory: three reads and two writes an element. dGate or dUp may be dOut.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"

#define CHUNK 8192

typedef struct {
  float *d_gate, *d_up;
  const float *d_out, *gate, *up;
  int64_t count;
} swiglu_call;

static inline __attribute__((always_inline)) void back_vector(const swiglu_call *call, int64_t i, int n) {
  vf one = vf_set1(1), gate = vf_load_up_to(call->gate + i, n), up = vf_load_up_to(call->up + i, n);
  vf upstream = vf_load_up_to(call->d_out + i, n), share = vf_logistic(gate);
  vf silu = vf_mul(gate, share);
  vf slope = vf_fma(share, silu, vf_sub(one, share));
  vf_store_up_to(call->d_gate + i, vf_mul(vf_mul(upstream, up), slope), n);
  vf_store_up_to(call->d_up + i, vf_mul(upstream, silu), n);
}

static FB_BODY(swiglu_chunk) {
  const swiglu_call *call = context;
  int64_t i = chunk * CHUNK, end = fb_min(call->count, i + CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) back_vector(call, i, VF_WIDTH);
  if (i < end) back_vector(call, i, (int)(end - i));
}

/* buffers: dGate, dUp, dOut, gate, up; sizes: elements */
FB_OP(swiglu_backward) {
  swiglu_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                      args->buffer[3], args->buffer[4], args->size[0]};
  for (int i = 0; i < 5; i++) FB_REQUIRE(args->bytes[i] == (size_t)call.count * 4);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), swiglu_chunk, &call);
  return NULL;
}
