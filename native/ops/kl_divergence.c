/*
 * divergence[t] = Σ p·(log p - log q) for teacher p and student q, in float64, and agree[t] = 1 where
 * their top tokens are the same. Bound by compute: three e^x a token of the vocabulary.
 */
#include "../include/fewbit.h"
#include "log_sum.h"
#include "rows.h"

typedef struct {
  float *divergence, *agree;
  const float *teacher, *student;
  int64_t rows, columns;
} divergence_call;

static void divergence_row(const divergence_call *call, int64_t row) {
  int64_t n = call->columns;
  const float *p = call->teacher + row * n, *q = call->student + row * n;
  int64_t top_p = top_index(p, n), top_q = top_index(q, n);
  double log_p = log_sum_exp(p, p[top_p], n), log_q = log_sum_exp(q, q[top_q], n);
  double share[LOG_SUM_BLOCK], sum = 0;
  for (int64_t start = 0; start < n; start += LOG_SUM_BLOCK) {
    int64_t count = fb_min(LOG_SUM_BLOCK, n - start);
    exp_shifted(share, p + start, log_p, count);
    for (int64_t i = 0; i < count; i++) {
      double gap = ((double)p[start + i] - log_p) - ((double)q[start + i] - log_q);
      /* A token that the teacher excludes adds nothing, even where the logarithms are infinite. */
      sum += share[i] == 0 ? 0 : share[i] * gap;
    }
  }
  call->divergence[row] = (float)sum;
  call->agree[row] = top_p == top_q;
}

static FB_BODY(divergence_chunk) {
  const divergence_call *call = context;
  int64_t rows = rows_per_chunk(call->columns), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) divergence_row(call, row);
}

/* buffers: divergence, agree, teacher, student; sizes: rows, vocabulary */
FB_OP(kl_divergence) {
  divergence_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                          args->buffer[3], args->size[0],   args->size[1]};
  FB_REQUIRE(call.columns > 0);
  FB_REQUIRE(args->bytes[0] == (size_t)call.rows * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows * call.columns) * 4);
  FB_REQUIRE(args->bytes[3] == args->bytes[2]);
  fb_parallel(team, row_chunks(call.rows, call.columns), divergence_chunk, &call);
  return NULL;
}
