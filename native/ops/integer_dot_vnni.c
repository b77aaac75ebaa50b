/*
 * integer_dot.h with AVX-512-VNNI: four products and their sum in each of 16 int32 lanes. Short tiles repeat
 * their last row, so that one loop does for all.
 */
#include "integer_dot.h"

#ifdef __AVX512VNNI__

#include <immintrin.h>

void FB_NAME(fb_integer_dot_vnni)(int32_t *sums, const dot_operands *of) {
  const uint8_t *x[DOT_TOKENS];
  const int8_t *w[DOT_ROWS];
  for (int t = 0; t < DOT_TOKENS; t++) x[t] = of->x + fb_min(t, of->tokens - 1) * of->width;
  for (int r = 0; r < DOT_ROWS; r++) w[r] = of->w + fb_min(r, of->rows - 1) * of->width;
  __m512i sum[DOT_TOKENS][DOT_ROWS];
  for (int t = 0; t < DOT_TOKENS; t++) {
    for (int r = 0; r < DOT_ROWS; r++) sum[t][r] = _mm512_setzero_si512();
  }
  for (int64_t k = 0; k < of->width; k += 64) {
    int64_t left = of->width - k;
    __mmask64 mask = left >= 64 ? ~0ull : (1ull << left) - 1;
    __m512i weights[DOT_ROWS];
#pragma GCC unroll 4
    for (int r = 0; r < DOT_ROWS; r++) weights[r] = _mm512_maskz_loadu_epi8(mask, w[r] + k);
#pragma GCC unroll 4
    for (int t = 0; t < DOT_TOKENS; t++) {
      __m512i token = _mm512_maskz_loadu_epi8(mask, x[t] + k);
#pragma GCC unroll 4
      for (int r = 0; r < DOT_ROWS; r++) sum[t][r] = _mm512_dpbusd_epi32(sum[t][r], token, weights[r]);
    }
  }
  for (int t = 0; t < DOT_TOKENS; t++) {
    for (int r = 0; r < DOT_ROWS; r++) sums[t * DOT_ROWS + r] = _mm512_reduce_add_epi32(sum[t][r]);
  }
}

#endif
