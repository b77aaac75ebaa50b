/*
 * Packing for the bf16 units, which multiply pairs along k. A strip is 32 lanes wide; for each 32 steps of k
 * it holds two tiles (lanes 0..15 and 16..31) of 16 x 16 pairs (1 KiB). Missing lanes and steps are zero.
 *
 *   a tile: row = lane,        16 pairs of k       32-bit word: | k odd | k even |
 *   b tile: row = pair of k,   16 lanes
 */
#ifndef FEWBIT_GEMM_PACK_BF16_H
#define FEWBIT_GEMM_PACK_BF16_H

#include <string.h>

#include "../include/vec.h"
#include "gemm.h"

#define PACKED uint16_t
#define RESULT float
#define MR 32
#define NR 32
#define DEPTH_STEP 32
#ifndef KC
#define KC 512
#endif
#define TILE 512 /* elements of a tile */

/* Lanes run along k in the source: row i of the square is 16 pairs of lane i. */
static inline void load_lanes(vf square[16], const uint16_t *source, int64_t stride, int lanes,
                              int depth) {
  __mmask32 used = depth >= 32 ? 0xffffffffu : (1u << depth) - 1;
  for (int i = 0; i < 16; i++) {
    __m512i row = _mm512_setzero_si512();
    if (i < lanes) row = _mm512_maskz_loadu_epi16(used, source + i * stride);
    square[i] = _mm512_castsi512_ps(row);
  }
}

/* Lanes lie side by side in the source: row i of the square is pair i of 16 lanes. */
static inline void load_pairs(vf square[16], const uint16_t *source, int64_t stride, int lanes,
                              int depth) {
  __mmask16 used = lanes >= 16 ? 0xffff : (__mmask16)((1u << lanes) - 1);
  for (int i = 0; i < 16; i++) {
    __m512i even = _mm512_setzero_si512(), odd = even;
    const uint16_t *row = source + 2 * i * stride;
    if (2 * i < depth) even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(used, row));
    if (2 * i + 1 < depth) odd = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(used, row + stride));
    square[i] = _mm512_castsi512_ps(_mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
  }
}

static void pack_halves(uint16_t *packed, int width, int64_t lanes, int64_t depth,
                       const fb_matrix *source, int64_t lane, int64_t p, int turn) {
  int64_t lane_stride = turn ? source->column : source->row;
  int64_t depth_stride = turn ? source->row : source->column;
  const uint16_t *start = (const uint16_t *)source->data + lane * lane_stride + p * depth_stride;
  (void)width;
  for (int64_t q = 0; q < depth; q += 32) {
    int steps = (int)fb_min(32, depth - q);
    for (int half = 0; half < 32; half += 16, packed += TILE) {
      vf square[16];
      int used = (int)fb_max(0, fb_min(16, lanes - half));
      const uint16_t *from = start + half * lane_stride + q * depth_stride;
      if (depth_stride == 1) load_lanes(square, from, lane_stride, used, steps);
      else load_pairs(square, from, depth_stride, used, steps);
      if ((depth_stride == 1) == turn) vf_transpose(square);
      for (int i = 0; i < 16; i++) vf_store((float *)(packed + i * 32), square[i]);
    }
  }
}

#ifndef OWN_PACK
#define pack_strip pack_halves
#endif

/* Where a tile goes: rows x columns of c, row-major. */
typedef struct {
  float *c;
  int64_t ldc, rows, columns;
  float alpha;
  int beta;
} tile_target;

/* c = beta * c + alpha * sums, sums [32, 32] */
static inline void merge_sums(const float *sums, const tile_target *to) {
  vf factor = vf_set1(to->alpha);
  for (int64_t i = 0; i < to->rows; i++) {
    for (int64_t j = 0; j < to->columns; j += 16) {
      float *c = to->c + i * to->ldc + j;
      int lanes = (int)fb_min(16, to->columns - j);
      vf value = vf_mul(factor, vf_load(sums + i * 32 + j));
      vf_store_n(c, to->beta ? vf_add(vf_load_n(c, lanes), value) : value, lanes);
    }
  }
}

#endif
