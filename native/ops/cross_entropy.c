/*
 * losses[t] = log Σ e^logits[t] - logits[t][target], in float64; 0 where the target is negative.
 * Bound by compute: one e^x a logit.
 */
#include "../include/fewbit.h"
#include "log_sum.h"
#include "rows.h"

typedef struct {
  float *losses;
  const float *logits;
  const int32_t *targets;
  int64_t rows, columns;
} entropy_call;

static FB_BODY(entropy_chunk) {
  const entropy_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    const float *x = call->logits + row * n;
    int32_t target = call->targets[row];
    call->losses[row] = target < 0 ? 0 : (float)(log_sum_exp(x, n) - x[target]);
  }
}

/* buffers: losses, logits, targets; sizes: rows, vocabulary */
FB_OP(cross_entropy) {
  entropy_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0], args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.rows * 4 && args->bytes[2] == args->bytes[0]);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.columns) * 4);
  for (int64_t row = 0; row < call.rows; row++) {
    if (call.targets[row] >= call.columns) return "cross entropy: a target is outside the vocabulary";
  }
  fb_parallel(team, row_chunks(call.rows, call.columns), entropy_chunk, &call);
  return NULL;
}
