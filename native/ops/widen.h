/* out = x as float32, from float32, float16 or bfloat16: exact. */
#ifndef FEWBIT_WIDEN_H
#define FEWBIT_WIDEN_H

#include <string.h>

#include "../include/half.h"
#include "../include/vec.h"
#include "dtype.h"

static inline void widen_floats(float *out, const void *x, int64_t dtype, int64_t n) {
  const uint16_t *halves = x;
  int64_t i = 0;
  if (dtype == FB_F32) {
    memcpy(out, x, (size_t)n * sizeof(float));
  } else if (dtype == FB_F16) {
    for (; i + VF_WIDTH <= n; i += VF_WIDTH) vf_store(out + i, vf_load_f16(halves + i));
    for (; i < n; i++) out[i] = fb_from_f16(halves[i]);
  } else {
    for (; i + VF_WIDTH <= n; i += VF_WIDTH) vf_store(out + i, vf_load_bf16(halves + i));
    for (; i < n; i++) out[i] = fb_from_bf16(halves[i]);
  }
}

#endif
