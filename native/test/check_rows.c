/* Norms, softmax, embedding, losses and the ops that fill caches against their formulas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"

static double log_sum(const float *x, int64_t n) {
  double top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < n; i++) top = x[i] > top ? x[i] : top;
  for (int64_t i = 0; i < n; i++) sum += exp(x[i] - top);
  return top + log(sum);
}

static void check_norms(fb_check *check, int64_t rows, int64_t n) {
  float *x = random_floats(check, rows * n), *weight = random_floats(check, n);
  float *bias = random_floats(check, n), *out = random_floats(check, rows * n);
  double *rms = take((size_t)(rows * n) * 8), *layer = take((size_t)(rows * n) * 8);
  for (int64_t r = 0; r < rows; r++) {
    double mean = 0, squares = 0, variance = 0;
    const float *row = x + r * n;
    for (int64_t i = 0; i < n; i++) mean += row[i] / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (double)row[i] * row[i] / (double)n;
    for (int64_t i = 0; i < n; i++) variance += (row[i] - mean) * (row[i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++) {
      rms[r * n + i] = row[i] / sqrt(squares + 1e-5) * weight[i];
      layer[r * n + i] = (row[i] - mean) / sqrt(variance + 1e-5) * weight[i] + bias[i];
    }
  }
  fb_args args = {.size = {rows, n}, .real = {1e-5}};
  set_buffer(&args, 0, out, (size_t)(rows * n) * 4);
  set_buffer(&args, 1, x, (size_t)(rows * n) * 4);
  set_buffer(&args, 2, weight, (size_t)n * 4);
  set_buffer(&args, 3, bias, (size_t)n * 4);
  call_op(check, "rms_norm", &args);
  expect_floats(check, "rms_norm", out, rms, rows * n, 1e-6, 1e-6);
  call_op(check, "layer_norm", &args);
  expect_floats(check, "layer_norm", out, layer, rows * n, 1e-6, 1e-6);
  args.size[1] = n + 1;
  call_refused(check, "rms_norm", &args);
  free(x);
  free(weight);
  free(bias);
  free(out);
  free(rms);
  free(layer);
}

static void check_softmax(fb_check *check, int64_t rows, int64_t n) {
  float *x = random_floats(check, rows * n);
  double *expected = take((size_t)(rows * n) * 8);
  for (int64_t i = 0; i < rows * n; i++) x[i] *= 8;
  for (int64_t r = 0; r < rows; r++) {
    double sum = log_sum(x + r * n, n);
    for (int64_t i = r * n; i < (r + 1) * n; i++) expected[i] = exp(x[i] - sum);
  }
  fb_args args = {.size = {rows, n}};
  set_buffer(&args, 0, x, (size_t)(rows * n) * 4);
  set_buffer(&args, 1, x, (size_t)(rows * n) * 4);
  call_op(check, "softmax", &args);
  expect_floats(check, "softmax in place", x, expected, rows * n, 0, 3e-6);
  free(x);
  free(expected);
}

static void check_losses(fb_check *check, int64_t rows, int64_t n) {
  float *a = random_floats(check, rows * n), *b = random_floats(check, rows * n);
  float *losses = random_floats(check, rows), *agree = random_floats(check, rows);
  int32_t *targets = take((size_t)rows * 4);
  double *entropy = take((size_t)rows * 8), *divergence = take((size_t)rows * 8);
  for (int64_t i = 0; i < rows * n; i++) b[i] = a[i] + 0.01f * b[i];
  for (int64_t r = 0; r < rows; r++) {
    const float *p = a + r * n, *q = b + r * n;
    double log_p = log_sum(p, n), log_q = log_sum(q, n);
    targets[r] = (int32_t)random_below(check, n);
    entropy[r] = log_p - p[targets[r]];
    divergence[r] = 0;
    for (int64_t i = 0; i < n; i++) divergence[r] += exp(p[i] - log_p) * (p[i] - log_p - (q[i] - log_q));
  }
  fb_args args = {.size = {rows, n}};
  set_buffer(&args, 0, losses, (size_t)rows * 4);
  set_buffer(&args, 1, a, (size_t)(rows * n) * 4);
  set_buffer(&args, 2, targets, (size_t)rows * 4);
  call_op(check, "cross_entropy", &args);
  expect_floats(check, "cross_entropy", losses, entropy, rows, 1e-7, 1e-6);
  targets[rows - 1] = (int32_t)n;
  call_refused(check, "cross_entropy", &args);
  set_buffer(&args, 1, agree, (size_t)rows * 4);
  set_buffer(&args, 2, a, (size_t)(rows * n) * 4);
  set_buffer(&args, 3, b, (size_t)(rows * n) * 4);
  call_op(check, "kl_divergence", &args);
  expect_floats(check, "kl_divergence", losses, divergence, rows, 1e-12, 1e-6);
  free(a);
  free(b);
  free(losses);
  free(agree);
  free(targets);
  free(entropy);
  free(divergence);
}

static void check_embedding(fb_check *check, int64_t width) {
  enum { TOKENS = 7, VOCABULARY = 5 };
  float *table = random_floats(check, VOCABULARY * width), *out = random_floats(check, TOKENS * width);
  int32_t *ids = take(TOKENS * 4);
  double *expected = take((size_t)(TOKENS * width) * 8);
  for (int t = 0; t < TOKENS; t++) ids[t] = t % VOCABULARY;
  for (int64_t i = 0; i < TOKENS * width; i++) expected[i] = table[ids[i / width] * width + i % width];
  fb_args args = {.size = {TOKENS, width, VOCABULARY, 0}};
  set_buffer(&args, 0, out, (size_t)(TOKENS * width) * 4);
  set_buffer(&args, 1, table, (size_t)(VOCABULARY * width) * 4);
  set_buffer(&args, 2, ids, TOKENS * 4);
  call_op(check, "embedding", &args);
  expect_floats(check, "embedding", out, expected, TOKENS * width, 0, 0);
  ids[0] = -1;
  call_refused(check, "embedding", &args);
  free(table);
  free(out);
  free(ids);
  free(expected);
}

/* Rows are written behind POSITION of a cache; `at` tells where element i of the rows goes. */
enum { BATCH = 2, CAPACITY = 7, LENGTH = 3, HEADS = 2, DIM = 19, POSITION = 4, WIDTH = HEADS * DIM };

