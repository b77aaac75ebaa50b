/*
 * Scales and zero points of groups whose range [low, high], zero within, is kept as far as two factors say (SignRound,
 * arXiv 2309.05516): with a = low·β, b = high·α,
 *
 *   asymmetric   s = (b - a)/top,                           z = -a/s      codes 0 .. top
 *   symmetric    s = max(-a, b)/top, negative where b >= -a,  z = top      codes 0 .. 2·top - 1: the longer side of the
 *                                                                       range has the extreme code, which is 0
 *   centred      s = max(-a, b)/top                                         values evenly on both sides of zero
 *
 * and s rounded to float16, its magnitude at least `least`.
 */
#ifndef FEWBIT_RANGE_SCALES_H
#define FEWBIT_RANGE_SCALES_H

#include "../include/fewbit.h"
#include "../include/half.h"

#define RANGE_CHUNK 4096
#define LARGEST_SCALE 65504.0f

enum { RANGE_ASYMMETRIC, RANGE_SYMMETRIC, RANGE_CENTRED };

typedef struct {
  const float *low, *high, *low_factors, *high_factors;
  int64_t count;
  float top, least;
  int64_t kind;
} group_ranges;

typedef struct {
  float low, high, scale; /* as they are kept; the scale as it is stored */
  int moves;              /* whether the scale follows the range, and was not clipped */
} kept_range;

/* buffers: low, high, factors of low, factors of high; sizes: groups, kind; reals: top, least */
static inline group_ranges read_ranges(void *const *buffer, const int64_t *size, const double *real) {
  return (group_ranges){buffer[0], buffer[1],      buffer[2],      buffer[3],
                        size[0],   (float)real[0], (float)real[1], size[1]};
}

static inline int ranges_fit(const group_ranges *from, const size_t *bytes, int buffers) {
  int fit = from->top > 0 && from->kind >= RANGE_ASYMMETRIC && from->kind <= RANGE_CENTRED;
  for (int i = 0; i < buffers; i++) fit = fit && bytes[i] == (size_t)from->count * 4;
  return fit;
}

FB_INLINE kept_range read_range(const group_ranges *from, int64_t i) {
  float low = from->low[i] * from->low_factors[i], high = from->high[i] * from->high_factors[i];
  float extent = from->kind == RANGE_ASYMMETRIC ? high - low : (high >= -low ? high : -low);
  float wide = extent / from->top;
  /* written so that NaN stays NaN: a diverged factor must show */
  float scale = wide < from->least ? from->least : wide;
  if (scale > LARGEST_SCALE) scale = LARGEST_SCALE;
  int moves = scale == wide;
  scale = fb_from_f16(fb_to_f16(scale));
  return (kept_range){low, high, from->kind == RANGE_SYMMETRIC && high >= -low ? -scale : scale, moves};
}

#endif
