/* Tile size and strip packing of float32 products. */
#include "gemm.h"
#include "gemm_pack.h"

#define REAL float
#define VEC vf
#define WIDTH VF_WIDTH
#define OP(name) vf_##name
#if VF_WIDTH == 16
#define MR 8
#define NV 3
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
