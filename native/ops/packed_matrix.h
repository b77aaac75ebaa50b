/*
 * Packed weights as products read them, laid out for the vector width of this level (op lay_out). LANES rows
 * stand side by side, one in each 32-bit lane; a unit of LANES x 4 bytes holds 32 / p neighbouring columns of
 * p bits of each row. Column c of a unit is in byte c % 4 of the lane, at bit p · (c / 4), so that
 *
 *   (unit >> p · s) & mask     is columns 4s, 4s + 1, 4s + 2, 4s + 3 of every row, a byte each:
 *
 *   p = 2    lane r   | c15 c11 c7 c3 | c14 c10 c6 c2 | c13 c9 c5 c1 | c12 c8 c4 c0 |   (high bits first)
 *
 * which is what one dot-product instruction multiplies by four inputs. 3-bit codes are two units of their low
 * two bits and one unit of their high bit. Trits are held as 2-bit codes: unpacking five to a byte costs more
 * than the bytes it saves.
 *
 *   codes    [row block][group][chunk]   a chunk is the columns of whole units; groups begin with a chunk
 *   scales   [row block][group][LANES]   float16
 *   zeros    [row block][group]          nibbles, bytes or float16 of LANES rows
 *
 * Rows and columns that are missing have code 0; missing rows have scale 0.
 *
 * Weights of a block format (block_format.h) are laid out with the bytes of their blocks: word by word, LANES rows
 * side by side, and the halves of all blocks behind the words of all blocks:
 *
 *   codes    [row block] { [block][word][LANES]   [block][half][LANES]   zeros up to a multiple of 64 bytes }
 *
 * so that a product reads what the file holds, no more. Codes that lie in a file as one stream of bits are turned
 * as above; trits of TQ1_0 become TQ2_0.
 *
 * Weights whose values stand in a table of each row, of 2, 3 and 4 bits, have a row in each 128 bits instead, for
 * look-ups (look_up.h): a chunk is four units, of rows 0, 4, 8 ..., of rows 1, 5, 9 ... and so on. Behind the codes of
 * all row blocks stand their tables:
 *
 *   codes    [row block][group][chunk][4]   { [4][tables][UNIT]   [LANES] steps   [LANES] zeros   [LANES][16] values }
 *
 * One table of all rows, of 4 bits, stands behind codes that lie as ever:
 *
 *   codes    [row block][group][chunk]      { [UNIT], 16 bytes again and again   [LANES] steps   [LANES] zeros   [16] values }
 *
 * The bytes of tables are 7-bit integers for fast products, value ≈ step · (byte - zero); values are float32.
 */
#ifndef FEWBIT_PACKED_MATRIX_H
#define FEWBIT_PACKED_MATRIX_H

#include <string.h>

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "block_format.h"

#define LANES VF_WIDTH
#define UNIT (LANES * 4)

/* Packings of files, by the numbers that the caller knows them by: bits of a code, or 5 for five trits. */
enum { FB_TRITS5 = 5 };
/* Added to the bits of a code where values stand in a table of each row, or in one that all rows share. */
enum { FB_ROW_TABLES = 32, FB_ONE_TABLE = 64 };
/* Zero points of a laid out matrix. */
enum { NO_ZEROS, NIBBLES, BYTES, HALVES };

/* Columns that share the scale of rounded inputs. */
#define BLOCK_COLUMNS 128

typedef struct {
  const uint8_t *codes;
  const uint16_t *scales;
  const uint8_t *zeros;
  int64_t rows, columns, group_size;
  int64_t bits, zero_kind;
  float origin, step; /* value = scale · (origin + step · (code - zero)) */
  int64_t row_blocks, groups;
  int64_t chunk_columns, chunk_bytes;
  int64_t group_chunks, group_bytes, zero_bytes; /* of one row block */
  int64_t block_chunks, group_blocks;            /* blocks of rounded inputs in a group; the last is shorter */
  const block_format *format;                    /* NULL unless codes are blocks; then a group is what shares */
  int64_t blocks, row_block_bytes;               /* an input scale; blocks of a row, bytes of a row block */
  int64_t tables, look_up_bytes, table_bytes;    /* tables of a row: 0 without any, or where there is one of all; bytes */
} packed_matrix;                                 /* of a row block's, or of that one, in all and before its steps */

