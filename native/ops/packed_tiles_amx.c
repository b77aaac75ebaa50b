/*
 * Fast products of many tokens on the AMX tile unit: 16 x 16 sums of 64 products of bytes an instruction. Bound
 * by compute: by the scaling of each block's sums as much as by the products.
 *
 *   inputs  [16 tokens][64 columns]  ·  codes [16 x 4 columns][16 rows]  →  sums [16 tokens][16 rows]
 *
 * Masked slots of a unit are rows of the code tile as they stand. Whole zero points are taken off the codes when
 * these are unpacked, once for all tokens; others off the sums.
 */
#include "packed_fast.h"

#ifdef __AMX_INT8__

#include <math.h>

#include "tile_config.h"
#include "vec_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TILE 1024
#define ROW TILE_ROW_BYTES
#define BATCH 4 /* blocks whose sums are in flight */

void FB_NAME(fb_begin_tiles_amx)(void) { begin_tiles(); }
void FB_NAME(fb_end_tiles_amx)(void) { end_tiles(); }

/* Whether `code - zero` is a whole number of 8 bits for all codes of the matrix. */
static int takes_zeros_off(const packed_matrix *w) {
  float constant = -w->origin / w->step;
  if (w->zero_kind == NIBBLES) return constant == 0;
  return w->zero_kind == NO_ZEROS && w->bits < 8 && constant == rintf(constant) && fabsf(constant) <= 64;
}

/* The zero point of each row, in all four bytes of its lane. */
static vi zero_bytes_in_lanes(const packed_matrix *w, int64_t row_block, int64_t group) {
  vf zero = vf_set1(-w->origin / w->step);
  if (w->zero_kind == NIBBLES) zero = load_zeros(w, row_block, group);
  vi word = vi_and(vi_round(zero), vi_set1(255));
  word = vi_or(word, vi_left(word, 8));
  return vi_or(word, vi_left(word, 16));
}

/* Writes the slots of a chunk as rows of a tile; returns the number of rows. */
INLINE int unpack_chunk(uint8_t *tile, const uint8_t *chunk, vi zero, const int bits) {
  if (bits == 3) {
    vi high = vi_load(chunk + 2 * UNIT);
#pragma GCC unroll 8
    for (int s = 0; s < 8; s++) {
      vi low = vi_and(vi_right(vi_load(chunk + s / 4 * UNIT), 2 * (s % 4)), vi_set1_bytes(3));
      vi top = vi_left(vi_and(vi_right(high, s), vi_set1_bytes(1)), 2);
      vi_store(tile + s * ROW, _mm512_sub_epi8(vi_or(low, top), zero));
    }
    return 8;
  }
  const int slots = 8 / bits;
#pragma GCC unroll 8
  for (int s = 0; s < slots; s++) {
    vi codes = vi_load(chunk);
    if (bits < 8) codes = vi_and(vi_right(codes, bits * s), vi_set1_bytes((1 << bits) - 1));
    vi_store(tile + s * ROW, _mm512_sub_epi8(codes, zero));
  }
  return slots;
}

INLINE void unpack_chunks(uint8_t *tile, const packed_matrix *w, const uint8_t *codes, int64_t chunks, vi zero,
                          const int bits) {
  int64_t row = 0;
  for (int64_t c = 0; c < chunks; c++) {
    row += unpack_chunk(tile + row * ROW, codes + c * w->chunk_bytes, zero, bits);
  }
  for (; row % 16; row++) vi_store(tile + row * ROW, vi_zero());
}

/* Unpacks block `at` of a row block to the tiles at `tile`. */
static void unpack_block(const packed_matrix *w, int64_t row_block, int64_t at, uint8_t *tile, int centred) {
  int64_t group = at / w->group_blocks, first = at % w->group_blocks * w->block_chunks;
  int64_t chunks = fb_min(w->block_chunks, w->group_chunks - first);
  const uint8_t *codes = codes_of(w, row_block, group) + first * w->chunk_bytes;
  vi zero = centred ? zero_bytes_in_lanes(w, row_block, group) : vi_zero();
  switch (w->bits) {
    case 1: unpack_chunks(tile, w, codes, chunks, zero, 1); break;
    case 2: unpack_chunks(tile, w, codes, chunks, zero, 2); break;
    case 3: unpack_chunks(tile, w, codes, chunks, zero, 3); break;
    case 4: unpack_chunks(tile, w, codes, chunks, zero, 4); break;
    default: unpack_chunks(tile, w, codes, chunks, zero, 8); break;
  }
}