static int at(int i) { return (i / WIDTH / LENGTH * CAPACITY + POSITION + i / WIDTH % LENGTH) * WIDTH + i % WIDTH; }

static void check_write_rows(fb_check *check, int bytes) {
  unsigned char cache[BATCH * CAPACITY * WIDTH * 4], expected[sizeof cache];
  float *rows = random_floats(check, BATCH * LENGTH * WIDTH);
  memset(cache, 77, sizeof cache);
  memcpy(expected, cache, sizeof cache);
  for (int i = 0; i < BATCH * LENGTH * WIDTH; i++) {
    uint16_t half = fb_to_f16(rows[i]);
    if (bytes == 2) memcpy(expected + at(i) * 2, &half, 2);
    else memcpy(expected + at(i) * 4, rows + i, 4);
  }
  fb_args args = {.size = {BATCH, CAPACITY, LENGTH, WIDTH, POSITION, 4, bytes}};
  set_buffer(&args, 0, cache, sizeof cache / 4 * (size_t)bytes);
  set_buffer(&args, 1, rows, sizeof(float) * BATCH * LENGTH * WIDTH);
  call_op(check, "write_rows", &args);
  expect_bytes(check, "write_rows", cache, expected, sizeof cache);
  args.size[4] = POSITION + 1;
  call_refused(check, "write_rows", &args);
  free(rows);
}

static void put_code(int8_t *cache, int i, int bits, int code) {
  enum { HALF = (DIM + 1) / 2 };
  uint8_t *byte = (uint8_t *)cache + i / DIM * HALF + i % DIM % HALF;
  int shift = i % DIM < HALF ? 0 : 4;
  if (bits == 8) cache[i] = (int8_t)code;
  else *byte = (uint8_t)((*byte & ~(15 << shift)) | (code + 8) << shift);
}

