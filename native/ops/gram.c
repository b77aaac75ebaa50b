/*
 * gram [n, n] f64 += x^T x, x [T, n] f32: the Hessian of GPTQ. Bound by compute.
 *
 * Products and sums of PANEL rows are float32, in register tiles as in gemm_f32.c; these sums are added in
 * float64, so the error does not grow with T. Only blocks on and above the diagonal are computed; a
 * block stays in L2 while all rows of x run past it; at the end the upper triangle is mirrored.
 *
 *        columns j ->
 *   i  [ # # # # ]
 *   |  [ . # # # ]     # block of rows x columns, one chunk of work; within a block on the diagonal,
 *   v  [ . . # # ]       tiles below the diagonal are left out
 *      [ . . . # ]
 */
#define RESULT double
#define OWN_MERGE
#include "gemm_f32_strips.h"
#include "gram.h"

#define PANEL 256
#define A_STRIPS 24 /* strips of a block, at most */
#define PACK_ROWS 8
#define MIRROR 32

typedef struct {
  double *c;
  int64_t ldc, rows, columns;
} tile_target;

/*
 * c += sum, in float64. All rows of a column are read before any is written: rows are often a multiple of 4 KiB
 * apart, and a read waits for an earlier write that has the same place in its page.
 */
static inline __attribute__((always_inline)) void merge_tile(const int rows, const int vectors,
                                                             vf sum[MR][NV], const tile_target *to) {
  float tile[MR][NV * VF_WIDTH];
  for (int i = 0; i < rows; i++) {
    for (int v = 0; v < vectors; v++) vf_store(tile[i] + v * VF_WIDTH, sum[i][v]);
  }
  int64_t j = 0;
  for (; to->rows == rows && j + VD_WIDTH <= to->columns; j += VD_WIDTH) {
    vd total[MR];
    for (int i = 0; i < rows; i++) {
      total[i] = vd_add(vd_load(to->c + i * to->ldc + j), vd_load_f32(tile[i] + j));
    }
    for (int i = 0; i < rows; i++) vd_store(to->c + i * to->ldc + j, total[i]);
  }
  for (; j < to->columns; j++) {
    for (int64_t i = 0; i < to->rows; i++) to->c[i * to->ldc + j] += (double)tile[i][j];
  }
}

#include "gemm_tile.h"

typedef struct {
  double *gram;
  fb_matrix left, right; /* x^T and x */
  int64_t rows, n;
  int64_t a_lanes, b_lanes; /* of a block */
  int64_t b_blocks;
  fb_team *team;
} gram_call;

/* Adds rows [p, p + depth) of x to the block at (i0, j0). */
static void add_panel(const gram_call *call, float *a, float *b, int64_t i0, int64_t j0, int64_t p,
                      int64_t depth) {
  int64_t i1 = fb_min(call->n, i0 + call->a_lanes), j1 = fb_min(call->n, j0 + call->b_lanes);
  for (int64_t q = 0; q < depth; q += PACK_ROWS) { /* few rows at a time: x is read in long runs */
    int64_t some = fb_min(PACK_ROWS, depth - q);
    for (int64_t i = i0; i < i1; i += MR) {
      float *strip = a + (i - i0) * depth + q * MR;
      pack_strip(strip, MR, i1 - i, some, &call->left, i, p + q, 0);
    }
    for (int64_t j = j0; j < j1; j += NR) {
      float *strip = b + (j - j0) * depth + q * NR;
      pack_strip(strip, NR, j1 - j, some, &call->right, j, p + q, 1);
    }
  }
  for (int64_t j = j0; j < j1; j += NR) {
    for (int64_t i = i0; i < i1 && i < j + NR; i += MR) {
      tile_target to = {call->gram + i * call->n + j, call->n, fb_min(MR, i1 - i), fb_min(NR, j1 - j)};
      multiply_strips(depth, a + (i - i0) * depth, b + (j - j0) * depth, &to);
    }
  }
}

static FB_BODY(add_block) {
  const gram_call *call = context;
  int64_t i0 = chunk / call->b_blocks * call->a_lanes, j0 = chunk % call->b_blocks * call->b_lanes;
  if (j0 + call->b_lanes <= i0) return;
  float *a = fb_local(call->team, thread), *b = a + call->a_lanes * PANEL;
  for (int64_t p = 0; p < call->rows; p += PANEL) {
    add_panel(call, a, b, i0, j0, p, fb_min(PANEL, call->rows - p));
  }
}

/* Copies the upper triangle into MIRROR rows of the lower one, square by square. */
static FB_BODY(mirror_rows) {
  const gram_call *call = context;
  int64_t i0 = chunk * MIRROR, i1 = fb_min(call->n, i0 + MIRROR);
  (void)thread;
  for (int64_t j0 = 0; j0 < i1; j0 += MIRROR) {
    for (int64_t i = i0; i < i1; i++) {
      for (int64_t j = j0; j < fb_min(i, j0 + MIRROR); j++) {
        call->gram[i * call->n + j] = call->gram[j * call->n + i];
      }
    }
  }
}

/* Adds to the upper triangle with float32 products. */
static const char *add_f32(fb_team *team, gram_call *call) {
  int64_t strips = A_STRIPS; /* fewer when there would not be work for all threads; sums stay the same */
  while (strips > 6 && call->n / (strips * MR) * (call->n / (strips * NR / 2)) < 8 * fb_threads(team)) {
    strips /= 2;
  }
  call->a_lanes = strips * MR;
  call->b_lanes = strips / 2 * NR;
  call->b_blocks = fb_ceil_div(call->n, call->b_lanes);
  size_t local = (size_t)(call->a_lanes + call->b_lanes) * PANEL * 4;
  if (!fb_reserve(team, 0, local)) return "out of memory";
  fb_parallel(team, fb_ceil_div(call->n, call->a_lanes) * call->b_blocks, add_block, call);
  return NULL;
}

/* buffers: gram, x; sizes: T, n, 1 where x may be rounded to bf16 */
FB_OP(gram) {
  int64_t rows = args->size[0], n = args->size[1];
  FB_REQUIRE(rows >= 0 && n >= 0);
  FB_REQUIRE(args->bytes[0] == (size_t)(n * n) * 8 && args->bytes[1] == (size_t)(rows * n) * 4);
  if (rows == 0 || n == 0) return NULL;
  const float *x = args->buffer[1];
  gram_call call = {args->buffer[0], {x, 1, n, FB_F32}, {x, n, 1, FB_F32}, rows, n, 0, 0, 0, team};
  const char *message;
#ifdef __AVX512F__
  if (args->size[2] && fb_features(team) & FB_BF16_UNITS) {
    message = FB_NAME(fb_gram_bf16)(team, call.gram, x, rows, n);
  } else {
    message = add_f32(team, &call);
  }
#else
  message = add_f32(team, &call);
#endif
  if (message) return message;
  fb_parallel(team, fb_ceil_div(n, MIRROR), mirror_rows, &call);
  return NULL;
}
