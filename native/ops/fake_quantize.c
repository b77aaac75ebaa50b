/*
 * out = weights as values of a grid (straight_through.h), in float32 or bfloat16. Bound by memory: one read and one
 * write an element, with one division.
 */
#include "narrow.h"
#include "straight_through.h"

typedef struct {
  void *out;
  int64_t dtype;
  grid_weights from;
} quantize_call;

FB_INLINE void store_values(const quantize_call *call, int64_t at, vf values, int n) {
  float *floats = call->out;
  uint16_t *halves = call->out;
  if (call->dtype == FB_F32) vf_store_up_to(floats + at, values, n);
  else if (n == VF_WIDTH) vf_store_bf16(halves + at, values);
  else store_bf16_n(halves + at, values, n);
}

/* Product and sum are rounded one after the other at every level. */
FB_INLINE vf decode_values(const group_terms *terms, vf values) {
  return vf_add(vf_mul(terms->scale, values), terms->offset);
}

FB_INLINE void quantize_group(const quantize_call *call, const weight_group *group, const int rule) {
  const grid_weights *from = &call->from;
  int64_t i = group->at, end = group->at + group->count;
  for (; i + VF_WIDTH <= end; i += VF_WIDTH) {
    rounded to = round_weights(from, i, VF_WIDTH, &group->terms, rule);
    store_values(call, i, decode_values(&group->terms, to.value), VF_WIDTH);
  }
  if (i == end) return;
  int rest = (int)(end - i);
  rounded to = round_weights(from, i, rest, &group->terms, rule);
  store_values(call, i, decode_values(&group->terms, to.value), rest);
}

FB_EACH_GROUP(quantize_chunk, quantize_call, quantize_group)

/*
 * buffers: out, then as read_weights; sizes: rows, columns, group size, dtype of out, then as read_rule, whose reals
 * are these too
 */
FB_OP(fake_quantize) {
  const int64_t *size = args->size;
  FB_REQUIRE(size[2] > 0 && (size[3] == FB_F32 || size[3] == FB_BF16));
  FB_REQUIRE(size[4] >= RULE_ROUND && size[4] <= RULE_SIGN);
  grid_weights from = read_weights(args->buffer + 1, size, size + 4, args->real);
  quantize_call call = {args->buffer[0], size[3], from};
  FB_REQUIRE(args->bytes[0] == (size_t)(from.rows * from.columns) * fb_dtype_bytes(call.dtype));
  FB_REQUIRE(weights_fit(&from, args->bytes + 1));
  fb_parallel(team, row_chunks(from.rows, from.columns), quantize_chunk, &call);
  return NULL;
}
