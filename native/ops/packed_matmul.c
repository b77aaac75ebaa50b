/*
 * out [tokens, rows] = x [tokens, columns] · Ŵᵀ with a weight that lay_out has laid out (packed_matrix.h).
 *
 * Exact: the weight is widened to float32 (packed_exact.h). Fast: x is rounded to 8 bits block by block
 * (packed_round.h), products and their sums are integers (packed_dots.h, packed_tiles_amx.c), and each group's
 * sum is scaled once. With one token this reads every byte of the weight once and is bound by memory.
 */
#include "packed_exact.h"
#include "packed_fast.h"
#include "packed_round.h"

#define TOKENS_AT_ONCE 512
/* A chunk of rows: enough bytes to be worth handing out. */
#define CHUNK_BYTES (64 << 10)
/* Inputs that are multiplied with several row blocks while they stay in a cache. */
#define PANEL_BYTES (256 << 10)

/* From how many tokens on the tile unit is the faster one. */
#define TILE_TOKENS 8
#define TILE_CHUNK_BLOCKS 16
#define TILE_PANEL_BLOCKS 16

typedef struct {
  fast_call fast;
  fast_dots dots;
  const float *source; /* inputs, [tokens][columns] */
  int64_t chunk_blocks, panel_groups;
  fb_team *team;
} packed_call;

static FB_BODY(round_token) {
  const packed_call *call = context;
  const packed_matrix *w = &call->fast.weight;
  (void)thread;
  round_row(w, call->source + chunk * w->columns, chunk, &call->fast.x);
}

static void write_block(const fast_call *call, int64_t block, const float *sums) {
  int64_t row = block * LANES, rows = call->weight.rows;
  int count = (int)fb_min(LANES, rows - row);
  vf step = vf_set1(call->weight.step);
  for (int64_t t = 0; t < call->tokens; t++) {
    vf_store_n(call->out + t * rows + row, vf_mul(step, vf_load(sums + t * LANES)), count);
  }
}

static FB_BODY(multiply_blocks) {
  const packed_call *call = context;
  const fast_call *fast = &call->fast;
  int64_t first = chunk * call->chunk_blocks, groups = fast->weight.groups;
  int64_t blocks = fb_min(call->chunk_blocks, fast->weight.row_blocks - first);
  float *sums = fb_local(call->team, thread);
  for (int64_t i = 0; i < blocks * fast->tokens * LANES; i++) sums[i] = 0;
  for (int64_t g = 0; g < groups; g += call->panel_groups) {
    int64_t end = fb_min(groups, g + call->panel_groups);
    for (int64_t b = 0; b < blocks; b++) {
      call->dots(fast, first + b, g, end, 0, fast->tokens, sums + b * fast->tokens * LANES);
    }
  }
  for (int64_t b = 0; b < blocks; b++) write_block(fast, first + b, sums + b * fast->tokens * LANES);
}

#ifdef __AVX512F__
static FB_BODY(multiply_tiles) {
  const packed_call *call = context;
  const fast_call *fast = &call->fast;
  int64_t first = chunk * call->chunk_blocks, all = fast->x.blocks, padded = fb_round_up(fast->tokens, 16);
  int64_t blocks = fb_min(call->chunk_blocks, fast->weight.row_blocks - first);
  float *sums = fb_local(call->team, thread);
  uint8_t *tiles = (uint8_t *)(sums + call->chunk_blocks * padded * LANES);
  for (int64_t i = 0; i < blocks * padded * LANES; i++) sums[i] = 0;
  FB_NAME(fb_begin_tiles_amx)();
  for (int64_t at = 0; at < all; at += TILE_PANEL_BLOCKS) {
    int64_t end = fb_min(all, at + TILE_PANEL_BLOCKS);
    for (int64_t b = 0; b < blocks; b++) {
      FB_NAME(fb_packed_tiles_amx)(fast, first + b, at, end, tiles, sums + b * padded * LANES);
    }
  }
  FB_NAME(fb_end_tiles_amx)();
  for (int64_t b = 0; b < blocks; b++) write_block(fast, first + b, sums + b * padded * LANES);
}
#endif

/* Tiles of a block if the tile unit does it, else 0; and how much scratch that takes a thread. */
static int64_t use_tiles(packed_call *call, int64_t tokens, size_t *local) {
#ifdef __AVX512F__
  if (tokens < TILE_TOKENS || !(fb_features(call->team) & FB_HAS_AMX_INT8)) return 0;
  const packed_matrix *w = &call->fast.weight;
  int64_t tiles = fb_ceil_div(w->block_chunks * w->chunk_columns, 64);
  call->chunk_blocks = fb_max(1, fb_min(TILE_CHUNK_BLOCKS, w->row_blocks / 8));
  *local = (size_t)(call->chunk_blocks * fb_round_up(tokens, 16) * LANES) * sizeof(float);
  *local += (size_t)(TILE_PANEL_BLOCKS * tiles) << 10;
  return tiles;
#else
  (void)call;
  (void)tokens;
  (void)local;
  return 0;
#endif
}

