/* out = a · b, elementwise. Bound by memory. out may be a. */
#include "../include/fewbit.h"
#include "../include/vec.h"

#define CHUNK 16384

typedef struct {
  float *out;
  const float *a, *b;
  int64_t count;
} multiply_call;

static FB_BODY(multiply_chunk) {
  const multiply_call *call = context;
  int64_t i = chunk * CHUNK, end = fb_min(call->count, i + CHUNK);
  (void)thread;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) {
    vf_store(call->out + i, vf_mul(vf_load(call->a + i), vf_load(call->b + i)));
  }
  for (; i < end; i++) call->out[i] = call->a[i] * call->b[i];
}

/* buffers: out, a, b; sizes: elements */
FB_OP(multiply) {
  multiply_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0] && args->bytes[2] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), multiply_chunk, &call);
  return NULL;
}
