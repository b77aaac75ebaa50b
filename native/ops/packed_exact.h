/*
 * Exact products of a laid out matrix: codes are widened to their float32 values, column by column, in pieces
 * that stay in a cache, and multiplied in float32. Bound by compute.
 *
 *   piece [columns][STRIP_LANES rows]  ·  x [tokens][columns]  →  sums [tokens][STRIP_LANES rows]
 */
#ifndef FEWBIT_PACKED_EXACT_H
#define FEWBIT_PACKED_EXACT_H

#include "block_codes.h"
#include "look_up.h"
#include "packed_matrix.h"
#include "strip.h"
#include "vec_int.h"

#define EXACT_COLUMNS 256
#define EXACT_STRIPS 4 /* strips of rows that share one pass over x, at most */

typedef struct {
  packed_matrix weight;
  float *out;     /* [tokens][rows] */
  const float *x; /* [tokens][columns] */
  int64_t tokens, strips;
  int rowwise; /* the numbers of a token must not depend on how many there are */
  fb_team *team;
} exact_call;

/* Values of codes in units of the scale. */
static inline vf level_of(const packed_matrix *w, vi codes, vf zero) {
  return vf_mul(vf_sub(vi_float(codes), zero), vf_set1(w->step));
}

/* Codes of column `c` of a chunk. */
static inline __attribute__((always_inline)) vi column_codes(const uint8_t *chunk, int c, const int bits) {
  if (bits == 3) {
    vi low = vi_right(vi_load(chunk + c / 16 * UNIT), 8 * (c % 4) + 2 * (c % 16 / 4));
    vi high = vi_right(vi_load(chunk + 2 * UNIT), 8 * (c % 4) + c / 4);
    return vi_or(vi_and(low, vi_set1(3)), vi_left(vi_and(high, vi_set1(1)), 2));
  }
  return vi_and(vi_right(vi_load(chunk), 8 * (c % 4) + bits * (c / 4)), vi_set1((1 << bits) - 1));
}

static inline __attribute__((always_inline)) void widen_columns(const packed_matrix *w, const uint8_t *codes,
                                                                int64_t first, int64_t count, vf zero, vf scale,
                                                                float *piece, int64_t stride, const int bits) {
  const int columns = bits == 3 ? 32 : 32 / bits;
  int64_t c = first, end = first + count;
  vf step = vf_mul(scale, vf_set1(w->step));
  while (c < end) {
    const uint8_t *chunk = codes + c / columns * w->chunk_bytes;
    if (c % columns || end - c < columns) {
      vi column = column_codes(chunk, (int)(c % columns), bits);
      vf_store(piece, vf_mul(scale, level_of(w, column, zero)));
      piece += stride;
      c++;
      continue;
    }
#pragma GCC unroll 32
    for (int i = 0; i < columns; i++, piece += stride) {
      vf_store(piece, vf_mul(step, vf_sub(vi_float(column_codes(chunk, i, bits)), zero)));
    }
    c += columns;
  }
}

/* Values of the codes of each lane in a table of 16. */
static inline vf look_up_values(const float *values, vi codes) {
#if VF_WIDTH == 16
  return _mm512_permutexvar_ps(codes, _mm512_loadu_ps(values));
#elif VF_WIDTH == 8
  __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(values), codes);
  __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(values + 8), codes);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)));
#else
  int32_t at[VF_WIDTH];
  float found[VF_WIDTH];
  vi_store(at, codes);
  for (int i = 0; i < VF_WIDTH; i++) found[i] = values[at[i]];
  return vf_load(found);
#endif
}

/* As many bytes as there are lanes. */
static inline vi widen_bytes(const uint8_t *bytes) {
#if VF_WIDTH == 16
  return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)bytes));
#elif VF_WIDTH == 8
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)bytes));
#else
  int32_t wide[VF_WIDTH];
  for (int i = 0; i < VF_WIDTH; i++) wide[i] = bytes[i];
  return vi_load(wide);
#endif
}

