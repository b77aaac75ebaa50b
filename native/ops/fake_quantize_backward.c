/*
 * Gradients of fake_quantize: dWeight = dOut · slope by weight, and over each group dScales = Σ dOut · slope by scale,
 * dZeros = s · Σ dOut · slope by zero, dOffsets = Σ dOut · (1 - slope by weight), and dShifts = s · dWeight
 * (straight_through.h). Sums run in float32 lanes over at most BLOCK columns, and in float64 above that. Bound by
 * memory: two reads and one write an element. dWeight or dShifts may be dOut.
 */
#include "straight_through.h"

#define BLOCK 2048

typedef struct {
  float *d_weight, *d_scales, *d_zeros, *d_offsets, *d_shifts;
  const float *d_out;
  grid_weights from;
} gradient_call;

typedef struct {
  vf scale, zero, offset;
} lane_sums;

FB_INLINE void back_vector(const gradient_call *call, int64_t at, int n, const group_terms *group, lane_sums *sums,
                           const int rule) {
  vf upstream = vf_load_up_to(call->d_out + at, n);
  rounded to = round_weights(&call->from, at, n, group, rule);
  sums->scale = vf_fma(sums->scale, upstream, to.by_scale);
  if (rule == RULE_ZERO_POINT) sums->zero = vf_fma(sums->zero, upstream, to.by_zero);
  if (call->d_offsets) sums->offset = vf_fma(sums->offset, upstream, vf_sub(vf_set1(1), to.by_weight));
  vf d_weight = vf_mul(upstream, to.by_weight);
  if (call->d_weight) vf_store_up_to(call->d_weight + at, d_weight, n);
  if (call->d_shifts) vf_store_up_to(call->d_shifts + at, vf_mul(group->scale, d_weight), n);
}

FB_INLINE void back_group(const gradient_call *call, const weight_group *group, const int rule) {
  int64_t i = group->at, last = group->at + group->count;
  double scale_sum = 0, zero_sum = 0, offset_sum = 0;
  while (i < last) {
    int64_t end = fb_min(last, i + BLOCK);
    lane_sums sums = {vf_zero(), vf_zero(), vf_zero()};
    for (; i + VF_WIDTH <= end; i += VF_WIDTH) back_vector(call, i, VF_WIDTH, &group->terms, &sums, rule);
    if (i < end) back_vector(call, i, (int)(end - i), &group->terms, &sums, rule);
    i = end;
    scale_sum += vf_sum(sums.scale);
    zero_sum += vf_sum(sums.zero);
    offset_sum += vf_sum(sums.offset);
  }
  if (call->d_scales) call->d_scales[group->index] = (float)scale_sum;
  if (call->d_zeros) call->d_zeros[group->index] = (float)(group->scale * zero_sum);
  if (call->d_offsets) call->d_offsets[group->index] = (float)offset_sum;
}

FB_EACH_GROUP(gradient_chunk, gradient_call, back_group)

/*
 * buffers: dWeight, dScales, dZeros, dOffsets, dShifts (any may be NULL), dOut, then as read_weights;
 * sizes: rows, columns, group size, then as read_rule, whose reals are these too
 */
FB_OP(fake_quantize_backward) {
  const int64_t *size = args->size;
  void *const *buffer = args->buffer;
  FB_REQUIRE(size[2] > 0 && size[3] >= RULE_ROUND && size[3] <= RULE_SIGN);
  grid_weights from = read_weights(buffer + 6, size, size + 3, args->real);
  gradient_call call = {buffer[0], buffer[1], buffer[2], buffer[3], buffer[4], buffer[5], from};
  size_t count = (size_t)(from.rows * from.columns) * 4, groups = (size_t)(from.rows * from.groups) * 4;
  FB_REQUIRE(args->bytes[5] == count && weights_fit(&from, args->bytes + 6));
  FB_REQUIRE((!call.d_weight || args->bytes[0] == count) && (!call.d_shifts || args->bytes[4] == count));
  for (int i = 1; i < 4; i++) FB_REQUIRE(!buffer[i] || args->bytes[i] == groups);
  fb_parallel(team, row_chunks(from.rows, from.columns), gradient_chunk, &call);
  return NULL;
}
