/*
 * Rounds columns [start, end) of a weight [rows, n] to an affine grid, one after the other, and sets them to
 * their decoded values. With a factor (upper triangular [n, n]) the error e = (w - ŵ)/factor[j, j] of
 * column j is carried on: w[k] -= e · factor[j, k] for all k > j. Source: GPTQ, arXiv 2210.17323.
 *
 * Panels of PANEL columns: VF_WIDTH rows lie side by side in the lanes of a vector, the panel turned so
 * that a column is one vector; errors are carried on within the panel there, and to the columns
 * behind it as one matrix product, which is what bounds the op.
 */
#include <string.h>

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "gemm.h"

#define PANEL 128

typedef struct {
  uint8_t *codes;
  float *weight, *errors; /* errors [rows, PANEL] */
  const float *factor, *scales, *zeros;
  const int32_t *group_of;
  int64_t rows, n, groups, start, end; /* the panel */
  float top;                           /* levels - 1 */
  float origin, step;
} columns_call;

/* VF_WIDTH rows of the panel, turned: lane r is row r. */
typedef struct {
  float weight[PANEL][VF_WIDTH], error[PANEL][VF_WIDTH], code[PANEL][VF_WIDTH];
} lane_panel;

static vf load_lanes(const float *values, int64_t stride, int rows) {
  float lanes[VF_WIDTH] = {0};
  for (int r = 0; r < rows; r++) lanes[r] = values[r * stride];
  return vf_load(lanes);
}

static vf choose_codes(const columns_call *call, vf w, vf scale, vf zero) {
  vf steps = vf_div(vf_sub(vf_div(w, scale), vf_set1(call->origin)), vf_set1(call->step));
  if (call->top == 1) return vf_select_ge(steps, vf_set1(0.5f), vf_set1(1), vf_zero());
  return vf_min(vf_set1(call->top), vf_max(vf_zero(), vf_rne(vf_add(steps, zero))));
}

/* Rounds the columns of a turned panel, and carries errors on within it. */
static void round_panel(const columns_call *call, lane_panel *panel, int64_t row, int rows) {
  int64_t width = call->end - call->start, group = -1;
  vf scale = vf_set1(1), zero = vf_zero();
  for (int64_t j = 0; j < width; j++) {
    if (call->group_of[call->start + j] != group) {
      group = call->group_of[call->start + j];
      scale = load_lanes(call->scales + row * call->groups + group, call->groups, rows);
      zero = load_lanes(call->zeros + row * call->groups + group, call->groups, rows);
      scale = vf_select_ge(vf_zero(), scale, vf_set1(1), scale); /* lanes without a row */
    }
    vf w = vf_load(panel->weight[j]);
    vf code = choose_codes(call, w, scale, zero);
    vf units = vf_add(vf_set1(call->origin), vf_mul(vf_set1(call->step), vf_sub(code, zero)));
    vf decoded = vf_mul(scale, units);
    vf_store(panel->code[j], code);
    vf_store(panel->weight[j], decoded);
    if (!call->factor) continue;
    const float *row_of_factor = call->factor + (call->start + j) * call->n + call->start;
    vf error = vf_div(vf_sub(w, decoded), vf_set1(row_of_factor[j]));
    vf minus = vf_sub(vf_zero(), error);
    vf_store(panel->error[j], error);
    for (int64_t k = j + 1; k < width; k++) {
      vf later = vf_load(panel->weight[k]);
      vf_store(panel->weight[k], vf_fma(later, minus, vf_set1(row_of_factor[k])));
    }
  }
}

static FB_BODY(quantize_rows) {
  const columns_call *call = context;
  int64_t row = chunk * VF_WIDTH, width = call->end - call->start;
  int rows = (int)fb_min(VF_WIDTH, call->rows - row);
  lane_panel panel;
  (void)thread;
  if (rows < VF_WIDTH) memset(panel.weight, 0, sizeof panel.weight);
  for (int r = 0; r < rows; r++) {
    const float *w = call->weight + (row + r) * call->n + call->start;
    for (int64_t j = 0; j < width; j++) panel.weight[j][r] = w[j];
  }
  round_panel(call, &panel, row, rows);
  for (int r = 0; r < rows; r++) {
    float *w = call->weight + (row + r) * call->n + call->start;
    uint8_t *codes = call->codes + (row + r) * call->n + call->start;
    for (int64_t j = 0; j < width; j++) w[j] = panel.weight[j][r];
    for (int64_t j = 0; j < width; j++) codes[j] = (uint8_t)panel.code[j][r];
    if (!call->factor) continue;
    float *errors = call->errors + (row + r) * PANEL;
    for (int64_t j = 0; j < width; j++) errors[j] = panel.error[j][r];
  }
}

/* weight[:, end..n) -= errors · factor[start..end, end..n) */
static const char *carry_behind(fb_team *team, const columns_call *call) {
  if (!call->factor || call->end == call->n) return NULL;
  fb_product product = {
      .m = call->rows,
      .n = call->n - call->end,
      .k = call->end - call->start,
      .a = {call->errors, PANEL, 1, FB_F32},
      .b = {call->factor + call->start * call->n + call->end, call->n, 1, FB_F32},
      .c = call->weight + call->end,
      .ldc = call->n,
      .alpha = -1,
      .beta = 1,
  };
  return FB_NAME(fb_gemm_f32)(team, &product);
}

/* buffers: codes, weight, factor or null, scales, zeros, group of each column, errors [rows, 128] or null;
 * sizes: rows, n, groups, start, end, levels; reals: origin, step */
FB_OP(quantize_columns) {
  const int64_t *size = args->size;
  columns_call call = {
      .codes = args->buffer[0],
      .weight = args->buffer[1],
      .factor = args->buffer[2],
      .scales = args->buffer[3],
      .zeros = args->buffer[4],
      .group_of = args->buffer[5],
      .errors = args->buffer[6],
      .rows = size[0],
      .n = size[1],
      .groups = size[2],
      .top = (float)(size[5] - 1),
      .origin = (float)args->real[0],
      .step = (float)args->real[1],
  };
  int64_t start = size[3], end = size[4];
  FB_REQUIRE(0 <= start && start <= end && end <= call.n && size[5] >= 2 && size[5] <= 256);
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.n));
  FB_REQUIRE(args->bytes[1] == args->bytes[0] * 4);
  FB_REQUIRE(!call.factor || args->bytes[2] == (size_t)(call.n * call.n) * 4);
  FB_REQUIRE(args->bytes[3] == (size_t)(call.rows * call.groups) * 4 && args->bytes[4] == args->bytes[3]);
  FB_REQUIRE(args->bytes[5] == (size_t)call.n * 4);
  FB_REQUIRE(!call.factor || args->bytes[6] == (size_t)call.rows * PANEL * 4);
  for (int64_t j = start; j < end; j++) {
    FB_REQUIRE(call.group_of[j] >= 0 && call.group_of[j] < call.groups);
  }
  for (int64_t panel = start; panel < end; panel += PANEL) {
    call.start = panel;
    call.end = fb_min(end, panel + PANEL);
    fb_parallel(team, fb_ceil_div(call.rows, VF_WIDTH), quantize_rows, &call);
    const char *message = carry_behind(team, &call);
    if (message) return message;
  }
  return NULL;
}
