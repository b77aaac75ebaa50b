/*
 * out [tokens, rows] = x [tokens, columns] · Ŵᵀ with a packed weight Ŵ (decode.h), widened exactly to
 * float32, products and sums in float32.
 *
 * Few tokens: each row is decoded piece by piece into L1 and multiplied with all tokens (packed_few.h);
 * bound by the decoding. Many tokens: x is packed lane by lane (one token a lane), and each thread decodes
 * tiles of ROWS x DECODE_COLUMNS of Ŵ and multiplies them with all strips of lanes; bound by compute.
 *
 *            x strips   [columns][STRIP_LANES tokens]
 *   Ŵ tile   [ROWS][DECODE_COLUMNS]  ·  strip  →  sums [ROWS][TOKENS], turned when they are written
 */
#include "../include/fewbit.h"
#include "decode.h"
#include "gemm_pack.h"
#include "strip.h"

#define FEW 8
#define ROWS 48
#define TOKENS 384 /* tokens that share one decoding; whole strips at every level */

typedef struct {
  packed_weight weight;
  float *out;
  const float *x;
  int64_t tokens;
  float *strips;       /* [strip][columns][STRIP_LANES] */
  int64_t t0, t_count; /* tokens that are packed now */
  int64_t strip_count;
  fb_team *team;
} packed_call;

#include "packed_few.h"

static FB_BODY(pack_tokens) {
  const packed_call *call = context;
  int64_t columns = call->weight.columns, strip = chunk % call->strip_count;
  int64_t column = chunk / call->strip_count * DECODE_COLUMNS;
  int64_t depth = fb_min(DECODE_COLUMNS, columns - column);
  int64_t token = strip * STRIP_LANES, lanes = fb_min(STRIP_LANES, call->t_count - token);
  float *packed = call->strips + (strip * columns + column) * STRIP_LANES;
  const float *source = call->x + (call->t0 + token) * columns + column;
  (void)thread;
  pack_turned(packed, STRIP_LANES, (int)lanes, depth, source, columns, FB_F32);
}

static void write_turned(const packed_call *call, int64_t row, int64_t rows, const float *sums) {
  for (int64_t t = 0; t < call->t_count; t++) {
    float *out = call->out + (call->t0 + t) * call->weight.rows + row;
    for (int64_t i = 0; i < rows; i++) out[i] = sums[i * TOKENS + t];
  }
}

static FB_BODY(multiply_rows) {
  const packed_call *call = context;
  const packed_weight *w = &call->weight;
  int64_t row = chunk * ROWS, rows = fb_min(ROWS, w->rows - row);
  float *sums = fb_local(call->team, thread), *tile = sums + ROWS * TOKENS;
  uint8_t codes[DECODE_CODES] = {0};
  memset(sums, 0, sizeof(float) * ROWS * TOKENS);
  for (int64_t column = 0; column < w->columns; column += DECODE_COLUMNS) {
    int64_t count = fb_min(DECODE_COLUMNS, w->columns - column);
    for (int64_t i = 0; i < rows; i++) {
      decode_row(tile + i * DECODE_COLUMNS, w, row + i, column, count, codes);
    }
    for (int64_t s = 0; s < call->strip_count; s++) {
      const float *strip = call->strips + (s * w->columns + column) * STRIP_LANES;
      int64_t lanes = fb_min(STRIP_LANES, call->t_count - s * STRIP_LANES);
      strip_product product = {sums + s * STRIP_LANES, TOKENS, tile, DECODE_COLUMNS, 1, strip, STRIP_LANES};
      multiply_strip(&product, rows, count, (int)fb_ceil_div(lanes, VF_WIDTH));
    }
  }
  write_turned(call, row, rows, sums);
}

static const char *multiply_many(packed_call *call) {
  int64_t columns = call->weight.columns, tokens = fb_min(TOKENS, call->tokens);
  size_t shared = (size_t)(fb_round_up(tokens, STRIP_LANES) * columns) * sizeof(float);
  size_t local = sizeof(float) * ROWS * (TOKENS + DECODE_COLUMNS);
  if (!fb_reserve(call->team, shared, local)) return "packed matmul: out of memory";
  call->strips = fb_shared(call->team);
  for (call->t0 = 0; call->t0 < call->tokens; call->t0 += TOKENS) {
    call->t_count = fb_min(TOKENS, call->tokens - call->t0);
    call->strip_count = fb_ceil_div(call->t_count, STRIP_LANES);
    fb_parallel(call->team, call->strip_count * fb_ceil_div(columns, DECODE_COLUMNS), pack_tokens, call);
    fb_parallel(call->team, fb_ceil_div(call->weight.rows, ROWS), multiply_rows, call);
  }
  return NULL;
}

/*
 * buffers: out, x, codes, scales, offsets or NULL, table or NULL;
 * sizes: tokens, rows, columns, group size, bytes of a row, packing, levels
 */
FB_OP(packed_matmul) {
  const int64_t *size = args->size;
  packed_call call = {.weight = {args->buffer[2], args->buffer[3], args->buffer[4], args->buffer[5], size[1],
                                 size[2], size[3], 0, size[4], size[5], {0}},
                      .out = args->buffer[0], .x = args->buffer[1], .tokens = size[0], .team = team};
  packed_weight *w = &call.weight;
  FB_REQUIRE(w->packing >= 1 && w->packing <= 8 && w->packing != 6 && w->packing != 7);
  FB_REQUIRE(w->group_size > 0 && (!w->offsets) != (!w->table));
  w->groups = fb_ceil_div(w->columns, w->group_size);
  FB_REQUIRE(w->row_bytes % 4 == 0 && w->row_bytes >= packed_bytes(w->packing, w->columns));
  FB_REQUIRE(args->bytes[0] == (size_t)(call.tokens * w->rows) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.tokens * w->columns) * 4);
  FB_REQUIRE(args->bytes[2] == (size_t)(w->rows * w->row_bytes));
  FB_REQUIRE(args->bytes[3] == (size_t)(w->rows * w->groups) * 4);
  FB_REQUIRE(!w->offsets || args->bytes[4] == args->bytes[3]);
  int64_t codes = w->packing == FB_TRITS5 ? 3 : (int64_t)1 << w->packing;
  FB_REQUIRE(!w->table || (size[6] >= codes && args->bytes[5] == (size_t)size[6] * 4));
  if (w->packing == FB_TRITS5) fill_trits(w->trits);
  if (call.tokens > FEW) return multiply_many(&call);
  fb_parallel(team, fb_ceil_div(w->rows, FEW_ROWS), multiply_few, &call);
  return NULL;
}
