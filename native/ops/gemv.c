/*
 * c [m, n] = beta * c + alpha * a [m, k] * b [k, n] for few rows of a (decoding): bound by reading b once,
 * so b is read where it lies, as f32, f16 or bf16, and widened in registers.
 *
 *   b by rows of k ("turned", a linear layer's weight [n, k]): dot products, BR rows of b at a time
 *   b by rows of n: STEPS rows of b at a time are added to COLUMNS sums in L1
 */
#include <string.h>

#include "gemm.h"
#include "gemm_pack.h"

#define CHUNK_BYTES (128 << 10)
#define BR 4
#define AR 4
#define COLUMNS 512
#define STEPS 4

typedef struct {
  const fb_product *product;
  int64_t columns_a_chunk;
} gemv_call;

static void store_result(const fb_product *product, int64_t i, int64_t j, float sum) {
  float *c = (float *)product->c + i * product->ldc + j;
  float value = (float)product->alpha * sum;
  *c = product->beta ? *c + value : value;
}

/* Dot products of `rows` rows of a with `count` rows of b (both constants at each call). */
FB_INLINE void dot_rows(const fb_product *product, int64_t i, int64_t j, const int rows, const int count,
                        const int64_t dtype) {
  const float *a = (const float *)product->a.data + i * product->a.row;
  const char *b = (const char *)product->b.data;
  int64_t stride = product->b.column, k = product->k;
  vf sum[AR][BR];
  float tail[AR][BR];
  for (int r = 0; r < rows; r++) {
    for (int s = 0; s < count; s++) sum[r][s] = vf_zero(), tail[r][s] = 0;
  }
  int64_t p = 0;
  for (; p + VF_WIDTH <= k; p += VF_WIDTH) {
#pragma GCC unroll 4
    for (int s = 0; s < count; s++) {
      vf right = load_as_f32(b, (j + s) * stride + p, dtype);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        sum[r][s] = vf_fma(sum[r][s], vf_load(a + r * product->a.row + p), right);
      }
    }
  }
  for (; p < k; p++) {
    for (int s = 0; s < count; s++) {
      float right = read_as_f32(b, (j + s) * stride + p, dtype);
      for (int r = 0; r < rows; r++) tail[r][s] += a[r * product->a.row + p] * right;
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int s = 0; s < count; s++) {
      store_result(product, i + r, j + s, vf_sum(sum[r][s]) + tail[r][s]);
    }
  }
}

FB_INLINE void dot_block(const fb_product *product, int64_t j, int64_t end, const int64_t dtype) {
  for (; j < end; j += BR) {
    int full = end - j >= BR;
    for (int64_t i = 0; i < product->m; i += AR) {
      int64_t rows = fb_min(AR, product->m - i);
      if (full && rows == AR) dot_rows(product, i, j, AR, BR, dtype);
      else if (full && rows == 1) dot_rows(product, i, j, 1, BR, dtype);
      else {
        for (int64_t r = 0; r < rows; r++) {
          if (full) dot_rows(product, i + r, j, 1, BR, dtype);
          else for (int64_t s = j; s < end; s++) dot_rows(product, i + r, s, 1, 1, dtype);
        }
      }
    }
  }
}

/* sum[columns] += a[p .. p + steps) * b[p .. p + steps, columns], for `steps` (a constant) rows of b. */
FB_INLINE void add_rows(float *sum, int64_t columns, const float *a, const fb_matrix *b, int64_t p,
                        int64_t j, const int steps, const int64_t dtype) {
  int64_t at = p * b->row + j, c = 0;
  for (; c + VF_WIDTH <= columns; c += VF_WIDTH) {
    vf value = vf_load(sum + c);
#pragma GCC unroll 4
    for (int s = 0; s < steps; s++) {
      value = vf_fma(value, vf_set1(a[p + s]), load_as_f32(b->data, at + s * b->row + c, dtype));
    }
    vf_store(sum + c, value);
  }
  for (; c < columns; c++) {
    for (int s = 0; s < steps; s++) {
      sum[c] += a[p + s] * read_as_f32(b->data, at + s * b->row + c, dtype);
    }
  }
}

FB_INLINE void column_block(const fb_product *product, int64_t j, int64_t end, const int64_t dtype) {
  float sums[FB_GEMV_ROWS][COLUMNS];
  const float *a = product->a.data;
  int64_t k = product->k, p = 0;
  memset(sums, 0, sizeof sums);
  for (; p + STEPS <= k; p += STEPS) {
    for (int64_t i = 0; i < product->m; i++) {
      add_rows(sums[i], end - j, a + i * product->a.row, &product->b, p, j, STEPS, dtype);
    }
  }
  for (; p < k; p++) {
    for (int64_t i = 0; i < product->m; i++) {
      add_rows(sums[i], end - j, a + i * product->a.row, &product->b, p, j, 1, dtype);
    }
  }
  for (int64_t i = 0; i < product->m; i++) {
    for (int64_t c = j; c < end; c++) store_result(product, i, c, sums[i][c - j]);
  }
}

static FB_BODY(gemv_chunk) {
  const gemv_call *call = context;
  const fb_product *product = call->product;
  int64_t j = chunk * call->columns_a_chunk, end = fb_min(product->n, j + call->columns_a_chunk);
  (void)thread;
#define BLOCK(dtype)                                                                                   \
  if (product->b.row != 1) column_block(product, j, end, dtype);                                     \
  else dot_block(product, j, end, dtype)
  switch (product->b.dtype) {
    case FB_F32: BLOCK(FB_F32); break;
    case FB_BF16: BLOCK(FB_BF16); break;
    default: BLOCK(FB_F16); break;
  }
#undef BLOCK
}

const char *FB_NAME(fb_gemv)(fb_team *team, const fb_product *product) {
  int64_t bytes = fb_max(1, product->k * (int64_t)fb_dtype_bytes(product->b.dtype));
  int64_t columns = fb_round_up(fb_max(1, CHUNK_BYTES / bytes), BR);
  if (product->b.row != 1) columns = COLUMNS;
  gemv_call call = {product, columns};
  fb_parallel(team, fb_ceil_div(product->n, columns), gemv_chunk, &call);
  return NULL;
}
