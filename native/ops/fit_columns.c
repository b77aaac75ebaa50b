/*
 * Scale and zero point of one group of columns a row: from the range of the weights (with zero, or their span
 * without it), from their largest magnitude or from their mean magnitude; with a search also for shrunk ranges,
 * keeping the one with the least Σ|ŵ - w|^norm. Without a search bound by memory; with one by compute: a candidate
 * in each lane, and for each (quantize + power) a weight.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "level_table.h"
#include "power.h"

#define ROWS_PER_CHUNK 16
#define SMALLEST_SCALE 0x1p-24f
#define LARGEST_SCALE 65504.0f

#define MOST_MEANS 2.4       /* the widest range that is tried, in mean magnitudes */
#define WEIGHTS_A_SUM 64     /* errors in one run of additions */
#define LARGEST_ZERO 1024.0f /* where the spacing of float16 reaches a whole step */

enum { RULE_RANGE, RULE_MAGNITUDE, RULE_MEAN, RULE_SPAN };

typedef struct {
  float *scales, *zeros;
  const float *weight;
  int64_t rows, columns, groups, group, start, end;
  const float *shrinks; /* factors of the ranges that are tried */
  int64_t count;
  int rule;
  float top; /* levels - 1 */
  float origin, step, norm;
  level_table table;
} fit_call;

/* least and most: of the weights; low and high: with zero among them */
typedef struct { float least, most, low, high, mean; } group_range;
/* Fits of ranges shrunk by as many factors, one in each lane. */
typedef struct { vf scale, zero; } fits;

static float mean_magnitude(const float *w, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += w[i] < 0 ? -w[i] : w[i];
  return (float)(sum / (double)n);
}

static group_range measure(const fit_call *call, const float *w, int64_t n) {
  group_range range = {w[0], w[0], 0, 0, 0};
  int64_t i = 0;
  if (n >= VF_WIDTH) {
    vf least = vf_load(w), most = least;
    for (i = VF_WIDTH; i + VF_WIDTH <= n; i += VF_WIDTH) {
      least = vf_min(least, vf_load(w + i));
      most = vf_max(most, vf_load(w + i));
    }
    range.least = -vf_max_of(vf_sub(vf_zero(), least));
    range.most = vf_max_of(most);
  }
  for (; i < n; i++) {
    range.least = w[i] < range.least ? w[i] : range.least;
    range.most = w[i] > range.most ? w[i] : range.most;
  }
  range.low = range.least < 0 ? range.least : 0;
  range.high = range.most > 0 ? range.most : 0;
  if (range.low == 0 && range.high == 0) range.low = -1, range.high = 1;
  if (call->rule == RULE_MEAN) range.mean = mean_magnitude(w, n);
  return range;
}

static vf round_to_f16(vf x) {
  uint16_t halves[VF_WIDTH];
  vf_store_f16(halves, x);
  return vf_load_f16(halves);
}

static vf round_scale(vf scale) {
  return vf_min(vf_set1(LARGEST_SCALE), vf_max(round_to_f16(scale), vf_set1(SMALLEST_SCALE)));
}

static fits fit_range(const fit_call *call, group_range range, vf shrink) {
  vf low = vf_mul(vf_set1(range.low), shrink), high = vf_mul(vf_set1(range.high), shrink), none = vf_zero();
  fits made = {.scale = round_scale(vf_div(vf_sub(high, low), vf_set1(call->top)))};
  vf zero = vf_rne(vf_div(vf_sub(none, low), made.scale));
  made.zero = vf_min(vf_set1(call->top), vf_max(zero, none));
  return made;
}

/* Where a span is a point, or lies far from zero, zero is put in its range. */
static fits fit_span(const fit_call *call, group_range range, vf shrink) {
  vf low = vf_mul(vf_set1(range.least), shrink), high = vf_mul(vf_set1(range.most), shrink), none = vf_zero();
  vf scale = round_scale(vf_div(vf_sub(high, low), vf_set1(call->top)));
  vf zero = vf_div(vf_sub(none, low), scale), far = vf_set1(LARGEST_ZERO);
  fits other = fit_range(call, range, shrink);
  zero = vf_select_ge(far, vf_abs(zero), zero, vf_set1(2 * LARGEST_ZERO));
  zero = vf_select_ge(low, high, vf_set1(2 * LARGEST_ZERO), zero);
  return (fits){vf_select_ge(far, zero, scale, other.scale), vf_select_ge(far, zero, round_to_f16(zero), other.zero)};
}

static fits apply_rule(const fit_call *call, group_range range, vf shrink) {
  if (call->rule == RULE_SPAN) return fit_span(call, range, shrink);
  if (call->rule == RULE_RANGE) return fit_range(call, range, shrink);
  vf size = vf_mul(vf_set1(range.mean), shrink);
  if (call->rule == RULE_MAGNITUDE) {
    vf largest = vf_max(vf_mul(vf_set1(-range.low), shrink), vf_mul(vf_set1(range.high), shrink));
    size = vf_div(vf_div(vf_add(largest, largest), vf_set1(call->top)), vf_set1(call->step));
  }
  return (fits){round_scale(size), vf_zero()};
}

/*
 * Σ|ŵ - w|^norm of each fit. In steps of the grid ŵ is a whole number, and only w is divided; which of two levels a
 * weight in the middle between them gets makes no difference.
 */
