/*
 * Turns 32-bit words of codes as files hold them, column after column from the lowest bit on, to the order of units
 * (packed_matrix.h):
 *
 *   2 bits:   | c15 c14 c13 c12 | c11 c10 c9 c8 | c7 c6 c5 c4 | c3 c2 c1 c0 |     a file's word
 *             | c15 c11 c7 c3   | c14 c10 c6 c2 | c13 c9 c5 c1 | c12 c8 c4 c0 |   a lane
 */
#ifndef FEWBIT_TURN_WORDS_H
#define FEWBIT_TURN_WORDS_H

#include "vec_int.h"

static inline uint32_t swap_bits(uint32_t x, uint32_t mask, int distance) {
  uint32_t moved = (x ^ x >> distance) & mask;
  return x ^ moved ^ moved << distance;
}

/* Gathers every fourth bit from bit j on into a byte. */
static inline uint32_t every_fourth(uint32_t x, int j) {
  x = x >> j & 0x11111111u;
  x = (x | x >> 3) & 0x03030303u;
  x = (x | x >> 6) & 0x000f000fu;
  return (x | x >> 12) & 0xffu;
}

/* Moves column 4s + j of a word to byte j, slot s. */
static inline __attribute__((always_inline)) uint32_t turn_word(uint32_t x, const int bits) {
  if (bits == 8) return x;
  if (bits == 2) return swap_bits(swap_bits(x, 0x00cc00ccu, 6), 0x0000f0f0u, 12);
  if (bits == 4) {
    uint32_t low = x & 0xffffu, high = x >> 16;
    low = (low | low << 8) & 0x00ff00ffu;
    high = (high | high << 8) & 0x00ff00ffu;
    return ((low | low << 4) & 0x0f0f0f0fu) | ((high | high << 4) & 0x0f0f0f0fu) << 4;
  }
  return every_fourth(x, 0) | every_fourth(x, 1) << 8 | every_fourth(x, 2) << 16 | every_fourth(x, 3) << 24;
}

/* every_fourth for each lane. */
static inline __attribute__((always_inline)) vi every_fourth_of(vi x, const int j) {
  x = vi_and(vi_right(x, j), vi_set1(0x11111111));
  x = vi_and(vi_or(x, vi_right(x, 3)), vi_set1(0x03030303));
  x = vi_and(vi_or(x, vi_right(x, 6)), vi_set1(0x000f000f));
  return vi_and(vi_or(x, vi_right(x, 12)), vi_set1(0xff));
}

/* turn_word for each lane. */
static inline __attribute__((always_inline)) vi turn_words(vi x, const int bits) {
  if (bits == 8) return x;
  if (bits == 1) {
    vi low = vi_or(every_fourth_of(x, 0), vi_left(every_fourth_of(x, 1), 8));
    return vi_or(low, vi_or(vi_left(every_fourth_of(x, 2), 16), vi_left(every_fourth_of(x, 3), 24)));
  }
  if (bits == 2) {
    vi moved = vi_and(vi_xor(x, vi_right(x, 6)), vi_set1(0x00cc00cc));
    x = vi_xor(vi_xor(x, moved), vi_left(moved, 6));
    moved = vi_and(vi_xor(x, vi_right(x, 12)), vi_set1(0x0000f0f0));
    return vi_xor(vi_xor(x, moved), vi_left(moved, 12));
  }
  vi low = vi_and(x, vi_set1(0xffff)), high = vi_right(x, 16);
  low = vi_and(vi_or(low, vi_left(low, 8)), vi_set1(0x00ff00ff));
  high = vi_and(vi_or(high, vi_left(high, 8)), vi_set1(0x00ff00ff));
  low = vi_and(vi_or(low, vi_left(low, 4)), vi_set1(0x0f0f0f0f));
  high = vi_and(vi_or(high, vi_left(high, 4)), vi_set1(0x0f0f0f0f));
  return vi_or(low, vi_left(high, 4));
}

#endif
