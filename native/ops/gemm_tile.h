/*
 * The register tile, for any element type: REAL, VEC, WIDTH, OP(), MR and NV are set by the includer.
 * `rows` is a constant at each call, so that the sums stay in registers.
 */
#define NR (NV * WIDTH)

FB_INLINE void sum_tile(const int rows, int64_t k, const REAL *a, const REAL *b, REAL *tile) {
  VEC sum[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) sum[i][v] = OP(zero)();
  }
  for (int64_t p = 0; p < k; p++, a += MR, b += NR) {
    VEC right[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) right[v] = OP(load)(b + v * WIDTH);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
      VEC left = OP(set1)(a[i]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) sum[i][v] = OP(fma)(sum[i][v], left, right[v]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) OP(store)(tile + i * NR + v * WIDTH, sum[i][v]);
  }
}

/* Sums the products of one strip of a (of which `rows` lanes are used) and one of b into tile [MR, NR]. */
static void multiply_strips(int64_t rows, int64_t k, const REAL *a, const REAL *b, REAL *tile) {
  if (rows > MR * 3 / 4) sum_tile(MR, k, a, b, tile);
  else if (rows > MR / 2) sum_tile(MR * 3 / 4, k, a, b, tile);
  else if (rows > MR / 4) sum_tile(MR / 2, k, a, b, tile);
  else if (MR >= 8 && rows <= MR / 8) sum_tile(MR / 8, k, a, b, tile);
  else sum_tile(MR / 4 > 0 ? MR / 4 : 1, k, a, b, tile);
}
