/*
 * Levels of a few numbers, such as the scales of the groups of a block, which are quantized themselves; one
 * number after the other, as src/kernels/reference/quantization/block-search does it.
 */
#ifndef FEWBIT_BLOCK_LEVELS_H
#define FEWBIT_BLOCK_LEVELS_H

#include <math.h>

#include "block_search.h"

static inline float limited(float value, float low, float high) {
  float whole = __builtin_rintf(value);
  return !(whole > low) ? low : whole > high ? high : whole;
}

static inline float peak_of(const float *x, int64_t n) {
  float peak = 0;
  for (int64_t i = 0; i < n; i++) peak = fabsf(x[i]) > fabsf(peak) ? x[i] : peak;
  return peak;
}

static inline float positive_error(const float *x, const float *weights, int n, float inverse, float top) {
  float scale = 1 / inverse, error = 0;
  for (int i = 0; i < n; i++) {
    float off = x[i] - scale * limited(inverse * x[i], 0, top);
    error += weights[i] * off * off;
  }
  return error;
}

/* Levels 0 to top of values of at least 0, and their unit, by weighted least squares. */
static inline float fit_positive(const float *x, const float *weights, int n, float top, float *levels) {
  float peak = 0;
  for (int i = 0; i < n; i++) peak = x[i] > peak ? x[i] : peak, levels[i] = 0;
  if (peak < LEAST_PEAK) return 0;
  float inverse = top / peak, least = positive_error(x, weights, n, inverse, top);
  for (int trial = -4; trial <= 4; trial++) {
    if (trial == 0) continue;
    float tried = (0.1f * (float)trial + top) / peak, error = positive_error(x, weights, n, tried, top);
    if (error < least) least = error, inverse = tried;
  }
  float products = 0, squares = 0;
  for (int i = 0; i < n; i++) {
    levels[i] = limited(inverse * x[i], 0, top);
    products += weights[i] * x[i] * levels[i];
    squares += weights[i] * levels[i] * levels[i];
  }
  for (int pass = 0, changes = 1; pass < DESCENTS && changes; pass++) {
    changes = 0;
    for (int i = 0; i < n; i++) {
      float p = products - weights[i] * x[i] * levels[i], s = squares - weights[i] * levels[i] * levels[i];
      if (!(p > 0 && s > 0)) continue;
      float level = limited(x[i] * s / p, 0, top);
      if (level == levels[i]) continue;
      p += weights[i] * x[i] * level, s += weights[i] * level * level;
      if (p * p * squares > products * products * s) levels[i] = level, products = p, squares = s, changes++;
    }
  }
  return squares > 0 ? products / squares : 0;
}

/* Sets the largest of values of at least 0 to level top. Returns the unit. */
static inline float spread_positive(const float *x, int n, float top, float *levels) {
  float peak = 0;
  for (int i = 0; i < n; i++) peak = x[i] > peak ? x[i] : peak;
  float inverse = peak > 0 ? top / peak : 0;
  for (int i = 0; i < n; i++) levels[i] = limited(inverse * x[i], 0, top);
  return peak > 0 ? peak / top : 0;
}

/* Sets the number of largest magnitude to level -half; all of zeros are that. Returns the unit. */
static inline float spread_signed(const float *x, int n, float half, float *levels) {
  float peak = peak_of(x, n), inverse = -half / peak;
  for (int i = 0; i < n; i++) levels[i] = peak == 0 ? -half : limited(inverse * x[i], -half, half - 1);
  return peak == 0 ? 0 : 1 / inverse;
}

#endif
