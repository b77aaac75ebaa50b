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

#include "gemm_pack.h"

#define REAL float
#define VEC vf
#define WIDTH VF_WIDTH
#define OP(name) vf_##name
#define KC 512
#define GEMM FB_NAME(fb_gemm_f32)
#if VF_WIDTH == 16
#define MR 14
#define NV 2
#elif VF_WIDTH == 8
#define MR 6
#define NV 2
#elif defined(__ARM_NEON)
#define MR 8
#define NV 3
#else
#define MR 4
#define NV 2
#endif

static void pack_strip(float *packed, int width, int64_t lanes, int64_t depth, const fb_matrix *source,
                       int64_t lane, int64_t p, int turn) {
  int64_t lane_stride = turn ? source->column : source->row;
  int64_t depth_stride = turn ? source->row : source->column;
  int used = (int)fb_min(width, lanes);
  int64_t offset = lane * lane_stride + p * depth_stride;
  const void *start = (const char *)source->data + offset * (int64_t)fb_dtype_bytes(source->dtype);
#define PACK(dtype)                                                                                    \
  if (lane_stride == 1) pack_runs(packed, width, used, depth, start, depth_stride, dtype);              \
  else pack_turned(packed, width, used, depth, start, lane_stride, dtype)
  switch (source->dtype) {
    case FB_F32: PACK(FB_F32); break;
    case FB_BF16: PACK(FB_BF16); break;
    default: PACK(FB_F16); break;
  }
#undef PACK
}

#include "gemm_tile.h"

#include "gemm_blocks.h"
