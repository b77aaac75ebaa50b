/*
 * How weights become values of a grid, a vector at a time, and the slopes of that by weight, scale and zero point.
 * With u = (w - offset)/s (0 where s is 0), t = u + the weight's own shift, and `inside` where nothing was clipped; a
 * value of w is s times this plus the offset, whose slope is 1 - that by weight:
 *
 *   rule         value in units of s                                  by weight      by scale
 *   round        (rne(clip(t, low, high)·resolution - shift) + shift) inside, or 1   value - u inside, else the slope
 *                / resolution                                                        of the side
 *   zero-point   clip(rne(t) + z, 0, high) - z                        inside         value - inside·u
 *   sign         1 or -1                                              |t| <= 1       value
 *
 * By zero: inside - 1, unless the zero point itself was clipped. By a weight's shift: s times that by weight. Sources:
 * LSQ (arXiv 1902.08153), ParetoQ (2502.02631), EfficientQAT (2407.11062), SignRound (2309.05516), whose roundings are
 * shifted, OneBit (2402.11295), whose sign without a scale has the slope 1.001 - tanh² t.
 */
#ifndef FEWBIT_STRAIGHT_THROUGH_H
#define FEWBIT_STRAIGHT_THROUGH_H

#include <math.h>

#include "../include/vec.h"
#include "exp.h"
#include "rows.h"

enum { RULE_ROUND, RULE_ZERO_POINT, RULE_SIGN, RULE_BARE_SIGN /* without scales */ };

typedef struct {
  int64_t rule;
  float low, high, resolution, step, shift, low_slope, high_slope; /* step = 1 / resolution */
  int pass_outside;
} grid_rule;

/* What is the same for a group of weights. */
typedef struct {
  vf scale, divisor, offset, zero, zero_moves; /* divisor: the scale, infinite where that is 0 */
} group_terms;

typedef struct {
  vf value, by_weight, by_scale, by_zero;
} rounded;

/* A matrix [rows][columns], each row in groups of columns of which the last may be short. */
typedef struct {
  const float *weight, *scales, *zeros, *offsets; /* of each group: [rows][groups]; NULL where there are none */
  const float *shifts;                            /* of each weight; NULL where there are none */
  int64_t rows, columns, group_size, groups;
  grid_rule how;
} grid_weights;

/* A group of a row: its scale, and where its weights lie. */
typedef struct {
  group_terms terms;
  float scale;
  int64_t index, at, count;
} weight_group;

/* sizes: rule, whether the slope by weight is 1 outside too; reals: low, high, resolution, shift, slopes outside */
static inline grid_rule read_rule(const int64_t *size, const double *real, int has_scales) {
  int64_t rule = size[0] == RULE_SIGN && !has_scales ? RULE_BARE_SIGN : size[0];
  return (grid_rule){rule,           (float)real[0], (float)real[1], (float)real[2], (float)(1 / real[2]),
                     (float)real[3], (float)real[4], (float)real[5], size[1] != 0};
}

/* buffers: weight, scales, zeros, offsets, shifts; sizes: rows, columns, group size; `rule`, reals: as read_rule has it */
static inline grid_weights read_weights(void *const *buffer, const int64_t *size, const int64_t *rule,
                                        const double *real) {
  return (grid_weights){buffer[0], buffer[1], buffer[2], buffer[3], buffer[4], size[0], size[1], size[2],
                        fb_ceil_div(size[1], size[2]), read_rule(rule, real, buffer[1] != NULL)};
}

/* Whether the buffers that read_weights read have the sizes that it was told. */
static inline int weights_fit(const grid_weights *from, const size_t *bytes) {
  size_t groups = (size_t)(from->rows * from->groups) * 4, weights = (size_t)(from->rows * from->columns) * 4;
  return bytes[0] == weights && (!from->scales || bytes[1] == groups) && (!from->zeros || bytes[2] == groups) &&
         (!from->offsets || bytes[3] == groups) && (!from->shifts || bytes[4] == weights);
}

FB_INLINE weight_group read_group(const grid_weights *from, int64_t row, int64_t g) {
  int64_t index = row * from->groups + g, first = g * from->group_size;
  float scale = from->scales ? from->scales[index] : 1, offset = from->offsets ? from->offsets[index] : 0;
  vf whole = vf_rne(vf_set1(from->zeros ? from->zeros[index] : 0));
  vf clipped = vf_min(vf_set1(from->how.high), vf_max(vf_zero(), whole));
  vf one = vf_set1(1), moves = vf_select_ge(clipped, whole, vf_select_ge(whole, clipped, one, vf_zero()), vf_zero());
  group_terms terms = {vf_set1(scale), vf_set1(scale == 0 ? INFINITY : scale), vf_set1(offset), clipped, moves};
  return (weight_group){terms, scale, index, row * from->columns + first,
                        fb_min(from->group_size, from->columns - first)};
}

