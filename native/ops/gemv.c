/*
 * c [m, n] = beta * c + alpha * a [m, k] * b [k, n] for few rows of a (decoding): bound by reading b once,
 * so b is read where it lies, as f32, f16 or bf16, and widened in registers.
 *
 *   b by rows of k ("turned", a linear layer's weight [n, k]): dot products, BR rows of b at a time
 *   b by rows of n: columns of b are summed in registers, CV vectors at a time, while k runs
 */
#include "gemm.h"
#include "gemm_pack.h"

#define CHUNK_BYTES (128 << 10)
#define BR 4
#define AR 4
#define CV 4

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

/* Sums of `rows` rows of a (a constant at each call) over CV vectors of columns from j on. */
FB_INLINE void sum_columns(const fb_product *product, int64_t i, int64_t j, const int rows,
                           const int64_t dtype) {
  const float *a = (const float *)product->a.data + i * product->a.row;
  vf sum[AR][CV];
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < CV; v++) sum[r][v] = vf_zero();
  }
  for (int64_t p = 0; p < product->k; p++) {
#pragma GCC unroll 4
    for (int v = 0; v < CV; v++) {
      vf right = load_as_f32(product->b.data, p * product->b.row + j + v * VF_WIDTH, dtype);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        sum[r][v] = vf_fma(sum[r][v], vf_set1(a[r * product->a.row + p]), right);
      }
    }
  }
  vf factor = vf_set1((float)product->alpha);
  for (int r = 0; r < rows; r++) {
    float *c = (float *)product->c + (i + r) * product->ldc + j;
    for (int v = 0; v < CV; v++) {
      vf value = vf_mul(factor, sum[r][v]);
      vf_store(c + v * VF_WIDTH, product->beta ? vf_add(vf_load(c + v * VF_WIDTH), value) : value);
    }
  }
}

FB_INLINE void column_block(const fb_product *product, int64_t j, int64_t end, const int64_t dtype) {
  for (; j + CV * VF_WIDTH <= end; j += CV * VF_WIDTH) {
    int64_t i = 0;
    for (; i + AR <= product->m; i += AR) sum_columns(product, i, j, AR, dtype);
    for (; i < product->m; i++) sum_columns(product, i, j, 1, dtype);
  }
  for (; j < end; j++) {
    for (int64_t i = 0; i < product->m; i++) {
      const float *a = (const float *)product->a.data + i * product->a.row;
      float sum = 0;
      for (int64_t p = 0; p < product->k; p++) {
        sum += a[p] * read_as_f32(product->b.data, p * product->b.row + j, dtype);
      }
      store_result(product, i, j, sum);
    }
  }
}

static FB_BODY(gemv_chunk) {
  const gemv_call *call = context;
  const fb_product *product = call->product;
  int64_t j = chunk * call->columns_a_chunk, end = fb_min(product->n, j + call->columns_a_chunk);
  (void)thread;
#define BLOCK(dtype)                                                                                   \
  if (product->b.column == 1) column_block(product, j, end, dtype);                                     \
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
  if (product->b.column == 1) columns = fb_round_up(columns, CV * VF_WIDTH);
  gemv_call call = {product, columns};
  fb_parallel(team, fb_ceil_div(product->n, columns), gemv_chunk, &call);
  return NULL;
}
