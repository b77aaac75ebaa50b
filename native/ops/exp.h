/*
 * Vector functions of one argument. Relative errors are below 3e-7 where nothing else is said; NaN stays NaN.
 */
#ifndef FEWBIT_EXP_H
#define FEWBIT_EXP_H

#include "../include/vec.h"

/*
 * e^x for x <= 88; larger x count as 88. Below -87.3, where the result would be subnormal, it is 0.
 * x = n·ln 2 + r with |r| <= ln(2)/2; e^r by its series up to r^7 (rest below 6e-9), 2^n by its bits.
 */
static inline vf vf_exp(vf x) {
  const vf low = vf_set1(-87.3f);
  vf y = vf_min(vf_set1(88.0f), vf_max(low, x)); /* in this order NaN passes */
  vf n = vf_rne(vf_mul(y, vf_set1(1.44269504f)));
  vf r = vf_fma(y, n, vf_set1(-0.693359375f)); /* ln 2 in two parts; n times the first is exact */
  r = vf_fma(r, n, vf_set1(2.12194440e-4f));
  vf p = vf_set1(1.0f / 5040);
  p = vf_fma(vf_set1(1.0f / 720), p, r);
  p = vf_fma(vf_set1(1.0f / 120), p, r);
  p = vf_fma(vf_set1(1.0f / 24), p, r);
  p = vf_fma(vf_set1(1.0f / 6), p, r);
  p = vf_fma(vf_set1(0.5f), p, r);
  p = vf_fma(vf_set1(1.0f), p, r);
  p = vf_fma(vf_set1(1.0f), p, r);
  return vf_select_ge(low, x, vf_zero(), vf_mul(p, vf_exp2_whole(n)));
}

/*
 * e^x for x <= 0; below -87.3 it may be 0. The same series one term shorter (rest below 1.3e-7), for sums whose
 * largest term is 1.
 */
static inline vf vf_exp_share(vf x) {
#if defined(__AVX512F__) && VF_WIDTH == 16
  const vf low = vf_set1(-150);
#else
  const vf low = vf_set1(-87.3f);
#endif
  vf y = vf_max(low, x); /* in this order NaN passes */
  vf n = vf_rne(vf_mul(y, vf_set1(1.44269504f)));
  vf r = vf_fma(vf_fma(y, n, vf_set1(-0.693359375f)), n, vf_set1(2.12194440e-4f));
  vf p = vf_set1(1.0f / 720);
  p = vf_fma(vf_set1(1.0f / 120), p, r);
  p = vf_fma(vf_set1(1.0f / 24), p, r);
  p = vf_fma(vf_set1(1.0f / 6), p, r);
  p = vf_fma(vf_set1(0.5f), p, r);
  p = vf_fma(vf_set1(1.0f), p, r);
  p = vf_fma(vf_set1(1.0f), p, r);
#if defined(__AVX512F__) && VF_WIDTH == 16
  return _mm512_scalef_ps(p, n); /* goes down to 0 by itself */
#else
  return vf_select_ge(low, x, vf_zero(), vf_mul(p, vf_exp2_whole(n)));
#endif
}

static inline vf vf_abs(vf x) { return vf_max(vf_sub(vf_zero(), x), x); }

/* 1/(1 + e^-x), relative to itself for negative x too. */
static inline vf vf_logistic(vf x) {
  vf one = vf_set1(1);
  vf e = vf_exp(vf_sub(vf_zero(), vf_abs(x)));
  return vf_div(vf_select_ge(x, vf_zero(), one, e), vf_add(one, e));
}

/* tanh(x), below |x| = 0.45 by its series up to x^13 (rest below 2e-8). */
static inline vf vf_tanh(vf x) {
  static const float c[] = {21844.0f / 6081075, -1382.0f / 155925, 62.0f / 2835, -17.0f / 315, 2.0f / 15, -1.0f / 3};
  vf square = vf_mul(x, x), p = vf_set1(c[0]);
  for (int i = 1; i < 6; i++) p = vf_fma(vf_set1(c[i]), p, square);
  vf near = vf_fma(x, vf_mul(x, square), p);
  vf far = vf_fma(vf_set1(-1), vf_set1(2), vf_logistic(vf_add(x, x)));
  return vf_select_ge(vf_set1(0.45f), vf_abs(x), near, far);
}

/*
 * Φ(x), the normal distribution function. For z = |x|/√2: ½·erfc(z) = ½·e^(-z²)·q(t)/(1 + 2z) with
 * t = (z - 3)/(z + 3) and q the polynomial of degree 10 that interpolates e^(z²)·erfc(z)·(1 + 2z) at
 * Chebyshev nodes on 0 <= z <= 20. The rounding of z² adds z² · 6e-8 to the relative error.
 */
static inline vf vf_normal_share(vf x) {
  static const float q[] = {1.2530081272f,   -0.1356211007f,  -0.0475635044f,  0.1296444833f,
                            -0.1192574874f,  0.0683184788f,   -0.0238469299f,  0.0024694419f,
                            0.0020368823f,   -0.0006383139f,  -0.0002040239f};
  vf one = vf_set1(1), three = vf_set1(3);
  vf z = vf_min(vf_set1(20), vf_mul(vf_abs(x), vf_set1(0.70710678f)));
  vf t = vf_div(vf_sub(z, three), vf_add(z, three));
  vf p = vf_set1(q[10]);
  for (int i = 9; i >= 0; i--) p = vf_fma(vf_set1(q[i]), p, t);
  vf power = vf_exp(vf_mul(vf_set1(-0.5f), vf_mul(x, x)));
  vf tail = vf_div(vf_mul(vf_mul(vf_set1(0.5f), power), p), vf_fma(one, vf_set1(2), z));
  return vf_select_ge(x, vf_zero(), vf_sub(one, tail), tail);
}

#endif
