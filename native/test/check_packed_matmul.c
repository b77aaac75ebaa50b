/* lay_out and packed_matmul for every packing, against codes that are put in bit by bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"
#include "round_inputs.h"

enum { NO_ZEROS, NIBBLES, BYTES, HALVES };

typedef struct {
  int64_t packing, tokens, rows, columns, group_size, zero_kind;
} packed_shape;

/* A weight as a file holds it, the values that it stands for, and what lay_out made of it. */
typedef struct {
  int64_t bits, row_bytes, groups, zero_kind;
  uint8_t *codes, *zeros, *laid_codes, *laid_zeros;
  uint16_t *scales, *laid_scales;
  size_t zero_bytes, laid_code_bytes, laid_zero_bytes, laid_scale_bytes;
  double *values; /* [rows][columns] */
  double origin, step;
} packed_sample;

static int64_t levels_of(int64_t packing) { return packing == 5 ? 3 : (int64_t)1 << packing; }

static int64_t bytes_of(int64_t packing, int64_t count) {
  if (packing == 5) return fb_ceil_div(count, 5);
  return packing == 3 ? fb_ceil_div(count, 8) * 3 : fb_ceil_div(count * packing, 8);
}

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

static double draw_zero(fb_check *check, const packed_shape *s, packed_sample *w, int64_t group) {
  if (w->zero_kind == HALVES) {
    uint16_t half = fb_to_f16((float)(random_unit(check) * (double)levels_of(s->packing)));
    memcpy(w->zeros + 2 * group, &half, 2);
    return (double)fb_from_f16(half);
  }
  if (w->zero_kind == NO_ZEROS) return 0;
  int64_t code = random_below(check, levels_of(s->packing));
  put_code(w->zeros, s->packing, group, code);
  return (double)code;
}

static void *take_zeros(size_t bytes) { return memset(take(bytes), 0, bytes); }

static void fill_values(fb_check *check, const packed_shape *s, packed_sample *w) {
  int64_t row_groups = w->groups / s->rows;
  for (int64_t g = 0; g < w->groups; g++) {
    double scale = (random_unit(check) - 0.5) / (double)levels_of(s->packing);
    w->scales[g] = fb_to_f16((float)scale);
    scale = (double)fb_from_f16(w->scales[g]);
    double zero = draw_zero(check, s, w, g);
    int64_t row = g / row_groups, first = g % row_groups * s->group_size;
    for (int64_t j = first; j < fb_min(s->columns, first + s->group_size); j++) {
      int64_t code = random_below(check, levels_of(s->packing));
      put_code(w->codes + row * w->row_bytes, s->packing, j, code);
      double level = w->origin + w->step * ((double)code - zero);
      w->values[row * s->columns + j] = scale * level;
    }
  }
}

static packed_sample make_sample(fb_check *check, const packed_shape *s) {
  packed_sample w = {.bits = s->packing == 5 ? 2 : s->packing, .origin = 0, .step = 1};
  w.row_bytes = fb_round_up(bytes_of(s->packing, s->columns), 4);
  w.groups = s->rows * fb_ceil_div(s->columns, s->group_size);
  w.zero_kind = s->zero_kind;
  if (s->zero_kind == NO_ZEROS) w.origin = -1.5, w.step = 0.5;
  w.zero_bytes = w.zero_kind == HALVES ? (size_t)w.groups * 2
                 : w.zero_kind ? (size_t)bytes_of(s->packing, w.groups) : 0;
  w.codes = take_zeros((size_t)(s->rows * w.row_bytes));
  w.zeros = take_zeros(w.zero_bytes);
  w.scales = take((size_t)w.groups * 2);
  w.values = take((size_t)(s->rows * s->columns) * sizeof(double));
  fill_values(check, s, &w);
  return w;
}

static void lay_out(fb_check *check, const packed_shape *s, packed_sample *w) {
  int64_t lanes = check->level->lanes, columns = w->bits == 3 ? 32 : 32 / w->bits;
  int64_t blocks = fb_ceil_div(s->rows, lanes), row_groups = w->groups / s->rows;
  int64_t chunks = blocks * row_groups * fb_ceil_div(s->group_size, columns);
  int64_t zero_bytes = w->zero_kind == NIBBLES ? lanes / 2 : w->zero_kind == BYTES ? lanes
                       : w->zero_kind == HALVES ? lanes * 2 : 0;
  w->laid_code_bytes = (size_t)(chunks * lanes * (w->bits == 3 ? 12 : 4));
  w->laid_scale_bytes = (size_t)(blocks * row_groups * lanes * 2);
  w->laid_zero_bytes = (size_t)(blocks * row_groups * zero_bytes);
  w->laid_codes = take(w->laid_code_bytes);
  w->laid_scales = take(w->laid_scale_bytes);
  w->laid_zeros = take(w->laid_zero_bytes);
  fb_args args = {.size = {s->rows, s->columns, s->group_size, w->bits, w->zero_kind, w->row_bytes, s->packing}};
  set_buffer(&args, 0, w->laid_codes, w->laid_code_bytes);
  set_buffer(&args, 1, w->laid_scales, w->laid_scale_bytes);
  set_buffer(&args, 2, w->laid_zeros, w->laid_zero_bytes);
  set_buffer(&args, 3, w->codes, (size_t)(s->rows * w->row_bytes));
  set_buffer(&args, 4, w->scales, (size_t)w->groups * 2);
  set_buffer(&args, 5, w->zeros, w->zero_bytes);
  call_op(check, "lay_out", &args);
  args.bytes[0] -= 4;
  call_refused(check, "lay_out", &args);
}

