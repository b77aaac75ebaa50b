/* vec.h for AVX-512: 16 float32 or 8 float64 a register, 32 registers. */
#include <immintrin.h>

#define VF_WIDTH 16
#define VD_WIDTH 8
typedef __m512 vf;
typedef __m512d vd;

#define vf_mask(n) ((__mmask16)((1u << (n)) - 1))
#define vd_mask(n) ((__mmask8)((1u << (n)) - 1))

static inline vf vf_zero(void) { return _mm512_setzero_ps(); }
static inline vf vf_set1(float x) { return _mm512_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline vf vf_load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(vf_mask(n), p); }
static inline void vf_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
static inline void vf_store_n(float *p, vf x, int n) { _mm512_mask_storeu_ps(p, vf_mask(n), x); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_fma(vf c, vf a, vf b) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_rne(vf x) { return _mm512_roundscale_ps(x, 0x08); }
static inline vf vf_sqrt(vf x) { return _mm512_sqrt_ps(x); }
static inline float vf_sum(vf x) { return _mm512_reduce_add_ps(x); }
static inline float vf_max_of(vf x) { return _mm512_reduce_max_ps(x); }
/* a >= b ? x : y */
static inline vf vf_select_ge(vf a, vf b, vf x, vf y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GE_OQ), y, x);
}
static inline vf vf_load_bf16(const uint16_t *p) {
  __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline vf vf_load_f16(const uint16_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vf vf_load_i8(const int8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline void vf_store_f16(uint16_t *p, vf x) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(x, 0x08));
}
/* Rounds to nearest even; NaN stays NaN. */
static inline void vf_store_bf16(uint16_t *p, vf x) {
  __m512i bits = _mm512_castps_si512(x), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}
/* Lane i is the sum of r[i]. */
static inline __attribute__((always_inline)) vf vf_sum_each(vf r[16]) {
  vf t[8];
  for (int i = 0; i < 8; i++) { /* pairs of lanes, two rows side by side */
    t[i] = _mm512_add_ps(_mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]), _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]));
  }
  for (int i = 0; i < 4; i++) { /* four rows, one sum a quarter */
    __m512d a = _mm512_castps_pd(t[2 * i]), b = _mm512_castps_pd(t[2 * i + 1]);
    t[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  for (int i = 0; i < 2; i++) { /* the quarters of eight rows, in halves */
    vf a = t[2 * i], b = t[2 * i + 1];
    t[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  }
  return _mm512_add_ps(_mm512_shuffle_f32x4(t[0], t[1], 0x88), _mm512_shuffle_f32x4(t[0], t[1], 0xdd));
}
/* 2^k for whole k in [-126, 127] */
static inline vf vf_exp2_whole(vf k) {
  __m512i e = _mm512_add_epi32(_mm512_cvtps_epi32(k), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}
/* Writes whole numbers in [0, 255] as bytes. */
static inline void vf_store_u8_n(uint8_t *p, vf x, int n) {
  _mm_mask_storeu_epi8(p, vf_mask(n), _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(x)));
}
/* Reads bytes as float32. */
static inline vf vf_load_u8(const uint8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

/* Turns 16 rows of 16 into columns. */
static inline __attribute__((always_inline)) void vf_transpose(vf r[16]) {
  vf t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int h = 0; h < 2; h++) {
      __m512d low = _mm512_castps_pd(t[i + h]), high = _mm512_castps_pd(t[i + 2 + h]);
      r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  for (int i = 0; i < 4; i++) { /* r[4g + i]: column i of each quarter, of rows 4g..4g+3 */
    vf a = _mm512_shuffle_f32x4(r[i], r[4 + i], 0x88), b = _mm512_shuffle_f32x4(r[i], r[4 + i], 0xdd);
    vf c = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0x88);
    vf d = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0xdd);
    t[i] = _mm512_shuffle_f32x4(a, c, 0x88);
    t[8 + i] = _mm512_shuffle_f32x4(a, c, 0xdd);
    t[4 + i] = _mm512_shuffle_f32x4(b, d, 0x88);
    t[12 + i] = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
  for (int i = 0; i < 16; i++) r[i] = t[i];
}

static inline vd vd_zero(void) { return _mm512_setzero_pd(); }
static inline vd vd_set1(double x) { return _mm512_set1_pd(x); }
static inline vd vd_load(const double *p) { return _mm512_loadu_pd(p); }
static inline vd vd_load_n(const double *p, int n) { return _mm512_maskz_loadu_pd(vd_mask(n), p); }
static inline void vd_store(double *p, vd x) { _mm512_storeu_pd(p, x); }
static inline void vd_store_n(double *p, vd x, int n) { _mm512_mask_storeu_pd(p, vd_mask(n), x); }
static inline vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
static inline vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
static inline vd vd_div(vd a, vd b) { return _mm512_div_pd(a, b); }
static inline vd vd_fma(vd c, vd a, vd b) { return _mm512_fmadd_pd(a, b, c); }
static inline double vd_sum(vd x) { return _mm512_reduce_add_pd(x); }
/* Widens VD_WIDTH float32. */
static inline vd vd_load_f32(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
/* Rounds to VD_WIDTH float32. */
static inline void vd_store_f32(float *p, vd x) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(x)); }
/* Turns 8 rows of 8 into columns. */
static inline __attribute__((always_inline)) void vd_transpose(vd r[8]) {
  vd t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
  }
  for (int i = 0; i < 2; i++) { /* columns i, i + 2, i + 4, i + 6 of the rows in pairs */
    vd a = _mm512_shuffle_f64x2(t[i], t[2 + i], 0x88), b = _mm512_shuffle_f64x2(t[i], t[2 + i], 0xdd);
    vd c = _mm512_shuffle_f64x2(t[4 + i], t[6 + i], 0x88);
    vd d = _mm512_shuffle_f64x2(t[4 + i], t[6 + i], 0xdd);
    r[i] = _mm512_shuffle_f64x2(a, c, 0x88);
    r[4 + i] = _mm512_shuffle_f64x2(a, c, 0xdd);
    r[2 + i] = _mm512_shuffle_f64x2(b, d, 0x88);
    r[6 + i] = _mm512_shuffle_f64x2(b, d, 0xdd);
  }
}
