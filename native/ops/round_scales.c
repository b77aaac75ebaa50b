/* out = x rounded to float16, at least `least` and at most 65504, as float32. Bound by memory. out may be x. */
#include "../include/fewbit.h"
#include "../include/half.h"

#define CHUNK 16384
#define LARGEST_SCALE 65504.0f

typedef struct {
  float *out;
  const float *x;
  int64_t count;
  float least;
} round_call;

static FB_BODY(round_chunk) {
  const round_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i++) {
    /* written so that NaN stays NaN: a diverged scale must show */
    float scale = call->x[i] < call->least ? call->least : call->x[i];
    call->out[i] = fb_from_f16(fb_to_f16(scale > LARGEST_SCALE ? LARGEST_SCALE : scale));
  }
}

/* buffers: out, x; sizes: elements; reals: least */
FB_OP(round_scales) {
  round_call call = {args->buffer[0], args->buffer[1], args->size[0], (float)args->real[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), round_chunk, &call);
  return NULL;
}
