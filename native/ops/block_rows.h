/*
 * Blocks of a file's row as codes, one a byte, and as float32 factors of columns: what rows that are wanted one by
 * one are decoded with, written to be read. Bits of codes as they lie in the bytes of a file; e: column of a block:
 *
 *   q4_0 q4_1   qs[e % 16] >> 4 · (e / 16)                                fifth bits of q5: bit e of qh
 *   q4_k q5_k   qs[32 · (e / 64) + e % 32] >> 4 · (e / 32 % 2)            fifth bits: qh[e % 32] >> e / 32
 *   q2_k q3_k   qs[32 · (e / 128) + e % 32] >> 2 · (e / 32 % 4)           third bits: hmask[e % 32] >> e / 32
 *   q6_k        ql[64 · (e / 128) + e % 64] >> 4 · (e / 64 % 2)           upper two: qh[32 · (e / 128) + e % 32]
 *   q1_0 q2_0   bit, or two bits, e of qs                                                   >> 2 · (e / 32 % 4)
 */
#ifndef FEWBIT_BLOCK_ROWS_H
#define FEWBIT_BLOCK_ROWS_H

#include <string.h>

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "block_format.h"

#define BLOCK_COLUMNS_MOST 256

/*
 * One block: the value of a column is d · unit + m · shift. Units, subScale · (origin + step · code), and shifts,
 * the sub-offset with the sign of the offset, are whole numbers; a shift of nothing that is subtracted is -0.
 */
typedef struct {
  uint8_t codes[BLOCK_COLUMNS_MOST];
  float units[BLOCK_COLUMNS_MOST], shifts[BLOCK_COLUMNS_MOST];
  float d, m; /* the block's own; m is 0 where there is none */
} block_row;

static inline float half_at(const uint8_t *bytes) {
  uint16_t half;
  memcpy(&half, bytes, 2);
  return fb_from_f16(half);
}

/* codes[i] = bits [shift, shift + bits) of bytes[i] */
static inline void take_bits(uint8_t *codes, const uint8_t *bytes, int count, int shift, int bits) {
  for (int i = 0; i < count; i++) codes[i] = (uint8_t)(bytes[i] >> shift & ((1 << bits) - 1));
}

/* codes[i] |= bits [shift, shift + bits) of bytes[i], at bit `at` */
static inline void add_bits(uint8_t *codes, const uint8_t *bytes, int count, int shift, int bits, int at) {
  for (int i = 0; i < count; i++) codes[i] |= (uint8_t)((bytes[i] >> shift & ((1 << bits) - 1)) << at);
}

/* Fields of four or two bits of runs of `width` bytes: one field of a run after the other. */
static inline void take_fields(uint8_t *codes, const uint8_t *bytes, int columns, int width, int bits) {
  const int fields = 8 / bits;
  for (int e = 0; e < columns; e += width) {
    take_bits(codes + e, bytes + e / (width * fields) * width, width, e / width % fields * bits, bits);
  }
}

/* Codes of consecutive bits. */
static inline void take_stream(uint8_t *codes, const uint8_t *bytes, int columns, int bits) {
  for (int e = 0; e < columns; e++) {
    codes[e] = (uint8_t)(bytes[e * bits / 8] >> e * bits % 8 & ((1 << bits) - 1));
  }
}

/*
 * Trits of TQ1_0: byte = ceil(v · 256 / 243), v = Σ trit n · 3^(4 - n), so that trit n is (byte · 3^n mod 256) · 3
 * >> 8. Runs of 32, of 16 and of 4 bytes hold their first trits, then their second ones, and so on.
 */
static inline void take_trits(uint8_t *codes, const uint8_t *bytes) {
  static const uint8_t powers[] = {1, 3, 9, 27, 81};
  static const int widths[] = {32, 16, 4}, trits[] = {5, 5, 4};
  for (int part = 0; part < 3; part++) {
    for (int n = 0; n < trits[part]; n++) {
      for (int i = 0; i < widths[part]; i++) {
        *codes++ = (uint8_t)((uint8_t)(bytes[i] * powers[n]) * 3 >> 8);
      }
    }
    bytes += widths[part];
  }
}

