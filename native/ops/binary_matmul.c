/*
 * out [tokens, rows] = scale_r · K_t · (n - 2 · differing signs): inputs by their signs with a laid out 1-bit weight
 * (packed_matrix.h) of one scale a row; K is mean|x| of the token, or 1. Inputs are packed to bits once, then all row blocks
 * count (binary_counts.h). Everything but the two products with scales is exact: every level and number of threads gives
 * the same bytes. Source: XNOR-Net (arXiv 1603.05279), section 3.2.
 */
#include "binary_counts.h"
#include "packed_matrix.h"
#include "row_means.h"
#include "turn_words.h"

/* A chunk of rows: enough bytes, or with many tokens enough work, to be worth handing out. */
#define CHUNK_BYTES (16 << 10)
/* Tokens whose bits are held at once. */
#define TOKENS_AT_ONCE 128

typedef struct {
  packed_matrix weight;
  float *out;
  const float *x;
  float *token_scales;
  uint32_t *words;
  int64_t tokens, chunk_blocks;
  int scales_tokens;
  binary_counts *count;
  fb_team *team;
} binary_call;

/* The signs of up to 32 values, the first in the lowest bit. */
static uint32_t sign_bits(const float *x, int64_t n) {
  uint32_t bits = 0;
#if VF_WIDTH == 16
  for (int64_t i = 0; i < n; i += 16) {
    __mmask16 have = (__mmask16)((1u << fb_min(16, n - i)) - 1);
    vf value = _mm512_maskz_loadu_ps(have, x + i);
    bits |= (uint32_t)_mm512_mask_cmp_ps_mask(have, value, vf_zero(), _CMP_GE_OQ) << i;
  }
#elif VF_WIDTH == 8
  for (int64_t i = 0; i < n; i += 8) {
    int count = (int)fb_min(8, n - i);
    int mask = _mm256_movemask_ps(_mm256_cmp_ps(vf_load_n(x + i, count), vf_zero(), _CMP_GE_OQ));
    bits |= (uint32_t)(mask & ((1 << count) - 1)) << i;
  }
#else
  for (int64_t i = 0; i < n; i++) bits |= (uint32_t)(x[i] >= 0) << i;
#endif
  return bits;
}

static FB_BODY(pack_token) {
  const binary_call *call = context;
  int64_t n = call->weight.columns, units = call->weight.group_chunks;
  const float *x = call->x + chunk * n;
  uint32_t *words = call->words + chunk * units;
  (void)thread;
  for (int64_t u = 0; u < units; u++) {
    words[u] = turn_word(sign_bits(x + 32 * u, fb_min(32, n - 32 * u)), 1);
  }
  call->token_scales[chunk] = call->scales_tokens ? (float)row_mean(x, n, OF_MAGNITUDES) : 1;
}

static void write_counts(const binary_call *call, int64_t block, const int32_t *counts) {
  int64_t rows = call->weight.rows, row = block * LANES;
  int count = (int)fb_min(LANES, rows - row);
  vf scales = load_scales(&call->weight, block, 0);
  vi columns = vi_set1((int32_t)call->weight.columns);
  for (int64_t t = 0; t < call->tokens; t++) {
    vf sum = vi_float(vi_sub(columns, vi_left(vi_load(counts + t * LANES), 1)));
    vf scale = vf_mul(scales, vf_set1(call->token_scales[t]));
    vf_store_n(call->out + t * rows + row, vf_mul(scale, sum), count);
  }
}

static FB_BODY(count_blocks) {
  const binary_call *call = context;
  const packed_matrix *w = &call->weight;
  int32_t *counts = fb_local(call->team, thread);
  int64_t end = fb_min(w->row_blocks, (chunk + 1) * call->chunk_blocks);
  for (int64_t block = chunk * call->chunk_blocks; block < end; block++) {
    binary_operands of = {codes_of(w, block, 0), w->group_chunks, call->words, w->group_chunks, call->tokens};
    call->count(counts, &of);
    write_counts(call, block, counts);
  }
}

static binary_counts *choose_counts(const fb_team *team) {
#if VF_WIDTH == 16
  if (fb_features(team) & FB_HAS_AVX512_POPCNT) return FB_NAME(fb_binary_counts_vpopcnt);
#endif
  (void)team;
  return FB_NAME(fb_binary_counts);
}

/* buffers: out, x, codes, scales; sizes: tokens, rows, columns, whether K is mean|x| */
FB_OP(binary_matmul) {
  const int64_t *size = args->size;
  binary_call call = {.out = args->buffer[0], .x = args->buffer[1], .scales_tokens = size[3] != 0, .team = team};
  packed_matrix *w = &call.weight;
  *w = (packed_matrix){.codes = args->buffer[2], .scales = args->buffer[3], .rows = size[1], .columns = size[2],
                       .group_size = fb_max(1, size[2]), .bits = 1, .origin = -1, .step = 2};
  size_t bytes[3] = {args->bytes[2], args->bytes[3], 0};
  FB_REQUIRE(derive_matrix(w) && w->columns <= INT32_MAX / 2 && has_matrix_bytes(w, bytes));
  FB_REQUIRE(args->bytes[0] == (size_t)(size[0] * w->rows) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(size[0] * w->columns) * 4);
  if (size[0] == 0 || w->columns == 0) return NULL;
  int64_t most = fb_min(TOKENS_AT_ONCE, size[0]);
  size_t words = (size_t)(most * w->group_chunks) * 4;
  if (!fb_reserve(team, words + (size_t)most * 4, (size_t)(most * LANES) * 4)) return "binary product: out of memory";
  call.words = fb_shared(team);
  call.token_scales = (float *)(void *)(call.words + most * w->group_chunks);
  call.count = choose_counts(team);
  call.chunk_blocks = fb_max(1, CHUNK_BYTES / (w->group_bytes * fb_min(8, most)));
  for (int64_t t = 0; t < size[0]; t += most, call.x += most * w->columns, call.out += most * w->rows) {
    call.tokens = fb_min(most, size[0] - t);
    fb_parallel(team, call.tokens, pack_token, &call);
    fb_parallel(team, fb_ceil_div(w->row_blocks, call.chunk_blocks), count_blocks, &call);
  }
  return NULL;
}