static vf grid_errors(const fit_call *call, const float *w, int64_t n, fits of) {
  const vf width = vf_mul(of.scale, vf_set1(call->step)), inverse = vf_div(vf_set1(1), width);
  const vf zero = vf_sub(of.zero, vf_set1(call->origin / call->step)), norm = vf_set1(call->norm);
  const vf none = vf_zero(), top = vf_set1(call->top);
  vf total = none;
  for (int64_t begin = 0; begin < n; begin += WEIGHTS_A_SUM) {
    vf sum = none;
    for (int64_t i = begin; i < fb_min(n, begin + WEIGHTS_A_SUM); i++) {
      vf place = vf_fma(zero, vf_set1(w[i]), inverse);
      vf code = vf_rne(vf_min(top, vf_max(none, place)));
      sum = vf_add(sum, vf_power_about(vf_abs(vf_sub(code, place)), norm));
    }
    total = vf_add(total, sum);
  }
  return vf_mul(total, vf_power(width, norm));
}

/* The same of levels in a table. */
static vf table_errors(const fit_call *call, const float *w, int64_t n, fits of) {
  const vf inverse = vf_div(vf_set1(1), of.scale), norm = vf_set1(call->norm);
  vf total = vf_zero();
  for (int64_t begin = 0; begin < n; begin += WEIGHTS_A_SUM) {
    vf sum = vf_zero();
    for (int64_t i = begin; i < fb_min(n, begin + WEIGHTS_A_SUM); i++) {
      vf place = vf_mul(vf_set1(w[i]), inverse), level;
      nearest_codes(&call->table, place, &level);
      sum = vf_add(sum, vf_power_about(vf_abs(vf_sub(level, place)), norm));
    }
    total = vf_add(total, sum);
  }
  return vf_mul(total, vf_power(of.scale, norm));
}

/*
 * Ranges are tried from the widest on. A narrower one clips the largest weight by all that it is narrower, but for half
 * a step; when that alone is a larger error than the least one, so it is for all that follow.
 */
static void fit_group(const fit_call *call, const float *w, int64_t n, float *scale, float *zero) {
  group_range range = measure(call, w, n);
  float least = INFINITY, largest = -range.low > range.high ? -range.low : range.high;
  for (int64_t first = 0; first < call->count; first += VF_WIDTH) {
    float errors[VF_WIDTH], scales[VF_WIDTH], zeros[VF_WIDTH];
    fits tried = apply_rule(call, range, vf_load(call->shrinks + first));
    vf_store(scales, tried.scale);
    vf_store(zeros, tried.zero);
    if (!first) *scale = scales[0], *zero = zeros[0];
    if (call->count == 1) return;
    float clipped = largest * (1 - call->shrinks[first]) - scales[0] * call->step / 2;
    if (call->rule != RULE_MEAN && first && clipped > 1.001f * powf(least, 1 / call->norm)) return;
    vf_store(errors, call->table.values ? table_errors(call, w, n, tried) : grid_errors(call, w, n, tried));
    for (int lane = 0; lane < VF_WIDTH; lane++) {
      if (!(errors[lane] < least)) continue;
      least = errors[lane];
      *scale = scales[lane];
      *zero = zeros[lane];
    }
  }
}

/* The factors of ranges, filled up to whole vectors: 1, and for a search the narrower ones. */
static int list_shrinks(fit_call *call, fb_team *team, int candidates, double step) {
  int mean = call->rule == RULE_MEAN;
  call->count = candidates ? candidates + mean : 1;
  int64_t padded = fb_round_up(call->count, VF_WIDTH);
  if (!fb_reserve(team, (size_t)padded * sizeof(float), 0)) return 0;
  float *shrinks = fb_shared(team);
  for (int64_t i = 0; i < padded; i++) {
    int64_t at = fb_min(i, call->count - 1);
    shrinks[i] = (float)(mean && at ? MOST_MEANS * (1 - (double)(at - 1) * step) : 1 - (double)at * step);
  }
  call->shrinks = shrinks;
  return 1;
}

static FB_BODY(fit_rows) {
  const fit_call *call = context;
  int64_t first = chunk * ROWS_PER_CHUNK, last = fb_min(call->rows, first + ROWS_PER_CHUNK);
  (void)thread;
  for (int64_t row = first; row < last; row++) {
    const float *w = call->weight + row * call->columns + call->start;
    int64_t at = row * call->groups + call->group;
    fit_group(call, w, call->end - call->start, &call->scales[at], &call->zeros[at]);
  }
}

/* buffers: scales, zeros, weight, levels or null; sizes: rows, columns, groups, group, start, end, rule, levels,
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
      .top = (float)(size[7] - 1),
      .origin = (float)args->real[0],
      .step = (float)args->real[1],
      .norm = (float)args->real[3],
  };
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.groups) * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows * call.columns) * 4);
  FB_REQUIRE(0 <= call.start && call.start < call.end && call.end <= call.columns);
  FB_REQUIRE(read_levels(&call.table, args->buffer[3], args->bytes[3], size[7]));
  FB_REQUIRE(0 <= call.group && call.group < call.groups && size[7] >= 2);
  if (!list_shrinks(&call, team, (int)size[8], args->real[2])) return "fit columns: out of memory";
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), fit_rows, &call);
  return NULL;
}
