/*
 * Upper U, float32, with A^-1 = U^T U, for the symmetric positive definite A that lies below the diagonal of
 * h [n, n] f64, with its diagonal apart; rows and columns may be taken in another order. Bound by compute:
 * 2/3 n^3 operations, nearly all in gemm_f64.c.
 *
 * A = R R^T with R upper (a Cholesky factorization that starts at the last row) gives U = R^-1, so A itself
 * is never inverted. Blocks of NB columns; the upper triangle of h holds A, then R, then U, while
 * everything below the diagonal stays. Diagonal blocks of U live in `inverses`, with zeros below.
 *
 *   1. columns K, from the last:   A_iK -= sum over J > K of R_iJ R_KJ^T;  R_KK R_KK^T = A_KK;
 *                                  R_iK = A_iK R_KK^-T                                   (i < K)
 *   2. rows I, from the last:      U_IJ = -U_II (sum over I < P <= J of R_IP U_PJ)        (J > I)
 */
#include <math.h>
#include <string.h>

#include "../include/vec.h"
#include "gemm.h"

#define NB 224            /* a multiple of the tile sizes of AVX-512 */
#define WIDE (4 * NB)     /* columns of one product in step 2 */
#define SQUARE (NB * NB)
#define MIRROR 32

typedef struct {
  fb_team *team;
  double *h;
  const double *diagonal;
  const int32_t *order; /* [n]; NULL: as they are */
  float *u;
  int64_t n;
  double *inverses; /* [blocks, NB, NB] */
  double *block;    /* [NB, NB] */
  double *strip;    /* [n, NB] or [NB, n] */
  const char *error;
} factor;

static fb_matrix by_rows(const double *data, int64_t stride) {
  return (fb_matrix){data, stride, 1, FB_F64};
}

/* The transpose of a matrix that lies by rows. */
static fb_matrix turned(const double *data, int64_t stride) {
  return (fb_matrix){data, 1, stride, FB_F64};
}

/* c = beta c + alpha a b */
static void multiply(factor *f, double *c, int64_t ldc, int64_t m, int64_t n, int64_t k, fb_matrix a,
                     fb_matrix b, double alpha, int beta) {
  fb_product product = {m, n, k, a, b, c, ldc, alpha, beta};
  const char *error = FB_NAME(fb_gemm_f64)(f->team, &product);
  if (error) f->error = error;
}

static double dot(const double *a, const double *b, int64_t n) {
  vd sum = vd_zero();
  int64_t i = 0;
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) sum = vd_fma(sum, vd_load(a + i), vd_load(b + i));
  double rest = 0;
  for (; i < n; i++) rest += a[i] * b[i];
  return vd_sum(sum) + rest;
}

/* Replaces the upper triangle of d [size, NB] by R; returns 0, or 1 + the pivot that failed. */
static int64_t factorize_block(double *d, int64_t size) {
  for (int64_t j = size - 1; j >= 0; j--) {
    const double *row = d + j * NB;
    double pivot = row[j] - dot(row + j + 1, row + j + 1, size - j - 1);
    if (!(pivot > 0)) return j + 1;
    pivot = sqrt(pivot);
    d[j * NB + j] = pivot;
    for (int64_t i = 0; i < j; i++) {
      double *entry = d + i * NB + j;
      *entry = (*entry - dot(entry + 1, row + j + 1, size - j - 1)) / pivot;
    }
  }
  return 0;
}

/* inverse [size, NB] = R^-1, with zeros below the diagonal. */
static void invert_block(double *inverse, const double *r, int64_t size) {
  for (int64_t i = size - 1; i >= 0; i--) {
    double *row = inverse + i * NB, pivot = 1 / r[i * NB + i];
    memset(row, 0, NB * sizeof(double));
    for (int64_t p = i + 1; p < size; p++) {
      double scale = r[i * NB + p] * pivot;
      const double *other = inverse + p * NB;
      for (int64_t j = p; j < size; j++) row[j] -= scale * other[j];
    }
    row[i] = pivot;
  }
}

/* Step 1 for columns [j0, j1); returns 0, or 1 + the pivot that failed. */
static int64_t factorize_columns(factor *f, int64_t j0, int64_t j1) {
  double *h = f->h, *rows = h + j0 * f->n;
  int64_t n = f->n, size = j1 - j0, rest = n - j1;
  for (int64_t i = 0; i < size; i++) {
    memcpy(f->block + i * NB, rows + i * n + j0, (size_t)size * sizeof(double));
  }
  multiply(f, f->block, NB, size, size, rest, by_rows(rows + j1, n), turned(rows + j1, n), -1, 1);
  multiply(f, h + j0, n, j0, size, rest, by_rows(h + j1, n), turned(rows + j1, n), -1, 1);
  int64_t failed = factorize_block(f->block, size);
  if (failed) return j0 + failed;
  double *inverse = f->inverses + j0 / NB * SQUARE;
  invert_block(inverse, f->block, size);
  for (int64_t i = 0; i < j0; i++) {
    memcpy(f->strip + i * NB, h + i * n + j0, (size_t)size * sizeof(double));
  }
  multiply(f, h + j0, n, j0, size, size, by_rows(f->strip, NB), turned(inverse, NB), 1, 0);
  return 0;
}

