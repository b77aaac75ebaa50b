/* out[t, j] = x[t, columns[j]]. Bound by memory: one read and one write an element of out. */
#include "columns.h"
#include "rows.h"

static FB_BODY(take_chunk) {
  const columns_call *call = context;
  int64_t rows = rows_per_chunk(call->taken), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t t = chunk * rows; t < end; t++) {
    const float *x = call->x + t * call->width;
    float *out = call->out + t * call->taken;
    for (int64_t j = 0; j < call->taken; j++) out[j] = x[call->columns[j]];
  }
}

/* buffers: out, x, columns; sizes: rows, columns that are taken, columns of x */
FB_OP(take_columns) {
  const int64_t *size = args->size;
  columns_call call = {args->buffer[0], args->buffer[1], args->buffer[2], size[0], size[1], size[2]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.taken) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.width) * 4);
  FB_REQUIRE(args->bytes[2] == (size_t)call.taken * 4);
  if (!columns_fit(&call)) return "take_columns: a column is outside the matrix";
  fb_parallel(team, row_chunks(call.rows, call.taken), take_chunk, &call);
  return NULL;
}
