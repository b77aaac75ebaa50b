/*
 * Codes, scales and offsets of ggml's blocks, chosen as ggml chooses them, with and without importance of
 * the columns. Bound by compute: up to 38 trials of all weights. A row at a time: first all groups by
 * themselves, a group a lane; then the blocks, whose scales and offsets are quantized too, and the codes
 * again by what is stored.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "block_levels.h"
#include "block_search.h"

enum { PEAK, SPAN, MAGNITUDE, SIGN, AFFINE, THREE_BIT, SIX_BIT };

/* What a format asks for. */
typedef struct {
  int rule, columns, group_columns;
  float top;          /* largest code of SPAN and AFFINE; half the codes of PEAK, THREE_BIT and SIX_BIT */
  float sub_top;      /* the same of the scales of groups */
  range_trials plain; /* of AFFINE without importance */
  int raised;         /* then errors weigh rms + |x|, not |x| */
  float energy;       /* with importance: √(energy + x²), in mean squares of the block */
  float below, above, peak; /* of MAGNITUDE: levels -below to above, the largest magnitude is level `peak` */
} block_rule;

/* In the order of `blockFormats` in src/kernels/native/bindings/quantization.ts. */
static const block_rule rules[] = {
    {.rule = PEAK, .columns = 32, .group_columns = 32, .top = 8},
    {.rule = SPAN, .columns = 32, .group_columns = 32, .top = 15},
    {.rule = PEAK, .columns = 32, .group_columns = 32, .top = 16},
    {.rule = SPAN, .columns = 32, .group_columns = 32, .top = 31},
    {.rule = MAGNITUDE, .columns = 32, .group_columns = 32, .below = 128, .above = 127, .peak = 127},
    {AFFINE, 256, 16, 3, 15, {-0.5f, 0.1f, 15, 1}, .raised = 0, .energy = 1},
    {.rule = THREE_BIT, .columns = 256, .group_columns = 16, .top = 4, .sub_top = 32, .energy = 2},
    {AFFINE, 256, 32, 15, 63, {-1, 0.1f, 20, 0}, .raised = 1, .energy = 2},
    {AFFINE, 256, 32, 31, 63, {-0.5f, 0.1f, 15, 0}, .raised = 1, .energy = 2},
    {.rule = SIX_BIT, .columns = 256, .group_columns = 16, .top = 32, .sub_top = 128},
    {.rule = MAGNITUDE, .columns = 256, .group_columns = 256, .below = 1, .above = 1, .peak = 1},
    {.rule = MAGNITUDE, .columns = 256, .group_columns = 256, .below = 1, .above = 1, .peak = 1},
    {.rule = SIGN, .columns = 128, .group_columns = 128},
    {.rule = MAGNITUDE, .columns = 64, .group_columns = 64, .below = 1, .above = 2, .peak = 1},
};

static const range_trials important = {-0.9f, 0.05f, 36, 0};

typedef struct {
  uint8_t *codes;
  uint16_t *scales, *offsets;
  int8_t *sub_scales;
  uint8_t *sub_offsets;
  const float *weight, *importance;
  int64_t rows, columns, start, end;
  block_rule rule;
} search_call;

typedef struct { const search_call *call; fb_team *team; } search_job;

/* The groups of a row, as they were fitted by themselves. */
typedef struct { float *scale, *offset, *total, *errors; } row_fits;

static float sum_squares(const float *x, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sum;
}

static uint16_t to_half(float value) {
  return fb_to_f16(value > 65504 ? 65504 : value < -65504 ? -65504 : value);
}

/* Weights of the errors of `n` columns from `at` on. */
static void weigh_errors(const search_call *call, const float *x, int64_t at, int64_t n, float energy,
                         float *errors) {
  const block_rule *rule = &call->rule;
  if (call->importance && rule->rule == SIX_BIT) {
    for (int64_t i = 0; i < n; i++) errors[i] = call->importance[at + i];
  } else if (call->importance) {
    for (int64_t i = 0; i < n; i++) errors[i] = call->importance[at + i] * sqrtf(energy + x[i] * x[i]);
  } else if (rule->rule != AFFINE) {
    for (int64_t i = 0; i < n; i++) errors[i] = x[i] * x[i];
  } else {
    for (int64_t from = 0; from < n; from += rule->group_columns) {
      const float *group = x + from;
      float rms = rule->raised ? sqrtf(sum_squares(group, rule->group_columns) / rule->group_columns) : 0;
      for (int i = 0; i < rule->group_columns; i++) errors[from + i] = rms + fabsf(group[i]);
    }
  }
}

