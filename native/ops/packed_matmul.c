/*
 * out [tokens, rows] = x [tokens, columns] · Ŵᵀ with a weight that lay_out has laid out (packed_matrix.h).
 *
 * Exact: the weight is widened to float32 (packed_exact.h). Fast: x is rounded to 8 bits block by block
 * (packed_round.h), products and their sums are integers, and each group's sum is scaled once (packed_fast.c).
 */
#include "packed_exact.h"
#include "packed_fast.h"

static const char *multiply_all_exactly(fb_team *team, const fast_request *request) {
  const packed_matrix *w = &request->weights[0];
  for (int64_t t = 0; t < request->tokens; t += TOKENS_AT_ONCE) {
    exact_call part = {.weight = *w, .out = request->outs[0] + t * w->rows, .x = request->x + t * w->columns,
                       .tokens = fb_min(TOKENS_AT_ONCE, request->tokens - t),
                       .rowwise = request->rowwise, .team = team};
    const char *failure = multiply_exact(&part);
    if (failure) return failure;
  }
  return NULL;
}

/*
 * buffers: out, x, codes, scales or NULL, zeros or NULL;
 * sizes: tokens, rows, columns, group size, bits or format, kind of zeros, fast, rowwise (the numbers of a token must
 * not depend on how many there are); reals: origin, step
 */
FB_OP(packed_matmul) {
  const int64_t *size = args->size;
  fast_request request = {.outs = {args->buffer[0]}, .count = 1, .x = args->buffer[1], .tokens = size[0],
                          .rowwise = (int)size[7]};
  packed_matrix *w = &request.weights[0];
  *w = (packed_matrix){.codes = args->buffer[2], .scales = args->buffer[3], .zeros = args->buffer[4],
                       .rows = size[1], .columns = size[2], .group_size = size[3],
                       .bits = size[4], .zero_kind = size[5], .origin = (float)args->real[0],
                       .step = (float)args->real[1]};
  FB_REQUIRE(derive_matrix(w) && w->step != 0);
  FB_REQUIRE(args->bytes[0] == (size_t)(size[0] * w->rows) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(size[0] * w->columns) * 4);
  FB_REQUIRE(has_matrix_bytes(w, args->bytes + 2));
  if (size[6]) return FB_NAME(fb_packed_fast)(team, &request);
  return multiply_all_exactly(team, &request);
}
