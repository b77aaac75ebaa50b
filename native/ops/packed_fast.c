/*
 * Fast products: inputs are normalised where that is asked for and rounded to 8 bits once, then multiplied
 * with each weight, all in one parallel loop over chunks of row blocks. One token reads every byte of the
 * weights once and is bound by memory; many tokens are bound by the dot products.
 */
#include "packed_fast.h"

#include "packed_round.h"
#include "rms_norm.h"

/* A chunk of rows: enough bytes to be worth handing out. */
#define CHUNK_BYTES (64 << 10)
/* Inputs that are multiplied with several row blocks while they stay in a cache. */
#define PANEL_BYTES (256 << 10)
/* From how many tokens on the tile unit is the faster one; row blocks of a chunk, blocks of inputs of a panel. */
#define TILE_TOKENS 10
#define TILE_CHUNK_BLOCKS 16
#define TILE_PANEL_BLOCKS 16

typedef struct {
  const fast_request *request;
  fast_call calls[FAST_WEIGHTS];
  int64_t first_chunk[FAST_WEIGHTS + 1]; /* of each weight */
  fast_dots *packed_dots, *block_dots;
  int64_t token; /* the first of those that are multiplied now */
  int64_t chunk_blocks, panel_groups;
  fb_team *team;
} fast_state;

static FB_BODY(round_token) {
  const fast_state *state = context;
  const fast_request *request = state->request;
  const packed_matrix *w = &request->weights[0];
  const float *x = request->x + (state->token + chunk) * w->columns;
  if (request->norm) {
    float *normed = fb_local(state->team, thread);
    rms_row(normed, x, request->norm, w->columns, request->eps);
    x = normed;
  }
  round_row(w, x, chunk, &state->calls[0].x);
}

static void write_block(const fast_call *call, int64_t block, const float *sums) {
  int64_t row = block * LANES, rows = call->weight.rows;
  int count = (int)fb_min(LANES, rows - row);
  vf step = vf_set1(call->weight.step);
  for (int64_t t = 0; t < call->tokens; t++) {
    vf_store_n(call->out + t * rows + row, vf_mul(step, vf_load(sums + t * LANES)), count);
  }
}

/* The weight of a chunk, and its row blocks from *first on. */
static const fast_call *call_of(const fast_state *state, int64_t chunk, int64_t *first, int64_t *blocks) {
  int i = 0;
  while (chunk >= state->first_chunk[i + 1]) i++;
  const fast_call *call = &state->calls[i];
  *first = (chunk - state->first_chunk[i]) * state->chunk_blocks;
  *blocks = fb_min(state->chunk_blocks, call->weight.row_blocks - *first);
  return call;
}

static FB_BODY(multiply_blocks) {
  const fast_state *state = context;
  int64_t first, blocks;
  const fast_call *call = call_of(state, chunk, &first, &blocks);
  int64_t groups = call->weight.groups;
  fast_dots *dots = call->weight.format ? state->block_dots : state->packed_dots;
  float *sums = fb_local(state->team, thread);
  for (int64_t i = 0; i < blocks * call->tokens * LANES; i++) sums[i] = 0;
  for (int64_t g = 0; g < groups; g += state->panel_groups) {
    dots(call, first, blocks, g, fb_min(groups, g + state->panel_groups), sums);
  }
  for (int64_t b = 0; b < blocks; b++) write_block(call, first + b, sums + b * call->tokens * LANES);
}

#ifdef __AVX512F__
static FB_BODY(multiply_tiles) {
  const fast_state *state = context;
  int64_t first, blocks;
  const fast_call *call = call_of(state, chunk, &first, &blocks);
  int64_t all = call->x.blocks, padded = fb_round_up(call->tokens, 16);
  float *sums = fb_local(state->team, thread);
  uint8_t *tiles = (uint8_t *)(sums + state->chunk_blocks * padded * LANES);
  for (int64_t i = 0; i < blocks * padded * LANES; i++) sums[i] = 0;
  FB_NAME(fb_begin_tiles_amx)();
  for (int64_t at = 0; at < all; at += TILE_PANEL_BLOCKS) {
    int64_t end = fb_min(all, at + TILE_PANEL_BLOCKS);
    for (int64_t b = 0; b < blocks; b++) {
      FB_NAME(fb_packed_tiles_amx)(call, first + b, at, end, tiles, sums + b * padded * LANES);
    }
  }
  FB_NAME(fb_end_tiles_amx)();
  for (int64_t b = 0; b < blocks; b++) write_block(call, first + b, sums + b * padded * LANES);
}
#endif

/* Tiles of a block of inputs if the tile unit multiplies this many tokens, else 0: not for blocks and tables. */
static int64_t tiles_for(const fb_team *team, const packed_matrix *w, int64_t tokens) {
#ifdef __AVX512F__
  if (w->format || w->table_bytes || tokens < TILE_TOKENS || !(fb_features(team) & FB_HAS_AMX_INT8)) return 0;
  return fb_ceil_div(w->block_chunks * w->chunk_columns, 64);
#else
  (void)team;
  (void)w;
  (void)tokens;
  return 0;
#endif
}