/* Codes of a chunk of a row block, a byte each: [slot of 16 columns][4][LANES / 4 rows][16]. */
static void unpack_looked_up(uint8_t *codes, const uint8_t *chunk, int bits) {
  uint8_t entries[16], spread[2][16], repeated[2][UNIT];
  for (int i = 0; i < 16; i++) entries[i] = (uint8_t)i;
  spread_table(spread, entries, bits);
  for (int i = 0; i < UNIT; i++) repeated[0][i] = spread[0][i % 16], repeated[1][i] = spread[1][i % 16];
  const vi table[2] = {vi_load(repeated[0]), vi_load(repeated[1])};
  for (int k = 0; k < 4; k++) {
    vi slot[MOST_SLOTS];
    const uint8_t *unit = chunk + k * (bits == 3 ? 3 : 1) * UNIT;
    if (bits == 2) look_up_unit(slot, unit, table, 2);
    else if (bits == 3) look_up_unit(slot, unit, table, 3);
    else look_up_unit(slot, unit, table, 4);
    for (int s = 0; s < slots_of(bits); s++) vi_store(codes + (s * 4 + k) * UNIT, slot[s]);
  }
}

/* The same as widen_group, of a weight with tables. */
static void widen_looked_up(const packed_matrix *w, int64_t block, int64_t group, int64_t first, int64_t count,
                            float *piece, int64_t stride) {
  const float *values = steps_of(w, block) + 2 * LANES;
  vf scale = load_scales(w, block, group);
  uint8_t codes[MOST_SLOTS * 4 * UNIT];
  int64_t unpacked = -1;
  for (int64_t c = first / VF_WIDTH * VF_WIDTH; c < first + count; c += VF_WIDTH) {
    int64_t chunk = c / w->chunk_columns, column = c % w->chunk_columns;
    if (chunk != unpacked) {
      unpack_looked_up(codes, codes_of(w, block, group) + chunk * w->chunk_bytes, (int)w->bits);
      unpacked = chunk;
    }
    vf square[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      const uint8_t *row = codes + column / 16 * 4 * UNIT + lane % 4 * UNIT + lane / 4 * 16 + column % 16;
      square[lane] = look_up_values(values + lane * 16, widen_bytes(row));
    }
    vf_transpose(square);
    for (int64_t j = fb_max(0, first - c); j < fb_min(VF_WIDTH, first + count - c); j++) {
      vf_store(piece + (c + j - first) * stride, vf_mul(scale, square[j]));
    }
  }
}

/* The same of 4-bit codes with one table of all rows. */
static void widen_one_table(const packed_matrix *w, int64_t block, int64_t group, int64_t first, int64_t count,
                            float *piece, int64_t stride) {
  const float *values = steps_of(w, block) + 2 * LANES;
  vf scale = load_scales(w, block, group);
  for (int64_t c = first; c < first + count; c++, piece += stride) {
    vi codes = column_codes(codes_of(w, block, group) + c / 8 * UNIT, (int)(c % 8), 4);
    vf_store(piece, vf_mul(scale, look_up_values(values, codes)));
  }
}

/* Writes the values of `count` columns, from column `first` of a group on, of one row block. */
static void widen_group(const packed_matrix *w, int64_t block, int64_t group, int64_t first, int64_t count,
                        float *piece, int64_t stride) {
  if (w->table_bytes) {
    if (w->tables) widen_looked_up(w, block, group, first, count, piece, stride);
    else widen_one_table(w, block, group, first, count, piece, stride);
    return;
  }
  const uint8_t *codes = codes_of(w, block, group);
  vf scale = load_scales(w, block, group), zero = vf_set1(-w->origin / w->step);
  if (w->zero_kind != NO_ZEROS) zero = vf_add(load_zeros(w, block, group), zero);
  switch (w->bits) {
    case 1: widen_columns(w, codes, first, count, zero, scale, piece, stride, 1); break;
    case 2: widen_columns(w, codes, first, count, zero, scale, piece, stride, 2); break;
    case 3: widen_columns(w, codes, first, count, zero, scale, piece, stride, 3); break;
    case 4: widen_columns(w, codes, first, count, zero, scale, piece, stride, 4); break;
    default: widen_columns(w, codes, first, count, zero, scale, piece, stride, 8); break;
  }
}

