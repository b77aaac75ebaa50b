/*
 * Products of packed codes with rounded inputs where two products of bytes are summed in 16 bits (vpmaddubsw).
 * A tile is PAIR_BLOCKS row blocks by up to PAIR_TOKENS tokens: codes are taken apart once for all its tokens, and
 * inputs read once for all its rows. Of a tile, first the integers of a span of input blocks
 *
 *   total [block of inputs][row block][token]     Σ code · value, LANES rows each
 *
 * then what scales make of them: integers and floats by turns would not fit into the registers. What a token gets does
 * not depend on the others: integers are exact, and floats are added up in the order of the columns.
 *
 * Sums stay in 16 bits for RUN chunks, as many as can never overflow: 2 · largest code · 127 · slots < 2^15. Codes
 * of 8 bits are two of four, which stand where others have two row blocks.
 */
#ifndef FEWBIT_PACKED_PAIRS_H
#define FEWBIT_PACKED_PAIRS_H

#include "packed_fast.h"
#include "vec_int.h"

#define PAIR_BLOCKS 2
#define PAIR_TOKENS 4
/* Blocks of inputs that are summed before they are scaled, for all tokens, while their codes are in a cache. */
#define PAIR_SPAN 16
#define PAIR_PREFETCH 4096

#define RUN(bits) ((bits) == 8 ? 8 : (bits) == 4 || (bits) == 2 ? 4 : 2)
#define SLOTS(bits) ((bits) == 3 ? 8 : (bits) == 8 ? 1 : 8 / (bits))
#define CHUNK_UNITS(bits) ((bits) == 3 ? 3 : 1)
#define CHUNK_COLUMNS(bits) ((bits) == 3 ? 32 : 32 / (bits))
/* Row blocks of a tile that have sums of their own. */
#define TILE_BLOCKS(bits) ((bits) == 8 ? 1 : PAIR_BLOCKS)

/* Keeps the compiler from an address of its own for every token: it runs out of registers. */
#define OWN_POINTER(p) __asm__("" : "+r"(p))

/* The sum is made by hand: the compiler would make a tree of all sums, which registers do not hold. */
#if VF_WIDTH == 16
FB_INLINE vi multiply_pairs(vi u, vi s) { return _mm512_maddubs_epi16(u, s); }
FB_INLINE vi widen_pairs(vi pairs) { return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)); }
#else
FB_INLINE vi multiply_pairs(vi u, vi s) { return _mm256_maddubs_epi16(u, s); }
FB_INLINE vi widen_pairs(vi pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }
#endif
FB_INLINE vi add_pairs(vi sum, vi u, vi s) {
  vi out, product = multiply_pairs(u, s);
  __asm__("vpaddw %2, %1, %0" : "=v"(out) : "v"(sum), "v"(product));
  return out;
}

/* Where the codes and the inputs of a tile stand, at a chunk; tokens 0 and 1 behind x[0], 2 and 3 behind x[1]. */
typedef struct {
  const uint8_t *codes[PAIR_BLOCKS];
  const int8_t *x[2];
  int64_t stride;
} pair_place;

FB_INLINE void move_place(pair_place *at, int64_t chunks, const int bits) {
#pragma GCC unroll 2
  for (int b = 0; b < PAIR_BLOCKS; b++) at->codes[b] += chunks * CHUNK_UNITS(bits) * UNIT;
  at->x[0] += chunks * CHUNK_COLUMNS(bits);
  at->x[1] += chunks * CHUNK_COLUMNS(bits);
}

/* Slot s of a chunk's codes, a byte each; of 8 bits the half that `b` says. */
FB_INLINE vi codes_of_slot(const pair_place *at, const int b, const int s, const int bits) {
  const uint8_t *codes = at->codes[b];
  if (bits == 3) {
    vi low = vi_and(vi_right(vi_load(codes + s / 4 * UNIT), 2 * (s % 4)), vi_set1_bytes(3));
    vi high = vi_load(codes + 2 * UNIT);
    return vi_or(low, vi_and(s < 2 ? vi_left(high, 2 - s) : vi_right(high, s - 2), vi_set1_bytes(4)));
  }
  const int shift = bits == 8 ? 4 * b : bits * s;
  vi unit = vi_load(codes);
  return vi_and(shift ? vi_right(unit, shift) : unit, vi_set1_bytes(bits == 8 ? 15 : (1 << bits) - 1));
}

