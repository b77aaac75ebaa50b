/* range_scales, group_ranges, their gradients, sign_descent and soft roundings against naive loops in float64. */
#include <math.h>
#include <stdlib.h>

#include "../include/half.h"
#include "../ops/dtype.h"
#include "check.h"

typedef struct {
  int kind; /* of range_scales.h: asymmetric, symmetric, centred */
  double top;
} range_rule;

static void check_ranges(fb_check *check, range_rule how, int64_t count) {
  float *low = random_floats(check, count), *high = random_floats(check, count);
  float *low_factors = random_floats(check, count), *high_factors = random_floats(check, count);
  float *scales = random_floats(check, count), *zeros = random_floats(check, count);
  float *d_scales = random_floats(check, count), *d_zeros = random_floats(check, count);
  float *d_low = random_floats(check, count), *d_high = random_floats(check, count);
  double *scale = take((size_t)count * 8), *zero = take((size_t)count * 8);
  double *by_low = take((size_t)count * 8), *by_high = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) {
    low[i] = i % 5 == 4 ? 0 : -fabsf(low[i]);
    high[i] = i % 7 == 6 ? 0 : fabsf(high[i]);
    low_factors[i] = fabsf(low_factors[i]) * 0.5f + 0.5f;
    high_factors[i] = fabsf(high_factors[i]) * 0.5f + 0.5f;
    float a = low[i] * low_factors[i], b = high[i] * high_factors[i];
    float extent = how.kind > 0 ? fmaxf(-a, b) : b - a;
    float wide = extent / (float)how.top, kept = fmaxf(wide, 1e-5f);
    int moves = kept == wide, turned = how.kind == 1 && b >= -a;
    double s = fb_from_f16(fb_to_f16(kept)) * (turned ? -1 : 1), to_low, to_high;
    scale[i] = s;
    zero[i] = how.kind > 0 ? how.top : -a / s;
    if (how.kind > 0) {
      double through = moves ? d_scales[i] * (turned ? -1 : 1) / how.top : 0;
      to_low = -a > b ? -through : a == -b ? -through / 2 : 0;
      to_high = b > -a ? through : a == -b ? through / 2 : 0;
    } else {
      to_high = moves ? (d_scales[i] + (double)d_zeros[i] * a / (s * s)) / how.top : 0;
      to_low = -to_high - d_zeros[i] / s;
    }
    by_low[i] = low[i] * to_low;
    by_high[i] = high[i] * to_high;
  }
  size_t bytes = (size_t)count * 4;
  float *ranges[] = {low, high, low_factors, high_factors};
  fb_args args = {.size = {count, how.kind}, .real = {how.top, 1e-5}};
  set_buffer(&args, 0, scales, bytes);
  set_buffer(&args, 1, zeros, bytes);
  for (int i = 0; i < 4; i++) set_buffer(&args, i + 2, ranges[i], bytes);
  call_op(check, "range_scales", &args);
  expect_floats(check, "range_scales", scales, scale, count, 0, 0);
  expect_floats(check, "range_scales, zero points", zeros, zero, count, 1e-6, 1e-6);
  args.size[0] = count + 1;
  call_refused(check, "range_scales", &args);

  fb_args back = {.size = {count, how.kind}, .real = {how.top, 1e-5}};
  float *gradients[] = {d_low, d_high, d_scales, d_zeros};
  for (int i = 0; i < 4; i++) set_buffer(&back, i, gradients[i], bytes);
  for (int i = 0; i < 4; i++) set_buffer(&back, i + 4, ranges[i], bytes);
  call_op(check, "range_scales_backward", &back);
  expect_floats(check, "range_scales_backward, low", d_low, by_low, count, 1e-5, 1e-5);
  expect_floats(check, "range_scales_backward, high", d_high, by_high, count, 1e-5, 1e-5);
  back.real[0] = 0;
  call_refused(check, "range_scales_backward", &back);
  float *floats[] = {low,   high,     low_factors, high_factors, scales,
                     zeros, d_scales, d_zeros,     d_low,        d_high};
  double *doubles[] = {scale, zero, by_low, by_high};
  for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) free(floats[i]);
  for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) free(doubles[i]);
}

