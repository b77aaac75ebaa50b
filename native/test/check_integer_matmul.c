/* integer_matmul and the ops on 8-bit activations against integer and float64 formulas. */
#include <math.h>
#include <stdlib.h>

#include "../ops/fixed_point.h"
#include "check.h"

typedef struct {
  int64_t tokens, rows, width;
} shape;

static void check_products(fb_check *check, const shape *s, int requantize) {
  size_t codes = (size_t)(s->tokens * s->width), weights = (size_t)(s->rows * s->width);
  size_t count = (size_t)(s->tokens * s->rows), rows = (size_t)s->rows, tokens = (size_t)s->tokens;
  uint8_t *x = take(codes), *bytes = take(count), *expected_bytes = take(count);
  int8_t *w = take(weights);
  int32_t *offsets = take(rows * 4), *multipliers = take(rows * 4), *shifts = take(rows * 4);
  float *out = take(count * 4), *row_scales = random_floats(check, s->rows);
  float *token_scales = random_floats(check, s->tokens);
  double *expected = take(count * 8);
  for (size_t i = 0; i < codes; i++) x[i] = (uint8_t)random_below(check, 256);
  for (size_t i = 0; i < weights; i++) w[i] = (int8_t)(random_below(check, 256) - 128);
  for (size_t i = 0; i < rows; i++) {
    offsets[i] = (int32_t)random_below(check, 100000) - 50000;
    multipliers[i] = (int32_t)((1 << 30) + random_below(check, 1 << 30));
    shifts[i] = (int32_t)random_below(check, 16);
  }
  for (size_t t = 0; t < tokens; t++) {
    for (size_t r = 0; r < rows; r++) {
      int64_t sum = offsets[r];
      for (int64_t k = 0; k < s->width; k++) sum += x[(int64_t)t * s->width + k] * w[(int64_t)r * s->width + k];
      expected[t * rows + r] = (double)(float)sum * (row_scales[r] * token_scales[t]);
      int64_t code = 100 + (int64_t)multiply_fixed_point((int32_t)sum, multipliers[r], shifts[r]);
      expected_bytes[t * rows + r] = (uint8_t)(code < 0 ? 0 : code > 255 ? 255 : code);
    }
  }
  fb_args args = {.size = {s->tokens, s->rows, s->width, 100}};
  set_buffer(&args, 0, requantize ? (void *)bytes : out, requantize ? count : count * 4);
  set_buffer(&args, 1, x, codes);
  set_buffer(&args, 2, w, weights);
  set_buffer(&args, 3, offsets, rows * 4);
  set_buffer(&args, 4, requantize ? multipliers : NULL, requantize ? rows * 4 : 0);
  set_buffer(&args, 5, requantize ? shifts : NULL, requantize ? rows * 4 : 0);
  set_buffer(&args, 6, requantize ? NULL : row_scales, requantize ? 0 : rows * 4);
  set_buffer(&args, 7, requantize ? NULL : token_scales, requantize ? 0 : tokens * 4);
  call_op(check, "integer_matmul", &args);
  if (requantize) expect_bytes(check, "codes", bytes, expected_bytes, count);
  else expect_floats(check, "sums", out, expected, (int64_t)count, 0, 1e-6);
  args.size[2] = s->width + 1;
  call_refused(check, "integer_matmul", &args);
  free(x), free(bytes), free(expected_bytes), free(w), free(offsets), free(multipliers), free(shifts);
  free(out), free(row_scales), free(token_scales), free(expected);
}

/* Rounding and widening again is off by at most half a step. */
static void check_rounding(fb_check *check, const shape *s, double fixed) {
  int64_t count = s->tokens * s->width;
  float *x = random_floats(check, count), *out = take((size_t)count * 4);
  float *scales = take((size_t)s->tokens * 4), *ranges = take((size_t)s->tokens * 8);
  uint8_t *codes = take((size_t)count);
  double *expected = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) expected[i] = x[i];
  fb_args args = {.size = {s->tokens, s->width, 128}, .real = {fixed}};
  set_buffer(&args, 0, codes, (size_t)count);
  set_buffer(&args, 1, scales, (size_t)s->tokens * 4);
  set_buffer(&args, 2, x, (size_t)count * 4);
  call_op(check, "quantize_activations", &args);
  set_buffer(&args, 0, out, (size_t)count * 4);
  set_buffer(&args, 1, codes, (size_t)count);
  set_buffer(&args, 2, scales, (size_t)s->tokens * 4);
  call_op(check, "dequantize_activations", &args);
  expect_floats(check, "rounded", out, expected, count, 0.5001 / 127, 0);
  set_buffer(&args, 0, ranges, (size_t)s->tokens * 8);
  set_buffer(&args, 1, x, (size_t)count * 4);
  call_op(check, "row_ranges", &args);
  for (int64_t t = 0; t < s->tokens; t++) {
    for (int64_t i = 0; i < s->width; i++) {
      float value = x[t * s->width + i];
      if (value >= ranges[2 * t] && value <= ranges[2 * t + 1]) continue;
      fail_check(check, "row %d: %g is outside its range", (int)t, (double)value);
    }
  }
  free(x), free(out), free(scales), free(ranges), free(codes), free(expected);
}

