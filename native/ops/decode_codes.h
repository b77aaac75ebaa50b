/*
 * Rows of a packed weight as a file holds it (unpack.h), in units of the scale:
 *
 *   code c of column j, group g = j / group size:  origin + step · (c - zero[row, g])
 *
 * In blocks (block_rows.h) scales and offsets stand among the codes. What callers give instead, or want gradients by,
 * is a scale d and an offset m for each block.
 */
#ifndef FEWBIT_DECODE_CODES_H
#define FEWBIT_DECODE_CODES_H

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "block_rows.h"
#include "unpack.h"

/* Kinds of zero points as files hold them: packed like codes, all rows as one run, or float16. */
enum { ZEROS_NONE, ZEROS_PACKED, ZEROS_HALVES };

typedef struct {
  const uint8_t *codes, *zeros;
  int64_t rows, columns, group_size, groups, row_bytes, packing, zero_kind;
  float origin, step;
  const block_format *format; /* NULL unless rows are blocks; then groups are blocks, too */
} packed_rows;

static inline const char *read_block_rows(packed_rows *w, size_t bytes) {
  w->format = format_of(w->packing);
  w->group_size = w->format->columns;
  w->groups = w->columns / w->group_size;
  w->origin = w->format->origin;
  w->step = w->format->step;
  FB_REQUIRE(has_block_rows(w->packing, w->columns, w->row_bytes));
  FB_REQUIRE(bytes == (size_t)(w->rows * w->row_bytes) && w->zero_kind == ZEROS_NONE && !w->zeros);
  return NULL;
}

/*
 * Reads and checks a packed weight: buffers from `at` on: codes or blocks, zeros or NULL; sizes: rows, columns, group
 * size, bytes of a row, packing or format, kind of zeros; reals: origin, step. Returns NULL or a message.
 */
static inline const char *read_packed_rows(packed_rows *w, const fb_args *args, int at) {
  const int64_t *size = args->size;
  FB_REQUIRE(size[0] >= 0 && size[1] >= 0 && size[2] > 0);
  *w = (packed_rows){args->buffer[at], args->buffer[at + 1], size[0], size[1], size[2],
                     fb_ceil_div(size[1], size[2]), size[3], size[4], size[5],
                     (float)args->real[0], (float)args->real[1], NULL};
  if (is_block_format(w->packing)) return read_block_rows(w, args->bytes[at]);
  int64_t packing = w->packing, groups = w->rows * w->groups;
  FB_REQUIRE(packing >= 1 && packing <= 8 && packing != 6 && packing != 7);
  FB_REQUIRE(w->row_bytes % 4 == 0 && w->row_bytes >= packed_bytes(packing, w->columns));
  FB_REQUIRE(args->bytes[at] == (size_t)(w->rows * w->row_bytes));
  FB_REQUIRE((w->zero_kind == ZEROS_NONE) == !w->zeros);
  FB_REQUIRE(w->zero_kind != ZEROS_PACKED || args->bytes[at + 1] >= (size_t)packed_bytes(packing, groups));
  FB_REQUIRE(w->zero_kind != ZEROS_HALVES || args->bytes[at + 1] == (size_t)groups * 2);
  return NULL;
}

/* Bytes of scratch that `unpack_row` needs for a row. */
static inline size_t code_bytes(const packed_rows *w) { return (size_t)w->columns + UNPACK_SLACK; }

static inline float zero_point(const packed_rows *w, int64_t group) {
  if (w->zero_kind == ZEROS_NONE) return 0;
  if (w->zero_kind == ZEROS_PACKED) return (float)code_at(w->zeros, group, w->packing);
  uint16_t half;
  memcpy(&half, w->zeros + 2 * group, 2);
  return fb_from_f16(half);
}

/* The values of the n columns of a group, in units of the scale; group counts over all rows. */
static inline void decode_group(const packed_rows *w, float *out, const uint8_t *codes, int64_t group, int64_t n) {
  int64_t i = 0;
  float zero = zero_point(w, group);
  vf zeros = vf_set1(zero), origin = vf_set1(w->origin), step = vf_set1(w->step);
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) {
    vf_store(out + i, vf_add(origin, vf_mul(step, vf_sub(vf_load_u8(codes + i), zeros))));
  }
  for (; i < n; i++) out[i] = w->origin + w->step * ((float)codes[i] - zero);
}

#endif
