/*
 * Look-ups of codes in tables of 16 entries, 128 bits at a time: 16 neighbouring columns of a row, whose table they
 * are (packed_matrix.h). A unit of codes holds 16 columns of LANES / 4 rows in each of its slots:
 *
 *   4 bits   byte j    | c16+j | c j |                     two slots
 *   2 bits   byte j    | c48+j c32+j | c16+j c j |         four; two codes are one index, of two tables
 *   3 bits   byte j of three vectors, from the highest bit on
 *            | h2 b b b g2 a a a |   | h1 d d d g1 c c c |   | h0 f f f g0 e e e |
 *            eight slots a to h: six of them as 4-bit codes whose highest bit says nothing; those bits are g and h
 */
#ifndef FEWBIT_LOOK_UP_H
#define FEWBIT_LOOK_UP_H

#include "packed_matrix.h"
#include "vec_int.h"

#define LOOK_UP_INLINE static inline __attribute__((always_inline))

/* Bytes of a table by the lower four bits of each byte of index, whose other bits are 0; 128 bits at a time. */
LOOK_UP_INLINE vi vi_look_up(vi table, vi index) {
#if VF_WIDTH == 16
  return _mm512_shuffle_epi8(table, index);
#elif VF_WIDTH == 8
  return _mm256_shuffle_epi8(table, index);
#elif defined(__aarch64__) && !defined(FB_PORTABLE)
  return vreinterpretq_s32_u8(vqtbl1q_u8(vreinterpretq_u8_s32(table), vreinterpretq_u8_s32(index)));
#else
  uint8_t bytes[16], at[16];
  memcpy(bytes, &table, 16);
  memcpy(at, &index, 16);
  for (int i = 0; i < 16; i++) at[i] = bytes[at[i]];
  return vi_load(at);
#endif
}

/* 16 bytes, in each 128 bits. */
LOOK_UP_INLINE vi vi_repeat(const int8_t *p) {
#if VF_WIDTH == 16
  return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)p));
#elif VF_WIDTH == 8
  return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
#else
  return vi_load(p);
#endif
}

/* Sums of the four lanes of each 128 bits of four vectors: lane 4i + k is that of 128 bits i of vector k. */
LOOK_UP_INLINE vi vi_join(const vi part[4]) {
#if VF_WIDTH == 16
#define PAIRS(a, b) _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b))
  __m512i low = PAIRS(part[0], part[1]), high = PAIRS(part[2], part[3]);
  return _mm512_add_epi32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
#elif VF_WIDTH == 8
#define PAIRS(a, b) _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b))
  __m256i low = PAIRS(part[0], part[1]), high = PAIRS(part[2], part[3]);
  return _mm256_add_epi32(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
#elif defined(__aarch64__) && !defined(FB_PORTABLE)
  return vpaddq_s32(vpaddq_s32(part[0], part[1]), vpaddq_s32(part[2], part[3]));
#else
  return (vi){vi_sum(part[0]), vi_sum(part[1]), vi_sum(part[2]), vi_sum(part[3])};
#endif
#undef PAIRS
}

/* Slots of a unit, each a vector of 16 bytes of LANES / 4 rows: entries of the tables, or where `raw` the codes. */
#define MOST_SLOTS 8
LOOK_UP_INLINE int slots_of(const int bits) { return bits == 4 ? 2 : bits == 2 ? 4 : 8; }

LOOK_UP_INLINE void look_up_unit(vi slot[MOST_SLOTS], const uint8_t *unit, const vi table[2], const int bits) {
  const vi nibble = vi_set1_bytes(15), top = vi_set1_bytes(0x88);
  vi mixed = vi_zero();
  if (bits == 4 || bits == 2) {
    vi codes = vi_load(unit), low = vi_and(codes, nibble), high = vi_and(vi_right(codes, 4), nibble);
    slot[0] = vi_look_up(table[0], low);
    slot[1] = vi_look_up(bits == 2 ? table[1] : table[0], bits == 2 ? low : high);
    if (bits == 4) return;
    slot[2] = vi_look_up(table[0], high);
    slot[3] = vi_look_up(table[1], high);
    return;
  }
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    vi codes = vi_load(unit + i * UNIT), kept = vi_and(codes, top);
    slot[2 * i] = vi_look_up(table[0], vi_and(codes, nibble));
    slot[2 * i + 1] = vi_look_up(table[0], vi_and(vi_right(codes, 4), nibble));
    mixed = vi_or(mixed, i ? vi_right(kept, i) : kept);
  }
  slot[6] = vi_look_up(table[1], vi_and(mixed, nibble));
  slot[7] = vi_look_up(table[1], vi_and(vi_right(mixed, 4), nibble));
}

/* The bytes of a table of `levels` entries for two look-ups of index n, as look_up_unit has them. */
static inline void spread_table(uint8_t out[2][16], const uint8_t *entries, int bits) {
  for (int n = 0; n < 16; n++) {
    out[0][n] = entries[n & ((1 << bits) - 1)];
    out[1][n] = entries[bits == 4 ? n : bits == 2 ? n >> 2 : n >> 1];
  }
}

/* Puts the codes of a chunk of one row, a byte each, where look_up_unit finds them. */
static inline void place_looked_up(uint8_t *chunk, int64_t lane, const uint8_t *codes, int bits) {
  int64_t vectors = bits == 3 ? 3 : 1;
  uint8_t *to = chunk + lane % 4 * vectors * UNIT + lane / 4 * 16;
  for (int j = 0; j < 16; j++, to++, codes++) {
    if (bits == 4) *to = (uint8_t)(codes[0] | codes[16] << 4);
    if (bits == 2) *to = (uint8_t)(codes[0] | codes[16] << 2 | codes[32] << 4 | codes[48] << 6);
    if (bits != 3) continue;
    for (int i = 0; i < 3; i++) {
      int g = codes[96] >> (2 - i) & 1, h = codes[112] >> (2 - i) & 1;
      to[i * UNIT] = (uint8_t)(codes[32 * i] | g << 3 | codes[32 * i + 16] << 4 | h << 7);
    }
  }
}

#endif
