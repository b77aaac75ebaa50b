/*
 * Integer products of weights in blocks (packed_matrix.h) with rounded inputs: the inner loops of fast products.
 * Included once for each kind of dot-product instruction, with FB_BLOCK_DOTS as the function's name. One token is
 * bound by memory: the bytes of the file; several by the dot products.
 *
 * Sub-scales multiply the integer sums of their groups, 128 columns at a time, which is what shares an input scale:
 *
 *   Σ_g subScale[g] · Σ (origin + code) · x          at most 8 · 128 · 32 · 16 · 127 < 2^31 (Q6_K)
 *   Σ_g subOffset[g] · Σ x                           pairs of 16-bit products, with the sums of packed_round.h
 */
#include "block_codes.h"
#include "packed_fast.h"

#define PREFETCH_BYTES 4096

#if VF_WIDTH == 16 || (defined(__aarch64__) && !defined(FB_PORTABLE))
#define TOKENS 4
#else
#define TOKENS 2
#endif

/* Where the sum of group g of four stands in input_sums. */
#define SUM_PLACE(g) ((g) / 4 * 4 + ((g) % 4 == 1 ? 2 : (g) % 4 == 2 ? 1 : (g) % 4))

/* Rounded inputs of some tokens at the first column of a block, and what goes with them. */
typedef struct {
  const int8_t *values;
  int64_t stride; /* from one token to the next */
  const float *scales, *totals;
  const input_sums *sums;
  int64_t blocks; /* from one token to the next, of the last three */
} block_inputs;

/* Runs whose codes stand at one bit and share a factor. */
FB_INLINE int span_runs(const int format) {
  switch (format) {
    case FB_Q4_0: case FB_Q4_1: case FB_Q2_K: case FB_Q3_K: case FB_Q6_K: return 1;
    case FB_Q2_0: return 4;
    case FB_Q1_0: return 8;
    default: return 2;
  }
}

FB_INLINE int is_raised(const int format) {
#ifdef DOT_ANY
  return can_be_raised(format);
#else
  (void)format;
  return 0;
#endif
}

/* Whether codes of a format are bytes with a sign to products, because others of 8 bits do not fit. */
FB_INLINE int is_signed(const int format) {
#ifdef DOT_ANY
  (void)format;
  return 0;
#else
  return format == FB_Q8_0;
#endif
}

/* Adds the products of vector i of a run with four inputs of each token, `stride` apart. */
FB_INLINE void add_codes(vi sum[TOKENS], const uint8_t *words, const int8_t *four, int64_t stride, const int run,
                         const int i, const int format, const int tokens) {
#ifndef DOT_ANY
  if (is_signed(format)) {
    vi codes = vi_load(words + (4 * run + i) * UNIT);
    for (int t = 0; t < tokens; t++) sum[t] = vi_dot_signed(sum[t], codes, vi_broadcast(four + t * stride));
    return;
  }
#endif
  vi codes = run_codes(words, run, i, format, is_raised(format));
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) sum[t] = vi_dot(sum[t], codes, vi_broadcast(four + t * stride));
}

/* sum[t] += the products of the codes of a span of runs, from `run` of the block on. */
FB_INLINE void add_span(vi sum[TOKENS], const uint8_t *words, const block_inputs *x, const int run,
                        const int format, const int tokens) {
  const int shift = is_raised(format) ? field_shift(run, format) : 0;
  vi part[TOKENS];
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) part[t] = shift ? vi_zero() : sum[t];
#pragma GCC unroll 8
  for (int r = run; r < run + span_runs(format); r++) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      add_codes(part, words, x->values + 16 * r + 4 * i, x->stride, r, i, format, tokens);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) sum[t] = shift ? vi_add(sum[t], vi_halve(part[t], shift)) : part[t];
}

/* Adds to out the products of the runs of one input scale, where a block's scale is that of its groups. */
FB_INLINE void multiply_single(vf out[TOKENS], const uint8_t *words, vf scale, vf offset, const block_inputs *x,
                               const int part, const int format, const int tokens) {
  const int runs = format_of(format)->input_columns / 16;
  vi sum[TOKENS];
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) sum[t] = vi_zero();
#pragma GCC unroll 8
  for (int r = 0; r < runs; r += span_runs(format)) add_span(sum, words, x, part * runs + r, format, tokens);
  const float constant = (float)format_of(format)->origin / (float)format_of(format)->step;
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) {
    vf total = vf_set1(x->totals[t * x->blocks + part]);
    vf product = vf_mul(vi_float(sum[t]), vf_set1(x->scales[t * x->blocks + part]));
    if (constant != 0 && !is_signed(format)) product = vf_fma(product, vf_set1(constant), total);
    out[t] = vf_fma(out[t], product, scale);
    if (format_of(format)->offset) out[t] = vf_fma(out[t], offset, total);
  }
}

