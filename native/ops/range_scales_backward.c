/*
 * Gradients of range_scales by the factors of both sides, through every rounding as if it were none. With D the whole
 * gradient by s, 0 where s was clipped:
 *
 *   asymmetric   D = dS + dZ·a/s²;  dβ = low·(-D/top - dZ/s);  dα = high·D/top
 *   others       D = ±dS, by the sign of s;  the longer side moves: dβ = -low·D/top or dα = high·D/top; both by half
 *                where they are equal
 *
 * In float64, as the two terms of dβ nearly cancel on one-sided ranges. The gradients by the factors may be those by
 * scales and zero points.
 */
#include "range_scales.h"

typedef struct {
  float *d_low, *d_high;
  const float *d_scales, *d_zeros;
  group_ranges from;
} gradient_call;

static FB_BODY(gradient_chunk) {
  const gradient_call *call = context;
  const group_ranges *from = &call->from;
  int64_t end = fb_min(from->count, (chunk + 1) * RANGE_CHUNK);
  (void)thread;
  for (int64_t i = chunk * RANGE_CHUNK; i < end; i++) {
    kept_range range = read_range(from, i);
    double scale = range.scale, d_scale = call->d_scales[i], d_zero = call->d_zeros[i], to_low, to_high;
    if (from->kind != RANGE_ASYMMETRIC) {
      double by_extent = range.moves ? (scale < 0 ? -d_scale : d_scale) / from->top : 0;
      double to_both = range.high == -range.low ? 0.5 : 1;
      to_low = -range.low >= range.high ? -by_extent * to_both : 0;
      to_high = range.high >= -range.low ? by_extent * to_both : 0;
    } else {
      to_high = range.moves ? (d_scale + d_zero * range.low / (scale * scale)) / from->top : 0;
      to_low = -to_high - d_zero / scale;
    }
    call->d_low[i] = (float)(from->low[i] * to_low);
    call->d_high[i] = (float)(from->high[i] * to_high);
  }
}

/* buffers: dLowFactors, dHighFactors, dScales, dZeros, then as read_ranges, whose sizes and reals are these too */
FB_OP(range_scales_backward) {
  void *const *buffer = args->buffer;
  gradient_call call = {buffer[0], buffer[1], buffer[2], buffer[3], read_ranges(buffer + 4, args->size, args->real)};
  FB_REQUIRE(ranges_fit(&call.from, args->bytes, 8));
  fb_parallel(team, fb_ceil_div(call.from.count, RANGE_CHUNK), gradient_chunk, &call);
  return NULL;
}
