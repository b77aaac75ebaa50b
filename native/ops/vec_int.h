/*
 * Vectors of LANES 32-bit integers, each also four bytes, for packed weights. vi_dot(sum, u, s) adds to each
 * lane of sum the four products of unsigned bytes of u and signed bytes of s. Where DOT_ANY is not defined,
 * bytes of u must be below 128: pairs of products are first summed in 16 bits, or u is taken as signed. There is
 * vi_dot_signed there, which takes u as signed and bytes of s from -127 on. vi_dot_pairs adds the two products of
 * signed halves of each lane.
 */
#ifndef FEWBIT_VEC_INT_H
#define FEWBIT_VEC_INT_H

#include <string.h>

#include "../include/vec.h"

#if VF_WIDTH == 16

typedef __m512i vi;
static inline vi vi_zero(void) { return _mm512_setzero_si512(); }
static inline vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
static inline void vi_store(void *p, vi x) { _mm512_storeu_si512(p, x); }
static inline vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
static inline vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
#define vi_left(x, n) _mm512_slli_epi32(x, (unsigned)(n))
#define vi_right(x, n) _mm512_srli_epi32(x, (unsigned)(n))
#define vi_halve(x, n) _mm512_srai_epi32(x, (unsigned)(n))
static inline vf vi_float(vi x) { return _mm512_cvtepi32_ps(x); }
static inline vi vi_round(vf x) { return _mm512_cvtps_epi32(x); }
static inline void vi_store_s8(int8_t *p, vi x) {
  _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(x));
}
static inline int32_t vi_sum(vi x) { return _mm512_reduce_add_epi32(x); }
static inline vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
static inline vi vi_dot_pairs(vi sum, vi a, vi b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
#if defined(__AVX512VNNI__)
#define DOT_ANY
static inline vi vi_dot(vi sum, vi u, vi s) { return _mm512_dpbusd_epi32(sum, u, s); }
#else
static inline vi vi_dot(vi sum, vi u, vi s) {
  __m512i pairs = _mm512_maddubs_epi16(u, s);
  return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
static inline vi vi_dot_signed(vi sum, vi u, vi s) {
  s = _mm512_mask_sub_epi8(s, _mm512_movepi8_mask(u), _mm512_setzero_si512(), s);
  return vi_dot(sum, _mm512_abs_epi8(u), s);
}
#endif

#elif VF_WIDTH == 8

typedef __m256i vi;
static inline vi vi_zero(void) { return _mm256_setzero_si256(); }
static inline vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void vi_store(void *p, vi x) { _mm256_storeu_si256((__m256i *)p, x); }
static inline vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
static inline vi vi_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
#define vi_left(x, n) _mm256_slli_epi32(x, (int)(n))
#define vi_right(x, n) _mm256_srli_epi32(x, (int)(n))
#define vi_halve(x, n) _mm256_srai_epi32(x, (int)(n))
static inline vf vi_float(vi x) { return _mm256_cvtepi32_ps(x); }
static inline vi vi_round(vf x) { return _mm256_cvtps_epi32(x); }
static inline void vi_store_s8(int8_t *p, vi x) {
  __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(words, words));
}
static inline vi vi_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
static inline vi vi_dot_pairs(vi sum, vi a, vi b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
static inline int32_t vi_sum(vi x) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}
#if defined(__AVXVNNI__)
#define DOT_ANY
static inline vi vi_dot(vi sum, vi u, vi s) { return _mm256_dpbusd_avx_epi32(sum, u, s); }
#else
static inline vi vi_dot(vi sum, vi u, vi s) {
  __m256i pairs = _mm256_maddubs_epi16(u, s);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
static inline vi vi_dot_signed(vi sum, vi u, vi s) {
  return vi_dot(sum, _mm256_abs_epi8(u), _mm256_sign_epi8(s, u));
}
#endif

#elif defined(__aarch64__) && !defined(FB_PORTABLE)

typedef int32x4_t vi;
static inline vi vi_zero(void) { return vdupq_n_s32(0); }
static inline vi vi_load(const void *p) { return vreinterpretq_s32_s8(vld1q_s8((const int8_t *)p)); }
static inline void vi_store(void *p, vi x) { vst1q_s8((int8_t *)p, vreinterpretq_s8_s32(x)); }
static inline vi vi_set1(int32_t x) { return vdupq_n_s32(x); }
static inline vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
static inline vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
static inline vi vi_and(vi a, vi b) { return vandq_s32(a, b); }
static inline vi vi_or(vi a, vi b) { return vorrq_s32(a, b); }
static inline vi vi_xor(vi a, vi b) { return veorq_s32(a, b); }
static inline vi vi_left(vi x, int n) { return vshlq_s32(x, vdupq_n_s32(n)); }
static inline vi vi_right(vi x, int n) {
  return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(x), vdupq_n_s32(-n)));
}
static inline vi vi_halve(vi x, int n) { return vshlq_s32(x, vdupq_n_s32(-n)); }
static inline vf vi_float(vi x) { return vcvtq_f32_s32(x); }
static inline vi vi_round(vf x) { return vcvtnq_s32_f32(x); }
static inline void vi_store_s8(int8_t *p, vi x) {
  int8x8_t bytes = vqmovn_s16(vcombine_s16(vqmovn_s32(x), vdup_n_s16(0)));
  memcpy(p, &bytes, 4);
}
static inline int32_t vi_sum(vi x) { return vaddvq_s32(x); }
static inline vi vi_mul(vi a, vi b) { return vmulq_s32(a, b); }
static inline vi vi_dot_pairs(vi sum, vi a, vi b) {
  int16x8_t left = vreinterpretq_s16_s32(a), right = vreinterpretq_s16_s32(b);
  int32x4_t low = vmull_s16(vget_low_s16(left), vget_low_s16(right));
  return vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(left, right)));
}
#if defined(__ARM_FEATURE_DOTPROD)
static inline vi vi_dot(vi sum, vi u, vi s) {
  return vdotq_s32(sum, vreinterpretq_s8_s32(u), vreinterpretq_s8_s32(s));
}
#else
static inline vi vi_dot(vi sum, vi u, vi s) {
  int8x16_t a = vreinterpretq_s8_s32(u), b = vreinterpretq_s8_s32(s);
  int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_s8(vget_high_s8(a), vget_high_s8(b));
  return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}
