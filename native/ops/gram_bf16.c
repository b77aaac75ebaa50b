/*
 * gram [n, n] f64 += x^T x as gram.c, with x rounded to bfloat16 and products on the bf16 units. Sums of
 * one call are float32, then added in float64. The rounding errors of T rows average out: the result is
 * off by about 2^-9 / √T of its diagonal. Bound by compute, and by packing for few rows.
 *
 * Blocks of BLOCK rows of the result are made from the diagonal to the right; gram.c mirrors them.
 */
#include <stdlib.h>

#include "../include/half.h"
#include "../include/vec.h"
#include "gram.h"

#ifdef __AVX512F__

#define BLOCK 256
#define CHUNK 8192

typedef struct {
  uint16_t *rounded;
  const float *x;
  int64_t count;
} round_call;

static FB_BODY(round_chunk) {
  const round_call *call = context;
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i++) call->rounded[i] = fb_to_bf16(call->x[i]);
}

typedef struct {
  double *gram;
  const float *sums;
  int64_t n, first, columns;
} add_call;

static FB_BODY(add_row) {
  const add_call *call = context;
  double *to = call->gram + (call->first + chunk) * call->n + call->first;
  const float *from = call->sums + chunk * call->columns;
  (void)thread;
  for (int64_t j = 0; j < call->columns; j++) to[j] += (double)from[j];
}

static const char *add_blocks(fb_team *team, double *gram, const uint16_t *x, float *sums, int64_t rows,
                              int64_t n) {
  for (int64_t first = 0; first < n; first += BLOCK) {
    int64_t height = fb_min(BLOCK, n - first);
    fb_product product = {
        .m = height,
        .n = n - first,
        .k = rows,
        .a = {x + first, 1, n, FB_BF16},
        .b = {x + first, n, 1, FB_BF16},
        .c = sums,
        .ldc = n - first,
        .alpha = 1,
        .beta = 0,
    };
    const char *message = fb_features(team) & FB_HAS_AMX_BF16 ? FB_NAME(fb_gemm_amx)(team, &product)
                                                              : FB_NAME(fb_gemm_bf16)(team, &product);
    if (message) return message;
    add_call call = {gram, sums, n, first, n - first};
    fb_parallel(team, height, add_row, &call);
  }
  return NULL;
}

const char *FB_NAME(fb_gram_bf16)(fb_team *team, double *gram, const float *x, int64_t rows, int64_t n) {
  /* Not fb_reserve: the products take the team's scratch memory for themselves. */
  uint16_t *rounded = malloc((size_t)(rows * n) * sizeof *rounded);
  float *sums = malloc((size_t)(BLOCK * n) * sizeof *sums);
  const char *message = "out of memory";
  if (rounded && sums) {
    round_call call = {rounded, x, rows * n};
    fb_parallel(team, fb_ceil_div(call.count, CHUNK), round_chunk, &call);
    message = add_blocks(team, gram, rounded, sums, rows, n);
  }
  free(rounded);
  free(sums);
  return message;
}

#endif
