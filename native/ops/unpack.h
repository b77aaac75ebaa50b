/*
 * Codes as files hold them: a row is one little-endian stream of codes, padded to a multiple of 4 bytes:
 *
 *   bits1..bits8   code j in bits [bits·j, bits·j + bits)      eight codes a step: `bits` bytes, which the
 *                                                              padding always covers
 *   trits5         byte = c0 + 3·c1 + 9·c2 + 27·c3 + 81·c4     five codes a step: one byte
 */
#ifndef FEWBIT_UNPACK_H
#define FEWBIT_UNPACK_H

#include <string.h>

#include "packed_matrix.h"

/* Bytes that `unpack_row` may write beyond the last code. */
#define UNPACK_SLACK 8

/* Bytes of a row without its padding: whole units of codes. */
static inline int64_t packed_bytes(int64_t packing, int64_t columns) {
  if (packing == FB_TRITS5) return fb_ceil_div(columns, 5);
  return packing == 3 ? fb_ceil_div(columns, 8) * 3 : fb_ceil_div(columns * packing, 8);
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

static inline void unpack_trits(uint8_t *out, const uint8_t *bytes, int64_t count) {
  for (int64_t i = 0; i < count; i += 5) {
    unsigned rest = *bytes++;
    for (int j = 0; j < 5; j++, rest /= 3) out[i + j] = (uint8_t)(rest % 3);
  }
}

/* Unpacks the first `count` codes of a row. */
static inline void unpack_row(uint8_t *out, const uint8_t *row, int64_t count, int64_t packing) {
  switch (packing) {
    case 1: unpack_bits(out, row, count, 1); break;
    case 2: unpack_bits(out, row, count, 2); break;
    case 3: unpack_bits(out, row, count, 3); break;
    case 4: unpack_bits(out, row, count, 4); break;
    case FB_TRITS5: unpack_trits(out, row, count); break;
    default: memcpy(out, row, (size_t)count); break;
  }
}

/* Code i of a stream. */
static inline uint8_t code_at(const uint8_t *bytes, int64_t i, int64_t packing) {
  static const unsigned powers[] = {1, 3, 9, 27, 81};
  if (packing == FB_TRITS5) return (uint8_t)(bytes[i / 5] / powers[i % 5] % 3);
  int64_t bit = i * packing;
  unsigned word = bytes[bit / 8];
  if (bit % 8 + packing > 8) word |= (unsigned)bytes[bit / 8 + 1] << 8;
  return (uint8_t)(word >> bit % 8 & ((1u << packing) - 1));
}

#endif
