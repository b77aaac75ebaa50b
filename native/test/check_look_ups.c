/* lay_out and packed_matmul of weights whose values stand in tables, of each row or one for all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"
#include "round_inputs.h"

enum { ROW_TABLES = 32, ONE_TABLE = 64, ENTRIES = 16 };

typedef struct {
  int64_t bits, tokens, rows, columns, group_size;
  int shared;
} table_shape;

/* What a code of a row stands for: the value of exact products, and what fast ones make of it. */
typedef struct {
  float value[ENTRIES], step, zero;
  uint8_t rounded[ENTRIES];
} row_table;

typedef struct {
  uint8_t *codes, *laid_codes;
  uint16_t *scales, *laid_scales;
  size_t laid_code_bytes, laid_scale_bytes;
  int64_t row_bytes, groups;
  double *exact, *fast; /* [rows][columns] */
} table_sample;

static row_table draw_table(fb_check *check, int64_t levels) {
  row_table table = {.step = 0.01f, .zero = (float)random_below(check, 127)};
  for (int64_t c = 0; c < levels; c++) {
    table.value[c] = (float)random_unit(check) - 0.5f;
    table.rounded[c] = (uint8_t)random_below(check, 128);
  }
  return table;
}

/* Which entry a look-up of index n finds in one of two tables. */
static int64_t entry_of(int64_t n, int64_t i, int64_t bits) {
  if (i == 0 || bits == 4) return n & ((1 << bits) - 1);
  return bits == 2 ? n >> 2 : n >> 1;
}

static void put_table(uint8_t *block, const row_table *table, int64_t lane, int64_t lanes, int64_t bits) {
  int64_t tables = bits == 4 ? 1 : 2;
  for (int64_t i = 0; i < tables; i++) {
    uint8_t *to = block + (lane % 4 * tables + i) * lanes * 4 + lane / 4 * ENTRIES;
    for (int64_t n = 0; n < ENTRIES; n++) to[n] = table->rounded[entry_of(n, i, bits)];
  }
  float *floats = (float *)(void *)(block + 4 * tables * lanes * 4);
  floats[lane] = table->step;
  floats[lanes + lane] = table->zero;
  memcpy(floats + 2 * lanes + lane * ENTRIES, table->value, sizeof table->value);
}

static void put_one_table(uint8_t *to, const row_table *table, int64_t lanes) {
  float *floats = (float *)(void *)(to + 4 * lanes);
  for (int64_t i = 0; i < 4 * lanes; i++) to[i] = table->rounded[i % ENTRIES];
  for (int64_t lane = 0; lane < lanes; lane++) floats[lane] = table->step, floats[lanes + lane] = table->zero;
  memcpy(floats + 2 * lanes, table->value, sizeof table->value);
}

static void fill_row(fb_check *check, const table_shape *s, table_sample *w, int64_t row, const row_table *table) {
  for (int64_t j = 0; j < s->columns; j++) {
    int64_t code = random_below(check, (int64_t)1 << s->bits), at = row * s->columns + j;
    double scale = (double)fb_from_f16(w->scales[row * w->groups + j / s->group_size]);
    for (int64_t bit = 0; bit < s->bits; bit++) {
      int64_t place = j * s->bits + bit;
      uint8_t *byte = w->codes + row * w->row_bytes + place / 8;
      *byte = (uint8_t)(*byte | (code >> bit & 1) << place % 8);
    }
    w->exact[at] = scale * (double)table->value[code];
    w->fast[at] = scale * (double)table->step * ((double)table->rounded[code] - (double)table->zero);
  }
}

static void lay_out(fb_check *check, const table_shape *s, table_sample *w) {
  int64_t kind = s->bits + (s->shared ? ONE_TABLE : ROW_TABLES);
  fb_args args = {.size = {s->rows, s->columns, s->group_size, kind, 0, w->row_bytes, s->bits}};
  set_buffer(&args, 0, w->laid_codes, w->laid_code_bytes);
  set_buffer(&args, 1, w->laid_scales, w->laid_scale_bytes);
  set_buffer(&args, 3, w->codes, (size_t)(s->rows * w->row_bytes));
  set_buffer(&args, 4, w->scales, (size_t)(s->rows * w->groups) * 2);
  call_op(check, "lay_out", &args);
  args.bytes[0] -= 4;
  call_refused(check, "lay_out", &args);
}