/* Writes the values of a run of 16 columns; scale · code is exact, the addition of the offset rounds once. */
FB_INLINE void widen_run(float *piece, const uint8_t *words, vf scale, vf offset, const int run, const int format) {
  const block_format *f = format_of(format);
  vf origin = vf_set1((float)f->origin / (float)f->step);
  if (f->step != 1) scale = vf_mul(scale, vf_set1((float)f->step));
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    vi codes = run_codes(words, run, i, format, 0);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++, piece += STRIP_LANES) {
      vf code = vi_float(vi_and(vi_right(codes, 8 * j), vi_set1(255)));
      vf value = vf_mul(scale, vf_add(code, origin));
      vf_store(piece, f->offset ? vf_add(value, offset) : value);
    }
  }
}

FB_INLINE void widen_block(float *piece, const uint8_t *words, const uint16_t *halves, const int format) {
  const block_format *f = format_of(format);
  const int group_runs = f->group_columns / 16;
  vf d = vf_load_f16(halves), m = vf_zero();
  if (f->offset) m = vf_mul(vf_load_f16(halves + LANES), vf_set1((float)f->offset));
#pragma GCC unroll 16
  for (int run = 0; run < f->columns / 16; run++) {
    vf scale = d, offset = m;
    if (f->two_level) {
      sub_factors factors = load_factors(words, run / 8, format);
      scale = vf_mul(d, vi_float(factor_of(factors.scales, run % 8 / group_runs)));
      if (f->offset) offset = vf_mul(m, vi_float(factor_of(factors.offsets, run % 8 / group_runs)));
    }
    widen_run(piece + run * 16 * STRIP_LANES, words, scale, offset, run, format);
  }
}

/* Writes columns [c0, c0 + count) of a row block of a weight in blocks: whole blocks. */
static void widen_blocks(const packed_matrix *w, int64_t row_block, int64_t c0, int64_t count, float *piece) {
  int64_t columns = w->format->columns;
  for (int64_t b = c0 / columns; b < (c0 + count) / columns; b++, piece += columns * STRIP_LANES) {
    const uint8_t *words = words_of(w, row_block, b);
    const uint16_t *halves = halves_of(w, row_block, b);
    switch (w->bits) {
#define CASE(format) case format: widen_block(piece, words, halves, format); break
      CASE(FB_Q4_0); CASE(FB_Q4_1); CASE(FB_Q5_0); CASE(FB_Q5_1); CASE(FB_Q8_0); CASE(FB_Q2_K); CASE(FB_Q3_K);
      CASE(FB_Q4_K); CASE(FB_Q5_K); CASE(FB_Q6_K); CASE(FB_TQ2_0); CASE(FB_Q1_0); CASE(FB_Q2_0);
#undef CASE
    }
  }
}

/* Writes columns [c0, c0 + count) of the row blocks of a strip; missing blocks become zero. */
static void widen_piece(const packed_matrix *w, int64_t strip, int64_t c0, int64_t count, float *piece) {
  for (int64_t v = 0; v < STRIP_VECTORS; v++) {
    int64_t block = strip * STRIP_VECTORS + v;
    float *to = piece + v * LANES;
    if (block >= w->row_blocks) {
      for (int64_t i = 0; i < count; i++) vf_store(to + i * STRIP_LANES, vf_zero());
      continue;
    }
    if (w->format) {
      widen_blocks(w, block, c0, count, to);
      continue;
    }
    for (int64_t c = c0; c < c0 + count;) {
      int64_t group = c / w->group_size, first = c - group * w->group_size;
      int64_t run = fb_min(w->group_size - first, c0 + count - c);
      widen_group(w, block, group, first, run, to + (c - c0) * STRIP_LANES, STRIP_LANES);
      c += run;
    }
  }
}

