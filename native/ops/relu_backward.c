/* dX = dOut where x > 0, elsewhere 0. Bound by memory: two reads and one write an element. dX may be dOut. */
#include "../include/fewbit.h"

#define CHUNK 16384

typedef struct {
  float *d_x;
  const float *d_out, *x;
  int64_t count;
} relu_call;

static FB_BODY(relu_chunk) {
  const relu_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i++) call->d_x[i] = call->x[i] > 0 ? call->d_out[i] : 0;
}

/* buffers: dX, dOut, x; sizes: elements */
FB_OP(relu_backward) {
  relu_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0]};
  for (int i = 0; i < 3; i++) FB_REQUIRE(args->bytes[i] == (size_t)call.count * 4);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), relu_chunk, &call);
  return NULL;
}
