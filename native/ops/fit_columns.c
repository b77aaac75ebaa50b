/*
 * Scale and zero point of one group of columns a row: from the range of the weights (with zero, or their span
 * without it), from their largest magnitude or from their mean magnitude; with a search also for shrunk ranges,
 * keeping the one with the least Σ|ŵ - w|^norm. Without a search bound by memory; with one by compute: a candidate
 * in each lane, and for each (quantize + polynomial) a weight. The polynomial bounds a sum of powers; ranges that
 * these bounds do not tell apart take (quantize + power).
 */
#include <math.h>

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "level_table.h"
#include "power.h"
#include "power_fit.h"

#define ROWS_PER_CHUNK 16
#define SMALLEST_SCALE 0x1p-24f
#define LARGEST_SCALE 65504.0f

#define MOST_MEANS 2.4       /* the widest range that is tried, in mean magnitudes */
#define WEIGHTS_A_SUM 64     /* errors in one run of additions */
#define TRIED 16             /* ranges that are tried together */
#define TRIED_VECTORS (TRIED / VF_WIDTH)
#define LARGEST_ZERO 1024.0f /* where the spacing of float16 reaches a whole step */
#define ROUNDING 1e-4f       /* above the relative error of sums and of vf_power_about */
#define MOST_STEPS 65536.0f  /* errors above are not bounded: their powers leave float32 */

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
  power_fit power;
  level_table table;
  fb_team *team;
} fit_call;

/* least and most: of the weights; low and high: with zero among them */
typedef struct { float least, most, low, high, mean; } group_range;
/* Fits of ranges shrunk by as many factors, one in each lane. */
typedef struct { vf scale, zero; } fits;
/* Fits that are tried, and lower bounds of their errors; as many as factors of ranges. */
typedef struct { float *scales, *zeros, *lows; } trials;

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

/* What bounds of the errors of fits follow from: coefficients of the polynomial in steps, and what its sum is times. */
typedef struct { vf zero, inverse, power, slack, c[POWER_TERMS]; } outline;
typedef struct { vf low, high; } bounds;

/*
 * No weight is farther from its level than half a step, or than the range clips the outermost ones: in units of that
 * distance the powers are those of numbers up to 1, which a polynomial stands for.
 */
static outline draw_outline(const fit_call *call, group_range range, float n, fits of) {
  const vf width = vf_mul(of.scale, vf_set1(call->step)), inverse = vf_div(vf_set1(1), width);
  const vf zero = vf_sub(of.zero, vf_set1(call->origin / call->step));
  vf above = vf_sub(vf_fma(zero, vf_set1(range.most), inverse), vf_set1(call->top));
  vf below = vf_sub(vf_zero(), vf_fma(zero, vf_set1(range.least), inverse));
  vf farthest = vf_max(vf_set1(0.5f), vf_max(above, below)), shrink = vf_div(vf_set1(1), farthest);
  outline made = {.zero = zero, .inverse = inverse};
  vf slack = vf_set1(n * call->power.error), unit = vf_mul(shrink, shrink);
  made.slack = vf_select_ge(vf_set1(MOST_STEPS), farthest, slack, vf_set1(INFINITY));
  for (int k = 0; k < POWER_TERMS; k++, unit = vf_mul(unit, shrink)) {
    made.c[k] = vf_mul(vf_set1(call->power.c[k]), unit);
  }
  made.power = vf_power(vf_mul(farthest, width), vf_set1(call->norm));
  return made;
}

static vf without_sign(vf x) { return vf_of_bits(vi_and(vi_bits(x), vi_set1(0x7fffffff))); }

/* Bounds of grid_errors for vectors of fits side by side, whose operations hide each other's latency. */
static void bound_errors(const fit_call *call, const float *w, int64_t n, const outline *of, bounds *found) {
  const vf none = vf_zero(), top = vf_set1(call->top);
  vf total[TRIED_VECTORS];
  for (int v = 0; v < TRIED_VECTORS; v++) total[v] = none;
  for (int64_t begin = 0; begin < n; begin += WEIGHTS_A_SUM) {
    vf sum[TRIED_VECTORS];
    for (int v = 0; v < TRIED_VECTORS; v++) sum[v] = none;
    for (int64_t i = begin; i < fb_min(n, begin + WEIGHTS_A_SUM); i++) {
      for (int v = 0; v < TRIED_VECTORS; v++) {
        vf place = vf_fma(of[v].zero, vf_set1(w[i]), of[v].inverse);
        vf code = vf_rne(vf_min(top, vf_max(none, place)));
        vf x = without_sign(vf_sub(code, place)), p = of[v].c[POWER_TERMS - 1];
        for (int k = POWER_TERMS - 2; k >= 0; k--) p = vf_fma(of[v].c[k], x, p);
        sum[v] = vf_fma(sum[v], p, vf_mul(x, x));
      }
    }
    for (int v = 0; v < TRIED_VECTORS; v++) total[v] = vf_add(total[v], sum[v]);
  }
  for (int v = 0; v < TRIED_VECTORS; v++) {
    found[v].low = vf_mul(vf_sub(vf_mul(total[v], vf_set1(1 - ROUNDING)), of[v].slack), of[v].power);
    found[v].high = vf_mul(vf_fma(of[v].slack, total[v], vf_set1(1 + ROUNDING)), of[v].power);
  }
}

static float least_of(vf x) { return -vf_max_of(vf_sub(vf_zero(), x)); }

static vf errors_of(const fit_call *call, const float *w, int64_t n, fits of) {
  return call->table.values ? table_errors(call, w, n, of) : grid_errors(call, w, n, of);
}