/* Fits the groups of a row by themselves, and chooses their codes. */
static void fit_groups(const search_call *call, const float *x, uint8_t *codes, row_fits fits) {
  const block_rule *rule = &call->rule;
  const int n = rule->group_columns, affine = rule->rule == AFFINE || rule->rule == SPAN;
  const int64_t groups = (call->end - call->start) / n;
  group_lanes lanes;
  for (int64_t first = 0; first < groups; first += VF_WIDTH) {
    int count = (int)fb_min(VF_WIDTH, groups - first);
    load_lanes(&lanes, x + first * n, n, count);
    load_weights(&lanes, fits.errors + first * n);
    vf_store_n(fits.total + first, sum_of_weights(&lanes), count);
    if (affine) {
      affine_fit fit = fit_affine(&lanes, rule->top, call->importance ? important : rule->plain);
      vf_store_n(fits.scale + first, fit.scale, count);
      vf_store_n(fits.offset + first, fit.min, count);
    } else {
      int descends = rule->rule == THREE_BIT && !call->importance;
      vf scale = descends ? descend_symmetric(&lanes, rule->top) : fit_symmetric(&lanes, rule->top);
      vf_store_n(fits.scale + first, scale, count);
    }
    store_codes(&lanes, codes + first * n);
  }
}

static void finish_affine(const search_call *call, const float *x, int64_t block, int64_t group,
                          row_fits fits) {
  const block_rule *rule = &call->rule;
  const int n = rule->columns / rule->group_columns;
  float scales[16], offsets[16], unit[2];
  for (int i = 0; i < n; i++) fits.offset[i] = -fits.offset[i];
  if (call->importance) {
    unit[0] = fit_positive(fits.scale, fits.total, n, rule->sub_top, scales);
    unit[1] = fit_positive(fits.offset, fits.total, n, rule->sub_top, offsets);
  } else {
    unit[0] = spread_positive(fits.scale, n, rule->sub_top, scales);
    unit[1] = spread_positive(fits.offset, n, rule->sub_top, offsets);
  }
  call->scales[block] = to_half(unit[0]);
  call->offsets[block] = to_half(unit[1]);
  unit[0] = fb_from_f16(call->scales[block]);
  unit[1] = fb_from_f16(call->offsets[block]);
  for (int i = 0; i < n; i++) {
    call->sub_scales[group + i] = (int8_t)scales[i];
    call->sub_offsets[group + i] = (uint8_t)offsets[i];
    float scale = unit[0] * scales[i], offset = unit[1] * offsets[i];
    if (scale == 0) continue;
    uint8_t *codes = call->codes + (group + i) * rule->group_columns;
    const float *own = x + i * rule->group_columns;
    for (int j = 0; j < rule->group_columns; j++) {
      codes[j] = (uint8_t)limited((own[j] + offset) / scale, 0, rule->top);
    }
  }
}

/* Sub-scales -half to half - 1 of the groups of a block; returns their unit. */
static float fit_sub_scales(const search_call *call, row_fits fits, int n, float *levels) {
  const float half = call->rule.sub_top;
  if (call->rule.rule == SIX_BIT || !call->importance) return spread_signed(fits.scale, n, half, levels);
  group_lanes lanes;
  float unit[VF_WIDTH];
  load_lanes(&lanes, fits.scale, n, 1);
  load_weights(&lanes, fits.total);
  vf_store(unit, fit_symmetric(&lanes, half));
  for (int i = 0; i < n; i++) levels[i] = lanes.codes[i * VF_WIDTH] - half;
  return unit[0];
}

static void finish_symmetric(const search_call *call, const float *x, int64_t block, int64_t group,
                             row_fits fits) {
  const block_rule *rule = &call->rule;
  const int n = rule->columns / rule->group_columns;
  const float half = rule->top;
  float levels[16];
  call->offsets[block] = 0;
  if (rule->rule == SIX_BIT && fabsf(peak_of(fits.scale, n)) < LEAST_PEAK) {
    call->scales[block] = 0;
    for (int i = 0; i < n; i++) call->sub_scales[group + i] = 0;
    for (int i = 0; i < rule->columns; i++) call->codes[group * rule->group_columns + i] = 0;
    return;
  }
  call->scales[block] = to_half(fit_sub_scales(call, fits, n, levels));
  for (int i = 0; i < n; i++) {
    call->sub_scales[group + i] = (int8_t)levels[i];
    float scale = fb_from_f16(call->scales[block]) * levels[i];
    if (scale == 0) continue;
    uint8_t *codes = call->codes + (group + i) * rule->group_columns;
    const float *own = x + i * rule->group_columns;
    for (int j = 0; j < rule->group_columns; j++) {
      codes[j] = (uint8_t)(limited(own[j] / scale, -half, half - 1) + half);
    }
  }
}

static float plain_code(const block_rule *rule, float x, float inverse, float low) {
  switch (rule->rule) {
  case PEAK: return limited(truncf(x * inverse + (rule->top + 0.5f)), 0, 2 * rule->top - 1);
  case SPAN: return limited(truncf((x - low) * inverse + 0.5f), 0, rule->top);
  case MAGNITUDE: return rule->below + limited(roundf(x * inverse), -rule->below, rule->above);
  default: return x >= 0;
  }
}