/* The same for half a superblock, whose groups have factors of their own. */
FB_INLINE void multiply_half(vf out[TOKENS], const uint8_t *words, vf scale, vf offset, const block_inputs *x,
                             const int half, const int format, const int tokens) {
  const int group_runs = format_of(format)->group_columns / 16, groups = 8 / group_runs;
  const int origin = format_of(format)->origin;
  sub_factors factors = load_factors(words, half, format);
  vi sum[TOKENS], below[TOKENS];
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) sum[t] = below[t] = vi_zero();
#pragma GCC unroll 8
  for (int g = 0; g < groups; g++) {
    vi dot[TOKENS], factor = factor_of(factors.scales, g);
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
      dot[t] = origin ? vi_set1(origin * x->sums[t * x->blocks + half].narrow[SUM_PLACE(g)]) : vi_zero();
    }
    add_span(dot, words, x, half * 8 + g * group_runs, format, tokens);
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) sum[t] = vi_add(sum[t], vi_mul(dot[t], factor));
  }
  if (format_of(format)->offset) {
#pragma GCC unroll 2
    for (int q = 0; q < groups / 4; q++) {
      vi even = vi_and(factors.offsets[q], vi_set1(0x00ff00ff));
      vi odd = vi_and(vi_right(factors.offsets[q], 8), vi_set1(0x00ff00ff));
#pragma GCC unroll 4
      for (int t = 0; t < tokens; t++) {
        const input_sums *sums = &x->sums[t * x->blocks + half];
        const int16_t *four = group_runs == 1 ? sums->narrow + 4 * q : sums->wide;
        below[t] = vi_dot_pairs(below[t], even, vi_broadcast((const int8_t *)four));
        below[t] = vi_dot_pairs(below[t], odd, vi_broadcast((const int8_t *)(four + 2)));
      }
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) {
    vf input = vf_set1(x->scales[t * x->blocks + half]);
    out[t] = vf_fma(out[t], vf_mul(vi_float(sum[t]), input), scale);
    if (format_of(format)->offset) out[t] = vf_fma(out[t], vf_mul(vi_float(below[t]), input), offset);
  }
}

/* sums [token][LANES] += the products of groups [g0, g1) of a row block, whole blocks, with some tokens. */
FB_INLINE void multiply_blocks(const fast_call *call, int64_t row_block, int64_t g0, int64_t g1, int64_t t0,
                               float *sums, const int format, const int tokens) {
  const packed_matrix *w = &call->weight;
  const rounded_rows *rows = &call->x;
  const block_format *f = format_of(format);
  const int parts = f->columns / f->input_columns;
  int64_t first = g0 / parts, end = g1 / parts, at = t0 * rows->blocks + g0;
  block_inputs x = {rows->values + t0 * rows->stride + g0 * f->input_columns, rows->stride, rows->scales + at,
                    rows->totals + at, rows->sums + at, rows->blocks};
  const uint8_t *words = words_of(w, row_block, first);
  const uint16_t *halves = halves_of(w, row_block, first);
  vf out[TOKENS];
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) out[t] = vf_load(sums + t * LANES);
  for (int64_t b = first; b < end; b++, words += f->words * UNIT, halves += f->halves * LANES) {
    for (int i = 0; i < f->words * UNIT; i += 64) __builtin_prefetch(words + i + PREFETCH_BYTES);
    vf scale = vf_load_f16(halves), offset = vf_zero();
    if (f->offset) offset = vf_mul(vf_load_f16(halves + LANES), vf_set1((float)f->offset));
#pragma GCC unroll 2
    for (int part = 0; part < parts; part++) {
      if (f->two_level) multiply_half(out, words, scale, offset, &x, part, format, tokens);
      else multiply_single(out, words, scale, offset, &x, part, format, tokens);
    }
    x.values += f->columns;
    x.scales += parts;
    x.totals += parts;
    x.sums += parts;
  }
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) vf_store(sums + t * LANES, out[t]);
}

FB_INLINE void multiply_format(const fast_call *call, int64_t first, int64_t blocks, int64_t g0, int64_t g1,
                               float *sums, const int format) {
  int64_t tokens = call->tokens;
  for (int64_t b = first; b < first + blocks; b++, sums += tokens * LANES) {
    int64_t t = 0;
    for (; t + TOKENS <= tokens; t += TOKENS) multiply_blocks(call, b, g0, g1, t, sums + t * LANES, format, TOKENS);
    for (; t < tokens; t++) multiply_blocks(call, b, g0, g1, t, sums + t * LANES, format, 1);
  }
}

void FB_BLOCK_DOTS(const fast_call *call, int64_t first, int64_t blocks, int64_t g0, int64_t g1, float *sums) {
  switch (call->weight.bits) {
#define CASE(format) case format: multiply_format(call, first, blocks, g0, g1, sums, format); break
    CASE(FB_Q4_0); CASE(FB_Q4_1); CASE(FB_Q5_0); CASE(FB_Q5_1); CASE(FB_Q8_0); CASE(FB_Q2_K); CASE(FB_Q3_K);
    CASE(FB_Q4_K); CASE(FB_Q5_K); CASE(FB_Q6_K); CASE(FB_TQ2_0); CASE(FB_Q1_0); CASE(FB_Q2_0);
#undef CASE
  }
}
