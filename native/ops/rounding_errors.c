/*
 * errors [rows][groups] = Σ over each group of importance[column] · (value - weight)², value as fake_quantize gives it
 * (straight_through.h). Sums run in float32 lanes over at most BLOCK columns, and in float64 above that. Bound by
 * memory: one read an element.
 */
#include "straight_through.h"

#define BLOCK 2048

static const float ones[VF_WIDTH] = {[0 ... VF_WIDTH - 1] = 1};

typedef struct {
  float *errors;
  const float *importance; /* of each column; NULL: all count alike */
  grid_weights from;
} error_call;

FB_INLINE vf error_of(const error_call *call, int64_t at, int64_t column, int n, const group_terms *group,
                      const int rule) {
  vf value = round_weights(&call->from, at, n, group, rule).value;
  vf decoded = vf_add(vf_mul(group->scale, value), group->offset);
  vf error = vf_sub(decoded, vf_load_up_to(call->from.weight + at, n)), square = vf_mul(error, error);
  if (call->importance) return vf_mul(vf_load_up_to(call->importance + column, n), square);
  /* what lies behind the last column rounds to something, too */
  return n == VF_WIDTH ? square : vf_mul(vf_load_n(ones, n), square);
}

FB_INLINE void add_errors(const error_call *call, const weight_group *group, const int rule) {
  int64_t i = group->at, last = group->at + group->count, to_column = call->from.columns * (i / call->from.columns);
  double total = 0;
  while (i < last) {
    int64_t end = fb_min(last, i + BLOCK);
    vf sum = vf_zero();
    for (; i + VF_WIDTH <= end; i += VF_WIDTH) {
      sum = vf_add(sum, error_of(call, i, i - to_column, VF_WIDTH, &group->terms, rule));
    }
    if (i < end) sum = vf_add(sum, error_of(call, i, i - to_column, (int)(end - i), &group->terms, rule));
    i = end;
    total += vf_sum(sum);
  }
  call->errors[group->index] = (float)total;
}

FB_EACH_GROUP(error_chunk, error_call, add_errors)

/* buffers: errors, importance or NULL, then as read_weights; sizes: rows, columns, group size, then as read_rule */
FB_OP(rounding_errors) {
  const int64_t *size = args->size;
  FB_REQUIRE(size[2] > 0 && size[3] >= RULE_ROUND && size[3] <= RULE_SIGN);
  grid_weights from = read_weights(args->buffer + 2, size, size + 3, args->real);
  error_call call = {args->buffer[0], args->buffer[1], from};
  FB_REQUIRE(args->bytes[0] == (size_t)(from.rows * from.groups) * 4 && weights_fit(&from, args->bytes + 2));
  FB_REQUIRE(!call.importance || args->bytes[1] == (size_t)from.columns * 4);
  fb_parallel(team, row_chunks(from.rows, from.columns), error_chunk, &call);
  return NULL;
}
