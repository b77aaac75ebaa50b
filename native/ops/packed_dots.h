/*
 * Integer products of a laid out matrix (packed_matrix.h) with rounded inputs: the inner loops of fast
 * products. Included once for each kind of dot-product instruction, with FB_DOTS as the function's name.
 * One token is bound by memory; several by the dot products.
 *
 * Where any byte can be multiplied (DOT_ANY), slot s of a unit is masked but not shifted, so that its sum is
 * 2^(p·s) times too large; one sum a slot is kept, and they are joined once a block. That halves the work
 * of unpacking.
 *
 * Where pairs of products are summed in 16 bits first (PAIR_SUMS), codes without a table have tiles of their own
 * (packed_pairs.h).
 *
 * Codes with a table are looked up first: with one of each row 16 columns of it in 128 bits (look_up.h), with one of all
 * rows as the codes stand. What is left of the table is then a step and a zero point of each row.
 */
#include "look_up.h"
#include "packed_fast.h"
#include "vec_int.h"

#define INLINE static inline __attribute__((always_inline))
#define PREFETCH_BYTES 4096

#if defined(DOT_ANY) && VF_WIDTH != 16
#define TOKENS 2
#else
#define TOKENS 4
#endif

#ifdef DOT_ANY
#define SUMS(p) ((p) == 8 ? 1 : (p) == 4 ? 2 : 4)
#else
#define SUMS(p) ((p) == 8 ? 2 : 1)
#endif

/* Adds the products of a unit of p-bit codes with the inputs at x + t · stride. */
INLINE void add_unit(vi sum[TOKENS][4], vi unit, const int8_t *x, int64_t stride, const int p, const int tokens) {
#ifdef DOT_ANY
  vi high = p == 1 ? vi_right(unit, 4) : unit;
  const int slots = 8 / p;
#pragma GCC unroll 8
  for (int s = 0; s < slots; s++) {
    int kept = s % SUMS(p);
    vi codes = p == 8 ? unit : vi_and(s < 4 ? unit : high, vi_set1_bytes(((1 << p) - 1) << p * kept));
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
      sum[t][kept] = vi_dot(sum[t][kept], codes, vi_broadcast(x + t * stride + 4 * s));
    }
  }
#else
  vi mask = vi_set1_bytes(p == 8 ? 15 : (1 << p) - 1);
  const int parts = p == 8 ? 2 : 8 / p;
#pragma GCC unroll 8
  for (int s = 0; s < parts; s++) {
    vi codes = vi_and(vi_right(unit, p == 8 ? 4 * s : p * s), mask);
    int kept = p == 8 ? s : 0, slot = p == 8 ? 0 : s;
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
      sum[t][kept] = vi_dot(sum[t][kept], codes, vi_broadcast(x + t * stride + 4 * slot));
    }
  }
#endif
}

#if defined(__AVX2__) && !defined(DOT_ANY)
#define PAIR_SUMS
#include "packed_pairs.h"
#endif

/* The sum over all slots. */
INLINE vi join_sums(const vi sum[4], const int p) {
#ifdef DOT_ANY
  vi total = sum[SUMS(p) - 1];
#pragma GCC unroll 4
  for (int s = SUMS(p) - 2; s >= 0; s--) total = vi_add(vi_halve(total, p), sum[s]);
  return total;
#else
  return p == 8 ? vi_add(sum[0], vi_left(sum[1], 4)) : sum[0];
#endif
}

INLINE void clear_sums(vi sum[TOKENS][4], const int tokens) {
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) {
#pragma GCC unroll 4
    for (int s = 0; s < 4; s++) sum[t][s] = vi_zero();
  }
}

/* Sums `chunks` chunks of codes with the inputs of each token. */
INLINE void sum_block(vi total[TOKENS], const uint8_t *codes, int64_t chunks, const int8_t *x, int64_t stride,
                      const int bits, const int tokens) {
  vi sum[TOKENS][4];
  clear_sums(sum, tokens);
  if (bits == 3) {
    for (int64_t c = 0; c < chunks; c++) {
      const uint8_t *chunk = codes + c * 3 * UNIT;
      for (int i = 0; i < 3; i++) __builtin_prefetch(chunk + i * UNIT + PREFETCH_BYTES);
      add_unit(sum, vi_load(chunk), x + c * 32, stride, 2, tokens);
      add_unit(sum, vi_load(chunk + UNIT), x + c * 32 + 16, stride, 2, tokens);
    }
    for (int t = 0; t < tokens; t++) total[t] = join_sums(sum[t], 2);
    clear_sums(sum, tokens);
    for (int64_t c = 0; c < chunks; c++) {
      add_unit(sum, vi_load(codes + c * 3 * UNIT + 2 * UNIT), x + c * 32, stride, 1, tokens);
    }
    for (int t = 0; t < tokens; t++) total[t] = vi_add(total[t], vi_left(join_sums(sum[t], 1), 2));
    return;
  }
#pragma GCC unroll 4
  for (int64_t c = 0; c < chunks; c++) {
    __builtin_prefetch(codes + c * UNIT + PREFETCH_BYTES);
    add_unit(sum, vi_load(codes + c * UNIT), x + c * (32 / bits), stride, bits, tokens);
  }
  for (int t = 0; t < tokens; t++) total[t] = join_sums(sum[t], bits);
}