/* One token: several sums side by side, since each waits for its own last addition. */
static void multiply_one(float *sums, const float *piece, const float *x, int64_t count) {
  vf sum[4][STRIP_VECTORS];
  for (int i = 0; i < 4; i++) {
    for (int v = 0; v < STRIP_VECTORS; v++) sum[i][v] = i ? vf_zero() : vf_load(sums + v * LANES);
  }
  int64_t c = 0;
  for (; c + 4 <= count; c += 4) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      vf left = vf_set1(x[c + i]);
#pragma GCC unroll 4
      for (int v = 0; v < STRIP_VECTORS; v++) {
        sum[i][v] = vf_fma(sum[i][v], left, vf_load(piece + (c + i) * STRIP_LANES + v * LANES));
      }
    }
  }
  for (; c < count; c++) {
    for (int v = 0; v < STRIP_VECTORS; v++) {
      sum[0][v] = vf_fma(sum[0][v], vf_set1(x[c]), vf_load(piece + c * STRIP_LANES + v * LANES));
    }
  }
  for (int v = 0; v < STRIP_VECTORS; v++) {
    vf_store(sums + v * LANES, vf_add(vf_add(sum[0][v], sum[1][v]), vf_add(sum[2][v], sum[3][v])));
  }
}

static void write_strip(const exact_call *call, int64_t strip, const float *sums) {
  const packed_matrix *w = &call->weight;
  for (int64_t v = 0; v < STRIP_VECTORS; v++) {
    int64_t row = strip * STRIP_LANES + v * LANES;
    if (row >= w->rows) return;
    int count = (int)fb_min(LANES, w->rows - row);
    for (int64_t t = 0; t < call->tokens; t++) {
      vf_store_n(call->out + t * w->rows + row, vf_load(sums + t * STRIP_LANES + v * LANES), count);
    }
  }
}

/* Multiplies the strips of one chunk with all tokens, a piece of columns after the other. */
static FB_BODY(multiply_exactly) {
  const exact_call *call = context;
  const packed_matrix *w = &call->weight;
  int64_t first = chunk * call->strips;
  int64_t strips = fb_min(call->strips, fb_ceil_div(w->row_blocks, STRIP_VECTORS) - first);
  float *sums = fb_local(call->team, thread), *piece = sums + call->strips * call->tokens * STRIP_LANES;
  for (int64_t i = 0; i < strips * call->tokens * STRIP_LANES; i++) sums[i] = 0;
  for (int64_t c = 0; c < w->columns; c += EXACT_COLUMNS) {
    int64_t count = fb_min(EXACT_COLUMNS, w->columns - c);
    for (int64_t s = 0; s < strips; s++) {
      float *to = sums + s * call->tokens * STRIP_LANES;
      widen_piece(w, first + s, c, count, piece);
      if (call->tokens == 1 && !call->rowwise) {
        multiply_one(to, piece, call->x + c, count);
        continue;
      }
      strip_product product = {to, STRIP_LANES, call->x + c, w->columns, 1, piece, STRIP_LANES};
      multiply_strip(&product, call->tokens, count, STRIP_VECTORS);
    }
  }
  for (int64_t s = 0; s < strips; s++) {
    write_strip(call, first + s, sums + s * call->tokens * STRIP_LANES);
  }
}

/* Strips a chunk: so many that threads which take equal numbers of chunks wait least for each other. */
static int64_t strips_a_chunk(int64_t strips, int threads) {
  int64_t best = 1, least = INT64_MAX;
  for (int64_t some = EXACT_STRIPS; some > 0; some--) {
    int64_t rounds = fb_ceil_div(fb_ceil_div(strips, some), threads), idle = rounds * threads * some - strips;
    if (idle < least) best = some, least = idle;
  }
  return best;
}

static const char *multiply_exact(exact_call *call) {
  int64_t strips = fb_ceil_div(call->weight.row_blocks, STRIP_VECTORS);
  call->strips = call->tokens > 8 ? strips_a_chunk(strips, fb_threads(call->team)) : 1;
  size_t local = (size_t)(call->strips * call->tokens + EXACT_COLUMNS) * STRIP_LANES * sizeof(float);
  if (!fb_reserve(call->team, 0, local)) return "packed matmul: out of memory";
  fb_parallel(call->team, fb_ceil_div(strips, call->strips), multiply_exactly, call);
  return NULL;
}

#endif