static void check_group_ranges(fb_check *check, int64_t rows, int64_t columns, int64_t group_size) {
  int64_t groups = (columns + group_size - 1) / group_size, count = rows * columns, all = rows * groups;
  float *weight = random_floats(check, count), *d_weight = random_floats(check, count);
  float *part[6];
  double *low = take((size_t)all * 8), *high = take((size_t)all * 8), *gradient = take((size_t)count * 8);
  for (int i = 0; i < 6; i++) part[i] = random_floats(check, all);
  for (int64_t i = 0; i < count; i++) {
    weight[i] = roundf(weight[i] * 4) / 4;
    gradient[i] = d_weight[i];
  }
  for (int64_t g = 0; g < all; g++) {
    int64_t from = g / groups * columns + g % groups * group_size, to = from;
    low[g] = high[g] = 0;
    for (; to < from + group_size && to < (g / groups + 1) * columns; to++) {
      low[g] = fmin(low[g], weight[to]);
      high[g] = fmax(high[g], weight[to]);
    }
    for (int side = 0; side < 2; side++) {
      double end = side ? high[g] : low[g];
      int there = 0;
      for (int64_t i = from; i < to; i++) there += weight[i] == end;
      for (int64_t i = from; i < to; i++) {
        if (end != 0 && weight[i] == end) gradient[i] += (double)part[2 + side][g] * part[4 + side][g] / end / there;
      }
    }
  }
  fb_args args = {.size = {rows, columns, group_size}};
  for (int i = 0; i < 2; i++) set_buffer(&args, i, part[i], (size_t)all * 4);
  set_buffer(&args, 2, weight, (size_t)count * 4);
  call_op(check, "group_ranges", &args);
  expect_floats(check, "group_ranges, low", part[0], low, all, 0, 0);
  expect_floats(check, "group_ranges, high", part[1], high, all, 0, 0);
  args.size[0] = rows + 1;
  call_refused(check, "group_ranges", &args);

  fb_args back = {.size = {rows, columns, group_size}};
  float *views[] = {d_weight, part[2], part[3], weight, part[0], part[1], part[4], part[5]};
  for (int i = 0; i < 8; i++) set_buffer(&back, i, views[i], (size_t)(i == 0 || i == 3 ? count : all) * 4);
  call_op(check, "group_ranges_backward", &back);
  expect_floats(check, "group_ranges_backward", d_weight, gradient, count, 1e-6, 1e-6);
  back.size[2] = 0;
  call_refused(check, "group_ranges_backward", &back);
  for (int i = 0; i < 6; i++) free(part[i]);
  free(weight), free(d_weight), free(low), free(high), free(gradient);
}

static void check_descent(fb_check *check, int64_t count, double momentum) {
  const double rate = 0.125, low = -0.5, high = 0.25;
  float *value = random_floats(check, count), *moments = random_floats(check, count);
  float *gradient = random_floats(check, count);
  double *moved = take((size_t)count * 8), *sums = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) {
    if (i % 6 == 5) gradient[i] = moments[i] = 0;
    sums[i] = momentum * moments[i] + gradient[i];
    double direction = momentum > 0 ? sums[i] : gradient[i];
    moved[i] = fmin(high, fmax(low, value[i] - rate * ((direction > 0) - (direction < 0))));
  }
  fb_args args = {.size = {count}, .real = {rate, momentum, low, high}};
  size_t bytes = (size_t)count * 4;
  set_buffer(&args, 0, value, bytes);
  if (momentum > 0) set_buffer(&args, 1, moments, bytes);
  set_buffer(&args, 2, gradient, bytes);
  call_op(check, "sign_descent", &args);
  expect_floats(check, "sign_descent", value, moved, count, 0, 1e-7);
  if (momentum > 0) expect_floats(check, "sign_descent, sums", moments, sums, count, 1e-7, 1e-7);
  args.size[0] = count + 1;
  call_refused(check, "sign_descent", &args);
  free(value);
  free(moments);
  free(gradient);
  free(moved);
  free(sums);
}

