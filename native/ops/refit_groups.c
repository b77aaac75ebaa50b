/*
 * Scales and offsets of groups within blocks whose own scale and offset stay: for each row and group, the sub-scale
 * and sub-offset within `reach` of those that are there with the least error `Σ importance · (ŵ - w)²`, codes being
 * the nearest. Bound by compute: (2 · reach + 1)² trials of every weight where there are offsets.
 *
 * Rows are independent, so a vector holds one column of VF_WIDTH rows, and a lane tries what its row asks for. Every
 * operation is rounded to float32, one after the other, so that all levels choose alike.
 */
#include <string.h>

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"

#define MOST_COLUMNS 256

typedef struct {
  float *scales, *offsets;                         /* [rows, groups]; offsets: or NULL */
  const uint16_t *block_scales, *block_offsets;    /* [rows, blocks] */
  int8_t *sub_scales;                              /* [rows, groups], as the next */
  uint8_t *sub_offsets;
  const float *weight, *importance;                /* importance: or NULL */
  int64_t rows, n, block_columns, group_columns;
  int64_t start, end;                              /* columns */
  float levels, low, high, most, sign;             /* most: of the sub-offsets; sign: with which offsets are added */
  int has_subs;                                    /* whether there are sub-scales; if not, they count as 1 */
  int reach;
  double origin, step;
} refit_call;

/* What a group of VF_WIDTH rows is made of. */
typedef struct {
  vf x[MOST_COLUMNS];
  vf unit, offset_unit; /* scales and signed offsets of the blocks */
  float importance[MOST_COLUMNS];
  int count;
} group_lanes;

static void load_group(const refit_call *call, group_lanes *lanes, int64_t row, int count, int64_t start) {
  float values[VF_WIDTH], unit[VF_WIDTH], offset_unit[VF_WIDTH];
  int64_t blocks = call->n / call->block_columns, block = start / call->block_columns;
  lanes->count = (int)call->group_columns;
  for (int j = 0; j < lanes->count; j++) {
    for (int i = 0; i < VF_WIDTH; i++) values[i] = call->weight[(row + (i < count ? i : 0)) * call->n + start + j];
    lanes->x[j] = vf_load(values);
    lanes->importance[j] = call->importance ? call->importance[start + j] : 1;
  }
  for (int i = 0; i < VF_WIDTH; i++) {
    int64_t at = (row + (i < count ? i : 0)) * blocks + block;
    unit[i] = fb_from_f16(call->block_scales[at]);
    offset_unit[i] = call->offsets ? call->sign * fb_from_f16(call->block_offsets[at]) : 0;
  }
  lanes->unit = vf_load(unit);
  lanes->offset_unit = vf_load(offset_unit);
}

/* Σ importance · (ŵ - w)² with a scale and an offset in each lane. */
static vf group_error(const refit_call *call, const group_lanes *lanes, vf scale, vf offset) {
  const vf none = vf_zero(), top = vf_set1(call->levels - 1), origin = vf_set1((float)call->origin);
  const vf step = vf_set1((float)call->step), magnitude = vf_max(scale, vf_sub(none, scale));
  const vf inverse = vf_select_ge(none, magnitude, none, vf_div(vf_set1(1), scale));
  vf error = none;
  for (int j = 0; j < lanes->count; j++) {
    vf steps = vf_div(vf_sub(vf_mul(vf_sub(lanes->x[j], offset), inverse), origin), step);
    vf code = vf_min(vf_max(vf_rne(steps), none), top);
    vf value = vf_add(vf_mul(scale, vf_add(origin, vf_mul(step, code))), offset);
    vf distance = vf_sub(value, lanes->x[j]);
    error = vf_add(error, vf_mul(vf_mul(distance, distance), vf_set1(lanes->importance[j])));
  }
  return error;
}

/* Chooses sub-scales and sub-offsets, those that are there on ties. */
static void choose_factors(const refit_call *call, const group_lanes *lanes, vf *sub_scale, vf *sub_offset) {
  const vf first_scale = *sub_scale, first_offset = *sub_offset;
  const vf low = vf_set1(call->low), high = vf_set1(call->high), most = vf_set1(call->most), none = vf_zero();
  int reach = call->reach, offset_reach = call->offsets ? reach : 0;
  vf least = group_error(call, lanes, vf_mul(lanes->unit, first_scale), vf_mul(lanes->offset_unit, first_offset));
  for (int a = -reach; a <= reach; a++) {
    vf by = vf_min(vf_max(vf_add(first_scale, vf_set1((float)a)), low), high);
    for (int b = -offset_reach; b <= offset_reach; b++) {
      vf shift = vf_min(vf_max(vf_add(first_offset, vf_set1((float)b)), none), most);
      vf error = group_error(call, lanes, vf_mul(lanes->unit, by), vf_mul(lanes->offset_unit, shift));
      *sub_scale = vf_select_ge(error, least, *sub_scale, by);
      *sub_offset = vf_select_ge(error, least, *sub_offset, shift);
      least = vf_select_ge(error, least, least, error);
    }
  }
}

