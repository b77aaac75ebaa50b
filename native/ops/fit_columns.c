/*
 * Scale and zero point of one group of columns a row: from the range of the weights (with zero, or their
 * span without it), from their largest magnitude or from their mean magnitude; with a search also for shrunk ranges, keeping the one with the
 * least Σ|ŵ - w|^norm. Without a search bound by memory; with one by compute: candidates · (quantize +
 * power) a weight.
 */
#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "power.h"

#define ROWS_PER_CHUNK 16
#define SMALLEST_SCALE 0x1p-24f
#define LARGEST_SCALE 65504.0f

#define LARGEST_ZERO 1024.0f /* where the spacing of float16 reaches a whole step */

enum { RULE_RANGE, RULE_MAGNITUDE, RULE_MEAN, RULE_SPAN };

typedef struct {
  float *scales, *zeros;
  const float *weight;
  int64_t rows, columns, groups, group, start, end;
  int rule, candidates;
  float top; /* levels - 1 */
  float origin, step, norm;
  double shrink_step;
} fit_call;

typedef struct { float scale, zero; } fit;
/* least and most: of the weights; low and high: with zero among them */
typedef struct { float least, most, low, high, mean; } group_range;

static group_range measure(const float *w, int64_t n) {
  group_range range = {w[0], w[0], 0, 0, 0};
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    range.least = w[i] < range.least ? w[i] : range.least;
    range.most = w[i] > range.most ? w[i] : range.most;
    sum += w[i] < 0 ? -w[i] : w[i];
  }
  range.low = range.least < 0 ? range.least : 0;
  range.high = range.most > 0 ? range.most : 0;
  if (range.low == 0 && range.high == 0) range.low = -1, range.high = 1;
  range.mean = (float)(sum / (double)n);
  return range;
}

static float round_scale(float scale) {
  float rounded = fb_from_f16(fb_to_f16(scale));
  if (!(rounded >= SMALLEST_SCALE)) return SMALLEST_SCALE;
  return rounded > LARGEST_SCALE ? LARGEST_SCALE : rounded;
}

/* Returns 0 where the rule gives way to RULE_RANGE. */
static int fit_span(const fit_call *call, group_range range, float shrink, fit *made) {
  float low = range.least * shrink, high = range.most * shrink;
  if (!(high > low)) return 0;
  made->scale = round_scale((high - low) / call->top);
  float zero = (0 - low) / made->scale;
  made->zero = fb_from_f16(fb_to_f16(zero));
  return zero <= LARGEST_ZERO && zero >= -LARGEST_ZERO;
}

static fit apply_rule(const fit_call *call, group_range range, float shrink) {
  fit made = {0, 0};
  if (call->rule == RULE_MEAN) {
    made.scale = round_scale(range.mean * shrink);
    return made;
  }
  if (call->rule == RULE_SPAN && fit_span(call, range, shrink, &made)) return made;
  float low = range.low * shrink, high = range.high * shrink;
  if (call->rule == RULE_MAGNITUDE) {
    made.scale = round_scale(2 * (-low > high ? -low : high) / call->top / call->step);
    return made;
  }
  made.scale = round_scale((high - low) / call->top);
  float zero = __builtin_rintf(-low / made.scale);
  made.zero = !(zero > 0) ? 0 : zero > call->top ? call->top : zero;
  return made;
}

/* Σ|ŵ - w|^norm: float32 sums a lane, added in float64. */
static double grid_error(const fit_call *call, const float *w, int64_t n, fit made) {
  const vf scale = vf_set1(made.scale), zero = vf_set1(made.zero), half = vf_set1(0.5f);
  const vf origin = vf_set1(call->origin), step = vf_set1(call->step), top = vf_set1(call->top);
  const vf norm = vf_set1(call->norm);
  vf sum = vf_zero();
  for (int64_t i = 0; i < n; i += VF_WIDTH) {
    int count = (int)fb_min(VF_WIDTH, n - i);
    vf value = vf_load_n(w + i, count);
    vf steps = vf_div(vf_sub(vf_div(value, scale), origin), step);
    vf code = call->top == 1 ? vf_select_ge(steps, half, vf_set1(1), vf_zero())
                             : vf_min(top, vf_max(vf_zero(), vf_rne(vf_add(steps, zero))));
    vf decoded = vf_mul(scale, vf_add(origin, vf_mul(step, vf_sub(code, zero))));
    vf error = vf_power(vf_abs(vf_sub(decoded, value)), norm);
    if (count < VF_WIDTH) {
      float lanes[VF_WIDTH];
      vf_store(lanes, error);
      error = vf_load_n(lanes, count);
    }
    sum = vf_add(sum, error);
  }
  float lanes[VF_WIDTH];
  double total = 0;
  vf_store(lanes, sum);
  for (int i = 0; i < VF_WIDTH; i++) total += lanes[i];
  return total;
}

static fit fit_group(const fit_call *call, const float *w, int64_t n) {
  group_range range = measure(w, n);
  fit best = apply_rule(call, range, 1);
  if (call->candidates == 0) return best;
  double least = grid_error(call, w, n, best);
  float widest = call->rule == RULE_MEAN ? 2.4f : 1;
  for (int i = call->rule == RULE_MEAN ? 0 : 1; i < call->candidates; i++) {
    fit tried = apply_rule(call, range, (float)(widest * (1 - i * call->shrink_step)));
    double error = grid_error(call, w, n, tried);
    if (error < least) best = tried, least = error;
  }
  return best;
}

static FB_BODY(fit_rows) {
  const fit_call *call = context;
  int64_t first = chunk * ROWS_PER_CHUNK, last = fb_min(call->rows, first + ROWS_PER_CHUNK);
  (void)thread;
  for (int64_t row = first; row < last; row++) {
    const float *w = call->weight + row * call->columns + call->start;
    fit made = fit_group(call, w, call->end - call->start);
    call->scales[row * call->groups + call->group] = made.scale;
    call->zeros[row * call->groups + call->group] = made.zero;
  }
}

/* buffers: scales, zeros, weight; sizes: rows, columns, groups, group, start, end, rule, levels,
 * candidates (0: no search); reals: origin, step, shrink step, norm */
FB_OP(fit_columns) {
  const int64_t *size = args->size;
  fit_call call = {
      .scales = args->buffer[0],
      .zeros = args->buffer[1],
      .weight = args->buffer[2],
      .rows = size[0],
      .columns = size[1],
      .groups = size[2],
      .group = size[3],
      .start = size[4],
      .end = size[5],
      .rule = (int)size[6],
      .candidates = (int)size[8],
      .top = (float)(size[7] - 1),
      .origin = (float)args->real[0],
      .step = (float)args->real[1],
      .shrink_step = args->real[2],
      .norm = (float)args->real[3],
  };
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.groups) * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows * call.columns) * 4);
  FB_REQUIRE(0 <= call.start && call.start < call.end && call.end <= call.columns);
  FB_REQUIRE(0 <= call.group && call.group < call.groups && size[7] >= 2);
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), fit_rows, &call);
  return NULL;
}