static fb_body body_of(int64_t tiles) {
#ifdef __AVX512F__
  if (tiles) return multiply_tiles;
#endif
  (void)tiles;
  return multiply_blocks;
}

static fast_dots choose_dots(const fb_team *team) {
  unsigned features = fb_features(team);
  (void)features;
#if VF_WIDTH == 16
  if (features & FB_HAS_AVX512_VNNI) return FB_NAME(fb_packed_dots_vnni);
#elif VF_WIDTH == 8
  if (features & FB_HAS_AVX_VNNI) return FB_NAME(fb_packed_dots_avxvnni);
#elif defined(__aarch64__) && !defined(FB_PORTABLE)
  if (features & FB_HAS_DOTPROD) return FB_NAME(fb_packed_dots_dotprod);
#endif
  return FB_NAME(fb_packed_dots);
}

static void place_rounded(packed_call *call, int64_t tokens) {
  rounded_rows *x = &call->fast.x;
  x->scales = fb_shared(call->team);
  x->totals = x->scales + tokens * x->blocks;
  x->values = (int8_t *)(x->totals + tokens * x->blocks);
}

static const char *multiply_fast(packed_call *call, int64_t tokens) {
  const packed_matrix *w = &call->fast.weight;
  rounded_rows *x = &call->fast.x;
  int64_t some = fb_min(tokens, TOKENS_AT_ONCE), most = some > 1 ? fb_round_up(some, 16) : 1;
  int64_t block_bytes = fb_max(1, w->groups * w->group_bytes);
  float *out = call->fast.out;
  x->stride = fb_round_up(w->groups * padded_group(w) + LANES, 64); /* a row does not write into the next */
  x->blocks = w->groups * w->group_blocks;
  call->chunk_blocks = fb_max(1, CHUNK_BYTES / block_bytes);
  if (most > 4) call->chunk_blocks = fb_max(8, call->chunk_blocks);
  call->panel_groups = fb_max(1, PANEL_BYTES / (most * padded_group(w)));
  size_t local = (size_t)(call->chunk_blocks * most * LANES) * sizeof(float);
  x->tiles = use_tiles(call, some, &local);
  if (x->tiles) x->stride = x->blocks * x->tiles * 64;
  size_t shared = (size_t)(most * x->blocks) * 8 + (size_t)(most * x->stride);
  if (!fb_reserve(call->team, shared, local)) return "packed matmul: out of memory";
  place_rounded(call, most);
  for (int64_t t = 0; t < tokens; t += TOKENS_AT_ONCE) {
    call->fast.tokens = fb_min(TOKENS_AT_ONCE, tokens - t);
    call->fast.out = out + t * w->rows;
    fb_parallel(call->team, call->fast.tokens, round_token, call);
    fb_parallel(call->team, fb_ceil_div(w->row_blocks, call->chunk_blocks), body_of(x->tiles), call);
    call->source += TOKENS_AT_ONCE * w->columns;
  }
  return NULL;
}

static const char *multiply_all_exactly(const packed_call *call, int64_t tokens) {
  const packed_matrix *w = &call->fast.weight;
  for (int64_t t = 0; t < tokens; t += TOKENS_AT_ONCE) {
    exact_call part = {.weight = *w, .out = call->fast.out + t * w->rows, .x = call->source + t * w->columns,
                       .tokens = fb_min(TOKENS_AT_ONCE, tokens - t), .team = call->team};
    const char *failure = multiply_exact(&part);
    if (failure) return failure;
  }
  return NULL;
}

/*
 * buffers: out, x, codes, scales, zeros or NULL, table or NULL;
 * sizes: tokens, rows, columns, group size, bits, kind of zeros, fast; reals: origin, step
 */
FB_OP(packed_matmul) {
  const int64_t *size = args->size;
  packed_call call = {.fast = {.weight = {.codes = args->buffer[2], .scales = args->buffer[3],
                                          .zeros = args->buffer[4], .table = args->buffer[5], .rows = size[1],
                                          .columns = size[2], .group_size = size[3], .bits = size[4],
                                          .zero_kind = size[5], .origin = (float)args->real[0],
                                          .step = (float)args->real[1]},
                               .out = args->buffer[0]},
                      .source = args->buffer[1], .dots = choose_dots(team), .team = team};
  packed_matrix *w = &call.fast.weight;
  FB_REQUIRE(derive_matrix(w) && w->step != 0);
  FB_REQUIRE(args->bytes[0] == (size_t)(size[0] * w->rows) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(size[0] * w->columns) * 4);
  FB_REQUIRE(args->bytes[2] == laid_out_code_bytes(w));
  FB_REQUIRE(args->bytes[3] == (size_t)(w->row_blocks * w->groups * LANES) * 2);
  FB_REQUIRE(args->bytes[4] == (size_t)(w->row_blocks * w->groups * w->zero_bytes));
  FB_REQUIRE(!w->table || args->bytes[5] == (size_t)4 << w->bits);
  if (size[6] && !w->table) return multiply_fast(&call, size[0]);
  return multiply_all_exactly(&call, size[0]);
}