/* Step 2 for rows [i0, i1). */
static void invert_rows(factor *f, int64_t i0, int64_t i1) {
  double *h = f->h, *r = h + i0 * f->n, *sums = f->strip;
  int64_t n = f->n, size = i1 - i0;
  for (int64_t wide = i1; wide < n; wide += WIDE) {
    int64_t end = fb_min(n, wide + WIDE);
    multiply(f, sums + wide, n, size, end - wide, wide - i1, by_rows(r + i1, n),
             by_rows(h + i1 * n + wide, n), 1, 0);
    for (int64_t j = wide; j < end; j += NB) { /* the triangle at the end of these columns */
      int64_t columns = fb_min(NB, n - j);
      multiply(f, sums + j, n, size, columns, j - wide, by_rows(r + wide, n),
               by_rows(h + wide * n + j, n), 1, 1);
      multiply(f, sums + j, n, size, columns, columns, by_rows(r + j, n),
               by_rows(f->inverses + j / NB * SQUARE, NB), 1, 1);
    }
  }
  multiply(f, r + i1, n, size, n - i1, size, by_rows(f->inverses + i0 / NB * SQUARE, NB),
           by_rows(sums + i1, n), -1, 0);
}

/* The element of h below the diagonal that stands for row i and column j < i, or for i < j. */
static inline double below(const factor *f, int64_t i, int64_t j) {
  return f->h[fb_max(i, j) * f->n + fb_min(i, j)];
}

/* Fills MIRROR rows of the upper triangle from the lower one, in order, and the diagonal. */
static FB_BODY(fill_rows) {
  const factor *f = context;
  int64_t n = f->n, i0 = chunk * MIRROR, i1 = fb_min(n, i0 + MIRROR);
  (void)thread;
  for (int64_t j0 = i0; j0 < n; j0 += MIRROR) {
    for (int64_t i = i0; i < i1; i++) {
      for (int64_t j = fb_max(i + 1, j0); j < fb_min(n, j0 + MIRROR); j++) {
        f->h[i * n + j] = f->order ? below(f, f->order[i], f->order[j]) : f->h[j * n + i];
      }
    }
  }
  for (int64_t i = i0; i < i1; i++) f->h[i * n + i] = f->diagonal[i];
}

/* Rounds MIRROR rows of U to float32. */
static FB_BODY(write_rows) {
  const factor *f = context;
  int64_t n = f->n, i1 = fb_min(n, (chunk + 1) * MIRROR);
  (void)thread;
  for (int64_t i = chunk * MIRROR; i < i1; i++) {
    int64_t end = fb_min(n, (i / NB + 1) * NB); /* of the diagonal block */
    const double *block = f->inverses + i / NB * SQUARE + i % NB * NB - i / NB * NB;
    float *row = f->u + i * n;
    memset(row, 0, (size_t)i * sizeof(float));
    for (int64_t j = i; j < end; j++) row[j] = (float)block[j];
    for (int64_t j = end; j < n; j++) row[j] = (float)f->h[i * n + j];
  }
}

static int64_t factorize(factor *f) {
  int64_t last = (f->n - 1) / NB * NB;
  fb_parallel(f->team, fb_ceil_div(f->n, MIRROR), fill_rows, f);
  for (int64_t j = last; j >= 0; j -= NB) {
    int64_t failed = factorize_columns(f, j, fb_min(f->n, j + NB));
    if (failed) return failed;
  }
  for (int64_t i = last; i >= 0; i -= NB) invert_rows(f, i, fb_min(f->n, i + NB));
  fb_parallel(f->team, fb_ceil_div(f->n, MIRROR), write_rows, f);
  return 0;
}

/* Whether all of it are places of n rows. */
static int is_order(const int32_t *order, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (order[i] < 0 || order[i] >= n) return 0;
  }
  return 1;
}

/* buffers: u, h, diagonal, status, order or NULL; sizes: n */
FB_OP(inverse_cholesky) {
  int64_t n = args->size[0];
  FB_REQUIRE(n >= 0 && args->bytes[0] == (size_t)(n * n) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(n * n) * 8);
  FB_REQUIRE(args->bytes[2] == (size_t)n * 8 && args->bytes[3] == 4);
  const int32_t *order = args->buffer[4];
  FB_REQUIRE(!order || (args->bytes[4] == (size_t)n * 4 && is_order(order, n)));
  int32_t *status = args->buffer[3];
  *status = 0;
  if (n == 0) return NULL;
  size_t blocks = (size_t)fb_ceil_div(n, NB) * SQUARE, strip = (size_t)n * NB;
  double *workspace = fb_workspace(team, (blocks + SQUARE + strip) * sizeof(double));
  if (!workspace) return "out of memory";
  factor f = {
      .team = team,
      .h = args->buffer[1],
      .diagonal = args->buffer[2],
      .order = order,
      .u = args->buffer[0],
      .n = n,
      .inverses = workspace,
      .block = workspace + blocks,
      .strip = workspace + blocks + SQUARE,
  };
  *status = (int32_t)factorize(&f);
  return f.error;
}
