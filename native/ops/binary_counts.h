/*
 * Counts of the bits in which tokens and the rows of a row block of a laid out 1-bit matrix (packed_matrix.h) differ:
 * XOR and popcount. counts [token][LANES] are 32-bit integers.
 *
 * words [token][stride] are the signs of the inputs, a bit each, 1 for x >= 0, in the order of the columns of a unit; one
 * word meets a unit, which has the same columns of LANES rows. Bits of columns that are missing are 0 in both.
 */
#ifndef FEWBIT_BINARY_COUNTS_H
#define FEWBIT_BINARY_COUNTS_H

#include "../include/fewbit.h"

typedef struct {
  const uint8_t *codes; /* units of the row block */
  int64_t units;
  const uint32_t *words;
  int64_t stride, tokens;
} binary_operands;

typedef void binary_counts(int32_t *counts, const binary_operands *of);

binary_counts FB_NAME(fb_binary_counts);
/* Only where fb_features() has FB_HAS_AVX512_POPCNT. */
binary_counts FB_NAME(fb_binary_counts_vpopcnt);

#endif
