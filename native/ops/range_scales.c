/* Scales and zero points of groups by the ranges that they keep (range_scales.h). Bound by memory. */
#include "range_scales.h"

typedef struct {
  float *scales, *zeros;
  group_ranges from;
} scale_call;

static FB_BODY(scale_chunk) {
  const scale_call *call = context;
  const group_ranges *from = &call->from;
  int64_t end = fb_min(from->count, (chunk + 1) * RANGE_CHUNK);
  (void)thread;
  for (int64_t i = chunk * RANGE_CHUNK; i < end; i++) {
    kept_range range = read_range(from, i);
    call->scales[i] = range.scale;
    call->zeros[i] = from->kind == RANGE_ASYMMETRIC ? -range.low / range.scale : from->top;
  }
}

/* buffers: scales, zeros, then as read_ranges, whose sizes and reals are these too */
FB_OP(range_scales) {
  scale_call call = {args->buffer[0], args->buffer[1], read_ranges(args->buffer + 2, args->size, args->real)};
  FB_REQUIRE(ranges_fit(&call.from, args->bytes, 6));
  fb_parallel(team, fb_ceil_div(call.from.count, RANGE_CHUNK), scale_chunk, &call);
  return NULL;
}