static fb_body body_for(int64_t tiles) {
#ifdef __AVX512F__
  if (tiles) return multiply_tiles;
#endif
  (void)tiles;
  return multiply_blocks;
}

static void choose_dots(fast_state *state) {
  unsigned features = fb_features(state->team);
  (void)features;
  state->packed_dots = FB_NAME(fb_packed_dots);
  state->block_dots = FB_NAME(fb_block_dots);
#if VF_WIDTH == 16
  if (!(features & FB_HAS_AVX512_VNNI)) return;
  state->packed_dots = FB_NAME(fb_packed_dots_vnni);
  state->block_dots = FB_NAME(fb_block_dots_vnni);
#elif VF_WIDTH == 8
  if (!(features & FB_HAS_AVX_VNNI)) return;
  state->packed_dots = FB_NAME(fb_packed_dots_avxvnni);
  state->block_dots = FB_NAME(fb_block_dots_avxvnni);
#elif defined(__aarch64__) && !defined(FB_PORTABLE)
  if (!(features & FB_HAS_DOTPROD)) return;
  state->packed_dots = FB_NAME(fb_packed_dots_dotprod);
  state->block_dots = FB_NAME(fb_block_dots_dotprod);
#endif
}

/* Groups that the largest block of the weights has; a panel is a multiple of it. */
static int64_t panel_step(const fast_request *request) {
  int64_t step = 1;
  for (int i = 0; i < request->count; i++) {
    const block_format *f = request->weights[i].format;
    if (f) step = fb_max(step, f->columns / f->input_columns);
  }
  return step;
}

static int has_sub_scales(const fast_request *request) {
  for (int i = 0; i < request->count; i++) {
    const block_format *f = request->weights[i].format;
    if (f && f->two_level) return 1;
  }
  return 0;
}

/* Chooses the sizes of chunks and panels; returns the scratch bytes of a thread. */
static size_t plan_chunks(fast_state *state, const rounded_rows *x, int64_t some, int64_t most) {
  const packed_matrix *w = &state->request->weights[0];
  int64_t row_blocks = 0, block_bytes = fb_max(1, w->groups * w->group_bytes);
  for (int i = 0; i < state->request->count; i++) row_blocks += state->request->weights[i].row_blocks;
  state->chunk_blocks = fb_round_up(fb_max(some > 4 ? 8 : 1, CHUNK_BYTES / block_bytes), 2); /* tiles have two */
  if (x->tiles) state->chunk_blocks = fb_max(1, fb_min(TILE_CHUNK_BLOCKS, row_blocks / 8));
  state->panel_groups = fb_round_up(fb_max(1, PANEL_BYTES / (most * padded_group(w))), panel_step(state->request));
  size_t sums = (size_t)(state->chunk_blocks * most * LANES) * sizeof(float);
  size_t normed = state->request->norm ? (size_t)w->columns * sizeof(float) : 0;
  size_t total = sums + ((size_t)(TILE_PANEL_BLOCKS * x->tiles) << 10);
  return total > normed ? total : normed;
}

static void multiply_some(fast_state *state, const rounded_rows *x, int64_t tokens) {
  const fast_request *request = state->request;
  for (int i = 0; i < request->count; i++) {
    const packed_matrix *w = &request->weights[i];
    state->calls[i] = (fast_call){*w, *x, request->outs[i] + state->token * w->rows, tokens};
    state->first_chunk[i + 1] = state->first_chunk[i] + fb_ceil_div(w->row_blocks, state->chunk_blocks);
  }
  fb_parallel(state->team, tokens, round_token, state);
  fb_parallel(state->team, state->first_chunk[request->count], body_for(x->tiles), state);
}

const char *FB_NAME(fb_packed_fast)(fb_team *team, const fast_request *request) {
  const packed_matrix *w = &request->weights[0];
  fast_state state = {.request = request, .team = team};
  int64_t some = fb_min(TOKENS_AT_ONCE, request->tokens), most = some > 1 ? fb_round_up(some, 16) : 1;
  rounded_rows x = {.blocks = w->groups * w->group_blocks, .tiles = request->rowwise ? 0 : tiles_for(team, w, some)};
  x.stride = fb_round_up(w->groups * padded_group(w) + LANES, 64); /* a row does not write into the next */
  if (x.tiles) x.stride = x.blocks * x.tiles * 64;
  size_t local = plan_chunks(&state, &x, some, most);
  size_t sums = has_sub_scales(request) ? sizeof(input_sums) : 0;
  if (!fb_reserve(team, (size_t)(most * x.blocks) * (8 + sums) + (size_t)(most * x.stride), local)) {
    return "packed product: out of memory";
  }
  choose_dots(&state);
  x.scales = fb_shared(team);
  x.totals = x.scales + most * x.blocks;
  x.values = (int8_t *)(x.totals + most * x.blocks);
  if (sums) x.sums = (input_sums *)(void *)(x.values + most * x.stride);
  for (; state.token < request->tokens; state.token += TOKENS_AT_ONCE) {
    multiply_some(&state, &x, fb_min(TOKENS_AT_ONCE, request->tokens - state.token));
  }
  return NULL;
}
