/*
 * The loops of binary_counts.h, included once for each way to count: bits of bytes by a table of nibbles (PSHUFB), by an
 * instruction (NEON's CNT) or by sums of neighbouring bits, all added up as bytes for up to 31 units; or of whole
 * lanes (VPOPCNTDQ). FB_COUNTS is the function's name.
 *
 * One token is bound by memory, from a cache too; of several, TOKENS at a time share a unit that was loaded once.
 */
#include "binary_counts.h"
#include "vec_int.h"

#define INLINE static inline __attribute__((always_inline))
#define PREFETCH_BYTES 4096
#define UNIT_BYTES (VF_WIDTH * 4)
#define TOKENS 4

#if defined(__AVX512VPOPCNTDQ__)
#define UNITS_AT_ONCE 1024
INLINE vi add_counts(vi sum, vi bits) { return vi_add(sum, _mm512_popcnt_epi32(bits)); }
INLINE vi widen_counts(vi counts) { return counts; }
#else
/* A byte holds the bits of 31 units, 31 · 8 < 256; of 15 where bytes are the parts of signed integers. */
#if defined(__AVX2__) || (defined(__aarch64__) && !defined(FB_PORTABLE))
#define UNITS_AT_ONCE 31
#else
#define UNITS_AT_ONCE 15
#endif

#if VF_WIDTH == 16
INLINE vi byte_counts(vi bits) {
  vi table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  vi low = vi_set1_bytes(15);
  vi high = vi_and(vi_right(bits, 4), low);
  return vi_add(_mm512_shuffle_epi8(table, vi_and(bits, low)), _mm512_shuffle_epi8(table, high));
}
INLINE vi widen_counts(vi counts) {
  vi pairs = _mm512_maddubs_epi16(counts, vi_set1_bytes(1));
  return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}
#elif VF_WIDTH == 8
INLINE vi byte_counts(vi bits) {
  vi table = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  vi low = vi_set1_bytes(15);
  vi high = vi_and(vi_right(bits, 4), low);
  return vi_add(_mm256_shuffle_epi8(table, vi_and(bits, low)), _mm256_shuffle_epi8(table, high));
}
INLINE vi widen_counts(vi counts) {
  vi pairs = _mm256_maddubs_epi16(counts, vi_set1_bytes(1));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#else
#if defined(__aarch64__) && !defined(FB_PORTABLE)
INLINE vi byte_counts(vi bits) { return vreinterpretq_s32_u8(vcntq_u8(vreinterpretq_u8_s32(bits))); }
#else
INLINE vi byte_counts(vi bits) {
  vi twos = (vi)((vi_unsigned)bits - (vi_unsigned)vi_and(vi_right(bits, 1), vi_set1(0x55555555)));
  vi fours = vi_add(vi_and(twos, vi_set1(0x33333333)), vi_and(vi_right(twos, 2), vi_set1(0x33333333)));
  return vi_and(vi_add(fours, vi_right(fours, 4)), vi_set1(0x0f0f0f0f));
}
#endif
INLINE vi widen_counts(vi counts) {
  vi even = vi_set1(0x00ff00ff), pairs = vi_add(vi_and(counts, even), vi_and(vi_right(counts, 8), even));
  return vi_add(vi_and(pairs, vi_set1(0xffff)), vi_right(pairs, 16));
}
#endif

INLINE vi add_counts(vi sum, vi bits) { return vi_add(sum, byte_counts(bits)); }
#endif

/* Counts of `tokens` tokens, a constant at each call. */
INLINE void count_tokens(int32_t *counts, const binary_operands *of, int64_t token, const int tokens) {
  const uint32_t *words = of->words + token * of->stride;
  vi total[TOKENS];
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) total[t] = vi_zero();
  for (int64_t u = 0; u < of->units;) {
    int64_t end = fb_min(of->units, u + UNITS_AT_ONCE);
    vi sum[TOKENS];
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) sum[t] = vi_zero();
    for (; u < end; u++) {
      __builtin_prefetch(of->codes + u * UNIT_BYTES + PREFETCH_BYTES);
      vi unit = vi_load(of->codes + u * UNIT_BYTES);
#pragma GCC unroll 4
      for (int t = 0; t < tokens; t++) {
        vi signs = vi_set1((int32_t)words[t * of->stride + u]);
        sum[t] = add_counts(sum[t], vi_xor(unit, signs));
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) total[t] = vi_add(total[t], widen_counts(sum[t]));
  }
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) vi_store(counts + (token + t) * VF_WIDTH, total[t]);
}

void FB_COUNTS(int32_t *counts, const binary_operands *of) {
  int64_t token = 0;
  for (; token + TOKENS <= of->tokens; token += TOKENS) count_tokens(counts, of, token, TOKENS);
  for (; token < of->tokens; token++) count_tokens(counts, of, token, 1);
}
