/*
 * One vector vocabulary for all levels, so that most ops are written once. `vf` is VF_WIDTH float32 and
 * `vd` is VD_WIDTH float64. All loads and stores are unaligned. `_n` forms touch only the first n
 * elements (0 <= n <= width) and fill the rest with zero. vf_fma(c, a, b) = a·b + c, in one rounding except
 * at the portable level.
 */
#ifndef FEWBIT_VEC_H
#define FEWBIT_VEC_H

#include <stdint.h>

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include "vec_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "vec_avx2.h"
#elif defined(__aarch64__) && !defined(FB_PORTABLE)
#include "vec_neon.h"
#else
#include "vec_portable.h"
#endif

/* The `_n` forms for code that whole vectors and the rest of a run share: free where n is a constant VF_WIDTH. */
static inline __attribute__((always_inline)) vf vf_load_up_to(const float *p, int n) {
  return n == VF_WIDTH ? vf_load(p) : vf_load_n(p, n);
}
static inline __attribute__((always_inline)) void vf_store_up_to(float *p, vf x, int n) {
  if (n == VF_WIDTH) vf_store(p, x);
  else vf_store_n(p, x, n);
}

#endif
