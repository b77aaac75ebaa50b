/*
 * c = beta * c + alpha * a * b in float32, any shape and transposition, 16-bit operands widened on the way.
 * Bound by compute. The product is cut so that each part stays in one level of cache:
 *
 *   k in panels of KC; a panel of a and of b are packed once, by all threads, into strips (gemm_pack.h)
 *   c in blocks of ROWS_A_BLOCK x COLUMNS_A_BLOCK, one chunk of work each
 *   a block in tiles of MR x NR that stay in registers while k runs:
 *
 *            b strip: NR wide, from L1         per step of k: NV loads of b, MR broadcasts of a,
 *          [ b0 | b1 ]                         MR * NV multiply-adds
 *   a0     [ c00  c01 ]
 *   a1     [ c10  c11 ]    a strip: MR wide, from L2
 *   ...
 */
#include "gemm.h"
#include "gemm_f32_strips.h"

#define KC 512
#define GEMM FB_NAME(fb_gemm_f32)

#include "gemm_tile.h"

#include "gemm_blocks.h"
