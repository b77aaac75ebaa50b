/*
 * divergence[t] = Σ p·(log p - log q) for teacher p and student q with logits a and b, in float64:
 *
 *   = Σ e^a·(a - b) / Σ e^a - (log Σ e^a - log Σ e^b)
 *
 * and agree[t] = 1 where their top tokens are the same. Bound by compute: two e^x a token of the vocabulary.
 */
#include "../include/fewbit.h"
#include "log_sum.h"
#include "rows.h"

typedef struct {
  float *divergence, *agree;
  const float *teacher, *student;
  int64_t rows, columns;
} divergence_call;

/* Index of the first of the largest values. */
static int64_t top_index(const float *x, int64_t n) {
  float top = row_maximum(x, n);
  int64_t i = 0;
  while (i < n - 1 && x[i] != top) i++;
  return i;
}

static double divergence_row(const float *a, const float *b, int64_t n) {
  double top = row_maximum(a, n), sum = 0, gaps = 0;
  double share[SUM_BLOCK], gap[SUM_BLOCK];
  for (int64_t start = 0; start < n; start += SUM_BLOCK) {
    int64_t count = fb_min(SUM_BLOCK, n - start);
    exp_shifted(share, a + start, top, count);
    for (int64_t i = 0; i < count; i++) {
      double difference = (double)a[start + i] - (double)b[start + i];
      /* Finite, so that a token that the teacher excludes adds nothing where logits are -infinity. */
      difference = difference > -1e30 ? difference : -1e30;
      gap[i] = share[i] * (difference < 1e308 ? difference : 1e308);
    }
    sum += sum_block(share, count);
    gaps += sum_block(gap, count);
  }
  return gaps / sum - (top + log(sum) - log_sum_exp(b, n));
}

static FB_BODY(divergence_chunk) {
  const divergence_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    const float *a = call->teacher + row * n, *b = call->student + row * n;
    call->divergence[row] = (float)divergence_row(a, b, n);
    call->agree[row] = top_index(a, n) == top_index(b, n);
  }
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
