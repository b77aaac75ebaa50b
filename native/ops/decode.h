/*
 * Packed weights to float32. A row is one little-endian stream of codes, padded to a multiple of 4 bytes:
 *
 *   bits1..bits8   code j in bits [bits·j, bits·j + bits)      eight codes a step: `bits` bytes, which the
 *                                                              padding always covers
 *   trits5         byte = c0 + 3·c1 + 9·c2 + 27·c3 + 81·c4     five codes a step: one byte
 *
 * The value of code c in group g = column / group_size is scale·c + offset, or scale·table[c].
 */
#ifndef FEWBIT_DECODE_H
#define FEWBIT_DECODE_H

#include <string.h>

#include "../include/fewbit.h"
#include "../include/vec.h"

/* Numbers that the caller names packings by: the bits of a code, or 5 for five trits. */
enum { FB_TRITS5 = 5 };

/* Codes that are decoded at a time; whole steps of every packing. */
#define DECODE_COLUMNS 240
#define DECODE_CODES (DECODE_COLUMNS + 64)

typedef struct {
  const uint8_t *codes;
  const float *scales, *offsets, *table; /* offsets or table */
  int64_t rows, columns, group_size, groups, row_bytes, packing;
  uint64_t trits[256]; /* five codes, one a byte */
} packed_weight;

/* Bytes of a row without its padding: whole units of codes. */
static inline int64_t packed_bytes(int64_t packing, int64_t columns) {
  if (packing == FB_TRITS5) return fb_ceil_div(columns, 5);
  return packing == 3 ? fb_ceil_div(columns, 8) * 3 : fb_ceil_div(columns * packing, 8);
}

static inline void fill_trits(uint64_t *trits) {
  for (int byte = 0; byte < 256; byte++) {
    int rest = byte;
    trits[byte] = 0;
    for (int i = 0; i < 5; i++, rest /= 3) trits[byte] |= (uint64_t)(rest % 3) << 8 * i;
  }
}

/* Spreads eight codes of `bits` bits to eight bytes, halving the distance three times. */
static inline __attribute__((always_inline)) uint64_t spread_codes(uint64_t x, const int bits) {
  const uint64_t one = (1u << bits) - 1, two = (1u << 2 * bits) - 1, four = (1ull << 4 * bits) - 1;
  x = (x & four) | (x >> 4 * bits & four) << 32;
  x = (x & two * 0x100000001u) | (x >> 2 * bits & two * 0x100000001u) << 16;
  return (x & one * 0x0001000100010001u) | (x >> bits & one * 0x0001000100010001u) << 8;
}

static inline __attribute__((always_inline)) void unpack_bits(uint8_t *out, const uint8_t *bytes,
                                                              int64_t count, const int bits) {
  for (int64_t i = 0; i < count; i += 8, bytes += bits) {
    uint64_t x = 0;
    /* Three bytes one by one: a copy would store two parts and load them as one, which stalls. */
    if (bits == 3) x = bytes[0] | bytes[1] << 8 | bytes[2] << 16;
    else memcpy(&x, bytes, (size_t)bits);
    x = spread_codes(x, bits);
    memcpy(out + i, &x, 8);
  }
}

/* Unpacks `count` codes from `column` (a multiple of DECODE_COLUMNS) on; writes up to 8 bytes more. */
static inline void unpack_codes(uint8_t *out, const packed_weight *w, int64_t row, int64_t column,
                                int64_t count) {
  const uint8_t *bytes = w->codes + row * w->row_bytes;
  switch (w->packing) {
    case 1: unpack_bits(out, bytes + column / 8, count, 1); break;
    case 2: unpack_bits(out, bytes + column / 4, count, 2); break;
    case 3: unpack_bits(out, bytes + column / 8 * 3, count, 3); break;
    case 4: unpack_bits(out, bytes + column / 2, count, 4); break;
    case FB_TRITS5:
      for (int64_t i = 0; i < count; i += 5) memcpy(out + i, &w->trits[bytes[(column + i) / 5]], 8);
      break;
    default: memcpy(out, bytes + column, (size_t)count); break;
  }
}

/* Writes the float32 values of codes of one group. */
static inline void decode_group(float *out, const packed_weight *w, int64_t group, const uint8_t *codes,
                                int64_t count) {
  float scale = w->scales[group];
  if (w->table) {
    for (int64_t i = 0; i < count; i++) out[i] = scale * w->table[codes[i]];
    return;
  }
  vf step = vf_set1(scale), origin = vf_set1(w->offsets[group]);
  int64_t i = 0;
  for (; i + VF_WIDTH <= count; i += VF_WIDTH) {
    vf_store(out + i, vf_fma(origin, step, vf_load_u8(codes + i)));
  }
  if (i < count) vf_store_n(out + i, vf_fma(origin, step, vf_load_u8(codes + i)), (int)(count - i));
}

/* Writes the float32 values of `count` <= DECODE_COLUMNS columns of a row; `codes` is scratch. */
static inline void decode_row(float *out, const packed_weight *w, int64_t row, int64_t column,
                              int64_t count, uint8_t *codes) {
  unpack_codes(codes, w, row, column, count);
  for (int64_t i = 0; i < count;) {
    int64_t group = (column + i) / w->group_size;
    int64_t run = fb_min(count - i, (group + 1) * w->group_size - (column + i));
    decode_group(out + i, w, row * w->groups + group, codes + i, run);
    i += run;
  }
}

#endif
