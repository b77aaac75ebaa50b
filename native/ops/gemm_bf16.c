/*
 * c = beta * c + alpha * a * b for bf16 operands with the AVX-512-BF16 dot product (two products and two sums a
 * lane). Bound by compute. Blocks as in gemm_f32.c; a tile of 32 x 32 is summed 8 rows at a time.
 */
#include "gemm.h"

#ifdef __AVX512BF16__

#include "gemm_pack_bf16.h"

#define GEMM FB_NAME(fb_gemm_bf16)
#define ROWS 8

static inline void begin_tiles(void) {}
static inline void end_tiles(void) {}

/* Rows [row, row + 8) of the tile: a holds 16 pairs of each lane, b 16 lanes of each pair. */
static void sum_rows(float *sums, int64_t k, const uint16_t *a, const uint16_t *b) {
  __m512 sum[ROWS][2];
  for (int i = 0; i < ROWS; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
  for (; k > 0; k -= 32, a += 2 * TILE, b += 2 * TILE) {
    for (int pair = 0; pair < 16; pair++) {
      __m512bh left = (__m512bh)_mm512_loadu_si512(b + pair * 32);
      __m512bh right = (__m512bh)_mm512_loadu_si512(b + TILE + pair * 32);
#pragma GCC unroll 8
      for (int i = 0; i < ROWS; i++) {
        int32_t word;
        memcpy(&word, a + i * 32 + pair * 2, sizeof word);
        __m512bh lane = (__m512bh)_mm512_set1_epi32(word);
        sum[i][0] = _mm512_dpbf16_ps(sum[i][0], lane, left);
        sum[i][1] = _mm512_dpbf16_ps(sum[i][1], lane, right);
      }
    }
  }
  for (int i = 0; i < ROWS; i++) {
    vf_store(sums + i * 32, sum[i][0]);
    vf_store(sums + i * 32 + 16, sum[i][1]);
  }
}

static void multiply_strips(int64_t k, const uint16_t *a, const uint16_t *b, const tile_target *to) {
  _Alignas(64) float sums[MR * NR];
  for (int64_t row = 0; row < to->rows; row += ROWS) {
    sum_rows(sums + row * 32, k, a + row / 16 * TILE + row % 16 * 32, b);
  }
  merge_sums(sums, to);
}

#include "gemm_blocks.h"

#endif
