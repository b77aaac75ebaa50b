/*
 * The register tile, for any element type: REAL, VEC, WIDTH, OP(), MR and NV are set by the includer, who may
 * bring a tile_target and merge_tile() of its own (OWN_MERGE).
 * `rows` is a constant at each call, so that the sums stay in registers.
 */
#define PACKED REAL
#ifndef RESULT
#define RESULT REAL
#endif
#define NR (NV * WIDTH)
#define DEPTH_STEP 1

static inline void begin_tiles(void) {}
static inline void end_tiles(void) {}

#ifndef OWN_MERGE

/* Where a tile goes: rows x columns of c, row-major. */
typedef struct {
  REAL *c;
  int64_t ldc, rows, columns;
  REAL alpha;
  int beta;
} tile_target;

/*
 * c = beta * c + alpha * sum. All rows are read before any is written: rows are often a multiple of 4 KiB apart,
 * and a read waits for an earlier write that has the same place in its page.
 */
FB_INLINE void merge_tile(const int rows, const int vectors, VEC sum[MR][NV], const tile_target *to) {
  VEC alpha = OP(set1)(to->alpha);
  int full = to->rows == rows && to->columns >= vectors * WIDTH;
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      const REAL *c = to->c + i * to->ldc + v * WIDTH;
      int lanes = (int)fb_max(0, fb_min(WIDTH, to->columns - v * WIDTH));
      sum[i][v] = OP(mul)(alpha, sum[i][v]);
      if (!to->beta || i >= to->rows) continue;
      sum[i][v] = OP(add)(full ? OP(load)(c) : OP(load_n)(c, lanes), sum[i][v]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
    if (i >= to->rows) return;
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      REAL *c = to->c + i * to->ldc + v * WIDTH;
      if (full) OP(store)(c, sum[i][v]);
      else OP(store_n)(c, sum[i][v], (int)fb_max(0, fb_min(WIDTH, to->columns - v * WIDTH)));
    }
  }
}
#endif

/* Multiplies a strip of a by a strip of b; `rows` and `vectors`, both constant, cover the target. */
FB_INLINE void multiply_tile(const int rows, const int vectors, int64_t k, const REAL *a,
                             const REAL *b, const tile_target *to) {
  VEC sum[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
    RESULT *row = to->c + fb_min(i, to->rows - 1) * to->ldc; /* due when k has run: fetch it now */
    __builtin_prefetch(row + to->columns - 1, 1);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      __builtin_prefetch(row + v * WIDTH, 1);
      sum[i][v] = OP(zero)();
    }
  }
#pragma GCC unroll 4
  for (int64_t p = 0; p < k; p++, a += MR, b += NR) {
    VEC right[NV];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) right[v] = OP(load)(b + v * WIDTH);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
      VEC left = OP(set1)(a[i]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[i][v] = OP(fma)(sum[i][v], left, right[v]);
    }
  }
  merge_tile(rows, vectors, sum, to);
}

static void multiply_strips(int64_t k, const REAL *a, const REAL *b, const tile_target *to) {
  if (to->rows > MR * 3 / 4) {
    if (to->columns > (NV - 1) * WIDTH) multiply_tile(MR, NV, k, a, b, to);
    else if (NV == 2 || to->columns <= WIDTH) multiply_tile(MR, 1, k, a, b, to);
    else multiply_tile(MR, 2, k, a, b, to);
  } else if (to->rows > MR / 2) {
    multiply_tile(MR * 3 / 4, NV, k, a, b, to);
  } else if (to->rows > MR / 4) {
    multiply_tile(MR / 2, NV, k, a, b, to);
  } else {
    multiply_tile(MR / 4, NV, k, a, b, to);
  }
}
