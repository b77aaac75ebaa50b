/*
 * Adds to dWeight what flows to the weights at the ends of their groups' ranges (group_ranges), from the gradients of
 * range_scales_backward by the factors of both sides: dFactor · factor / end, shared evenly by all that lie there. An
 * end of 0 is no weight's. Bound by memory: two reads an element.
 */
#include "../include/fewbit.h"

typedef struct {
  float *d_weight;
  const float *d_factors[2], *weight, *ends[2], *factors[2];
  int64_t rows, columns, group_size, groups;
} gradient_call;

static void add_at_end(const gradient_call *call, int64_t group, int side, int64_t from, int64_t to) {
  float end = call->ends[side][group];
  int64_t there = 0;
  if (end == 0) return;
  for (int64_t i = from; i < to; i++) there += call->weight[i] == end;
  double share = (double)call->d_factors[side][group] * call->factors[side][group] / end / (there ? there : 1);
  for (int64_t i = from; i < to; i++) {
    if (call->weight[i] == end) call->d_weight[i] = (float)(call->d_weight[i] + share);
  }
}

static FB_BODY(gradient_row) {
  const gradient_call *call = context;
  (void)thread;
  for (int64_t g = 0; g < call->groups; g++) {
    int64_t from = chunk * call->columns + g * call->group_size;
    int64_t to = fb_min(from + call->group_size, (chunk + 1) * call->columns);
    for (int side = 0; side < 2; side++) add_at_end(call, chunk * call->groups + g, side, from, to);
  }
}

/* buffers: dWeight, dLowFactors, dHighFactors, weight, low, high, factors of both; sizes: rows, columns, group size */
FB_OP(group_ranges_backward) {
  const int64_t *size = args->size;
  void *const *buffer = args->buffer;
  FB_REQUIRE(size[2] > 0);
  int64_t groups = fb_ceil_div(size[1], size[2]);
  gradient_call call = {buffer[0], {buffer[1], buffer[2]}, buffer[3], {buffer[4], buffer[5]}, {buffer[6], buffer[7]},
                        size[0],   size[1],                size[2],   groups};
  for (int i = 0; i < 8; i++) {
    int64_t count = i == 0 || i == 3 ? call.columns : groups;
    FB_REQUIRE(args->bytes[i] == (size_t)(call.rows * count) * 4);
  }
  fb_parallel(team, call.rows, gradient_row, &call);
  return NULL;
}