#endif
static inline vi vi_dot_signed(vi sum, vi u, vi s) { return vi_dot(sum, u, s); }

#else

typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vi_unsigned __attribute__((vector_size(16)));
static inline vi vi_zero(void) { return (vi){0, 0, 0, 0}; }
static inline vi vi_load(const void *p) {
  vi x;
  memcpy(&x, p, sizeof x);
  return x;
}
static inline void vi_store(void *p, vi x) { memcpy(p, &x, sizeof x); }
static inline vi vi_set1(int32_t x) { return (vi){x, x, x, x}; }
static inline vi vi_add(vi a, vi b) { return a + b; }
static inline vi vi_sub(vi a, vi b) { return a - b; }
static inline vi vi_and(vi a, vi b) { return a & b; }
static inline vi vi_or(vi a, vi b) { return a | b; }
static inline vi vi_xor(vi a, vi b) { return a ^ b; }
static inline vi vi_left(vi x, int n) { return (vi)((vi_unsigned)x << (vi_unsigned)vi_set1(n)); }
static inline vi vi_right(vi x, int n) { return (vi)((vi_unsigned)x >> (vi_unsigned)vi_set1(n)); }
static inline vi vi_halve(vi x, int n) { return x >> vi_set1(n); }
static inline vf vi_float(vi x) { return (vf){(float)x[0], (float)x[1], (float)x[2], (float)x[3]}; }
static inline vi vi_round(vf x) {
  return (vi){(int32_t)rintf(x[0]), (int32_t)rintf(x[1]), (int32_t)rintf(x[2]), (int32_t)rintf(x[3])};
}
static inline void vi_store_s8(int8_t *p, vi x) {
  for (int i = 0; i < 4; i++) p[i] = (int8_t)x[i];
}
static inline int32_t vi_sum(vi x) { return x[0] + x[1] + x[2] + x[3]; }
static inline vi vi_mul(vi a, vi b) { return a * b; }
static inline vi vi_dot_pairs(vi sum, vi a, vi b) {
  vi low = vi_halve(vi_left(a, 16), 16) * vi_halve(vi_left(b, 16), 16);
  return sum + low + vi_halve(a, 16) * vi_halve(b, 16);
}
#define DOT_ANY
static inline vi vi_dot(vi sum, vi u, vi s) {
  for (int i = 0; i < 32; i += 8) {
    vi left = vi_right(u, i) & vi_set1(255), right = vi_halve(vi_left(s, 24 - i), 24);
    sum += left * right;
  }
  return sum;
}

#endif

/* The bits of float32 numbers, and back. */
static inline vi vi_bits(vf x) {
  vi bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
static inline vf vf_of_bits(vi bits) {
  vf x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline vi vi_set1_bytes(int byte) { return vi_set1((int32_t)(0x01010101u * (uint32_t)byte)); }

/* Four neighbouring bytes, in every lane. */
static inline vi vi_broadcast(const int8_t *p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return vi_set1(four);
}

#endif
