/*
 * dX = dOut · (share(x) + x·share'(x)) for gelu, x · share(x):
 *
 *   exact   share = Φ(x),               share' = e^(-x²/2)/√(2π)
 *   tanh    share = 1/(1 + e^-2u),      share' = share·(1 - share)·2u',   u = √(2/π)·(x + 0.044715·x³)
 *
 * Bound by compute. dX may be dOut.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"

#define CHUNK 4096
#define FAR 40 /* beyond, the slope is 0 or 1 */

typedef struct {
  float *d_x;
  const float *d_out, *x;
  int64_t count;
  int tanh;
} gelu_call;

static inline vf slope_exact(vf x) {
  vf density = vf_mul(vf_set1(0.398942280f), vf_exp(vf_mul(vf_set1(-0.5f), vf_mul(x, x))));
  return vf_fma(vf_normal_share(x), x, density);
}

static inline vf slope_tanh(vf x) {
  vf square = vf_mul(x, x), factor = vf_set1(1.59576912f), one = vf_set1(1);
  vf u2 = vf_mul(factor, vf_fma(x, vf_set1(0.044715f), vf_mul(square, x)));
  vf share = vf_logistic(u2), rest = vf_logistic(vf_sub(vf_zero(), u2));
  vf inner = vf_mul(factor, vf_fma(one, vf_set1(0.134145f), square));
  return vf_fma(share, vf_mul(x, inner), vf_mul(share, rest));
}

static inline __attribute__((always_inline)) void back_vector(const gelu_call *call, int64_t i, int n) {
  vf given = vf_load_up_to(call->x + i, n), far = vf_set1(FAR);
  vf x = vf_min(far, vf_max(vf_set1(-FAR), given)); /* in this order NaN passes */
  vf slope = call->tanh ? slope_tanh(x) : slope_exact(x);
  vf_store_up_to(call->d_x + i, vf_mul(vf_load_up_to(call->d_out + i, n), slope), n);
}

static FB_BODY(gelu_chunk) {
  const gelu_call *call = context;
  int64_t i = chunk * CHUNK, end = fb_min(call->count, i + CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) back_vector(call, i, VF_WIDTH);
  if (i < end) back_vector(call, i, (int)(end - i));
}

/* buffers: dX, dOut, x; sizes: elements, 1 for the tanh approximation */
FB_OP(gelu_backward) {
  gelu_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0], args->size[1] != 0};
  for (int i = 0; i < 3; i++) FB_REQUIRE(args->bytes[i] == (size_t)call.count * 4);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), gelu_chunk, &call);
  return NULL;
}
