/* fake_quantize, its gradients and fake_quantize_rows, every rule, against naive loops with the roundings of float32. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"

enum { F32 = 0, BF16 = 2 };
enum { ROUND, ZERO_POINT, SIGN };

typedef struct {
  int64_t rule, pass;
  double real[6]; /* low, high, resolution, shift, slopes outside */
} rule_case;

typedef struct {
  double value, by_weight, by_scale, by_zero;
} slopes;

/* What groups and weights have besides zero points, which the rule of that name has always. */
enum { NOTHING, SCALES, SCALES_AND_OFFSETS, SCALES_AND_SHIFTS };

static double clip(double x, double low, double high) { return fmin(fmax(x, low), high); }

static slopes round_one(const rule_case *how, float w, const float *scale, float zero, float moved) {
  float u = !scale ? w : *scale == 0 ? 0 : w / *scale, t = u + moved;
  double low = (float)how->real[0], high = (float)how->real[1], resolution = how->real[2], shift = how->real[3];
  if (how->rule == SIGN) {
    double value = t < 0 ? -1 : 1, bare = 1.001 - pow(tanh(t), 2);
    return (slopes){value, scale ? fabsf(t) <= 1 : bare, value, 0};
  }
  if (how->rule == ROUND) {
    double clipped = clip(t, low, high), inside = clipped == t;
    double value = (rint(clipped * resolution - shift) + shift) / resolution;
    double outside = t < low ? how->real[4] : how->real[5];
    return (slopes){value, inside || how->pass, inside ? value - u : outside, 0};
  }
  double whole = rint(zero), z = clip(whole, 0, high), code = rint(t) + z, clipped = clip(code, 0, high);
  double inside = code == clipped;
  return (slopes){clipped - z, inside, clipped - z - inside * u, z == whole ? inside - 1 : 0};
}

/* The squared errors of `expected` as values of w, with the groups of a call of fake_quantize. */
static void check_errors(fb_check *check, const fb_args *call, const rule_case *how, float *w, const double *expected,
                         const int64_t *shape) {
  int64_t rows = shape[0], n = shape[1], groups = fb_ceil_div(n, shape[2]);
  float *importance = random_floats(check, n), *errors = random_floats(check, rows * groups);
  double *sums = take((size_t)(rows * groups) * 8);
  for (int64_t i = 0; i < rows * groups; i++) sums[i] = 0;
  for (int64_t j = 0; j < n; j++) importance[j] = fabsf(importance[j]);
  for (int64_t i = 0; i < rows * n; i++) {
    double error = expected[i] - w[i];
    sums[i / n * groups + i % n / shape[2]] += importance[i % n] * error * error;
  }
  fb_args args = {.size = {rows, n, shape[2], how->rule, how->pass}};
  memcpy(args.real, how->real, sizeof how->real);
  set_buffer(&args, 0, errors, (size_t)(rows * groups) * 4);
  set_buffer(&args, 1, importance, (size_t)n * 4);
  for (int i = 1; i < 6; i++) set_buffer(&args, i + 1, call->buffer[i], call->bytes[i]);
  call_op(check, "rounding_errors", &args);
  expect_floats(check, "rounding_errors", errors, sums, rows * groups, 1e-5, 1e-5);
  args.size[2] = 0;
  call_refused(check, "rounding_errors", &args);
  free(importance);
  free(errors);
  free(sums);
}