static inline void take_codes(uint8_t *codes, const uint8_t *block, int64_t format) {
  const uint8_t *words = block + format_of(format)->first;
  switch (format) {
    case FB_Q4_0: case FB_Q4_1: take_fields(codes, words, 32, 16, 4); break;
    case FB_Q5_0: case FB_Q5_1:
      take_fields(codes, words + 4, 32, 16, 4);
      for (int e = 0; e < 32; e++) codes[e] |= (uint8_t)((words[e / 8] >> e % 8 & 1) << 4);
      break;
    case FB_Q8_0: for (int e = 0; e < 32; e++) codes[e] = words[e] ^ 0x80; break;
    case FB_Q2_K: take_fields(codes, words + 16, 256, 32, 2); break;
    case FB_Q3_K:
      take_fields(codes, words + 32, 256, 32, 2);
      for (int e = 0; e < 256; e += 32) add_bits(codes + e, words, 32, e / 32, 1, 2);
      break;
    case FB_Q4_K: take_fields(codes, words + 12, 256, 32, 4); break;
    case FB_Q5_K:
      take_fields(codes, words + 44, 256, 32, 4);
      for (int e = 0; e < 256; e += 32) add_bits(codes + e, words + 12, 32, e / 32, 1, 4);
      break;
    case FB_Q6_K:
      take_fields(codes, words, 256, 64, 4);
      for (int e = 0; e < 256; e += 32) {
        add_bits(codes + e, words + 128 + e / 128 * 32, 32, e / 32 % 4 * 2, 2, 4);
      }
      break;
    case FB_TQ1_0: take_trits(codes, words); break;
    case FB_TQ2_0: take_fields(codes, words, 256, 32, 2); break;
    case FB_Q1_0: take_stream(codes, words, 128, 1); break;
    default: take_stream(codes, words, 64, 2); break;
  }
}

/* Six-bit sub-scales and sub-offsets of Q4_K and Q5_K, 8 of each in 12 bytes. */
static inline void take_six_bits(const uint8_t *s, int group, int *scale, int *offset) {
  if (group < 4) {
    *scale = s[group] & 63;
    *offset = s[group + 4] & 63;
  } else {
    *scale = (s[group + 4] & 15) | s[group - 4] >> 6 << 4;
    *offset = s[group + 4] >> 4 | s[group] >> 6 << 4;
  }
}

/* Factors of group g of a block, as whole numbers. */
static inline void take_factors(const uint8_t *block, int64_t format, int g, int *scale, int *offset) {
  *scale = *offset = 1;
  switch (format) {
    case FB_Q2_K:
      *scale = block[g] & 15;
      *offset = block[g] >> 4;
      break;
    case FB_Q3_K: {
      const uint8_t *s = block + 96;
      int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
      *scale = (low | (s[8 + g % 4] >> 2 * (g / 4) & 3) << 4) - 32;
      break;
    }
    case FB_Q4_K: case FB_Q5_K: take_six_bits(block + 4, g, scale, offset); break;
    case FB_Q6_K: *scale = (int8_t)block[192 + g]; break;
    default: break;
  }
}

static inline void read_block(block_row *to, const uint8_t *block, int64_t format) {
  const block_format *f = format_of(format);
  to->d = half_at(block + f->half_at);
  to->m = f->offset ? half_at(block + f->half_at + 2) : 0;
  take_codes(to->codes, block, format);
  for (int first = 0, g = 0; first < f->columns; first += f->group_columns, g++) {
    int scale, offset;
    take_factors(block, format, g, &scale, &offset);
    float factor = (float)scale, shift = (float)f->offset * (float)offset;
    for (int e = first; e < first + f->group_columns; e++) {
      to->units[e] = factor * (float)(f->origin + f->step * to->codes[e]);
      to->shifts[e] = shift;
    }
  }
}

/* out = d · unit + m · shift; rounds once where d and m are float16. */
static inline void block_values(float *out, const block_row *from, const block_format *f, float d, float m) {
  vf scale = vf_set1(d), offset = vf_set1(m);
  for (int e = 0; e < f->columns; e += VF_WIDTH) {
    vf value = vf_mul(scale, vf_load(from->units + e));
    if (f->offset) value = vf_fma(vf_mul(offset, vf_load(from->shifts + e)), scale, vf_load(from->units + e));
    vf_store(out + e, value);
  }
}

#endif
