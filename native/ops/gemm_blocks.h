/*
 * The loops around the tile. The includer defines the types PACKED and RESULT, the tile size MR x NR, the
 * depth of a panel KC, DEPTH_STEP (packed k is rounded up to its multiples), pack_strip(),
 * multiply_strips(), begin_tiles(), end_tiles(), and the name GEMM.
 */
#define A_STRIPS 8 /* strips of a, and of b, in a block */
#define B_STRIPS 6
#define PACK_STEPS 32 /* a multiple of DEPTH_STEP */
#define ROWS_A_BLOCK (MR * A_STRIPS)
#define COLUMNS_A_BLOCK (NR * B_STRIPS)
#define MC ((int64_t)ROWS_A_BLOCK * 48) /* rows and columns packed at a time */
#define NC ((int64_t)COLUMNS_A_BLOCK * 16)

typedef struct {
  const fb_product *product;
  PACKED *a, *b;        /* packed strips */
  int64_t i0, j0, p0;   /* where the packed panels begin */
  int64_t m, n, k;      /* their size */
  int64_t packed_k;     /* k rounded up */
  int64_t a_blocks;
  int beta;
} panel;

static void pack_block(PACKED *packed, const panel *now, const fb_matrix *source, int width,
                       int64_t lane0, int64_t lanes, int64_t block, int turn) {
  int64_t begin = block * (turn ? COLUMNS_A_BLOCK : ROWS_A_BLOCK);
  int64_t end = fb_min(lanes, begin + (turn ? COLUMNS_A_BLOCK : ROWS_A_BLOCK));
  /* Lanes that lie side by side are read in long runs, few steps of k at a time. */
  int64_t steps = (turn ? source->column : source->row) == 1 ? PACK_STEPS : now->k;
  for (int64_t p = 0; p < now->k; p += steps) {
    int64_t some = fb_min(steps, now->k - p);
    for (int64_t lane = begin; lane < end; lane += width) {
      PACKED *strip = packed + lane * now->packed_k + p * width;
      pack_strip(strip, width, lanes - lane, some, source, lane0 + lane, now->p0 + p, turn);
    }
  }
}

static FB_BODY(pack_chunk) {
  const panel *now = context;
  const fb_product *product = now->product;
  (void)thread;
  if (chunk < now->a_blocks) {
    pack_block(now->a, now, &product->a, MR, now->i0, now->m, chunk, 0);
  } else {
    pack_block(now->b, now, &product->b, NR, now->j0, now->n, chunk - now->a_blocks, 1);
  }
}

static FB_BODY(multiply_chunk) {
  const panel *now = context;
  const fb_product *product = now->product;
  int64_t i_begin = chunk % now->a_blocks * ROWS_A_BLOCK;
  int64_t j_begin = chunk / now->a_blocks * COLUMNS_A_BLOCK;
  int64_t i_end = fb_min(now->m, i_begin + ROWS_A_BLOCK);
  int64_t j_end = fb_min(now->n, j_begin + COLUMNS_A_BLOCK);
  RESULT *c = (RESULT *)product->c + now->i0 * product->ldc + now->j0;
  (void)thread;
  begin_tiles();
  for (int64_t j = j_begin; j < j_end; j += NR) {
    for (int64_t i = i_begin; i < i_end; i += MR) {
      tile_target to = {c + i * product->ldc + j, product->ldc, fb_min(MR, now->m - i),
                        fb_min(NR, now->n - j), (RESULT)product->alpha, now->beta};
      multiply_strips(now->packed_k, now->a + i * now->packed_k, now->b + j * now->packed_k, &to);
    }
  }
  end_tiles();
}

static void scale_result(const fb_product *product) {
  if (product->beta) return;
  for (int64_t i = 0; i < product->m; i++) {
    RESULT *row = (RESULT *)product->c + i * product->ldc;
    for (int64_t j = 0; j < product->n; j++) row[j] = 0;
  }
}

static void multiply_panel(fb_team *team, panel *now) {
  now->a_blocks = fb_ceil_div(now->m, ROWS_A_BLOCK);
  int64_t b_blocks = fb_ceil_div(now->n, COLUMNS_A_BLOCK);
  fb_parallel(team, now->a_blocks + b_blocks, pack_chunk, now);
  fb_parallel(team, now->a_blocks * b_blocks, multiply_chunk, now);
}

const char *GEMM(fb_team *team, const fb_product *product) {
  if (product->m == 0 || product->n == 0) return NULL;
  if (product->k == 0) {
    scale_result(product);
    return NULL;
  }
  int64_t depth = fb_ceil_div(product->k, fb_ceil_div(product->k, KC)); /* panels of equal depth */
  depth = fb_round_up(depth, DEPTH_STEP);
  int64_t a_size = fb_round_up(fb_min(MC, fb_round_up(product->m, MR)) * depth, 64);
  int64_t b_size = fb_min(NC, fb_round_up(product->n, NR)) * depth;
  if (!fb_reserve(team, (size_t)(a_size + b_size) * sizeof(PACKED), 0)) return "out of memory";
  panel now = {.product = product, .a = fb_shared(team)};
  now.b = now.a + a_size;
  for (now.j0 = 0; now.j0 < product->n; now.j0 += NC) {
    now.n = fb_min(NC, product->n - now.j0);
    for (now.p0 = 0; now.p0 < product->k; now.p0 += depth) {
      now.k = fb_min(depth, product->k - now.p0);
      now.packed_k = fb_round_up(now.k, DEPTH_STEP);
      now.beta = product->beta || now.p0 > 0;
      for (now.i0 = 0; now.i0 < product->m; now.i0 += MC) {
        now.m = fb_min(MC, product->m - now.i0);
        multiply_panel(team, &now);
      }
    }
  }
  return NULL;
}
