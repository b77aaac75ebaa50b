/*
 * c = beta * c + alpha * a * b for a in float32 and b in bf16, to the accuracy of float32, on the AMX tile unit. A float32 has
 * 24 bits and a bf16 has 8, so a is exactly the sum of three bf16, and the products of each with b are exact:
 *
 *   a = a1 + a2 + a3,   a1 = a cut to 8 bits,   a2 = a - a1 cut to 8 bits,   a3 the rest;   a·b = a1·b + a2·b + a3·b
 *
 * Sums are float32, rounded as in any order of summation. Three times the products of fb_gemm_amx, of which tiles of b are loaded
 * once, and still faster than multiply-adds of vectors. Bound by compute, and by the loads of tiles. Blocks as there.
 */
#include "gemm.h"

#ifdef __AMX_BF16__

#define KC (product->m * product->n <= 1 << 18 ? 768 : 3072)
#define PARTS 3
#define A_PARTS PARTS
#define OWN_PACK
#include "gemm_pack_bf16.h"
#include "tile_config.h"
#include "gemm_tile_sums.h"

#define GEMM FB_NAME(fb_gemm_split_amx)
#define ROW_BYTES TILE_ROW_BYTES
#define A_STRIPS 8
#define B_STRIPS 12
#define DEPTH 128
#define OWN_MULTIPLY
#define LOCAL_BYTES (A_STRIPS * B_STRIPS * MR * NR * sizeof(float))

/* The upper halves of 32 floats, in order. */
static inline __m512i upper_halves(__m512i low, __m512i high) {
  const __m512i odd = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25,
                                       23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  return _mm512_permutex2var_epi16(low, odd, high);
}

/* What is left of x when its first 8 bits are taken away; nothing of an infinity. */
static inline __m512 rest_of(__m512 x) {
  __m512 cut = _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(-65536)));
  return _mm512_maskz_sub_ps(_mm512_cmp_ps_mask(x, cut, _CMP_NEQ_UQ), x, cut);
}

/* Writes 32 steps of a lane, `depth` of which there are, as a row of the tiles of the three parts. */
static inline void split_lane(uint16_t *row, const float *x, int depth) {
  __mmask16 low = depth >= 16 ? 0xffff : (__mmask16)((1u << depth) - 1);
  __mmask16 high = depth >= 32 ? 0xffff : depth <= 16 ? 0 : (__mmask16)((1u << (depth - 16)) - 1);
  __m512 a = _mm512_maskz_loadu_ps(low, x), b = _mm512_maskz_loadu_ps(high, x + 16);
  for (int part = 0; part < PARTS; part++, row += 2 * TILE) {
    _mm512_storeu_si512(row, upper_halves(_mm512_castps_si512(a), _mm512_castps_si512(b)));
    a = rest_of(a);
    b = rest_of(b);
  }
}

/* A strip of a: for each 32 steps of k the two tiles of each part. Its steps lie side by side in memory. */
static void pack_split(uint16_t *packed, int64_t lanes, int64_t depth, const fb_matrix *source, int64_t lane,
                       int64_t p) {
  const float *start = (const float *)source->data + lane * source->row + p;
  for (int64_t q = 0; q < depth; q += 32, packed += 2 * PARTS * TILE) {
    int steps = (int)fb_min(32, depth - q);
    for (int i = 0; i < MR; i++) {
      uint16_t *row = packed + i / 16 * TILE + i % 16 * 32;
      if (i < lanes) split_lane(row, start + i * source->row + q, steps);
      else for (int part = 0; part < PARTS; part++) _mm512_storeu_si512(row + part * 2 * TILE, _mm512_setzero_si512());
    }
  }
}

static void pack_strip(uint16_t *packed, int width, int64_t lanes, int64_t depth, const fb_matrix *source,
                       int64_t lane, int64_t p, int turn) {
  if (turn) pack_halves(packed, width, lanes, depth, source, lane, p, turn);
  else pack_split(packed, lanes, depth, source, lane, p);
}

/* sums [32, 32] += a strip of a times a strip of b; `first` starts from zero. */
static void multiply_strips(int64_t k, const uint16_t *a, const uint16_t *b, float *sums, int first) {
  begin_sums(sums, first);
  for (; k > 0; k -= 32, b += 2 * TILE) {
    _tile_loadd(6, b, ROW_BYTES);
    _tile_loadd(7, b + TILE, ROW_BYTES);
    for (int part = 0; part < PARTS; part++, a += 2 * TILE) {
      _tile_loadd(4, a, ROW_BYTES);
      _tile_loadd(5, a + TILE, ROW_BYTES);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  end_sums(sums);
}

#include "gemm_blocks.h"
#include "gemm_amx_blocks.h"

#endif
