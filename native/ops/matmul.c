/*
 * out [m, n] = beta * out + alpha * a * b, a f32 or bf16, b f32, f16 or bf16, each read transposed or not.
 * Chooses the product: few rows read b in place (gemv.c), bf16 x bf16 uses the matrix or dot-product units
 * where this level has them, everything else is widened and runs in float32 (gemm_f32.c).
 */
#include "gemm.h"

static fb_matrix make_matrix(const void *data, int64_t rows, int64_t columns, int64_t dtype, int turned) {
  if (turned) return (fb_matrix){data, 1, rows, dtype};
  return (fb_matrix){data, columns, 1, dtype};
}

/* buffers: out, a, b; sizes: m, n, k, dtype of a, dtype of b, a transposed, b transposed, beta; reals: alpha */
FB_OP(matmul) {
  const int64_t *size = args->size;
  int64_t m = size[0], n = size[1], k = size[2];
  FB_REQUIRE(m >= 0 && n >= 0 && k >= 0);
  FB_REQUIRE(size[3] == FB_F32 || size[3] == FB_BF16);
  FB_REQUIRE(size[4] == FB_F32 || size[4] == FB_F16 || size[4] == FB_BF16);
  FB_REQUIRE(args->bytes[0] == (size_t)(m * n) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(m * k) * fb_dtype_bytes(size[3]));
  FB_REQUIRE(args->bytes[2] == (size_t)(k * n) * fb_dtype_bytes(size[4]));
  fb_product product = {
      .m = m,
      .n = n,
      .k = k,
      .a = make_matrix(args->buffer[1], m, k, size[3], size[5] != 0),
      .b = make_matrix(args->buffer[2], k, n, size[4], size[6] != 0),
      .c = args->buffer[0],
      .ldc = n,
      .alpha = args->real[0],
      .beta = size[7] != 0,
  };
  int plain_a = size[3] == FB_F32 && (product.a.column == 1 || m == 1);
  if (m <= FB_GEMV_ROWS && plain_a) {
    product.a.row = m == 1 ? k : product.a.row;
    return FB_NAME(fb_gemv)(team, &product);
  }
  return FB_NAME(fb_gemm_f32)(team, &product);
}
