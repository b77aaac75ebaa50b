/* sum += Σ x² in float64. Bound by memory: one read an element. */
#include "rms_norm.h"

#include "totals.h"

typedef struct {
  double *parts;
  const float *x;
  int64_t count;
} squares_call;

static FB_BODY(squares_chunk) {
  const squares_call *call = context;
  int64_t start = chunk * TOTAL_CHUNK;
  (void)thread;
  call->parts[chunk] = sum_of_squares(call->x + start, fb_min(TOTAL_CHUNK, call->count - start));
}

/* buffers: sum, x; sizes: elements */
FB_OP(sum_squares) {
  squares_call call = {.x = args->buffer[1], .count = args->size[0]};
  int64_t chunks = fb_ceil_div(call.count, TOTAL_CHUNK);
  FB_REQUIRE(args->bytes[0] == 8 && args->bytes[1] == (size_t)call.count * 4);
  if (!fb_reserve(team, (size_t)chunks * 8, 0)) return "sum of squares: out of memory";
  call.parts = fb_shared(team);
  fb_parallel(team, chunks, squares_chunk, &call);
  *(double *)args->buffer[0] += add_in_order(call.parts, chunks);
  return NULL;
}
