/*
 * Rounds rows of inputs to 8-bit integers for fast products: each block (a group of the weight, or runs of
 * BLOCK_COLUMNS of a larger one) to rne(x · 127 / max|x|). Groups begin at whole chunks; gaps are zero. A block
 * with a NaN or an infinity gets the scale NaN; one below 2^-120 counts as zero.
 */
#ifndef FEWBIT_PACKED_ROUND_H
#define FEWBIT_PACKED_ROUND_H

#include <math.h>

#include "exp.h"
#include "packed_fast.h"
#include "vec_int.h"

/*
 * Rounds x[0, count) to `padded` values, each 64 of which begin `jump` bytes after the last; writes up to LANES
 * more, which the next block overwrites.
 */
static inline void round_block(const float *x, int64_t count, int64_t padded, int8_t *values, int64_t jump,
                               float *scale, float *total) {
  vf largest = vf_zero(), check = vf_zero();
  for (int64_t i = 0; i < count; i += LANES) {
    vf v = count - i >= LANES ? vf_load(x + i) : vf_load_n(x + i, (int)(count - i));
    largest = vf_max(largest, vf_abs(v));
    check = vf_fma(check, v, vf_zero());
  }
  float most = vf_max_of(largest), inverse = most >= 0x1p-120f ? 127 / most : 0;
  *scale = vf_sum(check) == 0 ? most / 127 : NAN;
  if (!(*scale >= 0)) inverse = 0;
  vi sum = vi_zero();
  for (int64_t i = 0; i < padded; i += LANES) {
    vi rounded = vi_zero();
    if (count - i >= LANES) rounded = vi_round(vf_mul(vf_load(x + i), vf_set1(inverse)));
    else if (count > i && inverse > 0) {
      rounded = vi_round(vf_mul(vf_load_n(x + i, (int)(count - i)), vf_set1(inverse)));
    }
    if (!(inverse > 0)) rounded = vi_zero();
    vi_store_s8(values + i / 64 * jump + i % 64, rounded);
    sum = vi_add(sum, rounded);
  }
  *total = *scale * (float)vi_sum(sum);
}

static inline int16_t sum_values(const int8_t *values, int count) {
  int sum = 0;
  for (int i = 0; i < count; i++) sum += values[i];
  return (int16_t)sum;
}

/* Sums of the runs of 128 rounded columns. */
static inline void sum_runs(input_sums *sums, const int8_t *values) {
  static const int places[] = {0, 2, 1, 3};
  for (int r = 0; r < 8; r++) sums->narrow[r / 4 * 4 + places[r % 4]] = sum_values(values + 16 * r, 16);
  for (int r = 0; r < 4; r++) sums->wide[places[r]] = sum_values(values + 32 * r, 32);
}

/* Rounds one row; `row` counts from the first row of x->values. */
static inline void round_row(const packed_matrix *w, const float *source, int64_t row, const rounded_rows *x) {
  int64_t block_columns = w->block_chunks * w->chunk_columns, padded = padded_group(w);
  int64_t at = x->tiles ? row / 16 * 16 * x->blocks + row % 16 : row * x->blocks, step = x->tiles ? 16 : 1;
  for (int64_t g = 0; g < w->groups; g++) {
    int64_t first = g * w->group_size, end = fb_min(first + w->group_size, w->columns);
    for (int64_t c = 0; c < padded; c += block_columns, at += step) {
      int64_t count = fb_max(0, fb_min(block_columns, end - first - c)), jump = 64;
      int64_t room = fb_min(block_columns, padded - c);
      int8_t *values = x->values + row * x->stride + g * padded + c;
      if (x->tiles) {
        jump = 1024;
        room = x->tiles * 64;
        values = x->values + at / 16 * x->tiles * jump + row % 16 * 64;
      }
      round_block(source + first + c, count, room, values, jump, x->scales + at, x->totals + at);
      if (x->sums) sum_runs(x->sums + at, values);
    }
  }
}

#endif
