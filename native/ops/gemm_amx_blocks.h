/*
 * A block of a product on the AMX tile unit: its sums stay in the L2 cache while DEPTH steps after DEPTH steps are worked
 * on, then go to c. Included behind gemm_blocks.h, with its OWN_MULTIPLY; LOCAL_BYTES hold the sums of a block.
 */
/* c = beta * c + alpha * sums of a block, in long runs of c. */
static void merge_block(const panel *now, const float *sums, int64_t chunk) {
  const fb_product *product = now->product;
  int64_t i_begin = chunk % now->a_blocks * ROWS_A_BLOCK, j_begin = chunk / now->a_blocks * COLUMNS_A_BLOCK;
  int64_t rows = fb_min(ROWS_A_BLOCK, now->m - i_begin), columns = fb_min(COLUMNS_A_BLOCK, now->n - j_begin);
  int64_t strip = fb_ceil_div(rows, MR) * MR * NR; /* sums of a strip of b */
  float *c = (float *)product->c + (now->i0 + i_begin) * product->ldc + now->j0 + j_begin;
  vf factor = vf_set1((float)product->alpha);
  for (int64_t i = 0; i < rows; i++, c += product->ldc) {
    const float *row = sums + i * NR;
    for (int64_t j = 0; j < columns; j += VF_WIDTH) {
      int lanes = (int)fb_min(VF_WIDTH, columns - j);
      vf value = vf_mul(factor, vf_load(row + j / NR * strip + j % NR));
      if (now->beta) value = vf_add(vf_load_n(c + j, lanes), value);
      vf_store_n(c + j, value, lanes);
    }
  }
}

static FB_BODY(multiply_chunk) {
  const panel *now = context;
  int64_t i_begin = chunk % now->a_blocks * ROWS_A_BLOCK, j_begin = chunk / now->a_blocks * COLUMNS_A_BLOCK;
  int64_t a_strips = fb_ceil_div(fb_min(now->m - i_begin, ROWS_A_BLOCK), MR);
  int64_t b_strips = fb_ceil_div(fb_min(now->n - j_begin, COLUMNS_A_BLOCK), NR);
  float *sums = fb_local(now->team, thread);
  int64_t k = now->packed_k;
  begin_tiles();
  for (int64_t p = 0; p < k; p += DEPTH) {
    int64_t depth = fb_min(DEPTH, k - p);
    for (int64_t tile = 0; tile < a_strips * b_strips; tile++) {
      /* The strip that stays in the L1 cache is that of the operand which takes more of it. */
      int64_t i = A_PARTS > 1 ? tile / b_strips : tile % a_strips, j = A_PARTS > 1 ? tile % b_strips : tile / a_strips;
      const PACKED *a = now->a + ((i_begin + i * MR) * k + p * MR) * A_PARTS;
      multiply_strips(depth, a, now->b + (j_begin + j * NR) * k + p * NR, sums + (j * a_strips + i) * MR * NR, p == 0);
    }
  }
  end_tiles();
  merge_block(now, sums, chunk);
}
