/*
 * Quantizes columns [start, end) of weight [rows, n] one after the other, and carries each column's error on to
 * the later columns (GPTQ, arXiv 2210.17323, algorithm 1). Bound by compute: the product that carries a
 * panel's errors to all later columns.
 *
 * Rows are independent, so a vector holds one column of VF_WIDTH rows: the columns of a panel are turned
 * into such vectors, and turned back when the panel is done.
 *
 *   weight, by rows      w00 w01 w02 ...        panel      column 0: w00 w10 w20 ... (VF_WIDTH rows)
 *                        w10 w11 w12 ...   ->              column 1: w01 w11 w21 ...
 *
 * A code is chosen in float32 arithmetic: clip(rne(((w - offset)/s - origin)/step + z)); origin and step are
 * float64 constants, and each result is rounded once to float32, as is the decoded value. Levels in a table:
 * level_table.h.
 */
#include "../include/vec.h"
#include "gemm.h"
#include "level_table.h"

#define PANEL 128
#define GROUPS_A_CHUNK 2 /* of VF_WIDTH rows */

typedef struct {
  uint8_t *codes;
  float *weight;
  const float *factor, *scales, *zeros, *offsets; /* factor and offsets: or NULL */
  const int32_t *group_of;
  int64_t rows, n, groups;
  int64_t start, end; /* of the panel */
  double levels, origin, step;
  level_table table;
  float *errors;      /* [panel, rows]: what is carried to the columns after the panel */
  fb_team *team;
} quantize_call;

/* Scale, zero point and offset of the group of a column, for each row of the vector. */
typedef struct {
  int32_t group;
  float scale[VF_WIDTH], zero[VF_WIDTH], offset[VF_WIDTH];
} row_groups;

static void load_groups(const quantize_call *call, row_groups *now, int32_t group, int64_t row,
                        int count) {
  now->group = group;
  for (int i = 0; i < VF_WIDTH; i++) {
    int64_t at = (row + (i < count ? i : 0)) * call->groups + group;
    now->scale[i] = call->scales[at];
    now->zero[i] = call->zeros[at];
    now->offset[i] = call->offsets ? call->offsets[at] : 0;
  }
}

/* (float)(((float)(ratio - origin)) / step) in each lane */
static inline vf count_steps(vf ratio, double origin, double step) {
  float lanes[VF_WIDTH];
  if (origin == 0 && step == 1) return ratio;
  vf_store(lanes, ratio);
  for (int i = 0; i < VF_WIDTH; i += VD_WIDTH) {
    vd_store_f32(lanes + i, vd_sub(vd_load_f32(lanes + i), vd_set1(origin)));
    vd_store_f32(lanes + i, vd_div(vd_load_f32(lanes + i), vd_set1(step)));
  }
  return vf_load(lanes);
}

static inline vf choose_codes(const quantize_call *call, const row_groups *now, vf w) {
  vf scale = vf_load(now->scale), none = vf_zero();
  vf magnitude = vf_max(scale, vf_sub(none, scale)), distance = vf_sub(w, vf_load(now->offset));
  vf ratio = vf_select_ge(none, magnitude, none, vf_div(distance, scale)); /* scale 0 stands for zeros */
  if (call->table.values) {
    vf level;
    return nearest_codes(&call->table, ratio, &level);
  }
  vf steps = count_steps(ratio, call->origin, call->step);
  if (call->levels == 2) return vf_select_ge(steps, vf_set1(0.5f), vf_set1(1), none);
  vf code = vf_rne(vf_add(steps, vf_load(now->zero)));
  return vf_min(vf_max(code, none), vf_set1((float)(call->levels - 1)));
}