static void check_rule(fb_check *check, const rule_case *how, int64_t rows, int64_t n, int64_t group_size,
                       int parameters) {
  int has_scales = parameters != NOTHING, has_offsets = parameters == SCALES_AND_OFFSETS;
  int has_shifts = parameters == SCALES_AND_SHIFTS;
  int64_t count = rows * n, groups = fb_ceil_div(n, group_size), all = rows * groups;
  float *w = random_floats(check, count), *scales = random_floats(check, all), *zeros = random_floats(check, all);
  float *out = random_floats(check, count), *d_out = random_floats(check, count);
  float *d_scales = random_floats(check, all), *d_zeros = random_floats(check, all);
  float *offsets = random_floats(check, all), *d_offsets = random_floats(check, all);
  float *shifts = random_floats(check, count), *d_shifts = random_floats(check, count);
  uint16_t *halves = take((size_t)count * 2), *rounded = take((size_t)count * 2);
  double *expected = take((size_t)count * 8), *by_weight = take((size_t)count * 8);
  double *by_shift = take((size_t)count * 8);
  double *by_scale = take((size_t)all * 8), *by_zero = take((size_t)all * 8), *by_offset = take((size_t)all * 8);
  for (int64_t g = 0; g < all; g++) {
    scales[g] = ldexpf(1, (int)(scales[g] * 4) - 2); /* so that values of both sides are exact */
    zeros[g] = 1.5f + 3 * zeros[g];
    offsets[g] = has_offsets ? rintf(4 * offsets[g]) / 4 : 0;
    if (has_offsets && g % 3 == 1) scales[g] = g % 2 ? -scales[g] : 0;
    by_scale[g] = by_zero[g] = by_offset[g] = 0;
  }
  for (int64_t i = 0; i < count; i++) {
    int64_t g = i / n * groups + i % n / group_size;
    float width = scales[g] == 0 ? 1 : scales[g];
    w[i] *= has_scales ? 5 * width : 3;
    if (i % 4 == 0) w[i] = rintf(w[i] / width) * 0.5f * width; /* ties and edges */
    shifts[i] = has_shifts ? rintf(4 * shifts[i]) / 4 : 0;
    slopes s = round_one(how, w[i] - offsets[g], has_scales ? &scales[g] : NULL, zeros[g], shifts[i]);
    double scale = has_scales ? scales[g] : 1;
    expected[i] = scale * s.value + offsets[g];
    by_weight[i] = d_out[i] * s.by_weight;
    by_shift[i] = scale * by_weight[i];
    by_scale[g] += d_out[i] * s.by_scale;
    by_zero[g] += d_out[i] * scale * s.by_zero;
    by_offset[g] += d_out[i] * (1 - s.by_weight);
  }
  fb_args args = {.size = {rows, n, group_size, F32, how->rule, how->pass}};
  memcpy(args.real, how->real, sizeof how->real);
  set_buffer(&args, 0, out, (size_t)count * 4);
  set_buffer(&args, 1, w, (size_t)count * 4);
  if (has_scales) set_buffer(&args, 2, scales, (size_t)all * 4);
  if (how->rule == ZERO_POINT) set_buffer(&args, 3, zeros, (size_t)all * 4);
  if (has_offsets) set_buffer(&args, 4, offsets, (size_t)all * 4);
  if (has_shifts) set_buffer(&args, 5, shifts, (size_t)count * 4);
  call_op(check, "fake_quantize", &args);
  expect_floats(check, "fake_quantize", out, expected, count, 0, 2e-7);
  for (int64_t i = 0; i < count; i++) rounded[i] = fb_to_bf16(out[i]);
  args.size[3] = BF16;
  set_buffer(&args, 0, halves, (size_t)count * 2);
  call_op(check, "fake_quantize", &args);
  expect_bytes(check, "fake_quantize, bfloat16", halves, rounded, (size_t)count * 2);
  args.size[1] = n + 1;
  call_refused(check, "fake_quantize", &args);
  check_errors(check, &args, how, w, expected, (int64_t[]){rows, n, group_size});

  fb_args back = {.size = {rows, n, group_size, how->rule, how->pass}};
  memcpy(back.real, how->real, sizeof how->real);
  set_buffer(&back, 0, d_out, (size_t)count * 4);
  if (has_scales) set_buffer(&back, 1, d_scales, (size_t)all * 4);
  if (how->rule == ZERO_POINT) set_buffer(&back, 2, d_zeros, (size_t)all * 4);
  if (has_offsets) set_buffer(&back, 3, d_offsets, (size_t)all * 4);
  if (has_shifts) set_buffer(&back, 4, d_shifts, (size_t)count * 4);
  set_buffer(&back, 5, d_out, (size_t)count * 4);
  for (int i = 1; i < 6; i++) set_buffer(&back, i + 5, args.buffer[i], args.bytes[i]);
  call_op(check, "fake_quantize_backward", &back);
  expect_floats(check, "fake_quantize_backward, in place", d_out, by_weight, count, 1e-7, 1e-6);
  if (has_scales) expect_floats(check, "fake_quantize_backward by scale", d_scales, by_scale, all, 1e-4, 1e-5);
  if (how->rule == ZERO_POINT) {
    expect_floats(check, "fake_quantize_backward by zero", d_zeros, by_zero, all, 1e-4, 1e-5);
  }
  if (has_offsets) {
    expect_floats(check, "fake_quantize_backward by offset", d_offsets, by_offset, all, 1e-4, 1e-5);
  }
  if (has_shifts) expect_floats(check, "fake_quantize_backward by shift", d_shifts, by_shift, count, 1e-7, 1e-6);
  back.size[2] = 0;
  call_refused(check, "fake_quantize_backward", &back);
  free(w);
  free(scales);
  free(zeros);
  free(out);
  free(d_out);
  free(d_scales);
  free(d_zeros);
  free(offsets);
  free(d_offsets);
  free(shifts);
  free(d_shifts);
  free(halves);
  free(rounded);
  free(expected);
  free(by_weight);
  free(by_scale);
  free(by_zero);
  free(by_offset);
  free(by_shift);
}

