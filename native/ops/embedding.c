/* out[t] = table[ids[t]], widened to float32. Bound by memory: one row read and written a token. */
#include "../include/fewbit.h"
#include "rows.h"
#include "widen.h"

typedef struct {
  float *out;
  const char *table;
  const int32_t *ids;
  int64_t tokens, width, dtype;
} embedding_call;

static FB_BODY(embedding_chunk) {
  const embedding_call *call = context;
  int64_t rows = rows_per_chunk(call->width), end = fb_min(call->tokens, (chunk + 1) * rows);
  size_t row_bytes = (size_t)call->width * fb_dtype_bytes(call->dtype);
  (void)thread;
  for (int64_t t = chunk * rows; t < end; t++) {
    const char *row = call->table + (size_t)call->ids[t] * row_bytes;
    widen_floats(call->out + t * call->width, row, call->dtype, call->width);
  }
}

/* buffers: out, table, ids; sizes: tokens, width, vocabulary, dtype of the table */
FB_OP(embedding) {
  embedding_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                         args->size[0],   args->size[1],   args->size[3]};
  int64_t vocabulary = args->size[2];
  FB_REQUIRE(call.dtype == FB_F32 || call.dtype == FB_F16 || call.dtype == FB_BF16);
  FB_REQUIRE(args->bytes[0] == (size_t)(call.tokens * call.width) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(vocabulary * call.width) * fb_dtype_bytes(call.dtype));
  FB_REQUIRE(args->bytes[2] == (size_t)call.tokens * 4);
  for (int64_t t = 0; t < call.tokens; t++) {
    if (call.ids[t] < 0 || call.ids[t] >= vocabulary) return "embedding: an id is outside the table";
  }
  fb_parallel(team, row_chunks(call.tokens, call.width), embedding_chunk, &call);
  return NULL;
}
