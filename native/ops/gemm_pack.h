/*
 * Packing: copies strips of an operand into the order in which the tile kernel reads them, widening 16-bit
 * floats on the way. A strip is `width` lanes (rows of a, or columns of b) wide and `depth` (along k) long:
 *
 *   packed[p * width + lane] = source(lane, p)        lanes beyond `lanes` are zero
 */
#ifndef FEWBIT_GEMM_PACK_H
#define FEWBIT_GEMM_PACK_H

#include "../include/half.h"
#include "../include/vec.h"
#include "dtype.h"


FB_INLINE vf load_as_f32(const void *p, int64_t i, int64_t dtype) {
  if (dtype == FB_F32) return vf_load((const float *)p + i);
  if (dtype == FB_BF16) return vf_load_bf16((const uint16_t *)p + i);
  return vf_load_f16((const uint16_t *)p + i);
}

FB_INLINE float read_as_f32(const void *p, int64_t i, int64_t dtype) {
  if (dtype == FB_F32) return ((const float *)p)[i];
  if (dtype == FB_BF16) return fb_from_bf16(((const uint16_t *)p)[i]);
  return fb_from_f16(((const uint16_t *)p)[i]);
}

/* Lanes lie side by side in the source: copies runs of `lanes`. */
FB_INLINE void pack_runs(float *packed, int width, int lanes, int64_t depth, const void *source,
                         int64_t stride, int64_t dtype) {
  for (int64_t p = 0; p < depth; p++, packed += width) {
    int lane = 0;
    for (; lane + VF_WIDTH <= lanes; lane += VF_WIDTH) {
      vf_store(packed + lane, load_as_f32(source, p * stride + lane, dtype));
    }
    if (dtype == FB_F32 && lane < width) { /* the rest, with zeros behind */
      vf rest = vf_load_n((const float *)source + p * stride + lane, lanes - lane);
      vf_store_n(packed + lane, rest, (int)fb_min(VF_WIDTH, width - lane));
      lane += VF_WIDTH;
    }
    for (; lane < lanes; lane++) packed[lane] = read_as_f32(source, p * stride + lane, dtype);
    for (; lane < width; lane++) packed[lane] = 0;
  }
}

/* Each lane is a run along k in the source: turns squares of VF_WIDTH. */
FB_INLINE void pack_turned(float *packed, int width, int lanes, int64_t depth, const void *source,
                           int64_t stride, int64_t dtype) {
  for (int lane = 0; lane < width; lane += VF_WIDTH) {
    int used = (int)fb_max(0, fb_min(VF_WIDTH, lanes - lane));
    int stored = (int)fb_min(VF_WIDTH, width - lane);
    int64_t p = 0;
    for (; p + VF_WIDTH <= depth; p += VF_WIDTH) {
      vf square[VF_WIDTH];
      for (int i = 0; i < VF_WIDTH; i++) {
        square[i] = i < used ? load_as_f32(source, (lane + i) * stride + p, dtype) : vf_zero();
      }
      vf_transpose(square);
      float *target = packed + p * width + lane;
      for (int i = 0; i < VF_WIDTH; i++) vf_store_n(target + i * width, square[i], stored);
    }
    for (; p < depth; p++) {
      for (int i = 0; i < stored; i++) {
        packed[p * width + lane + i] =
            i < used ? read_as_f32(source, (lane + i) * stride + p, dtype) : 0;
      }
    }
  }
}

#endif