/* What a token gets in a crowd, it must get alone, to the bit, where rows are not to depend on each other. */
static void expect_same_alone(fb_check *check, fb_args args) {
  int64_t tokens = args.size[0], rows = args.size[1], columns = args.size[2];
  const float *x = args.buffer[1];
  float *together = take((size_t)(tokens * rows) * 4), *alone = take((size_t)rows * 4);
  args.size[7] = 1;
  set_buffer(&args, 0, together, (size_t)(tokens * rows) * 4);
  call_op(check, "packed_matmul", &args);
  args.size[0] = 1;
  set_buffer(&args, 0, alone, (size_t)rows * 4);
  for (int64_t t = 0; t < tokens; t++) {
    set_buffer(&args, 1, x + t * columns, (size_t)columns * 4);
    call_op(check, "packed_matmul", &args);
    expect_bytes(check, "fast packed_matmul alone", alone, together + t * rows, (size_t)rows * 4);
  }
  free(together);
  free(alone);
}

static void multiply(fb_check *check, const packed_shape *s, const packed_sample *w, const float *x, int fast) {
  float *out = random_floats(check, s->tokens * s->rows), *rounded = random_floats(check, s->tokens * s->columns);
  double *expected = take((size_t)(s->tokens * s->rows) * sizeof(double));
  memcpy(rounded, x, (size_t)(s->tokens * s->columns) * 4);
  if (fast) round_inputs(s->tokens, s->columns, s->group_size, x, rounded);
  for (int64_t i = 0; i < s->tokens * s->rows; i++) {
    const double *row = w->values + i % s->rows * s->columns;
    const float *input = rounded + i / s->rows * s->columns;
    expected[i] = 0;
    for (int64_t j = 0; j < s->columns; j++) expected[i] += (double)input[j] * row[j];
  }
  fb_args args = {.size = {s->tokens, s->rows, s->columns, s->group_size, w->bits, w->zero_kind, fast},
                  .real = {w->origin, w->step}};
  set_buffer(&args, 0, out, (size_t)(s->tokens * s->rows) * 4);
  set_buffer(&args, 1, x, (size_t)(s->tokens * s->columns) * 4);
  set_buffer(&args, 2, w->laid_codes, w->laid_code_bytes);
  set_buffer(&args, 3, w->laid_scales, w->laid_scale_bytes);
  set_buffer(&args, 4, w->laid_zeros, w->laid_zero_bytes);
  call_op(check, "packed_matmul", &args);
  expect_floats(check, fast ? "fast packed_matmul" : "exact packed_matmul", out, expected, s->tokens * s->rows,
                2e-5, 1e-5);
  if (fast) expect_same_alone(check, args);
  args.bytes[2] -= 4;
  call_refused(check, "packed_matmul", &args);
  free(out);
  free(rounded);
  free(expected);
}

static void check_shape(fb_check *check, packed_shape s) {
  packed_sample w = make_sample(check, &s);
  float *x = random_floats(check, s.tokens * s.columns);
  lay_out(check, &s, &w);
  multiply(check, &s, &w, x, 0);
  multiply(check, &s, &w, x, 1);
  free(x);
  free(w.codes);
  free(w.zeros);
  free(w.scales);
  free(w.values);
  free(w.laid_codes);
  free(w.laid_scales);
  free(w.laid_zeros);
}

void check_packed_matmul(fb_check *check) {
  static const int64_t packings[] = {1, 2, 3, 4, 5, 8};
  static const int64_t shapes[][4] = {{1, 1, 1, 1},    {1, 9, 172, 64},  {1, 40, 640, 64},  {3, 5, 13, 13},
                                      {8, 17, 352, 100}, {9, 50, 241, 8}, {40, 3, 96, 32},   {70, 49, 500, 128},
                                      {2, 33, 700, 700}, {17, 35, 704, 256}};
  for (size_t p = 0; p < sizeof packings / sizeof *packings; p++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      const int64_t *s = shapes[i];
      int64_t integers = packings[p] == 8 ? BYTES : NIBBLES;
      int64_t kinds[] = {NO_ZEROS, integers, HALVES};
      for (int k = 0; k < 3; k++) check_shape(check, (packed_shape){packings[p], s[0], s[1], s[2], s[3], kinds[k]});
    }
  }
}
