/*
 * How a row of d keys or values lies in a cache: float32, float16, int8, or four bits in bytes,
 *
 *   byte i: code i + 8 below, code h + i + 8 above   h = ⌈d/2⌉ bytes, codes -7 to 7; what is no code is 8
 */
#ifndef FEWBIT_KV_LAYOUT_H
#define FEWBIT_KV_LAYOUT_H

#include <stdint.h>

#include "dtype.h"

static inline int kv_has_scales(int64_t dtype) { return dtype == FB_I8 || dtype == FB_U8; }

/* Bytes of a row of d values, 0 for a type that caches do not have. */
static inline int64_t kv_row_bytes(int64_t dtype, int64_t d) {
  if (dtype == FB_U8) return (d + 1) / 2;
  return dtype == FB_F32 ? d * 4 : dtype == FB_F16 ? d * 2 : dtype == FB_I8 ? d : 0;
}

#endif