static void check_rows_of(fb_check *check, int64_t rows, int64_t n) {
  int64_t count = rows * n;
  float *x = random_floats(check, count);
  double *expected = take((size_t)count * 8);
  for (int64_t i = 0; i < n; i++) x[i] = 0;
  for (int64_t r = 0; r < rows; r++) {
    float top = 0;
    for (int64_t i = 0; i < n; i++) top = fmaxf(top, fabsf(x[r * n + i]));
    float scale = top / 7;
    for (int64_t i = 0; i < n; i++) {
      expected[r * n + i] = scale > 0 ? (double)(scale * rintf(x[r * n + i] / scale)) : 0;
    }
  }
  fb_args args = {.size = {rows, n}, .real = {7}};
  set_buffer(&args, 0, x, (size_t)count * 4);
  set_buffer(&args, 1, x, (size_t)count * 4);
  call_op(check, "fake_quantize_rows", &args);
  expect_floats(check, "fake_quantize_rows, in place", x, expected, count, 0, 0);
  args.size[1] = n + 1;
  call_refused(check, "fake_quantize_rows", &args);
  free(x);
  free(expected);
}

void check_fake_quantize(fb_check *check) {
  static const rule_case rules[] = {
      {ROUND, 0, {-4, 3, 1, 0, -4, 3}},          {ROUND, 0, {-1, 0.99, 2, 0.5, -1, 1}},
      {ROUND, 0, {-1, 0.99, 1.5, 0, -1, 1}},     {ROUND, 1, {-1, 1, 1, 0, -1, 1}},
      {ZERO_POINT, 0, {0, 3, 1, 0, 0, 0}},       {SIGN, 0, {-1, 1, 1, 0, -1, 1}},
  };
  static const int64_t shapes[][3] = {{1, 1, 1}, {3, 37, 16}, {2, 172, 172}, {70, 352, 64}, {1, 20003, 20003}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const int64_t *shape = shapes[i];
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
      check_rule(check, &rules[r], shape[0], shape[1], shape[2], SCALES);
      check_rule(check, &rules[r], shape[0], shape[1], shape[2], SCALES_AND_SHIFTS);
    }
    check_rule(check, &rules[0], shape[0], shape[1], shape[2], SCALES_AND_OFFSETS);
    check_rule(check, &rules[4], shape[0], shape[1], shape[2], SCALES_AND_OFFSETS);
    check_rule(check, &rules[5], shape[0], shape[1], shape[2], NOTHING);
    check_rows_of(check, shape[0], shape[1]);
  }
}
