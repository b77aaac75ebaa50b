/*
 * c = beta * c + alpha * a * b for bf16 operands on the AMX tile unit: 16 x 16 sums of 32 products an
 * instruction. Bound by compute. Blocks as in gemm_f32.c; 32 x 32 sums are held in four tile registers:
 *
 *              b0: T6   b1: T7
 *   a0: T4     T0       T1
 *   a1: T5     T2       T3
 */
#include "gemm.h"

#ifdef __AMX_BF16__

#include "gemm_pack_bf16.h"
#include "tile_config.h"

#define GEMM FB_NAME(fb_gemm_amx)
#define ROW_BYTES TILE_ROW_BYTES

static void multiply_strips(int64_t k, const uint16_t *a, const uint16_t *b, const tile_target *to) {
  _Alignas(64) float sums[MR * NR];
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (; k > 0; k -= 32, a += 2 * TILE, b += 2 * TILE) {
    _tile_loadd(4, a, ROW_BYTES);
    _tile_loadd(6, b, ROW_BYTES);
    _tile_loadd(7, b + TILE, ROW_BYTES);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, a + TILE, ROW_BYTES);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, 2 * ROW_BYTES);
  _tile_stored(1, sums + 16, 2 * ROW_BYTES);
  _tile_stored(2, sums + 16 * 32, 2 * ROW_BYTES);
  _tile_stored(3, sums + 16 * 32 + 16, 2 * ROW_BYTES);
  merge_sums(sums, to);
}

#include "gemm_blocks.h"

#endif
