/* binary_matmul behind lay_out, and the ops on rows of signs, against loops over single signs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"

typedef struct {
  int64_t tokens, rows, columns;
} shape;

/* A weight as a file holds it, and as lay_out made it. */
typedef struct {
  uint8_t *codes, *laid;
  uint16_t *scales, *laid_scales;
  size_t row_bytes, laid_bytes, laid_scale_bytes;
} bit_sample;

static bit_sample draw_weight(fb_check *check, const shape *s) {
  int64_t lanes = check->level->lanes, blocks = fb_ceil_div(s->rows, lanes);
  bit_sample w = {.row_bytes = (size_t)fb_ceil_div(s->columns, 32) * 4};
  size_t bytes = (size_t)s->rows * w.row_bytes, rows = (size_t)s->rows;
  w.laid_bytes = (size_t)(blocks * lanes) * w.row_bytes;
  w.laid_scale_bytes = (size_t)(blocks * lanes) * 2;
  w.codes = memset(take(bytes), 0, bytes);
  w.scales = take(rows * 2);
  w.laid = take(w.laid_bytes);
  w.laid_scales = take(w.laid_scale_bytes);
  for (int64_t i = 0; i < s->rows * s->columns; i++) {
    uint8_t *byte = w.codes + (size_t)(i / s->columns) * w.row_bytes + i % s->columns / 8;
    *byte = (uint8_t)(*byte | random_below(check, 2) << i % s->columns % 8);
  }
  for (size_t r = 0; r < rows; r++) w.scales[r] = fb_to_f16((float)random_unit(check));
  fb_args args = {.size = {s->rows, s->columns, s->columns, 1, 0, (int64_t)w.row_bytes, 1}};
  set_buffer(&args, 0, w.laid, w.laid_bytes);
  set_buffer(&args, 1, w.laid_scales, w.laid_scale_bytes);
  set_buffer(&args, 2, NULL, 0);
  set_buffer(&args, 3, w.codes, bytes);
  set_buffer(&args, 4, w.scales, rows * 2);
  set_buffer(&args, 5, NULL, 0);
  call_op(check, "lay_out", &args);
  return w;
}

static double product_of(const bit_sample *w, const shape *s, const float *x, int64_t row, int scales_tokens) {
  int64_t sum = 0;
  double total[8] = {0};
  for (int64_t k = 0; k < s->columns; k++) {
    int bit = w->codes[(size_t)row * w->row_bytes + (size_t)k / 8] >> k % 8 & 1;
    sum += (x[k] >= 0) == bit ? 1 : -1;
    total[k % 8] += fabs((double)x[k]);
  }
  double all = (total[0] + total[1]) + (total[2] + total[3]) + ((total[4] + total[5]) + (total[6] + total[7]));
  float scale = fb_from_f16(w->scales[row]) * (scales_tokens ? (float)(all / (double)s->columns) : 1);
  return (double)(scale * (float)sum);
}

static void check_products(fb_check *check, const shape *s, int scales_tokens) {
  bit_sample w = draw_weight(check, s);
  size_t count = (size_t)(s->tokens * s->rows);
  float *x = random_floats(check, s->tokens * s->columns), *out = take(count * 4);
  double *expected = take(count * 8);
  for (int64_t i = 0; i < s->tokens * s->columns; i += 5) x[i] = i % 2 ? 0.0f : -0.0f;
  for (size_t i = 0; i < count; i++) {
    int64_t token = (int64_t)i / s->rows, row = (int64_t)i % s->rows;
    expected[i] = product_of(&w, s, x + token * s->columns, row, scales_tokens);
  }
  fb_args args = {.size = {s->tokens, s->rows, s->columns, scales_tokens}};
  set_buffer(&args, 0, out, count * 4);
  set_buffer(&args, 1, x, (size_t)(s->tokens * s->columns) * 4);
  set_buffer(&args, 2, w.laid, w.laid_bytes);
  set_buffer(&args, 3, w.laid_scales, w.laid_scale_bytes);
  call_op(check, "binary_matmul", &args);
  expect_floats(check, "products", out, expected, (int64_t)count, 0, 0);
  args.size[0]++;
  call_refused(check, "binary_matmul", &args);
  free(x), free(out), free(expected), free(w.codes), free(w.laid), free(w.scales), free(w.laid_scales);
}

