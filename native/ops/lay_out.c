/*
 * Lays a packed weight out for the products of this level: from the rows of a file (unpack.h) to units of
 * LANES rows (packed_matrix.h). Bound by memory for codes of 1, 2, 4 and 8 bits, whose 32-bit words are turned
 * one by one (turn_words.h). Other codes, and groups that are not whole words, are unpacked to bytes first.
 */
#include "look_up.h"
#include "turn_words.h"
#include "unpack.h"
#include "vec_int.h"

#define CHUNK_BYTES (256 << 10)
#define TILE_WORDS 256

typedef struct {
  packed_matrix to;
  uint8_t *codes, *zeros;
  uint16_t *scales;
  const uint8_t *source_codes, *source_zeros;
  const uint16_t *source_scales;
  int64_t row_bytes, packing, chunk_blocks;
  int by_words;
  fb_team *team;
} layout_call;

/* Squares of LANES rows by LANES words, from word 0 on; returns the number of words that were turned. */
static inline __attribute__((always_inline)) int64_t turn_squares(const layout_call *call, int64_t block,
                                                                  uint32_t *out, int64_t words, const int bits) {
  const uint8_t *source = call->source_codes + block * LANES * call->row_bytes;
  int64_t w = 0;
  if (bits == 1 || (block + 1) * LANES > call->to.rows) return 0;
  for (; w + LANES <= words; w += LANES) {
    float square[LANES];
    vf rows[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      vi_store(square, turn_words(vi_load(source + lane * call->row_bytes + 4 * w), bits));
      rows[lane] = vf_load(square);
    }
    vf_transpose(rows);
    for (int i = 0; i < LANES; i++) vf_store((float *)(void *)(out + (w + i) * LANES), rows[i]);
  }
  return w;
}

static inline __attribute__((always_inline)) void turn_rows(const layout_call *call, int64_t block,
                                                            uint32_t *out, const int bits) {
  const packed_matrix *to = &call->to;
  int64_t words = to->groups * to->group_chunks, have = fb_ceil_div(to->columns, to->chunk_columns);
  int64_t done = turn_squares(call, block, out, fb_min(words, have), bits);
  for (int64_t tile = done; tile < words; tile += TILE_WORDS) {
    int64_t end = fb_min(words, tile + TILE_WORDS), full = fb_min(end, have);
    for (int64_t lane = 0; lane < LANES; lane++) {
      int64_t row = block * LANES + lane;
      const uint8_t *source = call->source_codes + row * call->row_bytes;
      int64_t stop = row < to->rows ? full : tile, w = tile;
      for (; w < stop; w++) {
        uint32_t word;
        memcpy(&word, source + 4 * w, 4);
        out[w * LANES + lane] = turn_word(word, bits);
      }
      for (; w < end; w++) out[w * LANES + lane] = 0;
    }
  }
}

/* The word of `slots` slots of codes that stand in bytes; `drop` bits of each are left away, `bits` kept. */
static inline uint32_t join_codes(const uint8_t *codes, int slots, int bits, int drop) {
  uint32_t mask = 0x01010101u * ((1u << bits) - 1), word = 0, four;
  for (int s = 0; s < slots; s++) {
    memcpy(&four, codes + 4 * s, 4);
    word |= (four >> drop & mask) << bits * s;
  }
  return word;
}

/* Writes one chunk of a row from codes in bytes to its lane. */
static void place_chunk(const packed_matrix *to, uint32_t *out, const uint8_t *codes) {
  int bits = (int)to->bits;
  if (bits != 3) {
    *out = join_codes(codes, 8 / bits, bits, 0);
    return;
  }
  out[0] = join_codes(codes, 4, 2, 0);
  out[LANES] = join_codes(codes + 16, 4, 2, 0);
  out[2 * LANES] = join_codes(codes, 8, 1, 2);
}

/* Lays out a row block by way of bytes; `bytes` is scratch for one row of the file and one padded group. */
static void place_rows(const layout_call *call, int64_t block, uint32_t *out, uint8_t *bytes) {
  const packed_matrix *to = &call->to;
  int64_t padded = padded_group(to), words = to->chunk_bytes / 4;
  uint8_t *group_codes = bytes + fb_round_up(to->columns + UNPACK_SLACK, 8);
  for (int64_t lane = 0; lane < LANES; lane++) {
    int64_t row = block * LANES + lane;
    int64_t columns = row < to->rows ? to->columns : 0;
    unpack_row(bytes, call->source_codes + row * call->row_bytes, columns, call->packing);
    for (int64_t g = 0; g < to->groups; g++) {
      int64_t first = g * to->group_size;
      int64_t count = fb_max(0, fb_min(to->group_size, columns - first));
      memset(group_codes, 0, (size_t)padded);
      memcpy(group_codes, bytes + first, (size_t)count);
      for (int64_t c = 0; c < to->group_chunks; c++) {
        uint32_t *chunk = out + (g * to->group_chunks + c) * words;
        const uint8_t *codes = group_codes + c * to->chunk_columns;
        if (to->tables) place_looked_up((uint8_t *)chunk, lane, codes, (int)to->bits);
        else place_chunk(to, chunk + lane, codes);
      }
    }
  }
}

