/*
 * Weights in blocks of every format: lay_out_blocks and packed_matmul, exact and fast, packed_embedding and
 * decode_packed, against blocks of random bytes that are read element by element in float64.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"

/* Numbers of native/ops/block_format.h. */
enum { Q4_0 = 16, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, TQ1_0, TQ2_0, Q1_0, Q2_0, FORMATS_END };

/* Columns and bytes of a block, columns of a group, columns that share an input scale, words, byte of d, of m or -1. */
typedef struct {
  int64_t columns, bytes, group, inputs, words, scale, offset;
} format_shape;

static const format_shape shapes[] = {
    {32, 18, 32, 32, 4, 0, -1},      {32, 20, 32, 32, 4, 0, 2},       {32, 22, 32, 32, 5, 0, -1},
    {32, 24, 32, 32, 5, 0, 2},       {32, 34, 32, 32, 8, 0, -1},      {256, 84, 16, 128, 20, 80, 82},
    {256, 110, 16, 128, 27, 108, -1}, {256, 144, 32, 128, 35, 0, 2},  {256, 176, 32, 128, 43, 0, 2},
    {256, 210, 16, 128, 52, 208, -1}, {256, 54, 256, 128, 16, 52, -1}, {256, 66, 256, 128, 16, 64, -1},
    {128, 18, 128, 128, 4, 0, -1},   {64, 18, 64, 64, 4, 0, -1}};

static const format_shape *shape_of(int64_t format) { return &shapes[format - Q4_0]; }

/* What an element is in units of d, and what is added to it, in units of m. */
typedef struct {
  double unit, shift;
} element;

static element read_q5(const uint8_t *b, int e, int high, int codes, double origin, double shift) {
  int q = (b[codes + e % 16] >> 4 * (e / 16) & 15) | (b[high + e / 8] >> e % 8 & 1) << 4;
  return (element){q + origin, shift};
}

static int trit_of(const uint8_t *b, int e) {
  int at = e < 160 ? e % 32 : e < 240 ? 32 + e % 16 : 48 + e % 4;
  int n = e < 160 ? e / 32 : e < 240 ? (e - 160) / 16 : (e - 240) / 4;
  uint8_t power = 1;
  while (n-- > 0) power = (uint8_t)(power * 3);
  return (uint8_t)(b[at] * power) * 3 >> 8;
}

static element read_q4_k(const uint8_t *b, int e, const uint8_t *high, const uint8_t *codes) {
  const uint8_t *s = b + 4;
  int j = e / 32, scale, offset, q = codes[e / 64 * 32 + e % 32] >> 4 * (j % 2) & 15;
  if (j < 4) scale = s[j] & 63, offset = s[j + 4] & 63;
  else scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4, offset = s[j + 4] >> 4 | s[j] >> 6 << 4;
  if (high) q |= (high[e % 32] >> j & 1) << 4;
  return (element){(double)scale * q, -offset};
}

static element read_element(int64_t format, const uint8_t *b, int e) {
  int h = e / 128, j = e % 128 / 32, l = e % 32, s = e / 16, q;
  switch (format) {
    case Q4_0: q = (b[2 + e % 16] >> 4 * (e / 16) & 15) - 8; return (element){q, 0};
    case Q4_1: q = b[4 + e % 16] >> 4 * (e / 16) & 15; return (element){q, 1};
    case Q5_0: return read_q5(b, e, 2, 6, -16, 0);
    case Q5_1: return read_q5(b, e, 4, 8, 0, 1);
    case Q8_0: q = (int8_t)b[2 + e]; return (element){q, 0};
    case Q2_K: q = b[16 + 32 * h + l] >> 2 * j & 3; return (element){(b[s] & 15) * q, -(b[s] >> 4)};
    case Q3_K: {
      q = (b[32 + 32 * h + l] >> 2 * j & 3) + (b[l] >> (4 * h + j) & 1 ? 0 : -4);
      int low = s < 8 ? b[96 + s] & 15 : b[96 + s - 8] >> 4;
      return (element){((low | (b[104 + s % 4] >> 2 * (s / 4) & 3) << 4) - 32) * q, 0};
    }
    case Q4_K: return read_q4_k(b, e, NULL, b + 16);
    case Q5_K: return read_q4_k(b, e, b + 16, b + 48);
    case Q6_K:
      q = (b[64 * h + e % 64] >> 4 * (e % 128 / 64) & 15) | (b[128 + 32 * h + l] >> 2 * j & 3) << 4;
      return (element){(int8_t)b[192 + s] * (q - 32), 0};
    case TQ1_0: q = trit_of(b, e) - 1; return (element){q, 0};
    case TQ2_0: q = (b[32 * h + l] >> 2 * j & 3) - 1; return (element){q, 0};
    case Q1_0: q = b[2 + e / 8] >> e % 8 & 1 ? 1 : -1; return (element){q, 0};
    default: q = (b[2 + e / 4] >> 2 * (e % 4) & 3) - 1; return (element){q, 0};
  }
}

