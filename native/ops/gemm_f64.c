/* c = beta * c + alpha * a * b in float64: gemm_f32.c with another element type. Bound by compute. */
#include "gemm.h"

#include "../include/vec.h"

#define REAL double
#define VEC vd
#define WIDTH VD_WIDTH
#define OP(name) vd_##name
#define KC 256
#define GEMM FB_NAME(fb_gemm_f64)
#define FB_INLINE static inline __attribute__((always_inline))
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

static void pack_strip(double *packed, int width, int64_t lanes, int64_t depth,
                       const fb_matrix *source, int64_t lane, int64_t p, int turn) {
  int64_t lane_stride = turn ? source->column : source->row;
  int64_t depth_stride = turn ? source->row : source->column;
  const double *start = (const double *)source->data + lane * lane_stride + p * depth_stride;
  int used = (int)fb_min(width, lanes);
  for (int64_t q = 0; q < depth; q += 8) { /* eight steps of k at a time keep cache lines of rows in use */
    int64_t end = fb_min(depth, q + 8);
    for (int i = 0; i < used; i++) {
      const double *lane_data = start + i * lane_stride;
      for (int64_t r = q; r < end; r++) packed[r * width + i] = lane_data[r * depth_stride];
    }
    for (int i = used; i < width; i++) {
      for (int64_t r = q; r < end; r++) packed[r * width + i] = 0;
    }
  }
}

#include "gemm_tile.h"

#include "gemm_blocks.h"
