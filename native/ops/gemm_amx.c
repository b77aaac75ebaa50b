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

#define GEMM FB_NAME(fb_gemm_amx)
#define ROW_BYTES TILE_ROW_BYTES
#define A_STRIPS 8
#define B_STRIPS 12
#define DEPTH 1024
#define OWN_MULTIPLY
#define LOCAL_BYTES (A_STRIPS * B_STRIPS * MR * NR * sizeof(float))

/* sums [32, 32] += a strip of a times a strip of b; `first` starts from zero. */
static void multiply_strips(int64_t k, const uint16_t *a, const uint16_t *b, float *sums, int first) {
  float *t1 = sums + 16, *t2 = sums + 16 * NR, *t3 = t2 + 16;
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, 2 * ROW_BYTES);
    _tile_loadd(1, t1, 2 * ROW_BYTES);
    _tile_loadd(2, t2, 2 * ROW_BYTES);
    _tile_loadd(3, t3, 2 * ROW_BYTES);
  }
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
  _tile_stored(0, sums, 2 * ROW_BYTES);
  _tile_stored(1, t1, 2 * ROW_BYTES);
  _tile_stored(2, t2, 2 * ROW_BYTES);
  _tile_stored(3, t3, 2 * ROW_BYTES);
}

#include "gemm_blocks.h"

/* c = beta * c + alpha * sums of a block, in long runs of c. */
static void merge_block(const panel *now, const float *sums, int64_t chunk) {
  const fb_product *product = now->product;
  int64_t i_begin = chunk % now->a_blocks * ROWS_A_BLOCK, j_begin = chunk / now->a_blocks * COLUMNS_A_BLOCK;
  int64_t rows = fb_min(ROWS_A_BLOCK, now->m - i_begin), columns = fb_min(COLUMNS_A_BLOCK, now->n - j_begin);
  int64_t strip = fb_ceil_div(rows, MR) * MR * NR; /* sums of a strip of b */
  float *c = (float *)product->c + (now->i0 + i_begin) * product->ldc + now->j0 + j_begin;
  vf factor = vf_set1((float)product->alpha);
  for (int64_t i = 0; i < rows; i++, c += product->ldc) {
    const float *row = sums + i * NR;
    for (int64_t j = 0; j < columns; j += VF_WIDTH) {
      int lanes = (int)fb_min(VF_WIDTH, columns - j);
      vf value = vf_mul(factor, vf_load(row + j / NR * strip + j % NR));
      if (now->beta) value = vf_add(vf_load_n(c + j, lanes), value);
      vf_store_n(c + j, value, lanes);
    }
  }
}

static FB_BODY(multiply_chunk) {
  const panel *now = context;
  int64_t i_begin = chunk % now->a_blocks * ROWS_A_BLOCK, j_begin = chunk / now->a_blocks * COLUMNS_A_BLOCK;
  int64_t i_end = fb_min(now->m, i_begin + ROWS_A_BLOCK), j_end = fb_min(now->n, j_begin + COLUMNS_A_BLOCK);
  int64_t k = now->packed_k;
  begin_tiles();
  for (int64_t p = 0; p < k; p += DEPTH) {
    float *sums = fb_local(now->team, thread);
    int64_t depth = fb_min(DEPTH, k - p);
    for (int64_t j = j_begin; j < j_end; j += NR) {
      for (int64_t i = i_begin; i < i_end; i += MR, sums += MR * NR) {
        multiply_strips(depth, now->a + i * k + p * MR, now->b + j * k + p * NR, sums, p == 0);
      }
    }
  }
  end_tiles();
  merge_block(now, fb_local(now->team, thread), chunk);
}

#endif