/* A weight as a file holds it, the float32 values it stands for, what makes these up, and what is laid out. */
typedef struct {
  int64_t format, rows, columns, row_bytes, blocks_in_row;
  uint8_t *blocks, *laid;
  size_t laid_bytes;
  double *values, *units, *shifts;
} block_sample;

static double half_of(const uint8_t *bytes) {
  uint16_t half;
  memcpy(&half, bytes, 2);
  return (double)fb_from_f16(half);
}

static void fill_block(fb_check *check, const format_shape *f, uint8_t *block) {
  for (int64_t i = 0; i < f->bytes; i++) block[i] = (uint8_t)random_below(check, 256);
  for (int k = 0; k < 2; k++) {
    int64_t at = k ? f->offset : f->scale;
    uint16_t half = fb_to_f16((float)(random_unit(check) - 0.5) / 64);
    if (at >= 0) memcpy(block + at, &half, 2);
  }
}

static block_sample make_sample(fb_check *check, int64_t format, int64_t rows, int64_t blocks) {
  const format_shape *f = shape_of(format);
  block_sample w = {.format = format, .rows = rows, .columns = blocks * f->columns, .row_bytes = blocks * f->bytes};
  int64_t lanes = check->level->lanes, count = rows * w.columns;
  w.blocks_in_row = blocks;
  int64_t halves = f->offset < 0 ? 1 : 2, words = blocks * f->words * lanes * 4;
  w.laid_bytes = (size_t)(fb_ceil_div(rows, lanes) * (words + fb_round_up(blocks * halves * lanes * 2, 64)));
  w.blocks = take((size_t)(rows * w.row_bytes));
  w.laid = take(w.laid_bytes);
  w.values = take((size_t)count * sizeof(double));
  w.units = take((size_t)count * sizeof(double));
  w.shifts = take((size_t)count * sizeof(double));
  for (int64_t b = 0; b < rows * blocks; b++) {
    uint8_t *block = w.blocks + b * f->bytes;
    fill_block(check, f, block);
    double d = half_of(block + f->scale), m = f->offset < 0 ? 0 : half_of(block + f->offset);
    for (int e = 0; e < f->columns; e++) {
      element read = read_element(format, block, e);
      w.values[b * f->columns + e] = (float)(d * read.unit + m * read.shift);
      w.units[b * f->columns + e] = read.unit;
      w.shifts[b * f->columns + e] = read.shift;
    }
  }
  return w;
}

static void free_sample(block_sample *w) {
  free(w->blocks);
  free(w->laid);
  free(w->values);
  free(w->units);
  free(w->shifts);
}

static void lay_out(fb_check *check, block_sample *w) {
  fb_args args = {.size = {w->rows, w->columns, w->row_bytes, w->format}};
  set_buffer(&args, 0, w->laid, w->laid_bytes);
  set_buffer(&args, 1, w->blocks, (size_t)(w->rows * w->row_bytes));
  call_op(check, "lay_out_blocks", &args);
  args.bytes[0] -= 4;
  call_refused(check, "lay_out_blocks", &args);
  args.bytes[0] += 4;
  args.size[1] += 1;
  call_refused(check, "lay_out_blocks", &args);
}

/* The inputs that fast products multiply by. */
static void round_inputs(float *x, int64_t count, int64_t width) {
  for (int64_t at = 0; at < count; at += width) {
    float most = 0;
    for (int64_t i = at; i < at + width; i++) most = fmaxf(most, fabsf(x[i]));
    float inverse = most > 0 ? 127 / most : 0;
    for (int64_t i = at; i < at + width; i++) x[i] = most / 127 * rintf(x[i] * inverse);
  }
}

static void multiply(fb_check *check, const block_sample *w, int64_t tokens, int fast) {
  int64_t count = tokens * w->rows;
  float *out = random_floats(check, count), *x = random_floats(check, tokens * w->columns);
  fb_args args = {.size = {tokens, w->rows, w->columns, 1, w->format, 0, fast}};
  set_buffer(&args, 0, out, (size_t)count * 4);
  set_buffer(&args, 1, x, (size_t)(tokens * w->columns) * 4);
  set_buffer(&args, 2, w->laid, w->laid_bytes);
  call_op(check, "packed_matmul", &args);
  if (fast) round_inputs(x, tokens * w->columns, shape_of(w->format)->inputs);
  double *expected = take((size_t)count * sizeof(double));
  for (int64_t i = 0; i < count; i++) {
    expected[i] = 0;
    for (int64_t j = 0; j < w->columns; j++) {
      expected[i] += (double)x[i / w->rows * w->columns + j] * w->values[i % w->rows * w->columns + j];
    }
  }
  expect_floats(check, fast ? "fast product of blocks" : "exact product of blocks", out, expected, count, 1e-3, 1e-5);
  args.bytes[2] -= 64;
  call_refused(check, "packed_matmul", &args);
  free(out);
  free(x);
  free(expected);
}