/* (float)(scale * (origin + step * (code - zero)) + offset) in each lane; of a table (float)(scale * level + offset) */
static inline vf decode(const quantize_call *call, const row_groups *now, vf code) {
  float lanes[VF_WIDTH];
  vf_store(lanes, code);
  if (call->table.values) {
    for (int i = 0; i < VF_WIDTH; i++) lanes[i] = call->table.values[(int)lanes[i]];
  }
  for (int i = 0; i < VF_WIDTH; i += VD_WIDTH) {
    vd distance = vd_sub(vd_load_f32(lanes + i), vd_load_f32(now->zero + i));
    vd value = vd_add(vd_set1(call->origin), vd_mul(vd_set1(call->step), distance));
    if (call->table.values) value = vd_load_f32(lanes + i);
    vd scaled = vd_mul(vd_load_f32(now->scale + i), value);
    vd_store_f32(lanes + i, vd_add(scaled, vd_load_f32(now->offset + i)));
  }
  return vf_load(lanes);
}

/* Turns columns [0, width) of `count` rows into vectors. */
static void load_columns(float *columns, const float *rows, int64_t stride, int count, int64_t width) {
  for (int64_t j = 0; j < width; j += VF_WIDTH) {
    vf square[VF_WIDTH];
    int lanes = (int)fb_min(VF_WIDTH, width - j);
    for (int i = 0; i < VF_WIDTH; i++) {
      square[i] = i < count ? vf_load_n(rows + i * stride + j, lanes) : vf_zero();
    }
    vf_transpose(square);
    for (int i = 0; i < lanes; i++) vf_store(columns + (j + i) * VF_WIDTH, square[i]);
  }
}

/* Turns vectors back into columns, of weights or (as bytes) of codes. */
static void store_columns(float *rows, uint8_t *bytes, const float *columns, int64_t stride, int count,
                          int64_t width) {
  for (int64_t j = 0; j < width; j += VF_WIDTH) {
    vf square[VF_WIDTH];
    int lanes = (int)fb_min(VF_WIDTH, width - j);
    for (int i = 0; i < VF_WIDTH; i++) {
      square[i] = i < lanes ? vf_load(columns + (j + i) * VF_WIDTH) : vf_zero();
    }
    vf_transpose(square);
    for (int i = 0; i < count; i++) {
      if (rows) vf_store_n(rows + i * stride + j, square[i], lanes);
      else vf_store_u8_n(bytes + i * stride + j, square[i], lanes);
    }
  }
}

/* columns[k] -= error * factor[k] for k in [0, count) */
static inline void carry_error(float *columns, vf error, const float *factor, int64_t count) {
  vf minus = vf_sub(vf_zero(), error);
  for (int64_t k = 0; k < count; k++) {
    float *column = columns + k * VF_WIDTH;
    vf_store(column, vf_fma(vf_load(column), minus, vf_set1(factor[k])));
  }
}

/* Quantizes the panel for `count` rows from `row` on. */
static void quantize_rows(const quantize_call *call, float *columns, int64_t row, int count) {
  int64_t width = call->end - call->start;
  float *codes = columns + width * VF_WIDTH, *weights = call->weight + row * call->n + call->start;
  row_groups now = {.group = -1};
  load_columns(columns, weights, call->n, count, width);
  for (int64_t j = 0; j < width; j++) {
    int64_t column = call->start + j;
    if (call->group_of[column] != now.group) {
      load_groups(call, &now, call->group_of[column], row, count);
    }
    float *lanes = columns + j * VF_WIDTH;
    vf before = vf_load(lanes), code = choose_codes(call, &now, before), after = decode(call, &now, code);
    vf_store(lanes, after);
    vf_store(codes + j * VF_WIDTH, code);
    if (!call->factor) continue;
    const float *factor = call->factor + column * call->n + column;
    vf error = vf_div(vf_sub(before, after), vf_set1(factor[0]));
    carry_error(lanes + VF_WIDTH, error, factor + 1, width - j - 1);
    if (call->errors) vf_store_n(call->errors + j * call->rows + row, error, count);
  }
  store_columns(weights, NULL, columns, call->n, count, width);
  store_columns(NULL, call->codes + row * call->n + call->start, codes, call->n, count, width);
}