FB_INLINE void add_slot(vi pairs[PAIR_BLOCKS][PAIR_TOKENS], const pair_place *at, const int s, const int bits,
                        const int tokens, const int is_first) {
  vi codes[PAIR_BLOCKS];
#pragma GCC unroll 2
  for (int b = 0; b < PAIR_BLOCKS; b++) codes[b] = codes_of_slot(at, b, s, bits);
#pragma GCC unroll 4
  for (int t = 0; t < tokens; t++) {
    vi inputs = vi_broadcast(at->x[t / 2] + t % 2 * at->stride + 4 * s);
#pragma GCC unroll 2
    for (int b = 0; b < PAIR_BLOCKS; b++) {
      pairs[b][t] = is_first ? multiply_pairs(codes[b], inputs) : add_pairs(pairs[b][t], codes[b], inputs);
    }
  }
}

/* Slots one by one: the compiler does not unroll so large a loop. */
FB_INLINE void add_chunk(vi pairs[PAIR_BLOCKS][PAIR_TOKENS], const pair_place *at, const int bits, const int tokens,
                         const int is_first) {
#define SLOT(s) if (s < SLOTS(bits)) add_slot(pairs, at, s, bits, tokens, is_first && s == 0)
  SLOT(0); SLOT(1); SLOT(2); SLOT(3); SLOT(4); SLOT(5); SLOT(6); SLOT(7);
#undef SLOT
}

/* total [row block][token] = or, unless it is fresh, += the products of `chunks` chunks, which fit into 16 bits. */
FB_INLINE void sum_run(vi *total, const pair_place *at, const int chunks, const int bits, const int tokens,
                       const int is_fresh) {
  vi pairs[PAIR_BLOCKS][PAIR_TOKENS];
  for (int b = 0; b < TILE_BLOCKS(bits); b++) {
    for (int i = 0; i < chunks * CHUNK_UNITS(bits) * UNIT; i += 64) {
      __builtin_prefetch(at->codes[b] + i + PAIR_PREFETCH);
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < chunks; c++) {
    pair_place here = *at;
    move_place(&here, c, bits);
    add_chunk(pairs, &here, bits, tokens, c == 0);
  }
  for (int b = 0; b < TILE_BLOCKS(bits); b++) {
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++, total++) {
      vi sum = widen_pairs(pairs[b][t]);
      if (bits == 8) sum = vi_add(sum, vi_left(widen_pairs(pairs[1][t]), 4));
      vi_store(total, is_fresh ? sum : vi_add(vi_load(total), sum));
    }
  }
}

/* total [row block][token] = the products of the chunks of one block of inputs; moves the place behind them. */
FB_INLINE void sum_block_pairs(vi *total, pair_place *at, int64_t chunks, const int bits, const int tokens) {
  if (chunks >= RUN(bits)) {
    sum_run(total, at, RUN(bits), bits, tokens, 1);
    for (;;) {
      move_place(at, RUN(bits), bits);
      OWN_POINTER(at->x[1]);
      chunks -= RUN(bits);
      if (chunks < RUN(bits)) break;
      sum_run(total, at, RUN(bits), bits, tokens, 0);
    }
  } else {
    for (int i = 0; i < TILE_BLOCKS(bits) * tokens; i++) vi_store(total + i, vi_zero());
  }
#pragma GCC unroll 1
  for (; chunks > 0; chunks--) {
    sum_run(total, at, 1, bits, tokens, 0);
    move_place(at, 1, bits);
    OWN_POINTER(at->x[1]);
  }
}

/* A tile: some row blocks and tokens, from group g0 on. */
typedef struct {
  const fast_call *call;
  int64_t blocks[PAIR_BLOCKS]; /* the same twice where there is no second one */
  float *sums[PAIR_BLOCKS];    /* [token][LANES] */
  int64_t token;
} pair_tile;

/* Blocks of inputs [first, first + count), counted from the beginning of the row. */
typedef struct {
  int64_t first, count;
} input_span;

typedef void span_sums(vi *total, const pair_tile *tile, input_span span);
typedef void span_scales(const pair_tile *tile, input_span span, const vi *total, vf *open);

