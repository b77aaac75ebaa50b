/*
 * out = a packed weight decoded with scales of the caller's, in float32 or bfloat16; in blocks with offsets of the
 * caller's, too, or the blocks' own (decode_codes.h). Bound by memory: the write of out.
 */
#include "decode_codes.h"
#include "dtype.h"
#include "narrow.h"
#include "rows.h"

typedef struct {
  packed_rows weight;
  void *out;
  const float *scales, *offsets; /* [rows][groups]; offsets may be NULL */
  int64_t dtype;
  fb_team *team;
} decode_call;

static void scale_values(float *values, float scale, int64_t n) {
  for (int64_t i = 0; i < n; i++) values[i] *= scale;
}

static void decode_blocks(const decode_call *call, int64_t row, float *values) {
  const packed_rows *w = &call->weight;
  for (int64_t b = 0; b < w->groups; b++) {
    int64_t at = row * w->groups + b;
    block_row read;
    read_block(&read, w->codes + row * w->row_bytes + b * w->format->bytes, w->packing);
    float offset = call->offsets ? call->offsets[at] : read.m;
    block_values(values + b * w->group_size, &read, w->format, call->scales[at], offset);
  }
}

static void decode_row(const decode_call *call, int64_t row, float *values, uint8_t *codes) {
  const packed_rows *w = &call->weight;
  if (w->format) {
    decode_blocks(call, row, values);
    return;
  }
  unpack_row(codes, w->codes + row * w->row_bytes, w->columns, w->packing);
  for (int64_t g = 0; g < w->groups; g++) {
    int64_t first = g * w->group_size, n = fb_min(w->group_size, w->columns - first);
    int64_t group = row * w->groups + g;
    decode_group(w, values + first, codes + first, group, n);
    scale_values(values + first, call->scales[group], n);
  }
}

static FB_BODY(decode_chunk) {
  const decode_call *call = context;
  const packed_rows *w = &call->weight;
  int64_t n = w->columns, rows = rows_per_chunk(n), end = fb_min(w->rows, (chunk + 1) * rows);
  float *local = fb_local(call->team, thread);
  uint8_t *codes = (uint8_t *)(local + n);
  for (int64_t row = chunk * rows; row < end; row++) {
    if (call->dtype == FB_F32) {
      decode_row(call, row, (float *)call->out + row * n, codes);
    } else {
      decode_row(call, row, local, codes);
      narrow_floats((uint16_t *)call->out + row * n, local, FB_BF16, n);
    }
  }
}

/* buffers: out, scales, offsets or NULL, then as read_packed_rows; sizes: as there, then dtype of out; reals: as there */
FB_OP(decode_packed) {
  decode_call call = {.out = args->buffer[0], .scales = args->buffer[1], .offsets = args->buffer[2],
                      .dtype = args->size[6], .team = team};
  const char *wrong = read_packed_rows(&call.weight, args, 3);
  if (wrong) return wrong;
  const packed_rows *w = &call.weight;
  FB_REQUIRE(call.dtype == FB_F32 || call.dtype == FB_BF16);
  FB_REQUIRE(args->bytes[0] == (size_t)(w->rows * w->columns) * fb_dtype_bytes(call.dtype));
  FB_REQUIRE(args->bytes[1] == (size_t)(w->rows * w->groups) * 4);
  FB_REQUIRE(!call.offsets || (w->format && w->format->offset && args->bytes[2] == args->bytes[1]));
  if (!fb_reserve(team, 0, (size_t)w->columns * 4 + code_bytes(w))) return "decode packed: out of memory";
  fb_parallel(team, row_chunks(w->rows, w->columns), decode_chunk, &call);
  return NULL;
}