/* With an identity for x, an exact product is the weight itself. */
static void multiply_identity(fb_check *check, const block_sample *w) {
  int64_t n = w->columns, count = n * w->rows;
  float *out = random_floats(check, count), *x = take((size_t)(n * n) * 4);
  double *expected = take((size_t)count * sizeof(double));
  for (int64_t i = 0; i < n * n; i++) x[i] = i / n == i % n;
  for (int64_t i = 0; i < count; i++) expected[i] = w->values[i % w->rows * n + i / w->rows];
  fb_args args = {.size = {n, w->rows, n, 1, w->format, 0, 0}};
  set_buffer(&args, 0, out, (size_t)count * 4);
  set_buffer(&args, 1, x, (size_t)(n * n) * 4);
  set_buffer(&args, 2, w->laid, w->laid_bytes);
  call_op(check, "packed_matmul", &args);
  expect_floats(check, "weights of an exact product", out, expected, count, 0, 0);
  free(out);
  free(x);
  free(expected);
}

static void look_up(fb_check *check, const block_sample *w) {
  int32_t ids[3] = {(int32_t)w->rows - 1, 0, (int32_t)w->rows / 2};
  float *out = random_floats(check, 3 * w->columns);
  double *expected = take((size_t)(3 * w->columns) * sizeof(double));
  for (int64_t i = 0; i < 3 * w->columns; i++) {
    expected[i] = w->values[ids[i / w->columns] * w->columns + i % w->columns];
  }
  fb_args args = {.size = {w->rows, w->columns, shape_of(w->format)->group, w->row_bytes, w->format, 0, 3}};
  set_buffer(&args, 0, out, (size_t)(3 * w->columns) * 4);
  set_buffer(&args, 2, ids, sizeof ids);
  set_buffer(&args, 3, w->blocks, (size_t)(w->rows * w->row_bytes));
  call_op(check, "packed_embedding", &args);
  expect_floats(check, "packed_embedding of blocks", out, expected, 3 * w->columns, 0, 0);
  args.size[3] -= 1;
  call_refused(check, "packed_embedding", &args);
  free(out);
  free(expected);
}

static void decode(fb_check *check, const block_sample *w) {
  const format_shape *f = shape_of(w->format);
  int64_t all = w->rows * w->blocks_in_row, count = w->rows * w->columns;
  float *scales = random_floats(check, all), *offsets = random_floats(check, all), *out = random_floats(check, count);
  float *sums = random_floats(check, all), *offset_sums = random_floats(check, all);
  double *expected = take((size_t)count * sizeof(double)), *totals = take((size_t)all * sizeof(double));
  double *offset_totals = take((size_t)all * sizeof(double));
  for (int64_t b = 0; b < all; b++) totals[b] = offset_totals[b] = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t b = i / f->columns;
    expected[i] = scales[b] * w->units[i] + offsets[b] * w->shifts[i];
    totals[b] += (double)out[i] * w->units[i];
    offset_totals[b] += (double)out[i] * w->shifts[i];
  }
  fb_args args = {.size = {w->rows, w->columns, f->group, w->row_bytes, w->format, 0, 0}, .real = {0, 1}};
  set_buffer(&args, 0, sums, (size_t)all * 4);
  if (f->offset >= 0) set_buffer(&args, 1, offset_sums, (size_t)all * 4);
  set_buffer(&args, 2, out, (size_t)count * 4);
  set_buffer(&args, 3, w->blocks, (size_t)(w->rows * w->row_bytes));
  call_op(check, "decode_packed_backward", &args);
  expect_floats(check, "decode_packed_backward of blocks", sums, totals, all, 0.05, 2e-5);
  if (f->offset >= 0) {
    expect_floats(check, "decode_packed_backward of blocks, offsets", offset_sums, offset_totals, all, 1e-3, 2e-5);
  }
  set_buffer(&args, 0, out, (size_t)count * 4);
  set_buffer(&args, 1, scales, (size_t)all * 4);
  set_buffer(&args, 2, f->offset < 0 ? NULL : offsets, f->offset < 0 ? 0 : (size_t)all * 4);
  call_op(check, "decode_packed", &args);
  expect_floats(check, "decode_packed of blocks", out, expected, count, 1e-4, 2e-7);
  free(scales);
  free(offsets);
  free(out);
  free(sums);
  free(offset_sums);
  free(expected);
  free(totals);
  free(offset_totals);
}

void check_block_products(fb_check *check) {
  static const int64_t sizes[][2] = {{1, 1}, {5, 3}, {16, 2}, {37, 5}};
  static const int64_t tokens[] = {1, 2, 7, 33};
  for (int64_t format = Q4_0; format < FORMATS_END; format++) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      block_sample w = make_sample(check, format, sizes[i][0], sizes[i][1]);
      lay_out(check, &w);
      for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++) {
        multiply(check, &w, tokens[t], 0);
        multiply(check, &w, tokens[t], 1);
      }
      if (i < 2) multiply_identity(check, &w);
      look_up(check, &w);
      decode(check, &w);
      free_sample(&w);
    }
  }
}
