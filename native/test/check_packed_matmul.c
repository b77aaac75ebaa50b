/* packed_matmul for every packing against codes that are read bit by bit. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct {
  int64_t packing, tokens, rows, columns, group_size;
  int table;
} packed_shape;

static int64_t levels_of(int64_t packing) { return packing == 5 ? 3 : (int64_t)1 << packing; }

static void put_code(uint8_t *row, int64_t packing, int64_t j, int64_t code) {
  static const uint8_t powers[] = {1, 3, 9, 27, 81};
  if (packing == 5) {
    row[j / 5] = (uint8_t)(row[j / 5] + code * powers[j % 5]);
    return;
  }
  for (int64_t bit = 0; bit < packing; bit++) {
    int64_t at = j * packing + bit;
    row[at / 8] = (uint8_t)(row[at / 8] | (code >> bit & 1) << at % 8);
  }
}

/* Fills codes and the values they stand for. */
static void make_weight(fb_check *check, const packed_shape *s, uint8_t *codes, int64_t row_bytes,
                        const float *scales, const float *values, double *weight) {
  int64_t groups = fb_ceil_div(s->columns, s->group_size);
  memset(codes, 0, (size_t)(s->rows * row_bytes));
  for (int64_t i = 0; i < s->rows * s->columns; i++) {
    int64_t row = i / s->columns, j = i % s->columns, group = row * groups + j / s->group_size;
    int64_t code = random_below(check, levels_of(s->packing));
    put_code(codes + row * row_bytes, s->packing, j, code);
    double step = scales[group];
    weight[i] = s->table ? step * values[code] : step * (double)code + values[group];
  }
}

static void check_shape(fb_check *check, packed_shape s) {
  int64_t bytes = fb_ceil_div(s.columns * s.packing, 8);
  if (s.packing == 5) bytes = fb_ceil_div(s.columns, 5);
  if (s.packing == 3) bytes = fb_ceil_div(s.columns, 8) * 3;
  int64_t row_bytes = fb_round_up(bytes, 4), groups = s.rows * fb_ceil_div(s.columns, s.group_size);
  int64_t count = s.table ? levels_of(s.packing) : groups;
  uint8_t *codes = take((size_t)(s.rows * row_bytes));
  float *scales = random_floats(check, groups), *values = random_floats(check, count);
  float *x = random_floats(check, s.tokens * s.columns), *out = random_floats(check, s.tokens * s.rows);
  double *weight = take((size_t)(s.rows * s.columns) * 8), *expected = take((size_t)(s.tokens * s.rows) * 8);
  for (int64_t i = 0; i < groups; i++) scales[i] /= (float)levels_of(s.packing);
  make_weight(check, &s, codes, row_bytes, scales, values, weight);
  for (int64_t i = 0; i < s.tokens * s.rows; i++) {
    const double *row = weight + i % s.rows * s.columns;
    expected[i] = 0;
    for (int64_t j = 0; j < s.columns; j++) expected[i] += x[i / s.rows * s.columns + j] * row[j];
  }
  fb_args args = {.size = {s.tokens, s.rows, s.columns, s.group_size, row_bytes, s.packing,
                           levels_of(s.packing)}};
  set_buffer(&args, 0, out, (size_t)(s.tokens * s.rows) * 4);
  set_buffer(&args, 1, x, (size_t)(s.tokens * s.columns) * 4);
  set_buffer(&args, 2, codes, (size_t)(s.rows * row_bytes));
  set_buffer(&args, 3, scales, (size_t)groups * 4);
  set_buffer(&args, s.table ? 5 : 4, values, (size_t)count * 4);
  call_op(check, "packed_matmul", &args);
  expect_floats(check, "packed_matmul", out, expected, s.tokens * s.rows, 2e-5, 1e-5);
  args.size[4] = row_bytes - 4;
  call_refused(check, "packed_matmul", &args);
  free(codes);
  free(scales);
  free(values);
  free(x);
  free(out);
  free(weight);
  free(expected);
}

void check_packed_matmul(fb_check *check) {
  static const int64_t packings[] = {1, 2, 3, 4, 5, 8};
  static const int64_t shapes[][4] = {{1, 1, 1, 1},    {1, 9, 172, 64}, {3, 5, 13, 13}, {8, 17, 352, 100},
                                      {9, 50, 241, 8}, {40, 3, 96, 32}, {70, 49, 500, 128}};
  for (size_t p = 0; p < sizeof packings / sizeof *packings; p++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      const int64_t *s = shapes[i];
      check_shape(check, (packed_shape){packings[p], s[0], s[1], s[2], s[3], 0});
      check_shape(check, (packed_shape){packings[p], s[0], s[1], s[2], s[3], 1});
    }
  }
}
