/* c = beta * c + alpha * a * b in float64: gemm_f32.c with another element type. Bound by compute. */
#include "gemm.h"

#include "../include/vec.h"

#define REAL double
#define VEC vd
#define WIDTH VD_WIDTH
#define OP(name) vd_##name
#define KC 256
#define GEMM FB_NAME(fb_gemm_f64)
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

/* Lanes lie side by side in the source. */
static void pack_runs(double *packed, int width, int lanes, int64_t depth, const double *source,
                      int64_t stride) {
  for (int64_t p = 0; p < depth; p++, packed += width, source += stride) {
    for (int lane = 0; lane < width; lane += VD_WIDTH) {
      int used = (int)fb_max(0, fb_min(VD_WIDTH, lanes - lane));
      vd run = used == VD_WIDTH ? vd_load(source + lane) : vd_load_n(source + lane, used);
      vd_store_n(packed + lane, run, (int)fb_min(VD_WIDTH, width - lane));
    }
  }
}

/* Each lane is a run along k in the source: turns squares of VD_WIDTH. */
static void pack_turned(double *packed, int width, int lanes, int64_t depth, const double *source,
                        int64_t stride) {
  for (int64_t p = 0; p < depth; p += VD_WIDTH) {
    int steps = (int)fb_min(VD_WIDTH, depth - p);
    for (int lane = 0; lane < width; lane += VD_WIDTH) {
      vd square[VD_WIDTH];
      for (int i = 0; i < VD_WIDTH; i++) {
        square[i] = lane + i < lanes ? vd_load_n(source + (lane + i) * stride + p, steps) : vd_zero();
      }
      vd_transpose(square);
      int stored = (int)fb_min(VD_WIDTH, width - lane);
      for (int i = 0; i < steps; i++) vd_store_n(packed + (p + i) * width + lane, square[i], stored);
    }
  }
}

static void pack_strip(double *packed, int width, int64_t lanes, int64_t depth,
                       const fb_matrix *source, int64_t lane, int64_t p, int turn) {
  int64_t lane_stride = turn ? source->column : source->row;
  int64_t depth_stride = turn ? source->row : source->column;
  const double *start = (const double *)source->data + lane * lane_stride + p * depth_stride;
  int used = (int)fb_min(width, lanes);
  if (lane_stride == 1) pack_runs(packed, width, used, depth, start, depth_stride);
  else pack_turned(packed, width, used, depth, start, lane_stride);
}

#include "gemm_tile.h"

#include "gemm_blocks.h"
