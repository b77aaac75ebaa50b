/*
 * Searches for the scales of groups of at most 32 weights, VF_WIDTH groups at a time, one a lane: every sum
 * is of one lane, in the order of the weights, so that the bits are those of the plain loops in
 * src/kernels/reference/quantization/block-search. Products and sums are rounded one by one, never fused.
 */
#ifndef FEWBIT_BLOCK_SEARCH_H
#define FEWBIT_BLOCK_SEARCH_H

#include "../include/fewbit.h"
#include "../include/vec.h"

#define LONGEST_GROUP 32
#define LEAST_PEAK 1e-15f /* a group of smaller magnitudes counts as zeros */
#define DESCENTS 5

/* Value i of group l stands at [i * VF_WIDTH + l]; codes are whole numbers. */
typedef struct {
  int n, count; /* values of a group, groups */
  float x[LONGEST_GROUP * VF_WIDTH], weights[LONGEST_GROUP * VF_WIDTH];
  float codes[LONGEST_GROUP * VF_WIDTH], tried[LONGEST_GROUP * VF_WIDTH];
} group_lanes;

/* Ranges that are tried: (first + step·k + top) / (high − low) codes a unit, k <= last. */
typedef struct {
  float first, step;
  int last, absolute;
} range_trials;

typedef struct { vf scale, min; } affine_fit;
typedef struct { vf products, squares; } level_sums;

/* a < b ? x : y */
FB_INLINE vf select_less(vf a, vf b, vf x, vf y) { return vf_select_ge(a, b, y, x); }
FB_INLINE vf magnitude_of(vf x) { return vf_max(x, vf_sub(vf_zero(), x)); }
FB_INLINE vf x_at(const group_lanes *g, int i) { return vf_load(g->x + i * VF_WIDTH); }
FB_INLINE vf weight_at(const group_lanes *g, int i) { return vf_load(g->weights + i * VF_WIDTH); }
FB_INLINE vf clipped(vf value, vf low, vf high) { return vf_min(high, vf_max(low, vf_rne(value))); }

static inline void load_lanes(group_lanes *g, const float *x, int n, int count) {
  g->n = n;
  g->count = count;
  for (int i = 0; i < n; i++) {
    for (int l = 0; l < VF_WIDTH; l++) g->x[i * VF_WIDTH + l] = l < count ? x[l * n + i] : 0;
  }
}

static inline void load_weights(group_lanes *g, const float *weights) {
  for (int i = 0; i < g->n; i++) {
    for (int l = 0; l < VF_WIDTH; l++) {
      g->weights[i * VF_WIDTH + l] = l < g->count ? weights[l * g->n + i] : 0;
    }
  }
}

static inline void store_codes(const group_lanes *g, uint8_t *codes) {
  for (int l = 0; l < g->count; l++) {
    for (int i = 0; i < g->n; i++) codes[l * g->n + i] = (uint8_t)(int)g->codes[i * VF_WIDTH + l];
  }
}

static inline vf sum_of_weights(const group_lanes *g) {
  vf sum = vf_zero();
  for (int i = 0; i < g->n; i++) sum = vf_add(sum, weight_at(g, i));
  return sum;
}

static inline void encode_affine(const group_lanes *g, vf min, vf inverse, vf top, float *codes) {
  for (int i = 0; i < g->n; i++) {
    vf code = clipped(vf_mul(inverse, vf_sub(x_at(g, i), min)), vf_zero(), top);
    vf_store(codes + i * VF_WIDTH, code);
  }
}

static inline vf affine_error(const group_lanes *g, const float *codes, affine_fit fit, int absolute) {
  vf error = vf_zero();
  for (int i = 0; i < g->n; i++) {
    vf value = vf_add(vf_mul(fit.scale, vf_load(codes + i * VF_WIDTH)), fit.min);
    vf off = vf_sub(value, x_at(g, i));
    error = vf_add(error, vf_mul(weight_at(g, i), absolute ? magnitude_of(off) : vf_mul(off, off)));
  }
  return error;
}

