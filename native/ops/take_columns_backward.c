/*
 * dX[t, columns[j]] = dOut[t, j], 0 in columns that were not taken. Bound by memory: one read and two writes an
 * element.
 */
#include <string.h>

#include "columns.h"
#include "rows.h"

static FB_BODY(return_chunk) {
  const columns_call *call = context;
  int64_t rows = rows_per_chunk(call->width), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t t = chunk * rows; t < end; t++) {
    const float *d_out = call->x + t * call->taken;
    float *d_x = call->out + t * call->width;
    memset(d_x, 0, (size_t)call->width * 4);
    for (int64_t j = 0; j < call->taken; j++) d_x[call->columns[j]] = d_out[j];
  }
}

/* buffers: dX, dOut, columns; sizes: rows, columns that were taken, columns of dX */
FB_OP(take_columns_backward) {
  const int64_t *size = args->size;
  columns_call call = {args->buffer[0], args->buffer[1], args->buffer[2], size[0], size[1], size[2]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.width) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.taken) * 4);
  FB_REQUIRE(args->bytes[2] == (size_t)call.taken * 4);
  if (!columns_fit(&call)) return "take_columns: a column is outside the matrix";
  fb_parallel(team, row_chunks(call.rows, call.width), return_chunk, &call);
  return NULL;
}