/* Values of signs, and slopes of the scale and a base, within 0.5. */
static void check_signs(fb_check *check, int64_t rows, int64_t columns) {
  int64_t count = rows * columns;
  float *x = random_floats(check, count), *d_out = random_floats(check, count), *out = take((size_t)count * 4);
  float *scales = random_floats(check, rows), *d_scales = take((size_t)rows * 4);
  double *values = take((size_t)count * 8), *slopes = take((size_t)count * 8), *sums = take((size_t)rows * 8);
  for (int64_t r = 0; r < rows; r++) sums[r] = 0;
  for (int64_t i = 0; i < count; i++) {
    double sign = x[i] >= 0 ? 1 : -1;
    float scale = scales[i / columns];
    values[i] = sign * (double)scale;
    slopes[i] = (double)d_out[i] * (0.25 + (fabs((double)x[i]) <= 0.5 ? (double)scale : 0));
    sums[i / columns] += (double)d_out[i] * sign;
  }
  fb_args args = {.size = {rows, columns}};
  set_buffer(&args, 0, out, (size_t)count * 4);
  set_buffer(&args, 1, x, (size_t)count * 4);
  set_buffer(&args, 2, scales, (size_t)rows * 4);
  call_op(check, "sign_rows", &args);
  expect_floats(check, "signs", out, values, count, 0, 0);
  args = (fb_args){.size = {rows, columns, 1, 0}, .real = {0.5, 0.25}};
  set_buffer(&args, 0, d_out, (size_t)count * 4);
  set_buffer(&args, 1, d_scales, (size_t)rows * 4);
  set_buffer(&args, 2, d_out, (size_t)count * 4);
  set_buffer(&args, 3, x, (size_t)count * 4);
  set_buffer(&args, 4, scales, (size_t)rows * 4);
  call_op(check, "sign_rows_backward", &args);
  expect_floats(check, "slopes", d_out, slopes, count, 1e-7, 1e-6);
  expect_floats(check, "sums", d_scales, sums, rows, 1e-4, 1e-5);
  free(x), free(d_out), free(out), free(scales), free(d_scales), free(values), free(slopes), free(sums);
}

static void check_limits(fb_check *check, int64_t rows, int64_t columns) {
  int64_t count = rows * columns;
  float *w = random_floats(check, count), *means = take((size_t)rows * 4);
  double *expected = take((size_t)count * 8), *magnitudes = take((size_t)rows * 8);
  for (int64_t r = 0; r < rows; r++) {
    double sum = 0;
    magnitudes[r] = 0;
    for (int64_t i = r * columns; i < (r + 1) * columns; i++) {
      sum += (double)w[i];
      magnitudes[r] += fabs((double)w[i]) / (double)columns;
    }
    for (int64_t i = r * columns; i < (r + 1) * columns; i++) {
      expected[i] = fmin(fmax((double)w[i] - sum / (double)columns, -0.5), 0.5);
    }
  }
  fb_args args = {.size = {rows, columns, 1}, .real = {0.5}};
  set_buffer(&args, 0, means, (size_t)rows * 4);
  set_buffer(&args, 1, w, (size_t)count * 4);
  call_op(check, "row_magnitudes", &args);
  expect_floats(check, "magnitudes", means, magnitudes, rows, 0, 1e-6);
  set_buffer(&args, 0, w, (size_t)count * 4);
  call_op(check, "limit_rows", &args);
  expect_floats(check, "limited", w, expected, count, 1e-6, 0);
  free(w), free(means), free(expected), free(magnitudes);
}

void check_binary_matmul(fb_check *check) {
  static const shape shapes[] = {{1, 1, 1},   {1, 7, 31},    {4, 16, 64},   {3, 33, 65},
                                 {5, 9, 992}, {2, 20, 1025}, {9, 40, 1300}, {130, 18, 96}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    check_products(check, &shapes[i], 0);
    check_products(check, &shapes[i], 1);
    check_signs(check, shapes[i].rows, shapes[i].columns);
    check_limits(check, shapes[i].rows, shapes[i].columns);
  }
}
