/*
 * dX = dOut · (1 - (y / cap)²), elementwise, y the result of soft_cap. Bound by memory: two reads and one write an
 * element. dX may be dOut.
 */
#include "../include/fewbit.h"

#define CHUNK 16384

typedef struct {
  float *d_x;
  const float *d_out, *y;
  int64_t count;
  float cap;
} cap_call;

static FB_BODY(cap_chunk) {
  const cap_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i++) {
    float share = call->y[i] / call->cap;
    call->d_x[i] = call->d_out[i] * ((1 - share) * (1 + share));
  }
}

/* buffers: dX, dOut, y; sizes: elements; reals: cap */
FB_OP(soft_cap_backward) {
  cap_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0], (float)args->real[0]};
  for (int i = 0; i < 3; i++) FB_REQUIRE(args->bytes[i] == (size_t)call.count * 4);
  FB_REQUIRE(call.cap > 0);
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), cap_chunk, &call);
  return NULL;
}
