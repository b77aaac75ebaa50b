/* Whether buffers have the bytes of products of four sizes, which may be too large for an integer. */
#ifndef FEWBIT_HOLDS_H
#define FEWBIT_HOLDS_H

#include "../include/fewbit.h"

/* Whether `bytes` is count · each; neither is negative, and both are products of at most three sizes. */
static inline int holds(size_t bytes, int64_t count, int64_t each) {
  size_t product;
  return !__builtin_mul_overflow((size_t)count, (size_t)each, &product) && product == bytes;
}

#endif
