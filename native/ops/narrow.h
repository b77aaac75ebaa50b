/* out = x rounded to bfloat16 or float16, to nearest even. */
#ifndef FEWBIT_NARROW_H
#define FEWBIT_NARROW_H

#include <string.h>

#include "../include/half.h"
#include "../include/vec.h"
#include "dtype.h"

/* Writes the first n lanes, 0 <= n <= VF_WIDTH. */
static inline void store_bf16_n(uint16_t *out, vf x, int n) {
  uint16_t halves[VF_WIDTH];
  vf_store_bf16(halves, x);
  memcpy(out, halves, (size_t)n * 2);
}

static inline void narrow_floats(uint16_t *out, const float *x, int64_t dtype, int64_t n) {
  int64_t i = 0;
  if (dtype == FB_F16) {
    for (; i + VF_WIDTH <= n; i += VF_WIDTH) vf_store_f16(out + i, vf_load(x + i));
    for (; i < n; i++) out[i] = fb_to_f16(x[i]);
  } else {
    for (; i + VF_WIDTH <= n; i += VF_WIDTH) vf_store_bf16(out + i, vf_load(x + i));
    for (; i < n; i++) out[i] = fb_to_bf16(x[i]);
  }
}

#endif
