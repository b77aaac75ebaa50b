/*
 * One step of AdamW in place (arXiv 1711.05101, in PyTorch's order), with g = gradientScale · gradient:
 *
 *   m = β₁m + (1-β₁)g,  v = β₂v + (1-β₂)g²,  w = w·(1 - lr·decay) - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)
 *
 * Bound by memory: four reads and three writes an element. Moments that have decayed below the smallest normal
 * number become 0: arithmetic on subnormal ones is a hundred times slower.
 *
 * Moments in bfloat16 are rounded up with the probability of what is cut off, by 16 bits of a hash of step and
 * element for each: to nearest, a second moment would never fall, as β₂ changes it by less than half a unit.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "dtype.h"
#include "exp.h"

#define CHUNK 16384
#define PIECE 256 /* elements that are widened at a time */

typedef struct {
  float *weight;
  void *m, *v; /* float32 or bfloat16 */
  const float *gradient;
  int64_t count, step;
  float gradient_scale, beta1, rest1, beta2, rest2, kept, step_size, spread, epsilon;
} adamw_call;

static inline vf drop_subnormals(vf x) {
  return vf_select_ge(vf_abs(x), vf_set1(0x1p-126f), x, vf_mul(x, vf_zero())); /* NaN stays */
}

/* Moves n elements from i on, 0 < n <= VF_WIDTH, whose moments are at m and v. */
static inline __attribute__((always_inline)) void update(const adamw_call *call, float *m_at, float *v_at, int64_t i,
                                                         int n) {
  vf g = vf_mul(vf_set1(call->gradient_scale), vf_load_up_to(call->gradient + i, n));
  vf m = vf_fma(vf_mul(vf_set1(call->rest1), g), vf_set1(call->beta1), vf_load_up_to(m_at, n));
  vf square = vf_mul(vf_mul(vf_set1(call->rest2), g), g);
  vf v = vf_fma(square, vf_set1(call->beta2), vf_load_up_to(v_at, n));
  m = drop_subnormals(m);
  v = drop_subnormals(v);
  vf width = vf_fma(vf_set1(call->epsilon), vf_sqrt(v), vf_set1(call->spread));
  vf move = vf_div(vf_mul(vf_set1(call->step_size), m), width);
  vf weight = vf_sub(vf_mul(vf_load_up_to(call->weight + i, n), vf_set1(call->kept)), move);
  vf_store_up_to(m_at, m, n);
  vf_store_up_to(v_at, v, n);
  vf_store_up_to(call->weight + i, weight, n);
}

/* Elements from i to end, whose moments begin at m and v. */
static inline void update_run(const adamw_call *call, float *m, float *v, int64_t i, int64_t end) {
  for (; i + VF_WIDTH <= end; i += VF_WIDTH, m += VF_WIDTH, v += VF_WIDTH) update(call, m, v, i, VF_WIDTH);
  if (i < end) update(call, m, v, i, (int)(end - i));
}

/* 32 bits by step and element: the "lowbias32" hash of C. Wellons. */
static inline uint32_t bits_of(uint32_t step, uint32_t element) {
  uint32_t x = element * 0x9e3779b1u + step * 0x85ebca77u;
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

/* Rounds to bfloat16, up with a probability: adds 16 random bits below what is kept. */
static inline uint16_t round_by(float x, uint32_t random) {
  uint32_t bits = fb_float_to_bits(x);
  uint32_t added = (bits & 0x7f800000u) == 0x7f800000u ? 0 : random & 0xffffu; /* infinite and NaN stay */
  return (uint16_t)((bits + added) >> 16);
}

static void update_piece(const adamw_call *call, int64_t i, int64_t n) {
  float m[PIECE], v[PIECE];
  uint16_t *first = (uint16_t *)call->m + i, *second = (uint16_t *)call->v + i;
  for (int64_t j = 0; j < n; j++) {
    m[j] = fb_from_bf16(first[j]);
    v[j] = fb_from_bf16(second[j]);
  }
  update_run(call, m, v, i, i + n);
  for (int64_t j = 0; j < n; j++) {
    uint32_t random = bits_of((uint32_t)call->step, (uint32_t)(i + j));
    first[j] = round_by(m[j], random);
    second[j] = round_by(v[j], random >> 16);
  }
}

static FB_BODY(adamw_chunk) {
  const adamw_call *call = context;
  int64_t i = chunk * CHUNK, end = fb_min(call->count, i + CHUNK);
  (void)thread;
  update_run(call, (float *)call->m + i, (float *)call->v + i, i, end);
}

static FB_BODY(adamw_narrow_chunk) {
  const adamw_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i += PIECE) update_piece(call, i, fb_min(PIECE, end - i));
}

/*
 * buffers: weight, m, v, gradient; sizes: elements, number of the step from 1, dtype of m and v;
 * reals: learning rate, β₁, β₂, ε, decay of weights, factor on the gradient
 */
FB_OP(adamw) {
  const double *real = args->real;
  double step = (double)args->size[1];
  int64_t dtype = args->size[2];
  FB_REQUIRE(args->size[1] >= 1 && (dtype == FB_F32 || dtype == FB_BF16));
  adamw_call call = {.weight = args->buffer[0],
                     .m = args->buffer[1],
                     .v = args->buffer[2],
                     .gradient = args->buffer[3],
                     .count = args->size[0],
                     .step = args->size[1],
                     .gradient_scale = (float)real[5],
                     .beta1 = (float)real[1],
                     .rest1 = (float)(1 - real[1]),
                     .beta2 = (float)real[2],
                     .rest2 = (float)(1 - real[2]),
                     .kept = (float)(1 - real[0] * real[4]),
                     .step_size = (float)(real[0] / (1 - pow(real[1], step))),
                     .spread = (float)(1 / sqrt(1 - pow(real[2], step))),
                     .epsilon = (float)real[3]};
  size_t bytes = (size_t)call.count * 4, moments = (size_t)call.count * fb_dtype_bytes(dtype);
  FB_REQUIRE(args->bytes[0] == bytes && args->bytes[1] == moments);
  FB_REQUIRE(args->bytes[2] == moments && args->bytes[3] == bytes);
  fb_body body = dtype == FB_F32 ? adamw_chunk : adamw_narrow_chunk;
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), body, &call);
  return NULL;
}