FB_INLINE void sum_span(vi *total, const pair_tile *tile, input_span span, const int bits, const int tokens) {
  const packed_matrix *w = &tile->call->weight;
  const rounded_rows *x = &tile->call->x;
  int64_t group = span.first / w->group_blocks, done = span.first % w->group_blocks * w->block_chunks;
  int64_t left = w->group_chunks - done;
  pair_place at = {.stride = x->stride};
  at.x[0] = x->values + tile->token * x->stride + group * padded_group(w) + done * CHUNK_COLUMNS(bits);
  at.x[1] = at.x[0] + 2 * x->stride;
  for (int b = 0; b < PAIR_BLOCKS; b++) at.codes[b] = codes_of(w, tile->blocks[b], group) + done * w->chunk_bytes;
  OWN_POINTER(at.x[1]);
  for (int64_t i = 0; i < span.count; i++, total += TILE_BLOCKS(bits) * tokens) {
    int64_t chunks = fb_min(left, w->block_chunks);
    sum_block_pairs(total, &at, chunks, bits, tokens);
    left = left > chunks ? left - chunks : w->group_chunks;
  }
}

/*
 * Adds a span to the sums. Where a group has several blocks of inputs (`is_whole` is not set), `open` holds what the
 * group under way has: [row block][token] products, then a total of each token.
 */
FB_INLINE void scale_span(const pair_tile *tile, input_span span, const vi *total, vf *open, const int blocks,
                          const int tokens, const int is_whole) {
  const packed_matrix *w = &tile->call->weight;
  int64_t apart = tile->call->x.blocks, at = tile->token * apart + span.first;
  const float *scales[2] = {tile->call->x.scales + at, tile->call->x.scales + at + 2 * apart};
  const float *totals[2] = {tile->call->x.totals + at, tile->call->x.totals + at + 2 * apart};
  vf constant = vf_set1(-w->origin / w->step), out[PAIR_BLOCKS][PAIR_TOKENS];
#pragma GCC unroll 2
  for (int b = 0; b < blocks; b++) {
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) out[b][t] = vf_load(tile->sums[b] + t * LANES);
  }
  for (int64_t i = 0; i < span.count; i++, total += blocks * tokens) {
    int64_t group = is_whole ? span.first + i : (span.first + i) / w->group_blocks;
    int is_last = is_whole || (span.first + i + 1) % w->group_blocks == 0;
    vf zero[PAIR_BLOCKS], scale[PAIR_BLOCKS];
#pragma GCC unroll 2
    for (int b = 0; b < blocks; b++) {
      zero[b] = w->zero_kind == NO_ZEROS ? constant : vf_add(load_zeros(w, tile->blocks[b], group), constant);
      scale[b] = load_scales(w, tile->blocks[b], group);
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
      vf input = vf_set1(scales[t / 2][t % 2 * apart + i]), sum = vf_set1(totals[t / 2][t % 2 * apart + i]);
      if (!is_whole) sum = open[blocks * tokens + t] = vf_add(open[blocks * tokens + t], sum);
#pragma GCC unroll 2
      for (int b = 0; b < blocks; b++) {
        vf *product = open + b * tokens + t;
        vf value = vf_fma(is_whole ? vf_zero() : *product, vi_float(vi_load(total + b * tokens + t)), input);
        if (!is_whole) *product = value;
        if (is_last) out[b][t] = vf_fma(out[b][t], vf_sub(value, vf_mul(zero[b], sum)), scale[b]);
      }
    }
    if (!is_whole && is_last) for (int k = 0; k < (blocks + 1) * tokens; k++) open[k] = vf_zero();
  }
#pragma GCC unroll 2
  for (int b = 0; b < blocks; b++) {
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) vf_store(tile->sums[b] + t * LANES, out[b][t]);
  }
}

/* Functions of their own, so that each has all registers. */
#define SUMS_OF(bits, tokens)                                                                                        \
  static __attribute__((noinline)) void sums_##bits##_##tokens(vi *total, const pair_tile *tile, input_span span) {  \
    sum_span(total, tile, span, bits, tokens);                                                                       \
  }
#define SCALES_OF(blocks, tokens, is_whole)                                                                          \
  static __attribute__((noinline)) void scales_##blocks##_##tokens##_##is_whole(                                     \
      const pair_tile *tile, input_span span, const vi *total, vf *open) {                                           \
    scale_span(tile, span, total, open, blocks, tokens, is_whole);                                                   \
  }
