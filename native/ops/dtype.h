/* Element types as the caller passes them among the sizes. */
#ifndef FEWBIT_DTYPE_H
#define FEWBIT_DTYPE_H

#include <stddef.h>

enum { FB_F32 = 0, FB_F16 = 1, FB_BF16 = 2, FB_F64 = 3, FB_I8 = 4, FB_U8 = 5 };

/* Bytes of a float, 0 for another type. */
static inline size_t fb_dtype_bytes(int64_t dtype) {
  static const unsigned char bytes[] = {4, 2, 2, 8};
  return dtype >= 0 && dtype < (int64_t)sizeof bytes ? bytes[dtype] : 0;
}

#endif
