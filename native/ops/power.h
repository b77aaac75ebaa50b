/*
 * x^p for x >= 0, through e^(p·ln x); relative error below |p·ln x| · 1e-7 + 3e-7. x below 2^-126 gives 0
 * for p > 0.5.
 */
#ifndef FEWBIT_POWER_H
#define FEWBIT_POWER_H

#include <string.h>

#include "../include/vec.h"
#include "exp.h"

/*
 * ln x for x >= 2^-126: x = 2^e · m with √½ <= m < √2, s = (m - 1)/(m + 1), ln m = 2(s + s³/3 + s⁵/5 + …);
 * the rest behind s⁹/9 is below 2e-9.
 */
static inline vf vf_log(vf x) {
  float value[VF_WIDTH], mantissa[VF_WIDTH], exponent[VF_WIDTH];
  vf_store(value, x);
  for (int i = 0; i < VF_WIDTH; i++) {
    int32_t bits;
    memcpy(&bits, &value[i], 4);
    int32_t e = (bits - 0x3f3504f3) >> 23; /* bits of √½ */
    bits -= e * (1 << 23);
    memcpy(&mantissa[i], &bits, 4);
    exponent[i] = (float)e;
  }
  vf m = vf_load(mantissa), one = vf_set1(1);
  vf s = vf_div(vf_sub(m, one), vf_add(m, one)), square = vf_mul(s, s);
  vf p = vf_set1(1.0f / 9);
  p = vf_fma(vf_set1(1.0f / 7), p, square);
  p = vf_fma(vf_set1(1.0f / 5), p, square);
  p = vf_fma(vf_set1(1.0f / 3), p, square);
  p = vf_fma(one, p, square);
  return vf_fma(vf_mul(vf_load(exponent), vf_set1(0.693147181f)), vf_add(s, s), p);
}

static inline vf vf_power(vf x, vf p) {
  const vf smallest = vf_set1(0x1p-126f);
  vf power = vf_exp(vf_mul(p, vf_log(vf_max(x, smallest))));
  return vf_select_ge(smallest, x, vf_zero(), power);
}

#endif
