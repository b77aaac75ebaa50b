/*
 * out[t, r] += Σ values[k] · x[t, columns[k]] over the k of row r: products with the few weights that a sparse
 * matrix holds row after row (CSR). Rows of one token are bound by the loads of x, one for each weight; a strip of
 * tokens shares the loads of weights and columns. Sums go in the order of the columns.
 */
#include "../include/fewbit.h"

#define TOKENS 8
#define ROWS_PER_CHUNK 256

typedef struct {
  float *out;
  const float *x, *values;
  const int32_t *starts, *columns;
  int64_t tokens, rows, width, row_chunks;
} sparse_call;

static void add_strip(const sparse_call *call, int64_t row, int64_t token, int64_t count) {
  const float *x = call->x + token * call->width;
  float sums[TOKENS] = {0};
  for (int32_t k = call->starts[row]; k < call->starts[row + 1]; k++) {
    const float value = call->values[k], *column = x + call->columns[k];
    for (int64_t i = 0; i < count; i++) sums[i] += value * column[i * call->width];
  }
  for (int64_t i = 0; i < count; i++) call->out[(token + i) * call->rows + row] += sums[i];
}

static FB_BODY(sparse_chunk) {
  const sparse_call *call = context;
  int64_t token = chunk / call->row_chunks * TOKENS, first = chunk % call->row_chunks * ROWS_PER_CHUNK;
  int64_t last = fb_min(call->rows, first + ROWS_PER_CHUNK), count = fb_min(TOKENS, call->tokens - token);
  (void)thread;
  for (int64_t row = first; row < last; row++) {
    if (count == TOKENS) add_strip(call, row, token, TOKENS);
    else add_strip(call, row, token, count);
  }
}

/* Whether rows follow each other within the weights, and all columns are there. */
static int is_whole(const sparse_call *call, int64_t count) {
  if (call->starts[0] != 0 || call->starts[call->rows] != count) return 0;
  for (int64_t row = 0; row < call->rows; row++) {
    if (call->starts[row] > call->starts[row + 1]) return 0;
  }
  for (int64_t k = 0; k < count; k++) {
    if (call->columns[k] < 0 || call->columns[k] >= call->width) return 0;
  }
  return 1;
}

/* buffers: out, x, starts i32, columns i32, values; sizes: tokens, rows, width, weights */
FB_OP(add_sparse_products) {
  const int64_t *size = args->size;
  sparse_call call = {
      .out = args->buffer[0],
      .x = args->buffer[1],
      .starts = args->buffer[2],
      .columns = args->buffer[3],
      .values = args->buffer[4],
      .tokens = size[0],
      .rows = size[1],
      .width = size[2],
      .row_chunks = fb_ceil_div(size[1], ROWS_PER_CHUNK),
  };
  FB_REQUIRE(args->bytes[0] == (size_t)(call.tokens * call.rows) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.tokens * call.width) * 4);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows + 1) * 4);
  FB_REQUIRE(args->bytes[3] == (size_t)size[3] * 4 && args->bytes[4] == args->bytes[3]);
  FB_REQUIRE(is_whole(&call, size[3]));
  fb_parallel(team, fb_ceil_div(call.tokens, TOKENS) * call.row_chunks, sparse_chunk, &call);
  return NULL;
}