/* One token: the four quarters of the rows side by side, so that inputs are read once and codes in their order. */
INLINE void sum_looked_up_once(vi total[TOKENS], const uint8_t *tables, const uint8_t *codes, int64_t chunks,
                               const int8_t *x, const int bits) {
  const int vectors = bits == 3 ? 3 : 1, count = bits == 4 ? 1 : 2, slots = slots_of(bits);
  vi part[4] = {vi_zero(), vi_zero(), vi_zero(), vi_zero()};
  for (int64_t c = 0; c < chunks; c++, x += slots * 16) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++, codes += vectors * UNIT) {
      const vi table[2] = {vi_load(tables + k * count * UNIT), vi_load(tables + (k * count + count - 1) * UNIT)};
      vi slot[MOST_SLOTS];
#pragma GCC unroll 3
      for (int i = 0; i < vectors; i++) __builtin_prefetch(codes + i * UNIT + PREFETCH_BYTES);
      look_up_unit(slot, codes, table, bits);
#pragma GCC unroll 8
      for (int s = 0; s < slots; s++) part[k] = vi_dot(part[k], slot[s], vi_repeat(x + s * 16));
    }
  }
  total[0] = vi_join(part);
}

/* Sums `chunks` chunks of codes, looked up, with the inputs of each token: a quarter of the rows after the other. */
INLINE void sum_looked_up(vi total[TOKENS], const uint8_t *tables, const uint8_t *codes, int64_t chunks,
                          const int8_t *x, int64_t stride, const int bits, const int tokens) {
  const int vectors = bits == 3 ? 3 : 1, count = bits == 4 ? 1 : 2, slots = slots_of(bits);
  vi part[TOKENS][4];
  if (tokens == 1) {
    sum_looked_up_once(total, tables, codes, chunks, x, bits);
    return;
  }
#pragma GCC unroll 1
  for (int k = 0; k < 4; k++, tables += count * UNIT) {
    const vi table[2] = {vi_load(tables), vi_load(tables + (count - 1) * UNIT)};
    vi sum[TOKENS];
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) sum[t] = vi_zero();
    for (int64_t c = 0; c < chunks; c++) {
      const uint8_t *unit = codes + (c * 4 + k) * vectors * UNIT;
      const int8_t *inputs = x + c * slots * 16;
      vi slot[MOST_SLOTS];
      look_up_unit(slot, unit, table, bits);
#pragma GCC unroll 8
      for (int s = 0; s < slots; s++) {
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) sum[t] = vi_dot(sum[t], slot[s], vi_repeat(inputs + t * stride + s * 16));
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) part[t][k] = sum[t];
  }
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) total[t] = vi_join(part[t]);
}

/* The same of 4-bit codes with one table of all rows. */
INLINE void sum_one_table(vi total[TOKENS], const uint8_t *tables, const uint8_t *codes, int64_t chunks,
                          const int8_t *x, int64_t stride, const int tokens) {
  const vi table = vi_load(tables), nibble = vi_set1_bytes(15);
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) total[t] = vi_zero();
#pragma GCC unroll 2
  for (int64_t c = 0; c < chunks; c++, codes += UNIT, x += 8) {
    __builtin_prefetch(codes + PREFETCH_BYTES);
    vi unit = vi_load(codes), low = vi_look_up(table, vi_and(unit, nibble));
    vi high = vi_look_up(table, vi_and(vi_right(unit, 4), nibble));
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
      total[t] = vi_dot(total[t], low, vi_broadcast(x + t * stride));
      total[t] = vi_dot(total[t], high, vi_broadcast(x + t * stride + 4));
    }
  }
}

enum { NO_TABLE, ROW_TABLES, ONE_TABLE };