static void check_soft(fb_check *check, int64_t count, double power) {
  const double weight = 0.3;
  float *low = random_floats(check, count), *step = random_floats(check, count), *v = random_floats(check, count);
  float *d_out = random_floats(check, count), *out = random_floats(check, count), *d_v = random_floats(check, count);
  float *penalty = random_floats(check, count);
  double *soft = take((size_t)count * 8), *hard = take((size_t)count * 8);
  double *slopes = take((size_t)count * 8), *pushed = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) {
    v[i] *= 4;
    double share = 1 / (1 + exp(-v[i])), h = 1.2 * share - 0.1, u;
    double slope = h >= 0 && h <= 1 ? 1.2 * share * (1 - share) : 0;
    h = fmin(1, fmax(0, h));
    u = 2 * h - 1;
    soft[i] = low[i] + step[i] * h;
    hard[i] = low[i] + (v[i] >= 0 ? step[i] : 0);
    slopes[i] = d_out[i] * step[i] * slope;
    pushed[i] = penalty[i] - weight * power * pow(fabs(u), power - 1) * 2 * ((u > 0) - (u < 0)) * slope;
  }
  size_t bytes = (size_t)count * 4;
  fb_args args = {.size = {count, FB_F32, 0}};
  set_buffer(&args, 0, out, bytes);
  set_buffer(&args, 1, low, bytes);
  set_buffer(&args, 2, step, bytes);
  set_buffer(&args, 3, v, bytes);
  call_op(check, "round_softly", &args);
  expect_floats(check, "round_softly", out, soft, count, 1e-6, 1e-6);
  args.size[2] = 1;
  call_op(check, "round_softly", &args);
  expect_floats(check, "round_softly, hard", out, hard, count, 1e-6, 1e-6);
  args.size[1] = -1;
  call_refused(check, "round_softly", &args);
  fb_args back = {.size = {count}};
  set_buffer(&back, 0, d_v, bytes);
  set_buffer(&back, 1, d_out, bytes);
  set_buffer(&back, 2, step, bytes);
  set_buffer(&back, 3, v, bytes);
  call_op(check, "round_softly_backward", &back);
  expect_floats(check, "round_softly_backward", d_v, slopes, count, 1e-6, 1e-5);
  fb_args push = {.size = {count}, .real = {weight, power}};
  set_buffer(&push, 0, penalty, bytes);
  set_buffer(&push, 1, v, bytes);
  call_op(check, "add_rounding_penalty", &push);
  expect_floats(check, "add_rounding_penalty", penalty, pushed, count, 1e-5, 1e-5);
  push.size[0] = back.size[0] = count + 1;
  call_refused(check, "add_rounding_penalty", &push);
  call_refused(check, "round_softly_backward", &back);
  float *floats[] = {low, step, v, d_out, out, d_v, penalty};
  double *doubles[] = {soft, hard, slopes, pushed};
  for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) free(floats[i]);
  for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) free(doubles[i]);
}

void check_rounding(fb_check *check) {
  static const range_rule rules[] = {{0, 3}, {0, 255}, {1, 2}, {1, 8}, {2, 1}};
  static const int64_t counts[] = {1, 37, 9001};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) check_ranges(check, rules[r], counts[i]);
    check_descent(check, counts[i], 0);
    check_descent(check, counts[i] * 5, 0.5);
    check_soft(check, counts[i], 20);
    check_soft(check, counts[i], 2);
  }
  check_group_ranges(check, 1, 1, 1);
  check_group_ranges(check, 3, 70, 32);
  check_group_ranges(check, 61, 96, 24);
}
