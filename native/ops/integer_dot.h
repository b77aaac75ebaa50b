/*
 * Sums of products of 8-bit integers, exact in int32: a tile of up to DOT_TOKENS rows of x (unsigned) times up
 * to DOT_ROWS rows of w (signed), both rows of `width` bytes. sums[t * DOT_ROWS + r]; what is beyond `tokens` and
 * `rows` is undefined.
 */
#ifndef FEWBIT_INTEGER_DOT_H
#define FEWBIT_INTEGER_DOT_H

#include "../include/fewbit.h"

#define DOT_TOKENS 4
#define DOT_ROWS 4

typedef struct {
  const uint8_t *x;
  const int8_t *w;
  int64_t tokens, rows, width;
} dot_operands;

/* Only where fb_features() has FB_HAS_AVX512_VNNI. */
void FB_NAME(fb_integer_dot_vnni)(int32_t *sums, const dot_operands *of);

#endif