/* sums [token][LANES] += the products of groups [g0, g1) of a row block with tokens [t0, t0 + tokens). */
INLINE void multiply_block(const fast_call *call, int64_t block, int64_t g0, int64_t g1, int64_t t0, float *sums,
                           const int bits, const int tokens, const int looks_up) {
  const packed_matrix *w = &call->weight;
  const rounded_rows *x = &call->x;
  vf out[TOKENS];
  vf constant = vf_set1(-w->origin / w->step);
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) out[t] = vf_load(sums + t * LANES);
  const uint8_t *codes = codes_of(w, block, g0);
  const int8_t *values = x->values + t0 * x->stride + g0 * padded_group(w);
  const float *scales = x->scales + t0 * x->blocks, *totals = x->totals + t0 * x->blocks;
  int64_t at = g0 * w->group_blocks;
  for (int64_t g = g0; g < g1; g++) {
    vf product[TOKENS];
    float total[TOKENS];
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
      product[t] = vf_zero();
      total[t] = 0;
    }
    for (int64_t left = w->group_chunks; left > 0; left -= w->block_chunks, at++) {
      vi sum[TOKENS];
      int64_t chunks = fb_min(left, w->block_chunks);
      const uint8_t *tables = looks_up ? tables_of(w, block) : NULL;
      if (looks_up == ROW_TABLES) sum_looked_up(sum, tables, codes, chunks, values, x->stride, bits, tokens);
      else if (looks_up) sum_one_table(sum, tables, codes, chunks, values, x->stride, tokens);
      else sum_block(sum, codes, chunks, values, x->stride, bits, tokens);
#pragma GCC unroll 4
      for (int t = 0; t < tokens; t++) {
        product[t] = vf_fma(product[t], vi_float(sum[t]), vf_set1(scales[t * x->blocks + at]));
        total[t] += totals[t * x->blocks + at];
      }
      codes += chunks * w->chunk_bytes;
      values += chunks * w->chunk_columns;
    }
    vf zero = w->zero_kind == NO_ZEROS ? constant : vf_add(load_zeros(w, block, g), constant);
    vf scale = load_scales(w, block, g);
    if (looks_up) {
      scale = vf_mul(scale, vf_load(steps_of(w, block)));
      zero = vf_load(steps_of(w, block) + LANES);
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
      out[t] = vf_fma(out[t], vf_sub(product[t], vf_mul(zero, vf_set1(total[t]))), scale);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) vf_store(sums + t * LANES, out[t]);
}

INLINE void multiply_bits(const fast_call *call, int64_t first, int64_t blocks, int64_t g0, int64_t g1, float *sums,
                          const int bits, const int looks_up) {
  int64_t tokens = call->tokens;
  for (int64_t b = first; b < first + blocks; b++, sums += tokens * LANES) {
    int64_t t = 0;
    for (; t + TOKENS <= tokens; t += TOKENS) {
      multiply_block(call, b, g0, g1, t, sums + t * LANES, bits, TOKENS, looks_up);
    }
#if TOKENS > 2
    for (; t + 2 <= tokens; t += 2) multiply_block(call, b, g0, g1, t, sums + t * LANES, bits, 2, looks_up);
#endif
    for (; t < tokens; t++) multiply_block(call, b, g0, g1, t, sums + t * LANES, bits, 1, looks_up);
  }
}

void FB_DOTS(const fast_call *call, int64_t first, int64_t blocks, int64_t g0, int64_t g1, float *sums) {
  const packed_matrix *w = &call->weight;
#define CASE(key, bits, looks_up) case key: multiply_bits(call, first, blocks, g0, g1, sums, bits, looks_up); break
  switch (w->bits + (w->tables ? FB_ROW_TABLES : w->table_bytes ? FB_ONE_TABLE : 0)) {
    CASE(FB_ROW_TABLES + 2, 2, ROW_TABLES);
    CASE(FB_ROW_TABLES + 3, 3, ROW_TABLES);
    CASE(FB_ROW_TABLES + 4, 4, ROW_TABLES);
    CASE(FB_ONE_TABLE + 4, 4, ONE_TABLE);
#ifdef PAIR_SUMS
    default: multiply_pairs_of_blocks(call, first, blocks, g0, g1, sums); break;
#else
    CASE(1, 1, NO_TABLE);
    CASE(2, 2, NO_TABLE);
    CASE(3, 3, NO_TABLE);
    CASE(4, 4, NO_TABLE);
    default: multiply_bits(call, first, blocks, g0, g1, sums, 8, NO_TABLE); break;
#endif
  }
#undef CASE
}
