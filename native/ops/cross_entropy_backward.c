/*
 * dLogits = scale · (softmax(logits) - onehot(target)); rows whose target is negative give 0. Bound by memory and one
 * e^x a logit. dLogits may be logits.
 */
#include <string.h>

#include "rows.h"
#include "softmax.h"

typedef struct {
  float *d_logits;
  const float *logits;
  const int32_t *targets;
  int64_t rows, columns;
  float scale;
} entropy_call;

static FB_BODY(entropy_chunk) {
  const entropy_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    float *out = call->d_logits + row * n;
    const float *x = call->logits + row * n;
    int32_t target = call->targets[row];
    if (target < 0) {
      memset(out, 0, (size_t)n * 4);
      continue;
    }
    double factor = call->scale / exponentiate(out, x, row_maximum(x, n), n);
    for (int64_t i = 0; i < n; i++) out[i] *= (float)factor;
    out[target] -= call->scale;
  }
}

/* buffers: dLogits, logits, targets; sizes: rows, vocabulary; reals: scale */
FB_OP(cross_entropy_backward) {
  entropy_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                       args->size[0],   args->size[1],   (float)args->real[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.columns) * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)call.rows * 4);
  for (int64_t row = 0; row < call.rows; row++) {
    if (call.targets[row] >= call.columns) return "cross entropy: a target is outside the vocabulary";
  }
  fb_parallel(team, row_chunks(call.rows, call.columns), entropy_chunk, &call);
  return NULL;
}