static void refit_group(const refit_call *call, int64_t row, int count, int64_t start) {
  group_lanes lanes;
  float by[VF_WIDTH], shift[VF_WIDTH];
  int64_t groups = call->n / call->group_columns, group = start / call->group_columns;
  load_group(call, &lanes, row, count, start);
  for (int i = 0; i < VF_WIDTH; i++) {
    int64_t at = (row + (i < count ? i : 0)) * groups + group;
    by[i] = call->has_subs ? call->sub_scales[at] : 1;
    shift[i] = call->has_subs ? call->sub_offsets[at] : 1;
  }
  vf sub_scale = vf_load(by), sub_offset = vf_load(shift);
  if (call->has_subs && call->reach > 0) choose_factors(call, &lanes, &sub_scale, &sub_offset);
  vf_store(by, sub_scale);
  vf_store(shift, sub_offset);
  float scales[VF_WIDTH], offsets[VF_WIDTH];
  vf_store(scales, vf_mul(lanes.unit, sub_scale));
  vf_store(offsets, vf_mul(lanes.offset_unit, sub_offset));
  for (int i = 0; i < count; i++) {
    int64_t at = (row + i) * groups + group;
    call->scales[at] = scales[i];
    if (call->offsets) call->offsets[at] = offsets[i];
    if (!call->has_subs) continue;
    call->sub_scales[at] = (int8_t)by[i];
    call->sub_offsets[at] = (uint8_t)shift[i];
  }
}

static FB_BODY(refit_chunk) {
  const refit_call *call = context;
  int64_t row = chunk * VF_WIDTH;
  (void)thread;
  for (int64_t start = call->start; start < call->end; start += call->group_columns) {
    refit_group(call, row, (int)fb_min(VF_WIDTH, call->rows - row), start);
  }
}

/* buffers: scales, offsets or NULL, scales and offsets of blocks, sub-scales, sub-offsets, weight, importance or NULL;
 * sizes: rows, n, columns of a block, of a group, start, end, levels, whether there are sub-scales, how far
 * they go below and above 0, largest sub-offset, whether offsets are subtracted, reach; reals: origin, step */
FB_OP(refit_groups) {
  const int64_t *size = args->size;
  int64_t rows = size[0], n = size[1], block = size[2], group = size[3], start = size[4], end = size[5];
  FB_REQUIRE(0 < group && group <= MOST_COLUMNS && block > 0 && block % group == 0 && n % block == 0);
  FB_REQUIRE(0 <= start && start <= end && end <= n && start % group == 0 && end % group == 0);
  FB_REQUIRE(size[6] >= 2 && size[6] <= 256 && size[12] >= 0 && size[12] <= 255);
  size_t groups = (size_t)(rows * (n / group)), blocks = (size_t)(rows * (n / block));
  FB_REQUIRE(args->bytes[0] == groups * 4 && (!args->buffer[1] || args->bytes[1] == groups * 4));
  FB_REQUIRE(args->bytes[2] == blocks * 2 && args->bytes[3] == blocks * 2);
  FB_REQUIRE(args->bytes[4] == groups && args->bytes[5] == groups);
  FB_REQUIRE(args->bytes[6] == (size_t)(rows * n) * 4);
  FB_REQUIRE(!args->buffer[7] || args->bytes[7] == (size_t)n * 4);
  refit_call call = {
      .scales = args->buffer[0],
      .offsets = args->buffer[1],
      .block_scales = args->buffer[2],
      .block_offsets = args->buffer[3],
      .sub_scales = args->buffer[4],
      .sub_offsets = args->buffer[5],
      .weight = args->buffer[6],
      .importance = args->buffer[7],
      .rows = rows,
      .n = n,
      .block_columns = block,
      .group_columns = group,
      .start = start,
      .end = end,
      .levels = (float)size[6],
      .has_subs = size[7] != 0,
      .low = -(float)size[8],
      .high = (float)size[9],
      .most = (float)size[10],
      .sign = size[11] ? -1 : 1,
      .reach = (int)size[12],
      .origin = args->real[0],
      .step = args->real[1],
  };
  fb_parallel(team, fb_ceil_div(rows, VF_WIDTH), refit_chunk, &call);
  return NULL;
}