/* Multiplies the inputs of 16 tokens with the tiles of a block in tile register 0, 1, 2 or 3. */
#define MULTIPLY(sum, x, tile, tiles, centred)                                                           \
  do {                                                                                                   \
    _tile_zero(sum);                                                                                     \
    for (int64_t i = 0; i < (tiles); i++) {                                                              \
      _tile_loadd(4, (x) + i * TILE, ROW);                                                               \
      _tile_loadd(5, (tile) + i * TILE, ROW);                                                            \
      if (centred) _tile_dpbssd(sum, 4, 5);                                                              \
      else _tile_dpbsud(sum, 4, 5);                                                                      \
    }                                                                                                    \
  } while (0)

/* Sixteen tokens and blocks [b0, b1) of a row block. */
typedef struct {
  const packed_matrix *weight;
  int64_t row_block, b0, b1;
  int64_t tiles;           /* of a block */
  const uint8_t *unpacked; /* from block b0 on */
  const int8_t *values;    /* likewise */
  const float *scales, *totals;
} tile_part;

/* Scales the sums [16 tokens][16 rows] of block `at` and adds them to out. */
INLINE void add_scaled(const tile_part *p, int64_t at, const int32_t *sums, vf out[16], const int centred) {
  const packed_matrix *w = p->weight;
  const float *scales = p->scales + (at - p->b0) * 16, *totals = p->totals + (at - p->b0) * 16;
  int64_t group = at / w->group_blocks;
  vf scale = load_scales(w, p->row_block, group), zero = vf_set1(-w->origin / w->step);
  if (!centred && w->zero_kind != NO_ZEROS) zero = vf_add(zero, load_zeros(w, p->row_block, group));
#pragma GCC unroll 16
  for (int t = 0; t < 16; t++) {
    vf sum = vf_mul(vi_float(vi_load(sums + t * 16)), vf_set1(scales[t]));
    if (!centred) sum = vf_sub(sum, vf_mul(zero, vf_set1(totals[t])));
    out[t] = vf_fma(out[t], sum, scale);
  }
}

INLINE void multiply_tokens(const tile_part *p, float *sums, const int centred) {
  _Alignas(64) int32_t products[BATCH][256];
  vf out[16];
  int64_t bytes = p->tiles * TILE, at = p->b0;
  const int8_t *x = p->values;
  const uint8_t *tile = p->unpacked;
#pragma GCC unroll 16
  for (int t = 0; t < 16; t++) out[t] = vf_load(sums + t * LANES);
  for (; at + BATCH <= p->b1; at += BATCH, x += BATCH * bytes, tile += BATCH * bytes) {
    MULTIPLY(0, x, tile, p->tiles, centred);
    MULTIPLY(1, x + bytes, tile + bytes, p->tiles, centred);
    MULTIPLY(2, x + 2 * bytes, tile + 2 * bytes, p->tiles, centred);
    MULTIPLY(3, x + 3 * bytes, tile + 3 * bytes, p->tiles, centred);
    _tile_stored(0, products[0], ROW);
    _tile_stored(1, products[1], ROW);
    _tile_stored(2, products[2], ROW);
    _tile_stored(3, products[3], ROW);
    for (int i = 0; i < BATCH; i++) add_scaled(p, at + i, products[i], out, centred);
  }
  for (; at < p->b1; at++, x += bytes, tile += bytes) {
    MULTIPLY(0, x, tile, p->tiles, centred);
    _tile_stored(0, products[0], ROW);
    add_scaled(p, at, products[0], out, centred);
  }
#pragma GCC unroll 16
  for (int t = 0; t < 16; t++) vf_store(sums + t * LANES, out[t]);
}

void FB_NAME(fb_packed_tiles_amx)(const fast_call *call, int64_t row_block, int64_t b0, int64_t b1, uint8_t *tiles,
                                  float *sums) {
  const packed_matrix *w = &call->weight;
  const rounded_rows *x = &call->x;
  int centred = takes_zeros_off(w);
  for (int64_t at = b0; at < b1; at++) {
    unpack_block(w, row_block, at, tiles + (at - b0) * x->tiles * TILE, centred);
  }
  for (int64_t token = 0; token < call->tokens; token += 16) {
    int64_t first = token / 16 * x->blocks + b0;
    tile_part part = {w, row_block, b0, b1, x->tiles, tiles, x->values + first * x->tiles * TILE,
                      x->scales + first * 16, x->totals + first * 16};
    if (centred) multiply_tokens(&part, sums + token * LANES, 1);
    else multiply_tokens(&part, sums + token * LANES, 0);
  }
}

#endif
