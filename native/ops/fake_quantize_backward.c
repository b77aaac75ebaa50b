/*
 * Gradients of fake_quantize: dWeight = dOut · slope by weight, and over each group dScales = Σ dOut · slope by scale,
 * dZeros = s · Σ dOut · slope by zero (straight_through.h). Sums run in float32 lanes over at most BLOCK columns,
 * and in float64 above that. Bound by memory: two reads and one write an element. dWeight may be dOut.
 */
#include "rows.h"
#include "straight_through.h"

#define BLOCK 2048

typedef struct {
  float *d_weight, *d_scales, *d_zeros;
  const float *d_out, *weight, *scales, *zeros;
  int64_t rows, columns, group_size, groups;
  grid_rule how;
} gradient_call;

typedef struct {
  vf scale, zero;
} lane_sums;

FB_INLINE void back_vector(const gradient_call *call, int64_t at, int n, const group_terms *group, lane_sums *sums,
                           const int rule) {
  vf upstream = vf_load_up_to(call->d_out + at, n);
  rounded to = round_weights(&call->how, vf_load_up_to(call->weight + at, n), group, rule);
  sums->scale = vf_fma(sums->scale, upstream, to.by_scale);
  if (rule == RULE_ZERO_POINT) sums->zero = vf_fma(sums->zero, upstream, to.by_zero);
  if (call->d_weight) vf_store_up_to(call->d_weight + at, vf_mul(upstream, to.by_weight), n);
}

FB_INLINE void back_group(const gradient_call *call, int64_t group, int64_t at, int64_t n, const int rule) {
  float scale = call->scales ? call->scales[group] : 1;
  group_terms terms = read_group(&call->how, scale, call->zeros ? call->zeros[group] : 0);
  double scale_sum = 0, zero_sum = 0;
  for (int64_t start = 0; start < n; start += BLOCK) {
    int64_t i = start, end = fb_min(n, start + BLOCK);
    lane_sums sums = {vf_zero(), vf_zero()};
    for (; i + VF_WIDTH <= end; i += VF_WIDTH) back_vector(call, at + i, VF_WIDTH, &terms, &sums, rule);
    if (i < end) back_vector(call, at + i, (int)(end - i), &terms, &sums, rule);
    scale_sum += vf_sum(sums.scale);
    zero_sum += vf_sum(sums.zero);
  }
  if (call->d_scales) call->d_scales[group] = (float)scale_sum;
  if (call->d_zeros) call->d_zeros[group] = (float)(scale * zero_sum);
}

static FB_BODY(gradient_chunk) {
  const gradient_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    for (int64_t g = 0; g < call->groups; g++) {
      int64_t group = row * call->groups + g, first = g * call->group_size;
      int64_t at = row * n + first, count = fb_min(call->group_size, n - first);
      switch (call->how.rule) {
        case RULE_ROUND: back_group(call, group, at, count, RULE_ROUND); break;
        case RULE_ZERO_POINT: back_group(call, group, at, count, RULE_ZERO_POINT); break;
        case RULE_SIGN: back_group(call, group, at, count, RULE_SIGN); break;
        default: back_group(call, group, at, count, RULE_BARE_SIGN); break;
      }
    }
  }
}

/*
 * buffers: dWeight, dScales, dZeros (any may be NULL), dOut, weight, scales or NULL, zeros or NULL;
 * sizes: rows, columns, group size, then as read_rule, whose reals are these too
 */
FB_OP(fake_quantize_backward) {
  const int64_t *size = args->size;
  void *const *buffer = args->buffer;
  FB_REQUIRE(size[2] > 0 && size[3] >= RULE_ROUND && size[3] <= RULE_SIGN);
  gradient_call call = {buffer[0], buffer[1], buffer[2], buffer[3], buffer[4], buffer[5], buffer[6],
                        size[0], size[1], size[2], fb_ceil_div(size[1], size[2]),
                        read_rule(size + 3, args->real, buffer[5] != NULL)};
  size_t count = (size_t)(call.rows * call.columns) * 4, groups = (size_t)(call.rows * call.groups) * 4;
  FB_REQUIRE(args->bytes[3] == count && args->bytes[4] == count);
  FB_REQUIRE(!call.d_weight || args->bytes[0] == count);
  FB_REQUIRE(!call.d_scales || args->bytes[1] == groups);
  FB_REQUIRE(!call.d_zeros || args->bytes[2] == groups);
  FB_REQUIRE(!call.scales || args->bytes[5] == groups);
  FB_REQUIRE(!call.zeros || args->bytes[6] == groups);
  fb_parallel(team, row_chunks(call.rows, call.columns), gradient_chunk, &call);
  return NULL;
}