static inline int64_t zero_bytes_of(int64_t kind) {
  return kind == NIBBLES ? LANES / 2 : kind == BYTES ? LANES : kind == HALVES ? LANES * 2 : 0;
}

/* The same for weights in blocks, whose `bits` is the number of the format. */
static inline int derive_blocks(packed_matrix *w) {
  if (w->bits == FB_TQ1_0) w->bits = FB_TQ2_0;
  const block_format *f = w->format = format_of(w->bits);
  if (w->rows < 0 || !has_block_rows(w->bits, w->columns, w->columns / f->columns * f->bytes)) return 0;
  w->origin = f->origin;
  w->step = f->step;
  w->zero_kind = NO_ZEROS;
  w->blocks = w->columns / f->columns;
  w->row_blocks = fb_ceil_div(w->rows, LANES);
  w->row_block_bytes = w->blocks * f->words * UNIT + fb_round_up(w->blocks * f->halves * LANES * 2, 64);
  w->group_size = w->chunk_columns = f->input_columns;
  w->groups = w->columns / f->input_columns;
  w->chunk_bytes = w->group_bytes = f->words * UNIT / (f->columns / f->input_columns);
  w->group_chunks = w->block_chunks = w->group_blocks = 1;
  return 1;
}

/* Takes tables off the bits of a code; returns 0 if there are none for so many bits, or zero points beside them. */
static inline int derive_tables(packed_matrix *w) {
  int shared = w->bits >= FB_ONE_TABLE;
  w->bits -= shared ? FB_ONE_TABLE : FB_ROW_TABLES;
  if (w->bits < (shared ? 4 : 2) || w->bits > 4 || w->zero_kind != NO_ZEROS) return 0;
  w->tables = shared ? 0 : w->bits == 4 ? 1 : 2;
  w->look_up_bytes = (shared ? 1 : 4 * w->tables) * UNIT;
  w->table_bytes = w->look_up_bytes + (2 * LANES + (shared ? 1 : LANES) * 16) * (int64_t)sizeof(float);
  return 1;
}

/* Fills in what follows from rows, columns, group_size, bits and zero_kind. Returns 0 if these are invalid. */
static inline int derive_matrix(packed_matrix *w) {
  int64_t bits = w->bits;
  if (is_block_format(bits)) return derive_blocks(w);
  if (bits >= FB_ROW_TABLES && !derive_tables(w)) return 0;
  bits = w->bits;
  if (!(bits == 1 || bits == 2 || bits == 3 || bits == 4 || bits == 8)) return 0;
  if (w->rows < 0 || w->columns < 0 || w->group_size <= 0) return 0;
  if (w->zero_kind < NO_ZEROS || w->zero_kind > HALVES) return 0;
  w->row_blocks = fb_ceil_div(w->rows, LANES);
  w->groups = fb_ceil_div(w->columns, w->group_size);
  w->chunk_columns = bits == 3 ? 32 : 32 / bits;
  w->chunk_bytes = bits == 3 ? 3 * UNIT : UNIT;
  if (w->tables) {
    w->chunk_columns = bits == 3 ? 128 : 128 / bits;
    w->chunk_bytes *= 4;
  }
  w->group_chunks = fb_ceil_div(w->group_size, w->chunk_columns);
  w->group_bytes = w->group_chunks * w->chunk_bytes;
  w->zero_bytes = zero_bytes_of(w->zero_kind);
  w->block_chunks = fb_min(w->group_chunks, BLOCK_COLUMNS / w->chunk_columns);
  if (w->group_size <= BLOCK_COLUMNS) w->block_chunks = w->group_chunks;
  w->group_blocks = fb_ceil_div(w->group_chunks, w->block_chunks);
  return 1;
}

