/* Matrix products that other ops build on. */
#ifndef FEWBIT_GEMM_H
#define FEWBIT_GEMM_H

#include "../include/fewbit.h"
#include "dtype.h"

/* A matrix in memory; element (i, j) is data[i * row + j * column]. One of the strides is 1. */
typedef struct {
  const void *data;
  int64_t row, column;
  int64_t dtype;
} fb_matrix;

/* c [m, n] = beta * c + alpha * a [m, k] * b [k, n]; c is row-major, `ldc` elements from row to row. */
typedef struct {
  int64_t m, n, k;
  fb_matrix a, b;
  void *c;
  int64_t ldc;
  double alpha;
  int beta; /* 0 or 1 */
} fb_product;

/* c, products and sums in float32; a and b are f32, f16 or bf16, widened exactly. Returns NULL or a message. */
const char *FB_NAME(fb_gemm_f32)(fb_team *team, const fb_product *product);
/* The same in float64; a and b are f64. */
const char *FB_NAME(fb_gemm_f64)(fb_team *team, const fb_product *product);
/* Products and sums as the bf16 units make them: products in float32, sums in float32 two by two; a and b are
 * bf16. Only where fb_features() has FB_HAS_AVX512_BF16, respectively FB_HAS_AMX_BF16. */
const char *FB_NAME(fb_gemm_bf16)(fb_team *team, const fb_product *product);
const char *FB_NAME(fb_gemm_amx)(fb_team *team, const fb_product *product);
/* Exact products and sums in float32 of a in f32, whose column stride is 1, and b in bf16, as sums of three bf16 products.
 * Only where fb_features() has FB_HAS_AMX_BF16. */
const char *FB_NAME(fb_gemm_split_amx)(fb_team *team, const fb_product *product);
/* Few rows, a f32 with column stride 1: reads b in place, bound by its bytes. */
const char *FB_NAME(fb_gemv)(fb_team *team, const fb_product *product);
/* Up to how many rows fb_gemv is the faster one, for b by columns (k side by side) and by rows. */
#define FB_GEMV_ROWS_TURNED 48
#define FB_GEMV_ROWS 8

#endif
