/* out = max(x, 0), elementwise. Bound by memory: one read and one write an element. out may be x. */
#include "../include/fewbit.h"
#include "../include/vec.h"

#define CHUNK 16384

typedef struct {
  float *out;
  const float *x;
  int64_t count;
} relu_call;

static FB_BODY(relu_chunk) {
  const relu_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i += VF_WIDTH) {
    int n = (int)fb_min(VF_WIDTH, end - i);
    vf_store_n(call->out + i, vf_max(vf_zero(), vf_load_n(call->x + i, n)), n); /* in this order NaN passes */
  }
}

/* buffers: out, x; sizes: elements */
FB_OP(relu) {
  relu_call call = {args->buffer[0], args->buffer[1], args->size[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * 4 && args->bytes[1] == args->bytes[0]);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), relu_chunk, &call);
  return NULL;
}
