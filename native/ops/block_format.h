/*
 * Block formats: types of GGUF whose rows are runs of blocks, each with its codes, scales and offsets together.
 * Value of code c in group g of a block, where factors that a format does not have are 1:
 *
 *   d · subScale[g] · (origin + step · c)  ±  m · subOffset[g]          rounds once, at the addition
 *
 * A block in a file is words of 32 bits, and float16 scale d and offset m before or behind them ("halves"). The
 * words of a format, by what they hold; the byte a of word w is the lowest of a file's bytes 4w + a:
 *
 *   q4_0 q4_1   0..3  codes         q2_k   0..3 scales, 4..19 codes
 *   q5_0 q5_1   0     fifth bits    q3_k   0..7 third bits, 8..23 codes, 24..26 scales
 *               1..4  codes         q4_k   0..2 scales, 3..34 codes
 *   q8_0        0..7  codes         q5_k   0..2 scales, 3..10 fifth bits, 11..42 codes
 *   tq2_0       0..15 codes         q6_k   0..31 codes, 32..47 upper two bits, 48..51 scales
 *   q1_0 q2_0   0..3  codes         tq1_0  0..11 and 12: trits, five or four to a byte
 */
#ifndef FEWBIT_BLOCK_FORMAT_H
#define FEWBIT_BLOCK_FORMAT_H

#include <stdint.h>

/* Formats, by the numbers that the caller knows them by; smaller numbers are packings (packed_matrix.h). */
enum {
  FB_Q4_0 = 16, FB_Q4_1, FB_Q5_0, FB_Q5_1, FB_Q8_0, FB_Q2_K, FB_Q3_K, FB_Q4_K, FB_Q5_K, FB_Q6_K,
  FB_TQ1_0, FB_TQ2_0, FB_Q1_0, FB_Q2_0, FB_FORMATS_END
};

typedef struct {
  int16_t columns, bytes;  /* of a block */
  int16_t group_columns;   /* that share a sub-scale, or a block's scale where there are none */
  int16_t first, words;    /* byte of the first word, number of words */
  int16_t halves, half_at; /* number of halves, 0 to 2; byte of the first: d, then m */
  int16_t input_columns;   /* of inputs that are rounded to 8 bits with one scale (packed_round.h) */
  int16_t origin, step;
  int16_t two_level; /* whether groups have sub-scales */
  int16_t offset;    /* sign of the offset, 0 where there is none */
} block_format;

static const block_format block_formats[] = {
    [FB_Q4_0 - FB_Q4_0] = {32, 18, 32, 2, 4, 1, 0, 32, -8, 1, 0, 0},
    [FB_Q4_1 - FB_Q4_0] = {32, 20, 32, 4, 4, 2, 0, 32, 0, 1, 0, 1},
    [FB_Q5_0 - FB_Q4_0] = {32, 22, 32, 2, 5, 1, 0, 32, -16, 1, 0, 0},
    [FB_Q5_1 - FB_Q4_0] = {32, 24, 32, 4, 5, 2, 0, 32, 0, 1, 0, 1},
    [FB_Q8_0 - FB_Q4_0] = {32, 34, 32, 2, 8, 1, 0, 32, -128, 1, 0, 0},
    [FB_Q2_K - FB_Q4_0] = {256, 84, 16, 0, 20, 2, 80, 128, 0, 1, 1, -1},
    [FB_Q3_K - FB_Q4_0] = {256, 110, 16, 0, 27, 1, 108, 128, -4, 1, 1, 0},
    [FB_Q4_K - FB_Q4_0] = {256, 144, 32, 4, 35, 2, 0, 128, 0, 1, 1, -1},
    [FB_Q5_K - FB_Q4_0] = {256, 176, 32, 4, 43, 2, 0, 128, 0, 1, 1, -1},
    [FB_Q6_K - FB_Q4_0] = {256, 210, 16, 0, 52, 1, 208, 128, -32, 1, 1, 0},
    [FB_TQ1_0 - FB_Q4_0] = {256, 54, 256, 0, 13, 1, 52, 128, -1, 1, 0, 0},
    [FB_TQ2_0 - FB_Q4_0] = {256, 66, 256, 0, 16, 1, 64, 128, -1, 1, 0, 0},
    [FB_Q1_0 - FB_Q4_0] = {128, 18, 128, 2, 4, 1, 0, 128, -1, 2, 0, 0},
    [FB_Q2_0 - FB_Q4_0] = {64, 18, 64, 2, 4, 1, 0, 64, -1, 1, 0, 0},
};

/* Rows longer than this are no rows. */
#define MOST_BLOCK_COLUMNS ((int64_t)1 << 40)

static inline int is_block_format(int64_t number) { return number >= FB_Q4_0 && number < FB_FORMATS_END; }

static inline const block_format *format_of(int64_t number) { return &block_formats[number - FB_Q4_0]; }

/* Whether rows of `columns` columns are whole blocks, `row_bytes` bytes long. */
static inline int has_block_rows(int64_t number, int64_t columns, int64_t row_bytes) {
  const block_format *f = format_of(number);
  return columns >= 0 && columns <= MOST_BLOCK_COLUMNS && columns % f->columns == 0 &&
         row_bytes == columns / f->columns * f->bytes;
}

#endif
