/*
 * The loops around the tile. The includer defines the types PACKED and RESULT, the tile size MR x NR, the
 * depth of a panel KC, DEPTH_STEP (packed k is rounded up to its multiples), pack_strip(),
 * multiply_strips(), begin_tiles(), end_tiles(), and the name GEMM; and, if they are to differ, A_STRIPS and B_STRIPS,
 * or with OWN_MULTIPLY, LOCAL_BYTES of scratch a thread and multiply_chunk(), which multiplies one block.
 */
#ifndef A_STRIPS
#define A_STRIPS 8 /* strips of a, and of b, in a block */
#define B_STRIPS 6
#endif
#ifndef LOCAL_BYTES
#define LOCAL_BYTES 0
#endif
#ifndef A_PARTS
#define A_PARTS 1
#endif
#define PACK_STEPS 32 /* a multiple of DEPTH_STEP */
#define ROWS_A_BLOCK (MR * A_STRIPS)
#define COLUMNS_A_BLOCK (NR * B_STRIPS)
/* Elements that are packed at a time, but at least a block: of a, and of b for each thread. */
#define A_PANEL ((int64_t)3 << 20)
#define B_PANEL ((int64_t)3 << 18)

typedef struct {
  const fb_product *product;
  PACKED *a, *b;        /* packed strips */
  int64_t i0, j0, p0;   /* where the packed panels begin */
  int64_t m, n, k;      /* their size */
  int64_t packed_k;     /* k rounded up */
  int64_t a_blocks, b_blocks;
  int64_t pack_from, pack_end; /* blocks that are not packed yet; those of b follow those of a */
  int beta;
  fb_team *team;
} panel;

static void pack_block(PACKED *packed, const panel *now, const fb_matrix *source, int width,
                       int64_t lane0, int64_t lanes, int64_t block, int turn) {
  int64_t begin = block * (turn ? COLUMNS_A_BLOCK : ROWS_A_BLOCK);
  int64_t end = fb_min(lanes, begin + (turn ? COLUMNS_A_BLOCK : ROWS_A_BLOCK));
  /* Lanes that lie side by side are read in long runs, few steps of k at a time. */
  int64_t steps = (turn ? source->column : source->row) == 1 ? PACK_STEPS : now->k, parts = turn ? 1 : A_PARTS;
  for (int64_t p = 0; p < now->k; p += steps) {
    int64_t some = fb_min(steps, now->k - p);
    for (int64_t lane = begin; lane < end; lane += width) {
      PACKED *strip = packed + (lane * now->packed_k + p * width) * parts;
      pack_strip(strip, width, lanes - lane, some, source, lane0 + lane, now->p0 + p, turn);
    }
  }
}

static FB_BODY(pack_chunk) {
  const panel *now = context;
  const fb_product *product = now->product;
  int64_t block = now->pack_from + chunk;
  (void)thread;
  if (block < now->a_blocks) {
    pack_block(now->a, now, &product->a, MR, now->i0, now->m, block, 0);
  } else {
    pack_block(now->b, now, &product->b, NR, now->j0, now->n, block - now->a_blocks, 1);
  }
}

static FB_BODY(multiply_chunk);

#ifndef OWN_MULTIPLY
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
#endif

static void scale_result(const fb_product *product) {
  if (product->beta) return;
  for (int64_t i = 0; i < product->m; i++) {
    RESULT *row = (RESULT *)product->c + i * product->ldc;
    for (int64_t j = 0; j < product->n; j++) row[j] = 0;
  }
}

/* How many rows or columns are packed at a time: whole blocks of about `elements` elements. */
static int64_t panel_lanes(int64_t lanes, int64_t depth, int64_t block, int64_t elements) {
  return fb_min(lanes, block * fb_max(1, elements / (block * depth)));
}

/* A panel of a stays packed while b moves on, and the other way round. */
static void multiply_panel(fb_team *team, panel *now, int new_a, int new_b) {
  now->a_blocks = fb_ceil_div(now->m, ROWS_A_BLOCK);
  now->b_blocks = fb_ceil_div(now->n, COLUMNS_A_BLOCK);
  now->pack_from = new_a ? 0 : now->a_blocks;
  now->pack_end = now->a_blocks + (new_b ? now->b_blocks : 0);
  fb_parallel(team, now->pack_end - now->pack_from, pack_chunk, now);
  fb_parallel(team, now->a_blocks * now->b_blocks, multiply_chunk, now);
}

const char *GEMM(fb_team *team, const fb_product *product) {
  if (product->m == 0 || product->n == 0) return NULL;
  if (product->k == 0) {
    scale_result(product);
    return NULL;
  }
  int64_t depth = fb_ceil_div(product->k, fb_ceil_div(product->k, KC)); /* panels of equal depth */
  depth = fb_round_up(depth, DEPTH_STEP);
  int64_t rows = panel_lanes(product->m, depth * A_PARTS, ROWS_A_BLOCK, A_PANEL);
  int64_t columns = panel_lanes(product->n, depth, COLUMNS_A_BLOCK, B_PANEL * fb_threads(team));
  int64_t a_size = fb_round_up(fb_round_up(rows, MR) * depth * A_PARTS, 64), b_size = fb_round_up(columns, NR) * depth;
  if (!fb_reserve(team, (size_t)(a_size + b_size) * sizeof(PACKED), LOCAL_BYTES)) return "out of memory";
  panel now = {.product = product, .a = fb_shared(team), .team = team};
  now.b = now.a + a_size;
  for (now.p0 = 0; now.p0 < product->k; now.p0 += depth) {
    now.k = fb_min(depth, product->k - now.p0);
    now.packed_k = fb_round_up(now.k, DEPTH_STEP);
    now.beta = product->beta || now.p0 > 0;
    for (now.i0 = 0; now.i0 < product->m; now.i0 += rows) {
      now.m = fb_min(rows, product->m - now.i0);
      for (now.j0 = 0; now.j0 < product->n; now.j0 += columns) {
        now.n = fb_min(columns, product->n - now.j0);
        multiply_panel(team, &now, now.j0 == 0, now.i0 == 0 || columns < product->n);
      }
    }
  }
  return NULL;
}