/* Wide outputs are the sums times both factors, to 2^-28 of the value and a unit, plus the bias. */
static void check_wide(fb_check *check, const shape *s, int by_token) {
  size_t codes = (size_t)(s->tokens * s->width), weights = (size_t)(s->rows * s->width);
  size_t count = (size_t)(s->tokens * s->rows), rows = (size_t)s->rows, tokens = (size_t)s->tokens;
  uint8_t *x = take(codes);
  int8_t *w = take(weights);
  int32_t *offsets = take(rows * 4), *multipliers = take(rows * 4), *shifts = take(rows * 4), *bias = take(rows * 4);
  int32_t *factors = take(tokens * 8), *out = take(count * 4);
  for (size_t i = 0; i < codes; i++) x[i] = (uint8_t)random_below(check, 256);
  for (size_t i = 0; i < weights; i++) w[i] = (int8_t)(random_below(check, 256) - 128);
  for (size_t i = 0; i < rows; i++) {
    offsets[i] = (int32_t)random_below(check, 100000) - 50000;
    multipliers[i] = (int32_t)((1 << 30) + random_below(check, 1 << 30));
    shifts[i] = (int32_t)random_below(check, 8) - 4;
    bias[i] = (int32_t)random_below(check, 1000) - 500;
  }
  for (size_t t = 0; t < tokens; t++) {
    factors[2 * t] = (int32_t)((1 << 30) + random_below(check, 1 << 30));
    factors[2 * t + 1] = (int32_t)random_below(check, 8) - 4;
  }
  fb_args args = {.size = {s->tokens, s->rows, s->width, 0}};
  set_buffer(&args, 0, out, count * 4);
  set_buffer(&args, 1, x, codes);
  set_buffer(&args, 2, w, weights);
  set_buffer(&args, 3, offsets, rows * 4);
  set_buffer(&args, 4, multipliers, rows * 4);
  set_buffer(&args, 5, shifts, rows * 4);
  set_buffer(&args, 8, bias, rows * 4);
  set_buffer(&args, 9, by_token ? factors : NULL, by_token ? tokens * 8 : 0);
  call_op(check, "integer_matmul", &args);
  for (size_t t = 0; t < tokens; t++) {
    for (size_t r = 0; r < rows; r++) {
      double sum = offsets[r];
      for (int64_t k = 0; k < s->width; k++) sum += x[(int64_t)t * s->width + k] * w[(int64_t)r * s->width + k];
      sum *= ldexp(multipliers[r], -31 - shifts[r]);
      if (by_token) sum *= ldexp(factors[2 * t], -31 - factors[2 * t + 1]);
      sum = fmin(fmax(sum, INT32_MIN), INT32_MAX) + bias[r];
      if (fabs(out[t * rows + r] - sum) <= 1.5 + fabs(sum) * ldexp(1, -24)) continue;
      fail_check(check, "wide %d, %d: %g", (int)t, (int)r, sum);
    }
  }
  free(x), free(w), free(offsets), free(multipliers), free(shifts), free(bias), free(factors), free(out);
}

void check_integer_matmul(fb_check *check) {
  static const shape shapes[] = {{1, 1, 1}, {1, 7, 63}, {4, 16, 64}, {3, 33, 65}, {5, 18, 172}, {9, 40, 700}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    check_products(check, &shapes[i], 0);
    check_products(check, &shapes[i], 1);
    check_wide(check, &shapes[i], 0);
    check_wide(check, &shapes[i], 1);
    check_rounding(check, &shapes[i], 0);
    check_rounding(check, &shapes[i], 1.0 / 127);
  }
}