static void check_quantize_rows(fb_check *check, int bits) {
  enum { ROWS = BATCH * CAPACITY * HEADS };
  int8_t cache[ROWS * DIM], expected[sizeof cache];
  float scales[ROWS], expected_scales[ROWS], top_code = bits == 8 ? 127 : 7;
  size_t bytes = bits == 8 ? sizeof cache : ROWS * ((DIM + 1) / 2);
  float *rows = random_floats(check, BATCH * LENGTH * WIDTH);
  memset(rows, 0, DIM * sizeof(float));
  rows[DIM] = INFINITY;
  for (int i = 2 * DIM; i < 3 * DIM; i++) rows[i] *= 0x1p-140f; /* a subnormal scale */
  memset(cache, 77, sizeof cache);
  memset(scales, 77, sizeof scales);
  memcpy(expected, cache, sizeof cache);
  memcpy(expected_scales, scales, sizeof scales);
  for (int row = 0; row < BATCH * LENGTH * HEADS; row++) {
    float top = 0, *x = rows + row * DIM;
    for (int i = 0; i < DIM; i++) top = fmaxf(top, fabsf(x[i]));
    float scale = expected_scales[at(row * DIM) / DIM] = top / top_code;
    if (bits == 4) memset(expected + at(row * DIM) / DIM * ((DIM + 1) / 2), 0x88, (DIM + 1) / 2);
    for (int i = 0; i < DIM; i++) {
      float code = scale == 0 || isinf(scale) ? 0 : fmaxf(-top_code, fminf(top_code, rintf(x[i] / scale)));
      put_code(expected, at(row * DIM + i), bits, (int)code);
    }
  }
  fb_args args = {.size = {BATCH, CAPACITY, LENGTH, HEADS, DIM, POSITION, bits == 8 ? 4 : 5}};
  set_buffer(&args, 0, cache, bytes);
  set_buffer(&args, 1, scales, sizeof scales);
  set_buffer(&args, 2, rows, sizeof(float) * BATCH * LENGTH * WIDTH);
  call_op(check, "quantize_rows", &args);
  expect_bytes(check, "quantize_rows codes", cache, expected, sizeof cache);
  expect_bytes(check, "quantize_rows scales", scales, expected_scales, sizeof scales);
  args.size[5] = POSITION + 1;
  call_refused(check, "quantize_rows", &args);
  free(rows);
}

static void check_take_columns(fb_check *check, int64_t rows, int64_t width, int64_t taken) {
  float *x = random_floats(check, rows * width), *out = random_floats(check, rows * taken);
  float *back = random_floats(check, rows * width);
  int32_t *columns = take((size_t)taken * 4);
  double *expected = take((size_t)(rows * taken) * 8), *returned = take((size_t)(rows * width) * 8);
  for (int64_t j = 0; j < taken; j++) columns[j] = (int32_t)(width - 1 - j * (width / taken));
  for (int64_t i = 0; i < rows * width; i++) returned[i] = 0;
  for (int64_t i = 0; i < rows * taken; i++) {
    int64_t at = i / taken * width + columns[i % taken];
    returned[at] = expected[i] = x[at];
  }
  fb_args args = {.size = {rows, taken, width}};
  set_buffer(&args, 0, out, (size_t)(rows * taken) * 4);
  set_buffer(&args, 1, x, (size_t)(rows * width) * 4);
  set_buffer(&args, 2, columns, (size_t)taken * 4);
  call_op(check, "take_columns", &args);
  expect_floats(check, "take_columns", out, expected, rows * taken, 0, 0);
  set_buffer(&args, 0, back, (size_t)(rows * width) * 4);
  set_buffer(&args, 1, out, (size_t)(rows * taken) * 4);
  call_op(check, "take_columns_backward", &args);
  expect_floats(check, "take_columns_backward", back, returned, rows * width, 0, 0);
  columns[0] = (int32_t)width;
  call_refused(check, "take_columns_backward", &args);
  free(x);
  free(out);
  free(back);
  free(columns);
  free(expected);
  free(returned);
}

void check_rows(fb_check *check) {
  static const int64_t shapes[][2] = {{1, 1}, {3, 7}, {2, 172}, {70, 352}, {1, 4100}, {2, 20003}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    check_norms(check, shapes[i][0], shapes[i][1]);
    check_softmax(check, shapes[i][0], shapes[i][1]);
    check_losses(check, shapes[i][0], shapes[i][1]);
  }
  check_embedding(check, 1);
  check_embedding(check, 37);
  check_take_columns(check, 1, 1, 1);
  check_take_columns(check, 70, 352, 117);
  check_write_rows(check, 4);
  check_write_rows(check, 2);
  check_quantize_rows(check, 8);
  check_quantize_rows(check, 4);
}