/* Weighted least squares for the codes in `tried`; determinant <= 0 where they do not determine a fit. */
static inline affine_fit least_squares(const group_lanes *g, vf of_weights, vf of_values, vf *determinant) {
  vf of_codes = vf_zero(), of_squares = vf_zero(), of_products = vf_zero();
  for (int i = 0; i < g->n; i++) {
    vf code = vf_load(g->tried + i * VF_WIDTH), weighted = vf_mul(weight_at(g, i), code);
    of_codes = vf_add(of_codes, weighted);
    of_squares = vf_add(of_squares, vf_mul(weighted, code));
    of_products = vf_add(of_products, vf_mul(weighted, x_at(g, i)));
  }
  *determinant = vf_sub(vf_mul(of_weights, of_squares), vf_mul(of_codes, of_codes));
  vf scale = vf_sub(vf_mul(of_weights, of_products), vf_mul(of_values, of_codes));
  vf min = vf_sub(vf_mul(of_squares, of_values), vf_mul(of_codes, of_products));
  affine_fit fit = {vf_div(scale, *determinant), vf_div(min, *determinant)};
  fit.scale = select_less(vf_zero(), fit.min, vf_div(of_products, of_squares), fit.scale);
  fit.min = select_less(vf_zero(), fit.min, vf_zero(), fit.min);
  return fit;
}

/* Scale and minimum (at most 0) of codes 0 to top with the least weighted error. */
static inline affine_fit fit_affine(group_lanes *g, float largest, range_trials trials) {
  const vf top = vf_set1(largest), zero = vf_zero();
  vf low = x_at(g, 0), high = low, of_weights = zero, of_values = zero;
  for (int i = 0; i < g->n; i++) {
    vf x = x_at(g, i), weight = weight_at(g, i);
    low = select_less(x, low, x, low);
    high = select_less(high, x, x, high);
    of_weights = vf_add(of_weights, weight);
    of_values = vf_add(of_values, vf_mul(weight, x));
  }
  low = select_less(zero, low, zero, low);
  vf inverse = vf_div(top, vf_sub(high, low));
  affine_fit best = {vf_div(vf_set1(1), inverse), low};
  encode_affine(g, low, inverse, top, g->codes);
  vf least = affine_error(g, g->codes, best, trials.absolute);
  for (int k = 0; k <= trials.last; k++) {
    vf determinant, per_range = vf_set1(trials.first + trials.step * (float)k + largest);
    encode_affine(g, best.min, vf_div(per_range, vf_sub(high, best.min)), top, g->tried);
    affine_fit fit = least_squares(g, of_weights, of_values, &determinant);
    vf error = affine_error(g, g->tried, fit, trials.absolute);
    vf gain = select_less(error, least, vf_set1(1), zero); /* 1 where the fit is better */
    gain = select_less(zero, determinant, gain, zero);
    for (int i = 0; i < g->n; i++) {
      vf tried = vf_load(g->tried + i * VF_WIDTH), code = vf_load(g->codes + i * VF_WIDTH);
      vf_store(g->codes + i * VF_WIDTH, select_less(zero, gain, tried, code));
    }
    least = select_less(zero, gain, error, least);
    best.scale = select_less(zero, gain, fit.scale, best.scale);
    best.min = select_less(zero, gain, fit.min, best.min);
  }
  for (int i = 0; i < g->n; i++) {
    vf code = vf_load(g->codes + i * VF_WIDTH);
    vf_store(g->codes + i * VF_WIDTH, select_less(low, high, code, zero));
  }
  best.scale = select_less(low, high, best.scale, zero);
  best.min = select_less(low, high, best.min, low);
  return best;
}

static inline vf signed_peak(const group_lanes *g) {
  vf peak = vf_zero();
  for (int i = 0; i < g->n; i++) {
    peak = select_less(magnitude_of(peak), magnitude_of(x_at(g, i)), x_at(g, i), peak);
  }
  return peak;
}

FB_INLINE level_sums with_level(level_sums sums, vf x, vf weight, vf level) {
  sums.products = vf_add(sums.products, vf_mul(vf_mul(weight, x), level));
  sums.squares = vf_add(sums.squares, vf_mul(vf_mul(weight, level), level));
  return sums;
}

FB_INLINE level_sums without_level(level_sums sums, vf x, vf weight, vf level) {
  sums.products = vf_sub(sums.products, vf_mul(vf_mul(weight, x), level));
  sums.squares = vf_sub(sums.squares, vf_mul(vf_mul(weight, level), level));
  return sums;
}

static inline level_sums sum_levels(const group_lanes *g, float half, vf inverse) {
  const vf low = vf_set1(-half), high = vf_set1(half - 1);
  level_sums sums = {vf_zero(), vf_zero()};
  for (int i = 0; i < g->n; i++) {
    vf level = clipped(vf_mul(inverse, x_at(g, i)), low, high);
    sums = with_level(sums, x_at(g, i), weight_at(g, i), level);
  }
  return sums;
}

