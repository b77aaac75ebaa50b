/*
 * Factors in fixed point, M = multiplier · 2^(-31 - shift), multiplier a Q31 integer in [2^30, 2^31) or 0: the
 * integer arithmetic of gemmlowp (arXiv 1712.05877, section 2.2 and appendix B).
 */
#ifndef FEWBIT_FIXED_POINT_H
#define FEWBIT_FIXED_POINT_H

#include <stdint.h>

static inline int32_t saturate_int32(int64_t value) {
  return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

/* The high half of the doubled product, rounded: trunc((a·b + nudge) / 2^31). */
static inline int32_t doubling_high_multiply(int32_t a, int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  int64_t product = (int64_t)a * b, nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

/* value / 2^exponent, halves away from zero. */
static inline int32_t divide_by_power_of_two(int32_t value, int exponent) {
  int64_t magnitude = value < 0 ? -(int64_t)value : value;
  magnitude = (magnitude + (((int64_t)1 << exponent) >> 1)) >> exponent;
  return (int32_t)(value < 0 ? -magnitude : magnitude);
}

static inline int32_t multiply_fixed_point(int32_t value, int32_t multiplier, int shift) {
  if (shift < 0) value = saturate_int32((int64_t)value * ((int64_t)1 << -shift));
  return divide_by_power_of_two(doubling_high_multiply(value, multiplier), shift > 0 ? shift : 0);
}

typedef struct {
  int32_t multiplier, shift;
} fixed_factor;

/* The product of two factors, its multiplier in [2^29, 2^31) or 0, its shift from -30 to 62. */
static inline fixed_factor multiply_factors(fixed_factor a, fixed_factor b) {
  int32_t shift = a.shift + b.shift;
  shift = shift < -30 ? -30 : shift > 62 ? 62 : shift;
  return (fixed_factor){doubling_high_multiply(a.multiplier, b.multiplier), shift};
}

#endif
