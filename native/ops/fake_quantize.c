/*
 * out = weights as values of a grid (straight_through.h), in float32 or bfloat16. Bound by memory: one read and one
 * write an element, with one division.
 */
#include "narrow.h"
#include "rows.h"
#include "straight_through.h"

typedef struct {
  void *out;
  const float *weight, *scales, *zeros;
  int64_t rows, columns, group_size, groups, dtype;
  grid_rule how;
} quantize_call;

FB_INLINE void store_values(const quantize_call *call, int64_t at, vf values, int n) {
  float *floats = call->out;
  uint16_t *halves = call->out;
  if (call->dtype == FB_F32) vf_store_up_to(floats + at, values, n);
  else if (n == VF_WIDTH) vf_store_bf16(halves + at, values);
  else store_bf16_n(halves + at, values, n);
}

FB_INLINE void quantize_group(const quantize_call *call, int64_t at, int64_t n, const group_terms *group,
                              const int rule) {
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) {
    rounded to = round_weights(&call->how, vf_load(call->weight + at + i), group, rule);
    store_values(call, at + i, vf_mul(group->scale, to.value), VF_WIDTH);
  }
  if (i == n) return;
  int rest = (int)(n - i);
  rounded to = round_weights(&call->how, vf_load_n(call->weight + at + i, rest), group, rule);
  store_values(call, at + i, vf_mul(group->scale, to.value), rest);
}

static FB_BODY(quantize_chunk) {
  const quantize_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    for (int64_t g = 0; g < call->groups; g++) {
      int64_t group = row * call->groups + g, first = g * call->group_size;
      int64_t at = row * n + first, count = fb_min(call->group_size, n - first);
      group_terms terms = read_group(&call->how, call->scales ? call->scales[group] : 1,
                                     call->zeros ? call->zeros[group] : 0);
      switch (call->how.rule) {
        case RULE_ROUND: quantize_group(call, at, count, &terms, RULE_ROUND); break;
        case RULE_ZERO_POINT: quantize_group(call, at, count, &terms, RULE_ZERO_POINT); break;
        default: quantize_group(call, at, count, &terms, RULE_SIGN); break;
      }
    }
  }
}

/*
 * buffers: out, weight, scales or NULL, zeros or NULL; sizes: rows, columns, group size, dtype of out, then as
 * read_rule, whose reals are these too
 */
FB_OP(fake_quantize) {
  const int64_t *size = args->size;
  FB_REQUIRE(size[2] > 0 && (size[3] == FB_F32 || size[3] == FB_BF16));
  FB_REQUIRE(size[4] >= RULE_ROUND && size[4] <= RULE_SIGN);
  quantize_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->buffer[3], size[0], size[1], size[2],
                        fb_ceil_div(size[1], size[2]), size[3],
                        read_rule(size + 4, args->real, args->buffer[2] != NULL)};
  size_t count = (size_t)(call.rows * call.columns), groups = (size_t)(call.rows * call.groups) * 4;
  FB_REQUIRE(args->bytes[0] == count * fb_dtype_bytes(call.dtype) && args->bytes[1] == count * 4);
  FB_REQUIRE(!call.scales || args->bytes[2] == groups);
  FB_REQUIRE(!call.zeros || args->bytes[3] == groups);
  fb_parallel(team, row_chunks(call.rows, call.columns), quantize_chunk, &call);
  return NULL;
}