static table_sample make_sample(fb_check *check, const table_shape *s) {
  int64_t lanes = check->level->lanes, blocks = fb_ceil_div(s->rows, lanes);
  int64_t columns = s->bits == 3 ? 128 : 128 / s->bits;
  int64_t groups = fb_ceil_div(s->columns, s->group_size), chunk = (s->bits == 3 ? 48 : 16) * lanes;
  size_t table_bytes = (size_t)(lanes * (16 * (s->bits == 4 ? 1 : 2) + 72));
  if (s->shared) columns = 8, chunk = 4 * lanes, table_bytes = (size_t)(lanes * 12 + 64);
  size_t codes = (size_t)(blocks * groups * fb_ceil_div(s->group_size, columns) * chunk);
  int64_t used = s->bits == 3 ? fb_ceil_div(s->columns, 8) * 3 : fb_ceil_div(s->columns * s->bits, 8);
  table_sample w = {.groups = groups, .row_bytes = fb_round_up(used, 4)};
  w.laid_code_bytes = codes + table_bytes * (size_t)(s->shared ? 1 : blocks);
  w.laid_scale_bytes = (size_t)(blocks * groups * lanes) * 2;
  w.codes = memset(take((size_t)(s->rows * w.row_bytes)), 0, (size_t)(s->rows * w.row_bytes));
  w.scales = take((size_t)(s->rows * groups) * 2);
  for (int64_t g = 0; g < s->rows * groups; g++) w.scales[g] = fb_to_f16((float)random_unit(check) - 0.5f);
  w.exact = take((size_t)(s->rows * s->columns) * sizeof(double));
  w.fast = take((size_t)(s->rows * s->columns) * sizeof(double));
  w.laid_codes = memset(take(w.laid_code_bytes), 0, w.laid_code_bytes);
  w.laid_scales = take(w.laid_scale_bytes);
  row_table table = draw_table(check, (int64_t)1 << s->bits);
  if (s->shared) put_one_table(w.laid_codes + codes, &table, lanes);
  for (int64_t row = 0; row < s->rows; row++) {
    if (!s->shared) {
      table = draw_table(check, (int64_t)1 << s->bits);
      put_table(w.laid_codes + codes + (size_t)(row / lanes) * table_bytes, &table, row % lanes, lanes, s->bits);
    }
    fill_row(check, s, &w, row, &table);
  }
  lay_out(check, s, &w);
  return w;
}

static void multiply(fb_check *check, const table_shape *s, const table_sample *w, const float *x, int fast) {
  float *out = random_floats(check, s->tokens * s->rows), *rounded = random_floats(check, s->tokens * s->columns);
  double *expected = take((size_t)(s->tokens * s->rows) * sizeof(double));
  memcpy(rounded, x, (size_t)(s->tokens * s->columns) * 4);
  if (fast) round_inputs(s->tokens, s->columns, s->group_size, x, rounded);
  for (int64_t i = 0; i < s->tokens * s->rows; i++) {
    const double *row = (fast ? w->fast : w->exact) + i % s->rows * s->columns;
    const float *input = rounded + i / s->rows * s->columns;
    expected[i] = 0;
    for (int64_t j = 0; j < s->columns; j++) expected[i] += (double)input[j] * row[j];
  }
  int64_t kind = s->bits + (s->shared ? ONE_TABLE : ROW_TABLES);
  fb_args args = {.size = {s->tokens, s->rows, s->columns, s->group_size, kind, 0, fast}, .real = {0, 1}};
  set_buffer(&args, 0, out, (size_t)(s->tokens * s->rows) * 4);
  set_buffer(&args, 1, x, (size_t)(s->tokens * s->columns) * 4);
  set_buffer(&args, 2, w->laid_codes, w->laid_code_bytes);
  set_buffer(&args, 3, w->laid_scales, w->laid_scale_bytes);
  call_op(check, "packed_matmul", &args);
  expect_floats(check, fast ? "fast packed_matmul of tables" : "exact packed_matmul of tables", out, expected,
                s->tokens * s->rows, 2e-5, 1e-5);
  args.bytes[2] -= 4;
  call_refused(check, "packed_matmul", &args);
  free(out);
  free(rounded);
  free(expected);
}

static void check_shape(fb_check *check, table_shape s) {
  table_sample w = make_sample(check, &s);
  float *x = random_floats(check, s.tokens * s.columns);
  multiply(check, &s, &w, x, 0);
  multiply(check, &s, &w, x, 1);
  free(x);
  free(w.codes);
  free(w.scales);
  free(w.exact);
  free(w.fast);
  free(w.laid_codes);
  free(w.laid_scales);
}

void check_look_ups(fb_check *check) {
  static const int64_t shapes[][4] = {{1, 1, 1, 1},      {1, 9, 172, 64},  {1, 40, 640, 640}, {3, 5, 13, 13},
                                      {8, 17, 352, 100}, {9, 50, 241, 8},  {70, 49, 500, 128}, {2, 33, 700, 700}};
  for (int64_t bits = 2; bits <= 4; bits++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      const int64_t *s = shapes[i];
      check_shape(check, (table_shape){bits, s[0], s[1], s[2], s[3], 0});
      if (bits == 4) check_shape(check, (table_shape){bits, s[0], s[1], s[2], s[3], 1});
    }
  }
}
