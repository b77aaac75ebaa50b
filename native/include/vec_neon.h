/* vec.h for NEON on AArch64: 4 float32 or 2 float64 a register, 32 registers. */
#include <arm_neon.h>
#include <string.h>

#define VF_WIDTH 4
#define VD_WIDTH 2
typedef float32x4_t vf;
typedef float64x2_t vd;

static inline vf vf_zero(void) { return vdupq_n_f32(0); }
static inline vf vf_set1(float x) { return vdupq_n_f32(x); }
static inline vf vf_load(const float *p) { return vld1q_f32(p); }
static inline vf vf_load_n(const float *p, int n) {
  float lanes[4] = {0};
  memcpy(lanes, p, (size_t)n * sizeof(float));
  return vld1q_f32(lanes);
}
static inline void vf_store(float *p, vf x) { vst1q_f32(p, x); }
static inline void vf_store_n(float *p, vf x, int n) {
  float lanes[4];
  vst1q_f32(lanes, x);
  memcpy(p, lanes, (size_t)n * sizeof(float));
}
static inline vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf vf_fma(vf c, vf a, vf b) { return vfmaq_f32(c, a, b); }
static inline vf vf_max(vf a, vf b) { return vmaxq_f32(a, b); }
static inline vf vf_min(vf a, vf b) { return vminq_f32(a, b); }
static inline vf vf_rne(vf x) { return vrndnq_f32(x); }
static inline vf vf_sqrt(vf x) { return vsqrtq_f32(x); }
static inline float vf_sum(vf x) { return vaddvq_f32(x); }
static inline float vf_max_of(vf x) { return vmaxvq_f32(x); }
/* a >= b ? x : y */
static inline vf vf_select_ge(vf a, vf b, vf x, vf y) { return vbslq_f32(vcgeq_f32(a, b), x, y); }
static inline vf vf_load_bf16(const uint16_t *p) {
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
static inline vf vf_load_f16(const uint16_t *p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline vf vf_load_i8(const int8_t *p) {
  float lanes[4] = {p[0], p[1], p[2], p[3]};
  return vld1q_f32(lanes);
}
static inline void vf_store_f16(uint16_t *p, vf x) {
  vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x)));
}
/* Rounds to nearest even; NaN stays NaN. */
static inline void vf_store_bf16(uint16_t *p, vf x) {
  uint32x4_t bits = vreinterpretq_u32_f32(x), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  rounded = vbslq_u32(vceqq_f32(x, x), rounded, vorrq_u32(bits, vdupq_n_u32(0x400000)));
  vst1_u16(p, vshrn_n_u32(rounded, 16));
}
/* Lane i is the sum of r[i]. */
static inline __attribute__((always_inline)) vf vf_sum_each(vf r[4]) {
  return vpaddq_f32(vpaddq_f32(r[0], r[1]), vpaddq_f32(r[2], r[3]));
}
/* 2^k for whole k in [-126, 127] */
static inline vf vf_exp2_whole(vf k) {
  int32x4_t e = vaddq_s32(vcvtnq_s32_f32(k), vdupq_n_s32(127));
  return vreinterpretq_f32_s32(vshlq_n_s32(e, 23));
}
/* Writes whole numbers in [0, 255] as bytes. */
static inline void vf_store_u8_n(uint8_t *p, vf x, int n) {
  uint16x4_t words = vmovn_u32(vcvtnq_u32_f32(x));
  uint8_t bytes[8];
  vst1_u8(bytes, vmovn_u16(vcombine_u16(words, words)));
  memcpy(p, bytes, (size_t)n);
}
/* Reads bytes as float32. */
static inline vf vf_load_u8(const uint8_t *p) {
  float lanes[4] = {p[0], p[1], p[2], p[3]};
  return vld1q_f32(lanes);
}

/* Turns 4 rows of 4 into columns. */
static inline __attribute__((always_inline)) void vf_transpose(vf r[4]) {
  float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r[0], r[1]));
  float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(r[0], r[1]));
  float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r[2], r[3]));
  float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(r[2], r[3]));
  r[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
  r[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
  r[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
  r[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}

static inline vd vd_zero(void) { return vdupq_n_f64(0); }
static inline vd vd_set1(double x) { return vdupq_n_f64(x); }
static inline vd vd_load(const double *p) { return vld1q_f64(p); }
static inline vd vd_load_n(const double *p, int n) {
  double lanes[2] = {0};
  memcpy(lanes, p, (size_t)n * sizeof(double));
  return vld1q_f64(lanes);
}
static inline void vd_store(double *p, vd x) { vst1q_f64(p, x); }
static inline void vd_store_n(double *p, vd x, int n) {
  double lanes[2];
  vst1q_f64(lanes, x);
  memcpy(p, lanes, (size_t)n * sizeof(double));
}
static inline vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
static inline vd vd_sub(vd a, vd b) { return vsubq_f64(a, b); }
static inline vd vd_mul(vd a, vd b) { return vmulq_f64(a, b); }
static inline vd vd_div(vd a, vd b) { return vdivq_f64(a, b); }
static inline vd vd_fma(vd c, vd a, vd b) { return vfmaq_f64(c, a, b); }
static inline double vd_sum(vd x) { return vaddvq_f64(x); }
/* Widens VD_WIDTH float32. */
static inline vd vd_load_f32(const float *p) { return vcvt_f64_f32(vld1_f32(p)); }
/* Rounds to VD_WIDTH float32. */
static inline void vd_store_f32(float *p, vd x) { vst1_f32(p, vcvt_f32_f64(x)); }
/* Turns 2 rows of 2 into columns. */
static inline void vd_transpose(vd r[2]) {
  vd a = vtrn1q_f64(r[0], r[1]), b = vtrn2q_f64(r[0], r[1]);
  r[0] = a;
  r[1] = b;
}