/* Bounds the errors of TRIED fits; levels of a table have no other bounds than the errors. */
static void bound_fits(const fit_call *call, const float *w, int64_t n, group_range range, const fits *of,
                       bounds *found) {
  outline outlines[TRIED_VECTORS];
  for (int v = 0; v < TRIED_VECTORS; v++) {
    if (call->table.values) found[v].low = found[v].high = table_errors(call, w, n, of[v]);
    else outlines[v] = draw_outline(call, range, (float)n, of[v]);
  }
  if (!call->table.values) bound_errors(call, w, n, outlines, found);
}

/* Fits ranges shrunk by the TRIED factors from `first` on; returns the least upper bound of their errors. */
static float try_some(const fit_call *call, const float *w, int64_t n, group_range range, int64_t first, trials to) {
  fits of[TRIED_VECTORS];
  bounds found[TRIED_VECTORS];
  vf least = vf_set1(-INFINITY);
  for (int v = 0; v < TRIED_VECTORS; v++) {
    of[v] = apply_rule(call, range, vf_load(call->shrinks + first + v * VF_WIDTH));
    vf_store(to.scales + first + v * VF_WIDTH, of[v].scale);
    vf_store(to.zeros + first + v * VF_WIDTH, of[v].zero);
  }
  bound_fits(call, w, n, range, of, found);
  for (int v = 0; v < TRIED_VECTORS; v++) {
    vf_store(to.lows + first + v * VF_WIDTH, found[v].low);
    least = vf_max(vf_sub(vf_zero(), found[v].high), least);
  }
  return -vf_max_of(least);
}

/* Keeps the fits that may have the least error, in the order in which they came; returns how many these are. */
static int64_t keep_possible(trials of, int64_t count, float least) {
  int64_t kept = 0;
  for (int64_t first = 0; first < count; first += VF_WIDTH) {
    if (least_of(vf_load(of.lows + first)) > least) continue;
    for (int64_t i = first; i < fb_min(count, first + VF_WIDTH); i++) {
      if (of.lows[i] > least) continue;
      of.scales[kept] = of.scales[i];
      of.zeros[kept++] = of.zeros[i];
    }
  }
  return kept;
}

/*
 * Tries ranges from the widest on, and gathers the fits that may be the best, in that order; returns how many these
 * are. A narrower range clips the largest weight by all that it is narrower, but for half a step; when that alone
 * is a larger error than the least one, so it is for all that follow.
 */
static int64_t gather_trials(const fit_call *call, const float *w, int64_t n, group_range range, trials to) {
  float least = INFINITY, largest = -range.low > range.high ? -range.low : range.high;
  int64_t first = 0;
  for (; first < call->count; first += TRIED) {
    if (call->rule != RULE_MEAN && first) {
      float clipped = largest * (1 - call->shrinks[first]) - to.scales[0] * call->step / 2;
      if (clipped > 1.001f * powf(least, 1 / call->norm)) break;
    }
    float high = try_some(call, w, n, range, first, to);
    least = high < least ? high : least;
  }
  return keep_possible(to, fb_min(first, call->count), least);
}

/* Takes the first fit with the least error. */
static void choose(const fit_call *call, const float *w, int64_t n, trials of, int64_t count, float *scale,
                   float *zero) {
  float least = INFINITY;
  for (int64_t first = 0; first < count; first += VF_WIDTH) {
    float errors[VF_WIDTH];
    fits tried = {vf_load(of.scales + first), vf_load(of.zeros + first)};
    vf_store(errors, errors_of(call, w, n, tried));
    for (int64_t i = first; i < fb_min(count, first + VF_WIDTH); i++) {
      if (!(errors[i - first] < least)) continue;
      least = errors[i - first];
      *scale = of.scales[i];
      *zero = of.zeros[i];
    }
  }
}

static void fit_group(const fit_call *call, const float *w, int64_t n, trials of, float *scale, float *zero) {
  group_range range = measure(call, w, n);
  int64_t kept = 1;
  if (call->count > 1) {
    kept = gather_trials(call, w, n, range, of);
  } else {
    fits plain = apply_rule(call, range, vf_load(call->shrinks));
    vf_store(of.scales, plain.scale);
    vf_store(of.zeros, plain.zero);
  }
  *scale = of.scales[0];
  *zero = of.zeros[0];
  if (kept > 1) choose(call, w, n, of, kept, scale, zero);
}

/* The factors of ranges, filled up to a multiple of TRIED: 1, and for a search the narrower ones. */
static int list_shrinks(fit_call *call, fb_team *team, int candidates, double step) {
  int mean = call->rule == RULE_MEAN;
  call->count = candidates ? candidates + mean : 1;
  int64_t padded = fb_round_up(call->count, TRIED);
  if (!fb_reserve(team, (size_t)padded * sizeof(float), (size_t)padded * 3 * sizeof(float))) return 0;
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
  int64_t padded = fb_round_up(call->count, TRIED);
  float *scratch = fb_local(call->team, thread);
  trials of = {scratch, scratch + padded, scratch + 2 * padded};
  for (int64_t row = first; row < last; row++) {
    const float *w = call->weight + row * call->columns + call->start;
    int64_t at = row * call->groups + call->group;
    fit_group(call, w, call->end - call->start, of, &call->scales[at], &call->zeros[at]);
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
      .team = team,
  };
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.groups) * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.rows * call.columns) * 4);
  FB_REQUIRE(0 <= call.start && call.start < call.end && call.end <= call.columns);
  FB_REQUIRE(read_levels(&call.table, args->buffer[3], args->bytes[3], size[7]));
  FB_REQUIRE(0 <= call.group && call.group < call.groups && size[7] >= 2);
  if (!list_shrinks(&call, team, (int)size[8], args->real[2])) return "fit columns: out of memory";
  if (call.count > 1) call.power = fit_power(call.norm);
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), fit_rows, &call);
  return NULL;
}
