/*
 * x^p for x >= 0, through e^(p·ln x); relative error below |p·ln x| · 1e-7 + 3e-7. x below 2^-126 gives 0
 * for p > 0.5.
 */
#ifndef FEWBIT_POWER_H
#define FEWBIT_POWER_H

#include "../include/vec.h"
#include "exp.h"
#include "vec_int.h"

/* x = 2^e · (1 + f) with √½ <= 1 + f < √2, for x >= 2^-126: gives e, and f in `rest`. */
static inline vf take_exponent(vf x, vf *rest) {
  vi bits = vi_bits(x), e = vi_halve(vi_add(bits, vi_set1(-0x3f3504f3)), 23); /* bits of √½ */
  *rest = vf_sub(vf_of_bits(vi_sub(bits, vi_left(e, 23))), vf_set1(1));
  return vi_float(e);
}

/*
 * ln x for x >= 2^-126: ln(1 + f) = f - f²/2 + f³·P(f). P is the polynomial of degree 6 with the least squared
 * relative error at Chebyshev nodes; that error is below 4e-8.
 */
static inline vf vf_log(vf x) {
  static const float c[] = {0.333339726f,  -0.250009694f, 0.199605965f, -0.165879491f,
                            0.149509795f, -0.141974718f, 0.0850695338f};
  vf f, e = take_exponent(x, &f), square = vf_mul(f, f), p = vf_set1(c[6]);
  for (int i = 5; i >= 0; i--) p = vf_fma(vf_set1(c[i]), p, f);
  vf log = vf_fma(f, square, vf_fma(vf_set1(-0.5f), f, p));
  return vf_fma(log, e, vf_set1(0.693147181f));
}

static inline vf vf_power(vf x, vf p) {
  const vf smallest = vf_set1(0x1p-126f);
  vf power = vf_exp(vf_mul(p, vf_log(vf_max(x, smallest))));
  return vf_select_ge(smallest, x, vf_zero(), power);
}

/*
 * x^p, p > 0, for sums that are compared: relative error below 1e-5 · max(1, p), and what is below 2^-126 is 2^-126 or 0.
 * The result must be below 2^127. 2^(p·log2 x): log2(1 + f) = f·Q(f), 2^r with |r| <= ½, both polynomials with the
 * least squared error at Chebyshev nodes. Adding 1.5 · 2^23 leaves the whole part in the last bits.
 */
static inline vf vf_power_about(vf x, vf p) {
  static const float q[] = {1.44271577f, -0.721122539f, 0.479324359f, -0.367703982f, 0.322085496f, -0.205298295f};
  static const float e2[] = {0.999999191f, 0.693121968f, 0.240249811f, 0.0559170392f, 0.00956051021f};
  const vf whole = vf_set1(0x1.8p23f);
  vf f, e = take_exponent(vf_max(x, vf_set1(0x1p-126f)), &f), log = vf_set1(q[5]);
  for (int i = 4; i >= 0; i--) log = vf_fma(vf_set1(q[i]), log, f);
  vf y = vf_max(vf_set1(-126), vf_mul(p, vf_fma(e, log, f)));
  vf n = vf_add(y, whole), r = vf_sub(y, vf_sub(n, whole)), power = vf_set1(e2[4]);
  for (int i = 3; i >= 0; i--) power = vf_fma(vf_set1(e2[i]), power, r);
  return vf_of_bits(vi_add(vi_bits(power), vi_left(vi_bits(n), 23)));
}

#endif
