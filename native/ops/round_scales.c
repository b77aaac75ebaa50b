/*
 * out = x rounded to float16, at least `least` and at most 65504, as float32. With `thirds`, x is first rounded to
 * three times a number of 9 bits, so that 2/3 of it is a float16, too. Bound by memory. out may be x.
 */
#include <string.h>

#include "../include/fewbit.h"
#include "../include/half.h"

#define CHUNK 16384
#define LARGEST_SCALE 65504.0f
#define DROPPED_BITS 15 /* of a float32's 24 */

typedef struct {
  float *out;
  const float *x;
  int64_t count;
  float least;
  int thirds;
} round_call;

/* Three times the nearest number of 9 bits to a third, half to even. */
static inline float round_to_thirds(float scale) {
  float third = scale / 3;
  uint32_t bits;
  memcpy(&bits, &third, 4);
  bits += (1u << (DROPPED_BITS - 1)) - 1 + (bits >> DROPPED_BITS & 1);
  bits = bits >> DROPPED_BITS << DROPPED_BITS;
  memcpy(&third, &bits, 4);
  return third * 3;
}

static FB_BODY(round_chunk) {
  const round_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i++) {
    /* written so that NaN stays NaN: a diverged scale must show */
    float scale = call->x[i] < call->least ? call->least : call->x[i];
    if (scale > LARGEST_SCALE) scale = LARGEST_SCALE;
    if (call->thirds && scale > 0) scale = round_to_thirds(scale);
    call->out[i] = fb_from_f16(fb_to_f16(scale));
  }
}

/* buffers: out, x; sizes: elements, thirds or 0; reals: least */
FB_OP(round_scales) {
  round_call call = {args->buffer[0], args->buffer[1], args->size[0], (float)args->real[0],
                     args->size[1] != 0};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), round_chunk, &call);
  return NULL;
}
