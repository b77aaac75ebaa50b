/*
 * out [m, n] = beta * out + alpha * a * b, a f32 or bf16, b f32, f16 or bf16, each read transposed or not.
 * Chooses the product: few rows, and a single column, read the matrix in place (gemv.c), bf16 x bf16 uses the
 * matrix or dot-product units where this level has them, f32 x bf16 the matrix units too (gemm_split_amx.c),
 * everything else is widened and runs in float32 (gemm_f32.c).
 */
#include "gemm.h"
#include "gemm_pack.h"

#define SPLIT_DEPTH 64

static fb_matrix make_matrix(const void *data, int64_t rows, int64_t columns, int64_t dtype, int turned) {
  if (turned) return (fb_matrix){data, 1, rows, dtype};
  return (fb_matrix){data, columns, 1, dtype};
}

/* Few rows: reads b in place, a as float32 rows (a copy, unless it is that already). */
static const char *multiply_few(fb_team *team, const fb_product *product) {
  fb_product plain = *product;
  const fb_matrix *a = &product->a;
  if (a->dtype == FB_F32 && a->column == 1) return FB_NAME(fb_gemv)(team, product);
  if (!fb_reserve(team, (size_t)(product->m * product->k) * sizeof(float), 0)) return "out of memory";
  float *copy = fb_shared(team);
  plain.a = (fb_matrix){copy, product->k, 1, FB_F32};
  for (int64_t i = 0; i < product->m; i++) {
    for (int64_t p = 0; p < product->k; p++) {
      *copy++ = read_as_f32(a->data, i * a->row + p * a->column, a->dtype);
    }
  }
  return FB_NAME(fb_gemv)(team, &plain);
}

#ifdef __AVX512F__
/* Float32 rows by a bf16 matrix: the tile unit takes the float32 apart. Short sums are not worth its packing. */
static int can_split(fb_team *team, const fb_product *product) {
  const fb_matrix *a = &product->a;
  if (a->dtype != FB_F32 || a->column != 1 || product->b.dtype != FB_BF16) return 0;
  return product->k >= SPLIT_DEPTH && fb_features(team) & FB_HAS_AMX_BF16;
}
#endif

/* A matrix times a vector, as the vector times the matrix turned over. */
static const char *multiply_vector(fb_team *team, const fb_product *product) {
  const fb_matrix *a = &product->a, *b = &product->b;
  fb_product turned = *product;
  turned.m = 1;
  turned.n = product->m;
  turned.a = (fb_matrix){b->data, product->k, 1, b->dtype};
  turned.b = (fb_matrix){a->data, a->column, a->row, a->dtype};
  return multiply_few(team, &turned);
}

static const char *choose_product(fb_team *team, const fb_product *product) {
  if (product->n == 1 && product->ldc == 1) return multiply_vector(team, product);
  int both_bf16 = product->a.dtype == FB_BF16 && product->b.dtype == FB_BF16;
  unsigned units = both_bf16 ? fb_features(team) & (FB_HAS_AMX_BF16 | FB_HAS_AVX512_BF16) : 0;
  int turned = product->b.row == 1 && product->b.column != 1;
  int64_t few = turned && !units ? FB_GEMV_ROWS_TURNED : FB_GEMV_ROWS;
  if (product->m <= few) return multiply_few(team, product);
#ifdef __AVX512F__
  if (units & FB_HAS_AMX_BF16) return FB_NAME(fb_gemm_amx)(team, product);
  if (units) return FB_NAME(fb_gemm_bf16)(team, product);
  if (can_split(team, product)) return FB_NAME(fb_gemm_split_amx)(team, product);
#endif
  return FB_NAME(fb_gemm_f32)(team, product);
}

/* Some rows after the others, each as if it were alone: `gemv.c` gives a row the same numbers beside any others. */
static const char *multiply_rowwise(fb_team *team, const fb_product *product) {
  int64_t most = product->b.row == 1 ? FB_GEMV_ROWS_TURNED : FB_GEMV_ROWS;
  for (int64_t i = 0; i < product->m; i += most) {
    fb_product part = *product;
    part.m = fb_min(most, product->m - i);
    part.a.data = (const char *)product->a.data + i * product->a.row * (int64_t)fb_dtype_bytes(product->a.dtype);
    part.c = (float *)product->c + i * product->ldc;
    const char *wrong = multiply_few(team, &part);
    if (wrong) return wrong;
  }
  return NULL;
}

/*
 * buffers: out, a, b; sizes: m, n, k, dtype of a, dtype of b, a transposed, b transposed, beta, rowwise; reals: alpha
 */
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
  if (!m || !n) return NULL;
  return size[8] ? multiply_rowwise(team, &product) : choose_product(team, &product);
}