FB_INLINE rounded round_inside(const grid_rule *how, vf u, vf t) {
  vf low = vf_set1(how->low), high = vf_set1(how->high), shift = vf_set1(how->shift);
  vf clipped = vf_min(high, vf_max(low, t)); /* in this order NaN passes */
  vf code = vf_rne(vf_sub(vf_mul(clipped, vf_set1(how->resolution)), shift));
  vf value = vf_mul(vf_add(code, shift), vf_set1(how->step));
  vf outside = vf_set1(how->pass_outside ? 1.0f : 0.0f), one = vf_set1(1);
  vf slope = vf_select_ge(high, t, vf_sub(value, u), vf_set1(how->high_slope));
  return (rounded){value, vf_select_ge(t, low, vf_select_ge(high, t, one, outside), outside),
                   vf_select_ge(t, low, slope, vf_set1(how->low_slope)), vf_zero()};
}

FB_INLINE rounded round_from_zero(const grid_rule *how, vf u, vf t, const group_terms *group) {
  vf one = vf_set1(1), high = vf_set1(how->high);
  vf code = vf_add(vf_rne(t), group->zero);
  vf clipped = vf_min(high, vf_max(vf_zero(), code));
  vf inside = vf_select_ge(code, vf_zero(), vf_select_ge(high, code, one, vf_zero()), vf_zero());
  vf value = vf_sub(clipped, group->zero);
  vf by_scale = vf_select_ge(inside, one, vf_sub(value, u), value);
  return (rounded){value, inside, by_scale, vf_mul(vf_sub(inside, one), group->zero_moves)};
}

FB_INLINE rounded take_sign(vf t, const int bare) {
  vf one = vf_set1(1), value = vf_select_ge(t, vf_zero(), one, vf_set1(-1)), slope;
  if (bare) { /* 1 - tanh² t = 4e/(1 + e)², e = e^(-2|t|) */
    vf e = vf_exp(vf_mul(vf_set1(-2), vf_abs(t))), sum = vf_add(one, e);
    slope = vf_add(vf_set1(0.001f), vf_div(vf_mul(vf_set1(4), e), vf_mul(sum, sum)));
  } else {
    slope = vf_select_ge(one, vf_abs(t), one, vf_zero());
  }
  return (rounded){value, slope, value, vf_zero()};
}

/* Of the `n` weights from `at` on; `rule` is a constant at each call. */
FB_INLINE rounded round_weights(const grid_weights *from, int64_t at, int n, const group_terms *group, const int rule) {
  vf weight = vf_load_up_to(from->weight + at, n);
  vf shift = from->shifts ? vf_load_up_to(from->shifts + at, n) : vf_zero();
  if (rule == RULE_BARE_SIGN) return take_sign(vf_add(weight, shift), 1);
  vf u = vf_div(vf_sub(weight, group->offset), group->divisor), t = vf_add(u, shift);
  if (rule == RULE_ROUND) return round_inside(&from->how, u, t);
  if (rule == RULE_ZERO_POINT) return round_from_zero(&from->how, u, t, group);
  return take_sign(t, 0);
}

/*
 * Defines the body `name` that calls `visit(call, group, rule)` with a constant rule for every group of a chunk of rows;
 * call_type has them in `from`.
 */
#define FB_EACH_GROUP(name, call_type, visit)                                                            \
  static FB_BODY(name) {                                                                                 \
    const call_type *call = context;                                                                     \
    const grid_weights *from = &call->from;                                                              \
    int64_t rows = rows_per_chunk(from->columns), end = fb_min(from->rows, (chunk + 1) * rows);          \
    (void)thread;                                                                                        \
    for (int64_t row = chunk * rows; row < end; row++) {                                                 \
      for (int64_t g = 0; g < from->groups; g++) {                                                       \
        weight_group group = read_group(from, row, g);                                                   \
        switch (from->how.rule) {                                                                        \
          case RULE_ROUND: visit(call, &group, RULE_ROUND); break;                                       \
          case RULE_ZERO_POINT: visit(call, &group, RULE_ZERO_POINT); break;                             \
          case RULE_SIGN: visit(call, &group, RULE_SIGN); break;                                         \
          default: visit(call, &group, RULE_BARE_SIGN); break;                                           \
        }                                                                                                \
      }                                                                                                  \
    }                                                                                                    \
  }

#endif
