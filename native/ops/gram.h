/* The bf16 way to a Gram matrix; only where fb_features() has a bf16 unit. */
#ifndef FEWBIT_GRAM_H
#define FEWBIT_GRAM_H

#include "gemm.h"

#define FB_BF16_UNITS (FB_HAS_AMX_BF16 | FB_HAS_AVX512_BF16)

/* Adds x^T x to the upper triangle of gram. Returns NULL or a message. */
const char *FB_NAME(fb_gram_bf16)(fb_team *team, double *gram, const float *x, int64_t rows, int64_t n);

#endif
