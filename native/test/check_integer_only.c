/* The ops of forward passes without floats against float64 formulas, within what their approximations cost. */
#include <math.h>
#include <stdlib.h>

#include "../ops/fixed_point.h"
#include "check.h"

static int32_t draw(fb_check *check, int bits) {
  return (int32_t)random_below(check, (int64_t)1 << bits) - (1 << (bits - 1));
}

static double value_of(const int32_t *factor) { return ldexp(factor[0], -31 - factor[1]); }

static void check_norm(fb_check *check, int64_t rows, int64_t columns) {
  size_t count = (size_t)(rows * columns);
  int32_t *x = take(count * 4), *out = take(count * 4), *weights = take((size_t)columns * 4);
  for (size_t i = 0; i < count; i++) x[i] = draw(check, 24);
  for (int64_t i = 0; i < columns; i++) weights[i] = draw(check, 23);
  fb_args args = {.size = {rows, columns}, .real = {1e9}};
  set_buffer(&args, 0, out, count * 4);
  set_buffer(&args, 1, x, count * 4);
  set_buffer(&args, 2, weights, (size_t)columns * 4);
  call_op(check, "integer_norm", &args);
  for (int64_t row = 0; row < rows; row++) {
    double sum = 1e9;
    for (int64_t i = 0; i < columns; i++) sum += (double)x[row * columns + i] * x[row * columns + i];
    for (int64_t i = 0; i < columns; i++) {
      double expected = x[row * columns + i] / sqrt(sum) * weights[i] * 256;
      if (fabs(out[row * columns + i] - expected) <= 2 + fabs(expected) * ldexp(1, -14)) continue;
      fail_check(check, "norm %d, %d: %g", (int)row, (int)i, expected);
    }
  }
  free(x), free(out), free(weights);
}

static void check_gate(fb_check *check, int64_t rows, int64_t columns, int is_gelu) {
  size_t count = (size_t)(rows * columns);
  int32_t *gate = take(count * 4), *up = take(count * 4), *factors = take((size_t)rows * 8);
  uint8_t *codes = take(count);
  for (size_t i = 0; i < count; i++) gate[i] = draw(check, 24), up[i] = draw(check, 20);
  /* Gates of 2^-20: 2^-6 makes them Q14, of what the function takes. */
  fb_args args = {.size = {rows, columns, is_gelu, 0, 0}, .real = {1 << 30, 5, 0, 0}};
  set_buffer(&args, 0, codes, count);
  set_buffer(&args, 1, factors, (size_t)rows * 8);
  set_buffer(&args, 2, gate, count * 4);
  set_buffer(&args, 3, up, count * 4);
  call_op(check, "integer_gate", &args);
  for (size_t i = 0; i < count; i++) {
    double x = ldexp(gate[i], -20), magnitude = value_of(factors + 2 * ((int64_t)i / columns));
    double part = is_gelu ? 0.5 * (1 + erf(x)) : 1 / (1 + exp(-x));
    double expected = gate[i] * part * up[i], step = magnitude / 127;
    double allowed = 0.51 * step + ldexp(is_gelu ? 0.02 : 0.001, 20) * fabs((double)up[i]);
    if (fabs((codes[i] - 128) * step - expected) <= allowed) continue;
    fail_check(check, "gate %d: %g", (int)i, expected);
  }
  free(gate), free(up), free(factors), free(codes);
}

/* One head; scores are within ±4. */
static void check_attend(fb_check *check, int64_t length, int64_t width) {
  size_t count = (size_t)(length * width);
  int8_t *q = take(count), *k = take(count), *v = take(count);
  int32_t *factors = take((size_t)length * 8), *out = take(count * 4);
  double *weights = take((size_t)length * 8);
  for (size_t i = 0; i < count; i++) q[i] = (int8_t)draw(check, 7), k[i] = (int8_t)draw(check, 7), v[i] = (int8_t)draw(check, 7);
  for (int64_t i = 0; i < length; i++) factors[2 * i] = (1 << 30) + draw(check, 29), factors[2 * i + 1] = -20;
  /* Factors are near 2^19, sums below 64 · 64 · width: scores of Q14 need 2^-38 · 4 · 2^14 / (2^12 · width). */
  int shift = 33 + (int)ceil(log2((double)width));
  fb_args args = {.size = {1, length, 1, width, length, 1, length, 0}, .real = {1 << 30, shift, 0, 0}};
  fixed_factor product = {(int32_t)lround(ldexp(1.0 / 32385, 45)), 14};
  args.real[2] = product.multiplier, args.real[3] = product.shift;
  void *buffers[] = {out, q, factors, k, factors, v, factors};
  size_t bytes[] = {count * 4, count, (size_t)length * 8, count, (size_t)length * 8, count, (size_t)length * 8};
  for (int i = 0; i < 7; i++) set_buffer(&args, i, buffers[i], bytes[i]);
  call_op(check, "integer_attention", &args);
  for (int64_t t = 0; t < length; t++) {
    double total = 0, largest = 0;
    for (int64_t j = 0; j <= t; j++) {
      double sum = 0;
      for (int64_t i = 0; i < width; i++) sum += q[t * width + i] * k[j * width + i];
      weights[j] = exp(sum * value_of(factors + 2 * t) * value_of(factors + 2 * j) * ldexp(1, -1 - shift - 14));
      total += weights[j], largest = fmax(largest, weights[j]);
    }
    for (int64_t i = 0; i < width; i++) {
      double expected = 0, allowed = 2;
      for (int64_t j = 0; j <= t; j++) {
        double value = v[j * width + i] * value_of(factors + 2 * j) / 127;
        expected += weights[j] / total * value;
        allowed += (weights[j] * 0.01 + largest * 0.004) / total * fabs(value);
      }
      if (fabs(out[t * width + i] - expected) <= allowed) continue;
      fail_check(check, "attention %d, %d: %g, not %g", (int)t, (int)i, expected, (double)out[t * width + i]);
    }
  }
  args.size[6] = length + 1;
  call_refused(check, "integer_attention", &args);
  free(q), free(k), free(v), free(factors), free(out), free(weights);
}

void check_integer_only(fb_check *check) {
  check_norm(check, 1, 1), check_norm(check, 3, 33), check_norm(check, 2, 1024);
  for (int is_gelu = 0; is_gelu < 2; is_gelu++) check_gate(check, 1, 1, is_gelu), check_gate(check, 5, 70, is_gelu);
  check_attend(check, 1, 8), check_attend(check, 17, 64), check_attend(check, 40, 24);
}
