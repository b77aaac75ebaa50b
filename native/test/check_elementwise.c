/* swiglu, gelu, relu, soft_cap and cast against their formulas, on values of every size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "../ops/dtype.h"
#include "check.h"

/* Values from 1e-38 to 1e38 of both signs, and those that need care. */
static float *spread_floats(fb_check *check, int64_t n) {
  static const float special[] = {0, -0.0f, 1, -1, 88, -88, 90, -104, 1e30f, -1e30f, 3.4e38f, -3.4e38f};
  float *x = random_floats(check, n);
  for (int64_t i = 0; i < n; i++) {
    if (i % 3 == 0) x[i] *= 12;
    else if (i % 3 == 1) x[i] = copysignf(powf(10, 38 * x[i]), (float)random_unit(check) - 0.5f);
    else if (i / 3 < (int64_t)(sizeof special / sizeof *special)) x[i] = special[i / 3];
  }
  return x;
}

static void check_activations(fb_check *check, int64_t n) {
  float *x = spread_floats(check, n), *up = random_floats(check, n), *out = random_floats(check, n);
  double *expected = take((size_t)n * 8);
  fb_args args = {.size = {n, 0}};
  set_buffer(&args, 0, out, (size_t)n * 4);
  set_buffer(&args, 1, x, (size_t)n * 4);
  set_buffer(&args, 2, up, (size_t)n * 4);
  for (int64_t i = 0; i < n; i++) expected[i] = (double)x[i] / (1 + exp(-(double)x[i])) * up[i];
  call_op(check, "swiglu", &args);
  expect_floats(check, "swiglu", out, expected, n, 1e-30, 1e-6);
  for (int64_t i = 0; i < n; i++) expected[i] = 0.5 * x[i] * erfc(-(double)x[i] * sqrt(0.5));
  call_op(check, "gelu", &args);
  expect_floats(check, "gelu", out, expected, n, 1e-12, 3e-6);
  for (int64_t i = 0; i < n; i++) {
    double u = sqrt(2 / acos(-1)) * (x[i] + 0.044715 * pow(x[i], 3));
    expected[i] = x[i] / (1 + exp(-2 * u));
  }
  args.size[1] = 1;
  call_op(check, "gelu", &args);
  expect_floats(check, "gelu, tanh", out, expected, n, 1e-12, 3e-6);
  for (int64_t i = 0; i < n; i++) expected[i] = fmax(x[i], 0);
  call_op(check, "relu", &args);
  expect_floats(check, "relu", out, expected, n, 0, 0);
  for (int64_t i = 0; i < n; i++) expected[i] = 5 * tanh(x[i] / 5.0);
  args.real[0] = 5;
  call_op(check, "soft_cap", &args);
  expect_floats(check, "soft_cap", out, expected, n, 1e-37, 6e-7);
  args.size[0] = n + 1;
  call_refused(check, "swiglu", &args);
  call_refused(check, "relu", &args);
  call_refused(check, "soft_cap", &args);
  free(x);
  free(up);
  free(out);
  free(expected);
}

/* Every float16 and bfloat16 goes to float32 and back unchanged, by way of float64 too. */
static void check_cast_round_trip(fb_check *check, int64_t half, int64_t wide, size_t wide_bytes) {
  uint16_t *bits = take(65536 * 2), *back = take(65536 * 2);
  void *values = take(65536 * wide_bytes);
  for (int i = 0; i < 65536; i++) {
    uint16_t nan = half == FB_F16 ? 0x7c00 : 0x7f80;
    bits[i] = (uint16_t)((i & nan) == nan ? i & (nan | 0x8000) : i); /* infinity instead of NaN */
  }
  fb_args args = {.size = {65536, wide, half}};
  set_buffer(&args, 0, values, 65536 * wide_bytes);
  set_buffer(&args, 1, bits, 65536 * 2);
  call_op(check, "cast", &args);
  fb_args again = {.size = {65536, half, wide}};
  set_buffer(&again, 0, back, 65536 * 2);
  set_buffer(&again, 1, values, 65536 * wide_bytes);
  call_op(check, "cast", &again);
  expect_bytes(check, "cast and back", back, bits, 65536 * 2);
  free(bits);
  free(back);
  free(values);
}

/* Values next to the middle between two float16 numbers, which two roundings in a row would get wrong. */
static void check_cast_ties(fb_check *check) {
  double x[] = {1 + 0x1p-11, 1 + 0x1p-11 + 0x1p-40, 1 + 0x3p-11, 1 + 0x3p-11 - 0x1p-40, -(1 + 0x1p-11 + 0x1p-40),
                65519.9999999, 65520, 1e300, 0x1p-25, 0x1.0000000001p-25, -5e-324};
  static const uint16_t expected[] = {0x3c00, 0x3c01, 0x3c02, 0x3c01, 0xbc01, 0x7bff,
                                      0x7c00, 0x7c00, 0x0000, 0x0001, 0x8000};
  uint16_t out[sizeof expected / 2] = {0};
  fb_args args = {.size = {sizeof expected / 2, FB_F16, FB_F64}};
  set_buffer(&args, 0, out, sizeof out);
  set_buffer(&args, 1, x, sizeof x);
  call_op(check, "cast", &args);
  expect_bytes(check, "float64 to float16", out, expected, sizeof out);
}

void check_elementwise(fb_check *check) {
  check_activations(check, 1);
  check_activations(check, 37);
  check_activations(check, 20011);
  check_cast_round_trip(check, FB_F16, FB_F32, 4);
  check_cast_round_trip(check, FB_F16, FB_F64, 8);
  check_cast_round_trip(check, FB_BF16, FB_F32, 4);
  check_cast_round_trip(check, FB_BF16, FB_F64, 8);
  check_cast_ties(check);
}
