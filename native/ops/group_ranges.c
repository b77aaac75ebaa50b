/*
 * low, high [rows, groups]: the least and the largest weight of each group of a row, with zero among them. Bound by
 * memory: one read an element.
 */
#include "../include/fewbit.h"

typedef struct {
  float *low, *high;
  const float *weight;
  int64_t rows, columns, group_size, groups;
} range_call;

static FB_BODY(range_row) {
  const range_call *call = context;
  (void)thread;
  for (int64_t g = 0; g < call->groups; g++) {
    int64_t i = chunk * call->columns + g * call->group_size;
    int64_t end = fb_min(i + call->group_size, (chunk + 1) * call->columns);
    float low = 0, high = 0;
    for (; i < end; i++) {
      float value = call->weight[i];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    call->low[chunk * call->groups + g] = low;
    call->high[chunk * call->groups + g] = high;
  }
}

/* buffers: low, high, weight; sizes: rows, columns, group size */
FB_OP(group_ranges) {
  const int64_t *size = args->size;
  FB_REQUIRE(size[2] > 0);
  int64_t groups = fb_ceil_div(size[1], size[2]);
  range_call call = {args->buffer[0], args->buffer[1], args->buffer[2], size[0], size[1], size[2], groups};
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows * call.columns) * 4);
  for (int i = 0; i < 2; i++) FB_REQUIRE(args->bytes[i] == (size_t)(call.rows * groups) * 4);
  fb_parallel(team, call.rows, range_row, &call);
  return NULL;
}
