/*
 * c[i, lanes] += Σp a[i, p] · b[p, lanes] for a strip of up to STRIP_VECTORS vectors of lanes: the inner
 * loop of ops that hold one operand lane by lane (queries, tokens) and read the other in place, with any
 * strides. Per step of p: STRIP_VECTORS loads of b, STRIP_ROWS broadcasts of a, and their multiply-adds.
 */
#ifndef FEWBIT_STRIP_H
#define FEWBIT_STRIP_H

#include "../include/vec.h"

#if VF_WIDTH == 16
#define STRIP_ROWS 12
#define STRIP_VECTORS 2
#elif VF_WIDTH == 8
#define STRIP_ROWS 6
#define STRIP_VECTORS 2
#elif defined(__ARM_NEON)
#define STRIP_ROWS 8
#define STRIP_VECTORS 3
#else
#define STRIP_ROWS 4
#define STRIP_VECTORS 2
#endif
#define STRIP_LANES (STRIP_VECTORS * VF_WIDTH)

typedef struct {
  float *c; /* [rows][c_row], lanes side by side */
  int64_t c_row;
  const float *a; /* element (i, p) at a[i * a_row + p * a_step] */
  int64_t a_row, a_step;
  const float *b; /* [k][b_row], lanes side by side */
  int64_t b_row;
} strip_product;

static inline __attribute__((always_inline)) void strip_tile(const strip_product *s, int64_t i0, int64_t k,
                                                             const int rows, const int vectors) {
  vf sum[STRIP_ROWS][STRIP_VECTORS];
  float *c = s->c + i0 * s->c_row;
  const float *a = s->a + i0 * s->a_row, *b = s->b;
  int64_t a_row = s->a_row, a_step = s->a_step, b_row = s->b_row;
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sum[i][v] = vf_load(c + i * s->c_row + v * VF_WIDTH);
  }
  for (int64_t p = 0; p < k; p++, a += a_step, b += b_row) {
    vf right[STRIP_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) right[v] = vf_load(b + v * VF_WIDTH);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
      vf left = vf_set1(a[i * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[i][v] = vf_fma(sum[i][v], left, right[v]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) vf_store(c + i * s->c_row + v * VF_WIDTH, sum[i][v]);
  }
}

static inline __attribute__((always_inline)) void strip_rows(const strip_product *s, int64_t rows, int64_t k,
                                                             const int vectors) {
  int64_t i = 0;
  /* A tile of one row waits for its own sums: what is left behind whole tiles is cut in two even parts. */
  for (; i + STRIP_ROWS <= rows && rows - i != 8; i += STRIP_ROWS) strip_tile(s, i, k, STRIP_ROWS, vectors);
#if STRIP_ROWS >= 8
  for (; i + 8 <= rows; i += 8) strip_tile(s, i, k, 8, vectors);
#endif
  for (; i + 4 <= rows; i += 4) strip_tile(s, i, k, 4, vectors);
  for (; i + 2 <= rows; i += 2) strip_tile(s, i, k, 2, vectors);
  if (i < rows) strip_tile(s, i, k, 1, vectors);
}

/* Adds the product of `rows` rows of a and `vectors` vectors of lanes of b over k steps to c. */
static void multiply_strip(const strip_product *s, int64_t rows, int64_t k, int vectors) {
  switch (vectors) {
    case 1: strip_rows(s, rows, k, 1); break;
    case 2: strip_rows(s, rows, k, 2); break;
#if STRIP_VECTORS > 2
    case 3: strip_rows(s, rows, k, 3); break;
#endif
    default: break;
  }
}

#endif
