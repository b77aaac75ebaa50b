/*
 * One half-quadratic step on the zero point of every group of columns a row (HQQ): with c the code of w and
 * d = w - s(c - z), errors = mean|d| and z ← z - mean(sign(d) · min(|d|, |d|^(p-1) / β)) / s. The minimum is |d| up
 * to β^(-1/(2-p)), so that powers are only taken where a vector holds a larger error. Without powers bound by
 * memory. Sums are float32 a lane, added in float64.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "power.h"

#define ROWS_PER_CHUNK 8

typedef struct {
  float *zeros, *errors;
  const float *weight, *scales;
  int64_t rows, columns, group_size, groups;
  float top; /* levels - 1 */
  float norm, inverse_beta, threshold;
} refine_call;

static double sum_lanes(vf x) {
  float lanes[VF_WIDTH];
  double sum = 0;
  vf_store(lanes, x);
  for (int i = 0; i < VF_WIDTH; i++) sum += lanes[i];
  return sum;
}

static vf first_lanes(vf x, int count) {
  float lanes[VF_WIDTH];
  vf_store(lanes, x);
  return vf_load_n(lanes, count);
}

static void refine_group(const refine_call *call, const float *w, int64_t n, int64_t at) {
  const float s = call->scales[at], z = call->zeros[at];
  const vf scale = vf_set1(s), zero = vf_set1(z), top = vf_set1(call->top), none = vf_zero();
  const vf power = vf_set1(call->norm - 1), factor = vf_set1(call->inverse_beta);
  vf error = none, offset = none;
  for (int64_t i = 0; i < n; i += VF_WIDTH) {
    int count = (int)fb_min(VF_WIDTH, n - i);
    vf value = vf_load_n(w + i, count);
    vf code = vf_min(top, vf_max(none, vf_rne(vf_add(vf_div(value, scale), zero))));
    vf d = vf_sub(value, vf_mul(scale, vf_sub(code, zero)));
    if (count < VF_WIDTH) d = first_lanes(d, count);
    vf magnitude = vf_abs(d), part = magnitude;
    if (vf_max_of(magnitude) > call->threshold) {
      part = vf_min(magnitude, vf_mul(factor, vf_power(magnitude, power)));
    }
    error = vf_add(error, magnitude);
    offset = vf_add(offset, vf_select_ge(d, none, part, vf_sub(none, part)));
  }
  call->errors[at] = (float)(sum_lanes(error) / (double)n);
  call->zeros[at] = (float)(z - sum_lanes(offset) / (double)n / s);
}

static FB_BODY(refine_rows) {
  const refine_call *call = context;
  int64_t first = chunk * ROWS_PER_CHUNK, last = fb_min(call->rows, first + ROWS_PER_CHUNK);
  (void)thread;
  for (int64_t row = first; row < last; row++) {
    for (int64_t group = 0; group < call->groups; group++) {
      int64_t start = group * call->group_size, n = fb_min(call->group_size, call->columns - start);
      refine_group(call, call->weight + row * call->columns + start, n, row * call->groups + group);
    }
  }
}

/* buffers: zeros, errors, weight, scales; sizes: rows, columns, group size, levels; reals: norm p, beta */
FB_OP(refine_zeros) {
  const int64_t *size = args->size;
  double norm = args->real[0], beta = args->real[1];
  refine_call call = {
      .zeros = args->buffer[0],
      .errors = args->buffer[1],
      .weight = args->buffer[2],
      .scales = args->buffer[3],
      .rows = size[0],
      .columns = size[1],
      .group_size = size[2],
      .top = (float)(size[3] - 1),
      .norm = (float)norm,
      .inverse_beta = (float)(1 / beta),
      .threshold = (float)(pow(beta, -1 / (2 - norm)) * 0.999),
  };
  FB_REQUIRE(call.group_size > 0 && size[3] >= 2 && norm > 0 && norm <= 1 && beta > 0);
  call.groups = fb_ceil_div(call.columns, call.group_size);
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.groups) * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0] && args->bytes[3] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), refine_rows, &call);
  return NULL;
}
