/*
 * dScales[row, g] = Σ over the group of dOut · value in units of the scale (decode_codes.h); in blocks, over the
 * block, and dOffsets[row, block] = Σ of dOut · its factor of the offset. Sums run in float32
 * lanes over at most BLOCK columns, and in float64 above that. Bound by memory: the read of dOut.
 */
#include "decode_codes.h"
#include "rows.h"

#define BLOCK 2048

typedef struct {
  packed_rows weight;
  float *d_scales, *d_offsets; /* [rows][groups]; d_offsets may be NULL */
  const float *d_out;
  fb_team *team;
} decode_call;

static double dot_rows(const float *a, const float *b, int64_t n) {
  double total = 0;
  for (int64_t start = 0; start < n; start += BLOCK) {
    int64_t i = start, end = fb_min(n, start + BLOCK);
    vf sum = vf_zero();
    for (; i + VF_WIDTH <= end; i += VF_WIDTH) sum = vf_fma(sum, vf_load(a + i), vf_load(b + i));
    if (i < end) sum = vf_fma(sum, vf_load_n(a + i, (int)(end - i)), vf_load_n(b + i, (int)(end - i)));
    total += vf_sum(sum);
  }
  return total;
}

static void back_blocks(const decode_call *call, int64_t row) {
  const packed_rows *w = &call->weight;
  for (int64_t b = 0; b < w->groups; b++) {
    const float *d_out = call->d_out + row * w->columns + b * w->group_size;
    block_row read;
    read_block(&read, w->codes + row * w->row_bytes + b * w->format->bytes, w->packing);
    call->d_scales[row * w->groups + b] = (float)dot_rows(d_out, read.units, w->group_size);
    if (!call->d_offsets) continue;
    call->d_offsets[row * w->groups + b] = (float)dot_rows(d_out, read.shifts, w->group_size);
  }
}

static FB_BODY(decode_chunk) {
  const decode_call *call = context;
  const packed_rows *w = &call->weight;
  int64_t n = w->columns, rows = rows_per_chunk(n), end = fb_min(w->rows, (chunk + 1) * rows);
  float *values = fb_local(call->team, thread);
  uint8_t *codes = (uint8_t *)(values + n);
  for (int64_t row = chunk * rows; row < end; row++) {
    if (w->format) {
      back_blocks(call, row);
      continue;
    }
    unpack_row(codes, w->codes + row * w->row_bytes, n, w->packing);
    for (int64_t g = 0; g < w->groups; g++) {
      int64_t first = g * w->group_size, count = fb_min(w->group_size, n - first), group = row * w->groups + g;
      decode_group(w, values, codes + first, group, count);
      call->d_scales[group] = (float)dot_rows(call->d_out + row * n + first, values, count);
    }
  }
}

/* buffers: dScales, dOffsets or NULL, dOut, then as read_packed_rows; sizes and reals: as there */
FB_OP(decode_packed_backward) {
  decode_call call = {.d_scales = args->buffer[0], .d_offsets = args->buffer[1], .d_out = args->buffer[2],
                      .team = team};
  const char *wrong = read_packed_rows(&call.weight, args, 3);
  if (wrong) return wrong;
  const packed_rows *w = &call.weight;
  FB_REQUIRE(args->bytes[0] == (size_t)(w->rows * w->groups) * 4);
  FB_REQUIRE(!call.d_offsets || (w->format && w->format->offset && args->bytes[1] == args->bytes[0]));
  FB_REQUIRE(args->bytes[2] == (size_t)(w->rows * w->columns) * 4);
  if (!fb_reserve(team, 0, (size_t)w->columns * 4 + code_bytes(w))) return "decode packed: out of memory";
  fb_parallel(team, row_chunks(w->rows, w->columns), decode_chunk, &call);
  return NULL;
}
