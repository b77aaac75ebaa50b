/*
 * Codes and sub-scales of blocks that lay_out_blocks has laid out, for LANES rows at a time. A run is 16 columns:
 * its vector i has columns 16 · run + 4i .. + 3 of each row, a byte each, which is what one dot-product
 * instruction multiplies by four inputs. Words as block_format.h numbers them; fields of a byte, high bits first:
 *
 *   q4_0 q4_1  | run 1 | run 0 |                                     word i
 *   q4_k q5_k  | runs 4c + 2, 3 | runs 4c, 4c + 1 |                  word 8c + 4 · (run % 2) + i
 *   q2_k q3_k  | 8h + 6, 7 | 8h + 4, 5 | 8h + 2, 3 | 8h, 8h + 1 |    word 8h + 4 · (run % 2) + i
 *   q6_k       | 8h + 4 .. 7 | 8h .. 8h + 3 |                        word 16h + 4 · (run % 4) + i
 *   third bits of q3_k, fifth bits of q5_k: bit run / 2 of word 4 · (run % 2) + i
 *   upper two bits of q6_k: as q2_k
 */
#ifndef FEWBIT_BLOCK_CODES_H
#define FEWBIT_BLOCK_CODES_H

#include "packed_matrix.h"
#include "vec_int.h"

/* How far a field of a run's words is above bit 0, for formats whose codes are one field. */
FB_INLINE int field_shift(const int run, const int format) {
  switch (format) {
    case FB_Q4_0: case FB_Q4_1: case FB_Q5_0: case FB_Q5_1: return 4 * run;
    case FB_Q4_K: case FB_Q5_K: return run / 2 % 2 * 4;
    case FB_Q2_K: case FB_Q3_K: case FB_TQ2_0: return run / 2 % 4 * 2;
    case FB_Q6_K: return run / 4 % 2 * 4;
    default: return 0;
  }
}

/* Bits [from, from + count) of each byte of word `w`, moved to bit `to`. */
FB_INLINE vi field(const uint8_t *words, const int w, const int from, const int count, const int to) {
  vi x = vi_load(words + w * UNIT);
  if (from > to) x = vi_right(x, from - to);
  if (from < to) x = vi_left(x, to - from);
  return vi_and(x, vi_set1_bytes(((1 << count) - 1) << to));
}

/*
 * Vector i of a run; with `raised`, codes that are one field stand where they stand in the file, 2^field_shift too
 * large, which saves the shift.
 */
FB_INLINE vi run_codes(const uint8_t *words, const int run, const int i, const int format, const int raised) {
  const int shift = field_shift(run, format), to = raised ? shift : 0;
  const int half = run % 2 * 4 + i, quarter = run / 8 * 8 + half;
  switch (format) {
    case FB_Q4_0: case FB_Q4_1: return field(words, i, shift, 4, to);
    case FB_Q5_0: case FB_Q5_1:
      return vi_or(field(words, 1 + i, shift, 4, 0), field(words, 0, 4 * run + i, 1, 4));
    case FB_Q8_0: return vi_xor(vi_load(words + (4 * run + i) * UNIT), vi_set1_bytes(0x80));
    case FB_Q2_K: return field(words, 4 + quarter, shift, 2, to);
    case FB_Q3_K: return vi_or(field(words, 8 + quarter, shift, 2, 0), field(words, half, run / 2, 1, 2));
    case FB_Q4_K: return field(words, 3 + run / 4 * 8 + half, shift, 4, to);
    case FB_Q5_K:
      return vi_or(field(words, 11 + run / 4 * 8 + half, shift, 4, 0), field(words, 3 + half, run / 2, 1, 4));
    case FB_Q6_K:
      return vi_or(field(words, run / 8 * 16 + run % 4 * 4 + i, shift, 4, 0),
                   field(words, 32 + quarter, run / 2 % 4 * 2, 2, 4));
    case FB_TQ2_0: return field(words, quarter, shift, 2, to);
    case FB_Q1_0: return field(words, run / 2, run % 2 * 4 + i, 1, 0);
    default: return field(words, run, 2 * i, 2, 0);
  }
}

/* Whether a format's codes are one field that `raised` leaves where it stands. */
FB_INLINE int can_be_raised(const int format) {
  return format == FB_Q4_0 || format == FB_Q4_1 || format == FB_Q4_K || format == FB_Q2_K || format == FB_TQ2_0;
}

/*
 * Sub-scales and sub-offsets of half a superblock: four groups a vector, the first in the lowest byte. Bytes of
 * scales are signed where the format's are. Two vectors for groups of 16 columns, one for groups of 32.
 */
typedef struct {
  vi scales[2], offsets[2];
} sub_factors;

/* Four bits of word `w` from bit `low` on, and two more from bit `high` of word `v` on. */
FB_INLINE vi six_bits(const uint8_t *words, const int w, const int low, const int v, const int high) {
  return vi_or(field(words, w, low, 4, 0), field(words, v, high, 2, 4));
}

/* Bytes in [0, 64), less 32, in 8 bits with a sign. */
FB_INLINE vi centre_six_bits(vi x) {
  x = vi_xor(x, vi_set1_bytes(32));
  vi sign = vi_and(x, vi_set1_bytes(32));
  return vi_or(x, vi_or(vi_left(sign, 1), vi_left(sign, 2)));
}

FB_INLINE sub_factors load_factors(const uint8_t *words, const int half, const int format) {
  sub_factors f = {{vi_zero(), vi_zero()}, {vi_zero(), vi_zero()}};
  switch (format) {
    case FB_Q2_K:
      for (int q = 0; q < 2; q++) {
        f.scales[q] = field(words, 2 * half + q, 0, 4, 0);
        f.offsets[q] = field(words, 2 * half + q, 4, 4, 0);
      }
      break;
    case FB_Q3_K:
      for (int q = 0; q < 2; q++) {
        f.scales[q] = centre_six_bits(six_bits(words, 24 + q, 4 * half, 26, 4 * half + 2 * q));
      }
      break;
    case FB_Q6_K:
      for (int q = 0; q < 2; q++) f.scales[q] = vi_load(words + (48 + 2 * half + q) * UNIT);
      break;
    default: /* Q4_K, Q5_K */
      f.scales[0] = half ? six_bits(words, 2, 0, 0, 6) : field(words, 0, 0, 6, 0);
      f.offsets[0] = half ? six_bits(words, 2, 4, 1, 6) : field(words, 1, 0, 6, 0);
      break;
  }
  return f;
}

/* Factor `group` of half a superblock, as integers. */
FB_INLINE vi factor_of(const vi factors[2], const int group) {
  vi four = factors[group / 4];
  return vi_halve(vi_left(four, 24 - group % 4 * 8), 24);
}

#endif