/* A block of one group whose scale follows from its weights without search. */
static void choose_plain(const search_call *call, const float *x, int64_t block, uint8_t *codes) {
  const block_rule *rule = &call->rule;
  const int n = rule->columns;
  float scale = 0, low = 0, peak = peak_of(x, n);
  if (rule->rule == PEAK) scale = peak / -rule->top;
  if (rule->rule == MAGNITUDE) scale = fabsf(peak) / rule->peak;
  if (rule->rule == SPAN) {
    float high = low = x[0];
    for (int i = 0; i < n; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high;
    scale = (high - low) / rule->top;
  }
  if (rule->rule == SIGN) {
    for (int i = 0; i < n; i++) scale += fabsf(x[i]);
    scale /= (float)n;
  }
  float inverse = scale == 0 ? 0 : 1 / scale;
  call->scales[block] = to_half(scale);
  call->offsets[block] = rule->rule == SPAN ? to_half(low) : 0;
  for (int i = 0; i < n; i++) codes[i] = (uint8_t)plain_code(rule, x[i], inverse, low);
}

/* Fits all groups of a row from `start` on, then its blocks. */
static void search_groups(const search_call *call, int64_t row, row_fits fits) {
  const block_rule *rule = &call->rule;
  const int64_t at = row * call->columns + call->start, n = call->end - call->start;
  const int groups = rule->columns / rule->group_columns;
  const float *x = call->weight + at;
  float energy = 0;
  if (call->importance && groups == 1) {
    energy = sum_squares(call->weight + row * call->columns, call->columns) / (float)call->columns;
  }
  for (int64_t from = 0; from < n; from += rule->columns) {
    if (rule->energy > 0) energy = rule->energy * sum_squares(x + from, rule->columns) / (float)rule->columns;
    weigh_errors(call, x + from, call->start + from, rule->columns, energy, fits.errors + from);
  }
  fit_groups(call, x, call->codes + at, fits);
  for (int64_t from = 0; from < n; from += rule->columns) {
    int64_t block = (at + from) / rule->columns, group = (at + from) / rule->group_columns;
    int64_t first = from / rule->group_columns;
    row_fits own = {fits.scale + first, fits.offset + first, fits.total + first, fits.errors + from};
    if (rule->rule == AFFINE) finish_affine(call, x + from, block, group, own);
    else if (groups > 1) finish_symmetric(call, x + from, block, group, own);
    else {
      call->scales[block] = to_half(*own.scale);
      call->offsets[block] = rule->rule == SPAN ? to_half(*own.offset) : 0;
    }
  }
}

static FB_BODY(search_row) {
  const search_call *call = ((const search_job *)context)->call;
  const block_rule *rule = &call->rule;
  if (rule->rule == MAGNITUDE || rule->rule == SIGN ||
      (!call->importance && (rule->rule == PEAK || rule->rule == SPAN))) {
    for (int64_t from = call->start; from < call->end; from += rule->columns) {
      int64_t at = chunk * call->columns + from;
      choose_plain(call, call->weight + at, at / rule->columns, call->codes + at);
    }
    return;
  }
  const int64_t n = call->end - call->start, groups = n / rule->group_columns;
  float *scratch = fb_local(((const search_job *)context)->team, thread);
  row_fits fits = {scratch, scratch + groups, scratch + 2 * groups, scratch + 3 * groups};
  search_groups(call, chunk, fits);
}

/* buffers: codes, scales, offsets, sub-scales, sub-offsets, weight, importance (or NULL); sizes: rows,
 * columns, format, start, end */
FB_OP(search_blocks) {
  const int64_t *size = args->size;
  FB_REQUIRE(size[2] >= 0 && size[2] < (int64_t)(sizeof rules / sizeof *rules));
  search_call call = {
      .codes = args->buffer[0],
      .scales = args->buffer[1],
      .offsets = args->buffer[2],
      .sub_scales = args->buffer[3],
      .sub_offsets = args->buffer[4],
      .weight = args->buffer[5],
      .importance = args->buffer[6],
      .rows = size[0],
      .columns = size[1],
      .start = size[3],
      .end = size[4],
      .rule = rules[size[2]],
  };
  const size_t weights = (size_t)(call.rows * call.columns);
  const int columns = call.rule.columns, group_columns = call.rule.group_columns;
  FB_REQUIRE(call.columns % columns == 0 && call.start % columns == 0 && call.end % columns == 0);
  FB_REQUIRE(0 <= call.start && call.start < call.end && call.end <= call.columns);
  FB_REQUIRE(args->bytes[0] == weights && args->bytes[5] == weights * 4);
  FB_REQUIRE(args->bytes[1] == weights / (size_t)columns * 2 && args->bytes[2] == args->bytes[1]);
  FB_REQUIRE(args->bytes[3] == weights / (size_t)group_columns && args->bytes[4] == args->bytes[3]);
  FB_REQUIRE(!call.importance || args->bytes[6] == (size_t)call.columns * 4);
  size_t searched = (size_t)(call.end - call.start);
  if (!fb_reserve(team, 0, (searched + 3 * searched / (size_t)group_columns) * 4)) return "no memory";
  search_job job = {&call, team};
  fb_parallel(team, call.rows, search_row, &job);
  return NULL;
}