static inline vf ratio_of(level_sums sums) {
  vf ratio = vf_div(sums.products, sums.squares);
  return select_less(vf_zero(), sums.squares, ratio, vf_zero());
}

/* Codes are levels + half; zeros where the group counts as zeros. */
static inline vf settle_levels(group_lanes *g, float half, vf peak, vf scale) {
  const vf least = vf_set1(LEAST_PEAK), size = magnitude_of(peak);
  for (int i = 0; i < g->n; i++) {
    vf code = vf_add(vf_load(g->codes + i * VF_WIDTH), vf_set1(half));
    vf_store(g->codes + i * VF_WIDTH, select_less(size, least, vf_zero(), code));
  }
  return select_less(size, least, vf_zero(), scale);
}

/* The scale of levels -half to half - 1, of 19 that are tried. */
static inline vf fit_symmetric(group_lanes *g, float half) {
  const vf peak = signed_peak(g);
  vf inverse = vf_div(vf_set1(-half), peak);
  level_sums sums = sum_levels(g, half, inverse);
  vf scale = ratio_of(sums), explained = vf_mul(scale, sums.products);
  for (int trial = -9; trial <= 9; trial++) {
    if (trial == 0) continue;
    vf tried = vf_div(vf_set1(-(half + 0.1f * (float)trial)), peak);
    sums = sum_levels(g, half, tried);
    vf squared = vf_mul(sums.products, sums.products);
    vf gain = select_less(vf_mul(explained, sums.squares), squared, vf_set1(1), vf_zero());
    gain = select_less(vf_zero(), sums.squares, gain, vf_zero());
    vf ratio = vf_div(sums.products, sums.squares);
    inverse = select_less(vf_zero(), gain, tried, inverse);
    scale = select_less(vf_zero(), gain, ratio, scale);
    explained = select_less(vf_zero(), gain, vf_mul(ratio, sums.products), explained);
  }
  for (int i = 0; i < g->n; i++) {
    vf level = clipped(vf_mul(inverse, x_at(g, i)), vf_set1(-half), vf_set1(half - 1));
    vf_store(g->codes + i * VF_WIDTH, level);
  }
  return settle_levels(g, half, peak, scale);
}

/* Changes level i where that explains more of Σ weight·x²; returns 1 in the lanes where it was changed. */
static inline vf descend_at(group_lanes *g, int i, float half, level_sums *sums) {
  const vf zero = vf_zero(), one = vf_set1(1), x = x_at(g, i), weight = weight_at(g, i);
  vf level = vf_load(g->codes + i * VF_WIDTH);
  level_sums rest = without_level(*sums, x, weight, level);
  vf ideal = vf_div(vf_mul(x, rest.squares), rest.products);
  vf next = clipped(ideal, vf_set1(-half), vf_set1(half - 1));
  level_sums changed = with_level(rest, x, weight, next);
  vf ours = vf_mul(vf_mul(changed.products, changed.products), sums->squares);
  vf theirs = vf_mul(vf_mul(sums->products, sums->products), changed.squares);
  vf gain = select_less(theirs, ours, one, zero);
  gain = select_less(zero, changed.squares, gain, zero);
  gain = select_less(zero, rest.products, gain, zero);
  gain = select_less(zero, magnitude_of(vf_sub(next, level)), gain, zero);
  vf_store(g->codes + i * VF_WIDTH, select_less(zero, gain, next, level));
  sums->products = select_less(zero, gain, changed.products, sums->products);
  sums->squares = select_less(zero, gain, changed.squares, sums->squares);
  return gain;
}

/* The scale of levels -half to half - 1, by changing one level at a time. */
static inline vf descend_symmetric(group_lanes *g, float half) {
  const vf peak = signed_peak(g), inverse = vf_div(vf_set1(-half), peak);
  level_sums sums = sum_levels(g, half, inverse);
  for (int i = 0; i < g->n; i++) {
    vf level = clipped(vf_mul(inverse, x_at(g, i)), vf_set1(-half), vf_set1(half - 1));
    vf_store(g->codes + i * VF_WIDTH, level);
  }
  for (int pass = 0; pass < DESCENTS; pass++) {
    vf changes = vf_zero();
    for (int i = 0; i < g->n; i++) changes = vf_add(changes, descend_at(g, i, half, &sums));
    if (vf_max_of(changes) == 0) break;
  }
  return settle_levels(g, half, peak, ratio_of(sums));
}

#endif
