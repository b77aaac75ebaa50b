/*
 * c = beta * c + alpha * a * b for bf16 operands on the AMX tile unit: 16 x 16 sums of 32 products an
 * instruction. Bound by compute, and by the loads of tiles from the caches. Blocks as in gemm_f32.c, but a block is
 * summed over KC steps of k before c is touched: its sums stay in the L2 cache while DEPTH steps after DEPTH steps are
 * worked on. 32 x 32 sums are held in four tile registers:
 *
 *              b0: T6   b1: T7
 *   a0: T4     T0       T1
 *   a1: T5     T2       T3
 */
#include "gemm.h"

#ifdef __AMX_BF16__

/* Panels are deep, so that c is touched few times, unless c is small and the panels would leave the L2 cache. */
#define KC (product->m * product->n <= 1 << 18 ? 768 : 3072)
#include "gemm_pack_bf16.h"
#include "tile_config.h"
#include "gemm_tile_sums.h"

#define GEMM FB_NAME(fb_gemm_amx)
#define ROW_BYTES TILE_ROW_BYTES
#define A_STRIPS 8
#define B_STRIPS 12
#define DEPTH 1024
#define OWN_MULTIPLY
#define LOCAL_BYTES (A_STRIPS * B_STRIPS * MR * NR * sizeof(float))

/* sums [32, 32] += a strip of a times a strip of b; `first` starts from zero. */
static void multiply_strips(int64_t k, const uint16_t *a, const uint16_t *b, float *sums, int first) {
  begin_sums(sums, first);
  for (; k > 0; k -= 32, a += 2 * TILE, b += 2 * TILE) {
    _tile_loadd(4, a, ROW_BYTES);
    _tile_loadd(6, b, ROW_BYTES);
    _tile_loadd(5, a + TILE, ROW_BYTES);
    _tile_loadd(7, b + TILE, ROW_BYTES);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
  }
  end_sums(sums);
}

#include "gemm_blocks.h"

#include "gemm_amx_blocks.h"

#endif