#define ALL_SUMS(bits) SUMS_OF(bits, 1) SUMS_OF(bits, 2) SUMS_OF(bits, 4)
#define ALL_SCALES(blocks, is_whole) \
  SCALES_OF(blocks, 1, is_whole) SCALES_OF(blocks, 2, is_whole) SCALES_OF(blocks, 4, is_whole)
ALL_SUMS(1) ALL_SUMS(2) ALL_SUMS(3) ALL_SUMS(4) ALL_SUMS(8)
ALL_SCALES(1, 0) ALL_SCALES(1, 1) ALL_SCALES(2, 0) ALL_SCALES(2, 1)

/* Index of a number of tokens in the tables below. */
FB_INLINE int tokens_index(int tokens) { return tokens == 4 ? 2 : tokens - 1; }

static span_sums *sums_for(int64_t bits, int tokens) {
#define ROW(bits) {sums_##bits##_1, sums_##bits##_2, sums_##bits##_4}
  static span_sums *const all[][3] = {ROW(1), ROW(2), ROW(3), ROW(4), ROW(8)};
#undef ROW
  return all[bits == 8 ? 4 : bits - 1][tokens_index(tokens)];
}

static span_scales *scales_for(int blocks, int is_whole, int tokens) {
#define ROW(blocks, is_whole)                                                                                        \
  {scales_##blocks##_1_##is_whole, scales_##blocks##_2_##is_whole, scales_##blocks##_4_##is_whole}
  static span_scales *const all[][2][3] = {{ROW(1, 0), ROW(1, 1)}, {ROW(2, 0), ROW(2, 1)}};
#undef ROW
  return all[blocks - 1][is_whole][tokens_index(tokens)];
}
#undef SUMS_OF
#undef SCALES_OF
#undef ALL_SUMS
#undef ALL_SCALES

/* A tile of so many tokens times blocks of inputs [first, end), whole groups. */
static void multiply_tile(const pair_tile *tile, int64_t first, int64_t end, int tokens) {
  const packed_matrix *w = &tile->call->weight;
  span_sums *sum = sums_for(w->bits, tokens);
  span_scales *scale = scales_for(w->bits == 8 ? 1 : PAIR_BLOCKS, w->group_blocks == 1, tokens);
  vi total[PAIR_SPAN * PAIR_BLOCKS * PAIR_TOKENS];
  vf open[(PAIR_BLOCKS + 1) * PAIR_TOKENS];
  for (int i = 0; i < (PAIR_BLOCKS + 1) * PAIR_TOKENS; i++) open[i] = vf_zero();
  for (int64_t at = first; at < end; at += PAIR_SPAN) {
    input_span span = {at, fb_min(PAIR_SPAN, end - at)};
    sum(total, tile, span);
    scale(tile, span, total, open);
  }
}

/*
 * fast_dots (packed_fast.h) of codes without tables: few groups by all tokens, then the next, so that their codes stay
 * in a cache.
 */
static void multiply_pairs_of_blocks(const fast_call *call, int64_t first, int64_t blocks, int64_t g0, int64_t g1,
                                     float *sums) {
  const packed_matrix *w = &call->weight;
  int64_t tokens = call->tokens, step = w->bits == 8 ? 1 : PAIR_BLOCKS, groups = fb_max(1, PAIR_SPAN / w->group_blocks);
  float spare[PAIR_TOKENS * LANES] = {0};
  for (int64_t b = 0; b < blocks; b += step) {
    int has_two = step == 2 && b + 1 < blocks;
    for (int64_t g = g0; g < g1; g += groups) {
      int64_t end = fb_min(g1, g + groups) * w->group_blocks;
      for (int64_t t = 0, some; t < tokens; t += some) {
        some = tokens - t >= 4 ? 4 : tokens - t >= 2 ? 2 : 1;
        float *own = sums + (b * tokens + t) * LANES;
        pair_tile tile = {call, {first + b, first + b + has_two}, {own, has_two ? own + tokens * LANES : spare}, t};
        multiply_tile(&tile, g * w->group_blocks, end, (int)some);
      }
    }
  }
}

#endif