/* Columns from one group to the next where inputs are padded to whole chunks. */
static inline int64_t padded_group(const packed_matrix *w) { return w->group_chunks * w->chunk_columns; }

static inline size_t laid_out_code_bytes(const packed_matrix *w) {
  if (w->format) return (size_t)(w->row_blocks * w->row_block_bytes);
  return (size_t)(w->row_blocks * w->groups * w->group_bytes);
}

/* Whether codes, scales and zero points have the sizes that they should have. */
static inline int has_matrix_bytes(const packed_matrix *w, const size_t bytes[3]) {
  size_t groups = w->format ? 0 : (size_t)(w->row_blocks * w->groups);
  size_t tables = (size_t)(w->tables ? w->row_blocks * w->table_bytes : w->table_bytes);
  return bytes[0] == laid_out_code_bytes(w) + tables && bytes[1] == groups * LANES * 2 &&
         bytes[2] == groups * (size_t)w->zero_bytes;
}

/* Which nibble of a row block's LANES / 2 bytes holds the zero point of a lane (see load_zeros). */
static inline int nibble_of_lane(int lane) {
#if LANES == 16
  return (lane & 1) * 8 + (lane >> 1);
#else
  return lane;
#endif
}

/* Zero points of the rows of a block, as float32. */
static inline vf load_zeros(const packed_matrix *w, int64_t block, int64_t group) {
  const uint8_t *zeros = w->zeros + (block * w->groups + group) * w->zero_bytes;
  if (w->zero_kind == HALVES) return vf_load_f16((const uint16_t *)zeros);
#if LANES == 16
  if (w->zero_kind == BYTES) return vf_load_u8(zeros);
  int64_t nibbles;
  memcpy(&nibbles, zeros, sizeof nibbles);
  __m512i shift = _mm512_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28);
  __m512 values = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_permutexvar_ps(_mm512_srlv_epi32(_mm512_set1_epi64(nibbles), shift), values);
#elif LANES == 8
  if (w->zero_kind == BYTES) return vf_load_u8(zeros);
  int32_t nibbles;
  memcpy(&nibbles, zeros, sizeof nibbles);
  __m256i each = _mm256_srlv_epi32(_mm256_set1_epi32(nibbles), _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
  return _mm256_cvtepi32_ps(_mm256_and_si256(each, _mm256_set1_epi32(15)));
#else
  uint8_t bytes[16] = {0};
  if (w->zero_kind == BYTES) memcpy(bytes, zeros, LANES);
  else for (int i = 0; i < LANES; i++) bytes[i] = zeros[i / 2] >> 4 * (i % 2) & 15;
  return vf_load_u8(bytes);
#endif
}

static inline vf load_scales(const packed_matrix *w, int64_t block, int64_t group) {
  return vf_load_f16(w->scales + (block * w->groups + group) * LANES);
}

/* Words and halves of a block of a row block. */
static inline const uint8_t *words_of(const packed_matrix *w, int64_t row_block, int64_t block) {
  return w->codes + row_block * w->row_block_bytes + block * w->format->words * UNIT;
}

static inline const uint16_t *halves_of(const packed_matrix *w, int64_t row_block, int64_t block) {
  const uint8_t *first = words_of(w, row_block, w->blocks);
  return (const uint16_t *)(const void *)first + block * w->format->halves * LANES;
}

/* The tables of a row block: bytes of look-ups, then steps, zeros and values. */
static inline const uint8_t *tables_of(const packed_matrix *w, int64_t block) {
  return w->codes + w->row_blocks * w->groups * w->group_bytes + (w->tables ? block * w->table_bytes : 0);
}

static inline const float *steps_of(const packed_matrix *w, int64_t block) {
  return (const float *)(const void *)(tables_of(w, block) + w->look_up_bytes);
}

static inline const uint8_t *codes_of(const packed_matrix *w, int64_t block, int64_t group) {
  return w->codes + (block * w->groups + group) * w->group_bytes;
}

#endif