static FB_BODY(quantize_chunk) {
  const quantize_call *call = context;
  int64_t begin = chunk * GROUPS_A_CHUNK * VF_WIDTH;
  int64_t end = fb_min(call->rows, begin + GROUPS_A_CHUNK * VF_WIDTH);
  for (int64_t row = begin; row < end; row += VF_WIDTH) {
    quantize_rows(call, fb_local(call->team, thread), row, (int)fb_min(VF_WIDTH, end - row));
  }
}

/* weight[:, end of the panel ..] -= errors^T factor[panel, end of the panel ..] */
static const char *carry_on(const quantize_call *call) {
  int64_t n = call->n, end = call->end;
  fb_product product = {
      .m = call->rows,
      .n = n - end,
      .k = end - call->start,
      .a = {call->errors, 1, call->rows, FB_F32},
      .b = {call->factor + call->start * n + end, n, 1, FB_F32},
      .c = call->weight + end,
      .ldc = n,
      .alpha = -1,
      .beta = 1,
  };
  return FB_NAME(fb_gemm_f32)(call->team, &product);
}

static const char *quantize_panel(quantize_call *call) {
  int64_t width = call->end - call->start;
  size_t local = (size_t)(2 * width * VF_WIDTH) * sizeof(float);
  int carries = call->factor && call->end < call->n;
  call->errors = NULL;
  if (carries) call->errors = fb_workspace(call->team, (size_t)(width * call->rows) * sizeof(float));
  if (!fb_reserve(call->team, 0, local) || (carries && !call->errors)) return "out of memory";
  fb_parallel(call->team, fb_ceil_div(call->rows, GROUPS_A_CHUNK * VF_WIDTH), quantize_chunk, call);
  return carries ? carry_on(call) : NULL;
}

/* buffers: codes, weight, factor or null, scales, zeros, offsets or null, groupOf, levels or null;
 * sizes: rows, n, groups, start, end, levels; reals: origin, step */
FB_OP(quantize_columns) {
  const int64_t *size = args->size;
  int64_t rows = size[0], n = size[1], groups = size[2], start = size[3], end = size[4];
  FB_REQUIRE(rows >= 0 && n >= 0 && groups >= 0 && 0 <= start && start <= end && end <= n);
  FB_REQUIRE(size[5] >= 2 && size[5] <= 256);
  FB_REQUIRE(args->bytes[0] == (size_t)(rows * n) && args->bytes[1] == (size_t)(rows * n) * 4);
  FB_REQUIRE(!args->buffer[2] || args->bytes[2] == (size_t)(n * n) * 4);
  FB_REQUIRE(args->bytes[3] == (size_t)(rows * groups) * 4 && args->bytes[4] == args->bytes[3]);
  FB_REQUIRE(!args->buffer[5] || args->bytes[5] == args->bytes[3]);
  FB_REQUIRE(args->bytes[6] == (size_t)n * 4);
  const int32_t *group_of = args->buffer[6];
  for (int64_t j = start; j < end; j++) FB_REQUIRE(group_of[j] >= 0 && group_of[j] < groups);
  if (rows == 0) return NULL;
  quantize_call call = {
      .codes = args->buffer[0],
      .weight = args->buffer[1],
      .factor = args->buffer[2],
      .scales = args->buffer[3],
      .zeros = args->buffer[4],
      .offsets = args->buffer[5],
      .group_of = group_of,
      .rows = rows,
      .n = n,
      .groups = groups,
      .levels = (double)size[5],
      .origin = args->real[0],
      .step = args->real[1],
      .team = team,
  };
  FB_REQUIRE(read_levels(&call.table, args->buffer[7], args->bytes[7], size[5]));
  for (int64_t from = start; from < end; from += PANEL) {
    call.start = from;
    call.end = fb_min(end, from + PANEL);
    const char *error = quantize_panel(&call);
    if (error) return error;
  }
  return NULL;
}