static void place_scales(const layout_call *call, int64_t block) {
  const packed_matrix *to = &call->to;
  uint16_t *scales = call->scales + block * to->groups * LANES;
  uint8_t *zeros = call->zeros + block * to->groups * to->zero_bytes;
  if (to->zero_bytes) memset(zeros, 0, (size_t)(to->groups * to->zero_bytes));
  for (int64_t lane = 0; lane < LANES; lane++) {
    int64_t row = block * LANES + lane;
    for (int64_t g = 0; g < to->groups; g++) {
      int64_t at = row * to->groups + g;
      scales[g * LANES + lane] = row < to->rows ? call->source_scales[at] : 0;
      if (row >= to->rows || to->zero_kind == NO_ZEROS) continue;
      uint8_t *zero = zeros + g * to->zero_bytes;
      if (to->zero_kind == HALVES) {
        memcpy(zero + 2 * lane, call->source_zeros + 2 * at, 2);
        continue;
      }
      uint8_t code = code_at(call->source_zeros, at, call->packing);
      int nibble = nibble_of_lane((int)lane);
      if (to->zero_kind == BYTES) zero[lane] = code;
      else zero[nibble / 2] |= (uint8_t)(code << 4 * (nibble % 2));
    }
  }
}

static FB_BODY(lay_out_blocks) {
  const layout_call *call = context;
  const packed_matrix *to = &call->to;
  int64_t end = fb_min(to->row_blocks, (chunk + 1) * call->chunk_blocks);
  for (int64_t block = chunk * call->chunk_blocks; block < end; block++) {
    uint32_t *out = (uint32_t *)(void *)(call->codes + block * to->groups * to->group_bytes);
    place_scales(call, block);
    if (!call->by_words) place_rows(call, block, out, fb_local(call->team, thread));
    else if (to->bits == 1) turn_rows(call, block, out, 1);
    else if (to->bits == 2) turn_rows(call, block, out, 2);
    else if (to->bits == 4) turn_rows(call, block, out, 4);
    else turn_rows(call, block, out, 8);
  }
}

/*
 * buffers: codes, scales, zeros or NULL, the file's codes, scales, zeros or NULL;
 * sizes: rows, columns, group size, bits, kind of zeros, bytes of a row, packing. Tables behind the codes are left as
 * they are.
 */
FB_OP(lay_out) {
  const int64_t *size = args->size;
  layout_call call = {.to = {.rows = size[0], .columns = size[1], .group_size = size[2], .bits = size[3],
                             .zero_kind = size[4]},
                      .codes = args->buffer[0], .scales = args->buffer[1], .zeros = args->buffer[2],
                      .source_codes = args->buffer[3], .source_scales = args->buffer[4],
                      .source_zeros = args->buffer[5], .row_bytes = size[5], .packing = size[6], .team = team};
  packed_matrix *to = &call.to;
  FB_REQUIRE(derive_matrix(to));
  FB_REQUIRE(call.packing == to->bits || (call.packing == FB_TRITS5 && to->bits == 2));
  FB_REQUIRE(has_matrix_bytes(to, args->bytes));
  FB_REQUIRE(call.row_bytes % 4 == 0 && call.row_bytes >= packed_bytes(call.packing, to->columns));
  FB_REQUIRE(args->bytes[3] == (size_t)(to->rows * call.row_bytes));
  int64_t zeros = to->rows * to->groups;
  FB_REQUIRE(args->bytes[4] == (size_t)zeros * 2);
  if (to->zero_kind == HALVES) FB_REQUIRE(args->bytes[5] == (size_t)zeros * 2);
  else if (to->zero_kind) FB_REQUIRE(args->bytes[5] >= (size_t)packed_bytes(call.packing, zeros));
  call.by_words = call.packing == to->bits && to->bits != 3 && !to->tables &&
                  (to->group_size % to->chunk_columns == 0 || to->groups == 1);
  call.chunk_blocks = fb_max(1, CHUNK_BYTES / fb_max(1, to->groups * to->group_bytes));
  size_t local = (size_t)(fb_round_up(to->columns + UNPACK_SLACK, 8) + padded_group(to));
  if (!fb_reserve(team, 0, local)) return "lay out: out of memory";
  fb_parallel(team, fb_ceil_div(to->row_blocks, call.chunk_blocks), lay_out_blocks, &call);
  return NULL;
}
