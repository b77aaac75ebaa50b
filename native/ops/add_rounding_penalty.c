/*
 * dV -= 2·weight·power·|u|^(power-1)·sign(u)·h'(v) elementwise with u = 2·h(v) - 1, h of soft_rounding.h: the gradient of
 * weight·Σ (1 - |u|^power). Bound by compute: a sigmoid and a power an element.
 */
#include "../include/fewbit.h"
#include "power.h"
#include "soft_rounding.h"

typedef struct {
  float *d_v;
  const float *v;
  int64_t count;
  float factor, exponent;
} penalty_call;

FB_INLINE void add_vector(const penalty_call *call, int64_t i, int n) {
  vf v = vf_load_up_to(call->v + i, n);
  vf side = vf_fma(vf_set1(-1), vf_set1(2), soft_rounding(v));
  vf steepness = vf_mul(vf_power(vf_abs(side), vf_set1(call->exponent)), soft_slope(v));
  vf gradient = vf_mul(vf_set1(call->factor), steepness);
  vf turned = vf_select_ge(side, vf_zero(), gradient, vf_sub(vf_zero(), gradient));
  vf_store_up_to(call->d_v + i, vf_sub(vf_load_up_to(call->d_v + i, n), turned), n);
}

static FB_BODY(penalty_chunk) {
  const penalty_call *call = context;
  int64_t i = chunk * SOFT_CHUNK, end = fb_min(call->count, i + SOFT_CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) add_vector(call, i, VF_WIDTH);
  if (i < end) add_vector(call, i, (int)(end - i));
}

/* buffers: dV, v; sizes: elements; reals: weight, power */
FB_OP(add_rounding_penalty) {
  double weight = args->real[0], power = args->real[1];
  penalty_call call = {args->buffer[0], args->buffer[1], args->size[0], (float)(2 * weight * power), (float)(power - 1)};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, SOFT_CHUNK), penalty_chunk, &call);
  return NULL;
}
