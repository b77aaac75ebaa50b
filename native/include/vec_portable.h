/* vec.h in portable C: 4 float32 or 2 float64 as GNU vector types, which any GCC or Clang target has. */
#include <math.h>
#include <string.h>

#include "half.h"

#define VF_WIDTH 4
#define VD_WIDTH 2
typedef float vf __attribute__((vector_size(16)));
typedef double vd __attribute__((vector_size(16)));
typedef int32_t vf_bits __attribute__((vector_size(16)));

static inline vf vf_set1(float x) { return (vf){x, x, x, x}; }
static inline vf vf_zero(void) { return vf_set1(0); }
static inline vf vf_load_n(const float *p, int n) {
  vf x = vf_zero();
  memcpy(&x, p, (size_t)n * sizeof(float));
  return x;
}
static inline vf vf_load(const float *p) {
  vf x;
  memcpy(&x, p, sizeof x);
  return x;
}
static inline void vf_store_n(float *p, vf x, int n) { memcpy(p, &x, (size_t)n * sizeof(float)); }
static inline void vf_store(float *p, vf x) { memcpy(p, &x, sizeof x); }
static inline vf vf_add(vf a, vf b) { return a + b; }
static inline vf vf_sub(vf a, vf b) { return a - b; }
static inline vf vf_mul(vf a, vf b) { return a * b; }
static inline vf vf_div(vf a, vf b) { return a / b; }
static inline vf vf_fma(vf c, vf a, vf b) { return a * b + c; }
static inline vf vf_pick(vf_bits which, vf x, vf y) {
  return (vf)((which & (vf_bits)x) | (~which & (vf_bits)y));
}
static inline vf vf_max(vf a, vf b) { return vf_pick(a > b, a, b); }
static inline vf vf_min(vf a, vf b) { return vf_pick(a < b, a, b); }
static inline vf vf_rne(vf x) {
  return (vf){rintf(x[0]), rintf(x[1]), rintf(x[2]), rintf(x[3])};
}
static inline vf vf_sqrt(vf x) {
  return (vf){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])};
}
static inline float vf_sum(vf x) { return (x[0] + x[2]) + (x[1] + x[3]); }
static inline float vf_max_of(vf x) { return fmaxf(fmaxf(x[0], x[1]), fmaxf(x[2], x[3])); }
/* a >= b ? x : y */
static inline vf vf_select_ge(vf a, vf b, vf x, vf y) { return vf_pick(a >= b, x, y); }
static inline vf vf_load_bf16(const uint16_t *p) {
  return (vf){fb_from_bf16(p[0]), fb_from_bf16(p[1]), fb_from_bf16(p[2]), fb_from_bf16(p[3])};
}
static inline vf vf_load_f16(const uint16_t *p) {
  return (vf){fb_from_f16(p[0]), fb_from_f16(p[1]), fb_from_f16(p[2]), fb_from_f16(p[3])};
}
static inline vf vf_load_i8(const int8_t *p) { return (vf){p[0], p[1], p[2], p[3]}; }
static inline void vf_store_f16(uint16_t *p, vf x) {
  for (int i = 0; i < 4; i++) p[i] = fb_to_f16(x[i]);
}
/* Rounds to nearest even; NaN stays NaN. */
static inline void vf_store_bf16(uint16_t *p, vf x) {
  for (int i = 0; i < 4; i++) p[i] = fb_to_bf16(x[i]);
}
/* Lane i is the sum of r[i]. */
static inline __attribute__((always_inline)) vf vf_sum_each(vf r[4]) {
  return (vf){vf_sum(r[0]), vf_sum(r[1]), vf_sum(r[2]), vf_sum(r[3])};
}
/* 2^k for whole k in [-126, 127] */
static inline vf vf_exp2_whole(vf k) {
  vf_bits e = {(int32_t)k[0] + 127, (int32_t)k[1] + 127, (int32_t)k[2] + 127, (int32_t)k[3] + 127};
  return (vf)(e << 23);
}
/* Writes whole numbers in [0, 255] as bytes. */
static inline void vf_store_u8_n(uint8_t *p, vf x, int n) {
  for (int i = 0; i < n; i++) p[i] = (uint8_t)x[i];
}
/* Reads bytes as float32. */
static inline vf vf_load_u8(const uint8_t *p) { return (vf){p[0], p[1], p[2], p[3]}; }

/* Turns 4 rows of 4 into columns. */
static inline void vf_transpose(vf r[4]) {
  vf t[4];
  for (int i = 0; i < 4; i++) t[i] = (vf){r[0][i], r[1][i], r[2][i], r[3][i]};
  for (int i = 0; i < 4; i++) r[i] = t[i];
}

static inline vd vd_set1(double x) { return (vd){x, x}; }
static inline vd vd_zero(void) { return vd_set1(0); }
static inline vd vd_load(const double *p) {
  vd x;
  memcpy(&x, p, sizeof x);
  return x;
}
static inline vd vd_load_n(const double *p, int n) {
  vd x = vd_zero();
  memcpy(&x, p, (size_t)n * sizeof(double));
  return x;
}
static inline void vd_store(double *p, vd x) { memcpy(p, &x, sizeof x); }
static inline void vd_store_n(double *p, vd x, int n) { memcpy(p, &x, (size_t)n * sizeof(double)); }
static inline vd vd_add(vd a, vd b) { return a + b; }
static inline vd vd_sub(vd a, vd b) { return a - b; }
static inline vd vd_mul(vd a, vd b) { return a * b; }
static inline vd vd_div(vd a, vd b) { return a / b; }
static inline vd vd_fma(vd c, vd a, vd b) { return a * b + c; }
static inline double vd_sum(vd x) { return x[0] + x[1]; }
/* Widens VD_WIDTH float32. */
static inline vd vd_load_f32(const float *p) { return (vd){p[0], p[1]}; }
/* Rounds to VD_WIDTH float32. */
static inline void vd_store_f32(float *p, vd x) {
  p[0] = (float)x[0];
  p[1] = (float)x[1];
}
/* Turns 2 rows of 2 into columns. */
static inline void vd_transpose(vd r[2]) {
  vd a = {r[0][0], r[1][0]}, b = {r[0][1], r[1][1]};
  r[0] = a;
  r[1] = b;
}
