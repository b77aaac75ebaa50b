/*
 * One step of AdamW in place (arXiv 1711.05101, in PyTorch's order), with g = gradientScale · gradient:
 *
 *   m = β₁m + (1-β₁)g,  v = β₂v + (1-β₂)g²,  w = w·(1 - lr·decay) - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)
 *
 * Bound by memory: four reads and three writes an element. Moments that have decayed below the smallest normal
 * number become 0: arithmetic on subnormal ones is a hundred times slower.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"

#define CHUNK 16384

typedef struct {
  float *weight, *m, *v;
  const float *gradient;
  int64_t count;
  float gradient_scale, beta1, rest1, beta2, rest2, kept, step_size, spread, epsilon;
} adamw_call;

static inline vf drop_subnormals(vf x) {
  return vf_select_ge(vf_abs(x), vf_set1(0x1p-126f), x, vf_mul(x, vf_zero())); /* NaN stays */
}

static inline __attribute__((always_inline)) void update(const adamw_call *call, int64_t i, int n) {
  vf g = vf_mul(vf_set1(call->gradient_scale), vf_load_up_to(call->gradient + i, n));
  vf m = vf_fma(vf_mul(vf_set1(call->rest1), g), vf_set1(call->beta1), vf_load_up_to(call->m + i, n));
  vf square = vf_mul(vf_mul(vf_set1(call->rest2), g), g);
  vf v = vf_fma(square, vf_set1(call->beta2), vf_load_up_to(call->v + i, n));
  m = drop_subnormals(m);
  v = drop_subnormals(v);
  vf width = vf_fma(vf_set1(call->epsilon), vf_sqrt(v), vf_set1(call->spread));
  vf move = vf_div(vf_mul(vf_set1(call->step_size), m), width);
  vf weight = vf_sub(vf_mul(vf_load_up_to(call->weight + i, n), vf_set1(call->kept)), move);
  vf_store_up_to(call->m + i, m, n);
  vf_store_up_to(call->v + i, v, n);
  vf_store_up_to(call->weight + i, weight, n);
}

static FB_BODY(adamw_chunk) {
  const adamw_call *call = context;
  int64_t i = chunk * CHUNK, end = fb_min(call->count, i + CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) update(call, i, VF_WIDTH);
  if (i < end) update(call, i, (int)(end - i));
}

/*
 * buffers: weight, m, v, gradient; sizes: elements, number of the step from 1;
 * reals: learning rate, β₁, β₂, ε, decay of weights, factor on the gradient
 */
FB_OP(adamw) {
  const double *real = args->real;
  double step = (double)args->size[1];
  FB_REQUIRE(args->size[1] >= 1);
  adamw_call call = {.weight = args->buffer[0],
                     .m = args->buffer[1],
                     .v = args->buffer[2],
                     .gradient = args->buffer[3],
                     .count = args->size[0],
                     .gradient_scale = (float)real[5],
                     .beta1 = (float)real[1],
                     .rest1 = (float)(1 - real[1]),
                     .beta2 = (float)real[2],
                     .rest2 = (float)(1 - real[2]),
                     .kept = (float)(1 - real[0] * real[4]),
                     .step_size = (float)(real[0] / (1 - pow(real[1], step))),
                     .spread = (float)(1 / sqrt(1 - pow(real[2], step))),
                     .epsilon = (float)real[3]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == args->bytes[0] && args->bytes[3] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), adamw_chunk, &call);
  return NULL;
}
