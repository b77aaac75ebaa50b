/*
 * Lays a weight in blocks out for the products of this level (packed_matrix.h): squares of LANES words of LANES
 * rows are turned, and each block's halves put behind. Bound by memory: the reads of a file's rows, which it may
 * take from a mapping, and the write.
 *
 *   row 0    | d | w0 w1 w2 w3 | d | w0 ...              w0 of rows 0, 1, 2 ...
 *   row 1    | d | w0 w1 w2 w3 | d | w0 ...      →       w1 of rows 0, 1, 2 ...
 *   row 2    | d | w0 w1 w2 w3 | d | w0 ...              ...   and d of rows 0, 1, 2 ...
 */
#include "block_rows.h"
#include "packed_matrix.h"
#include "turn_words.h"

#define CHUNK_BYTES (256 << 10)

typedef struct {
  packed_matrix to;
  uint8_t *out;
  const uint8_t *source;
  int64_t row_bytes, format, chunk_blocks;
  const block_format *from; /* the file's; `to` has TQ2_0 for TQ1_0 */
} layout_call;

/* Bits of the codes of a word that lie in one stream, 8 where no word is to be turned. */
FB_INLINE int stream_bits(int word, const int64_t format) {
  if (format == FB_Q1_0) return 1;
  if (format == FB_Q2_0) return 2;
  return (format == FB_Q5_0 || format == FB_Q5_1) && word == 0 ? 1 : 8;
}

FB_INLINE vi turn_for(vi x, int word, const int64_t format) {
  switch (stream_bits(word, format)) {
    case 1: return turn_words(x, 1);
    case 2: return turn_words(x, 2);
    default: return x;
  }
}

/* Turns words of LANES rows, the first at `from`, the next `stride` bytes on. */
FB_INLINE void turn_block(uint8_t *out, const uint8_t *from, int64_t stride, const int64_t format) {
  const int words = format_of(format)->words;
  for (int w = 0; w < words; w += LANES) {
    const int count = words - w < LANES ? words - w : LANES;
    vf rows[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      const float *at = (const float *)(const void *)(from + lane * stride + 4 * w);
      rows[lane] = count == LANES ? vf_load(at) : vf_load_n(at, count);
    }
    vf_transpose(rows);
    for (int i = 0; i < count; i++) {
      float *to = (float *)(void *)(out + (w + i) * UNIT);
      vf_store(to, rows[i]);
      if (stream_bits(w + i, format) < 8) vi_store(to, turn_for(vi_load(to), w + i, format));
    }
  }
}

/* Codes of TQ2_0's words, which hold fields of 32 columns side by side. */
static void pack_fields(uint8_t *words, const uint8_t *codes) {
  for (int h = 0; h < 2; h++, words += 32, codes += 128) {
    for (int i = 0; i < 32; i++) {
      words[i] = (uint8_t)(codes[i] | codes[32 + i] << 2 | codes[64 + i] << 4 | codes[96 + i] << 6);
    }
  }
}

/* Words of a block of the rows of a row block that are there, the others zero, one row after the other. */
static int64_t gather_rows(const layout_call *call, uint8_t *words, const uint8_t *from, int64_t rows) {
  int64_t bytes = call->to.format->words * 4;
  memset(words, 0, (size_t)(bytes * LANES));
  for (int64_t lane = 0; lane < rows; lane++) {
    const uint8_t *row = from + lane * call->row_bytes;
    if (call->format == FB_TQ1_0) {
      uint8_t codes[BLOCK_COLUMNS_MOST];
      take_trits(codes, row);
      pack_fields(words + lane * bytes, codes);
    } else {
      memcpy(words + lane * bytes, row, (size_t)bytes);
    }
  }
  return bytes;
}

FB_INLINE void turn_blocks(const layout_call *call, int64_t row_block, const int64_t format) {
  const packed_matrix *to = &call->to;
  const block_format *from = call->from;
  uint8_t gathered[64 * 4 * LANES];
  uint8_t *out = call->out + row_block * to->row_block_bytes;
  int64_t rows = fb_min(LANES, to->rows - row_block * LANES);
  const uint8_t *source = call->source + row_block * LANES * call->row_bytes + from->first;
  for (int64_t b = 0; b < to->blocks; b++, out += to->format->words * UNIT, source += from->bytes) {
    if (rows == LANES && call->format == format) {
      turn_block(out, source, call->row_bytes, format);
    } else {
      int64_t stride = gather_rows(call, gathered, source, rows);
      turn_block(out, gathered, stride, format);
    }
  }
}

static void place_halves(const layout_call *call, int64_t row_block) {
  const packed_matrix *to = &call->to;
  const block_format *from = call->from;
  uint8_t *out = call->out + (row_block + 1) * to->row_block_bytes, *first = out;
  first -= fb_round_up(to->blocks * from->halves * LANES * 2, 64);
  int64_t rows = fb_min(LANES, to->rows - row_block * LANES);
  memset(first, 0, (size_t)(out - first));
  for (int64_t lane = 0; lane < rows; lane++) {
    const uint8_t *row = call->source + (row_block * LANES + lane) * call->row_bytes + from->half_at;
    for (int64_t b = 0; b < to->blocks; b++) {
      for (int h = 0; h < from->halves; h++) {
        memcpy(first + ((b * from->halves + h) * LANES + lane) * 2, row + b * from->bytes + 2 * h, 2);
      }
    }
  }
}

static FB_BODY(lay_out_row_blocks) {
  const layout_call *call = context;
  (void)thread;
  int64_t end = fb_min(call->to.row_blocks, (chunk + 1) * call->chunk_blocks);
  for (int64_t b = chunk * call->chunk_blocks; b < end; b++) {
    place_halves(call, b);
    switch (call->to.bits) {
#define CASE(format) case format: turn_blocks(call, b, format); break
      CASE(FB_Q4_0); CASE(FB_Q4_1); CASE(FB_Q5_0); CASE(FB_Q5_1); CASE(FB_Q8_0); CASE(FB_Q2_K); CASE(FB_Q3_K);
      CASE(FB_Q4_K); CASE(FB_Q5_K); CASE(FB_Q6_K); CASE(FB_TQ2_0); CASE(FB_Q1_0); CASE(FB_Q2_0);
#undef CASE
    }
  }
}

/* buffers: laid out bytes, the file's blocks; sizes: rows, columns, bytes of a row, format */
FB_OP(lay_out_blocks) {
  const int64_t *size = args->size;
  FB_REQUIRE(is_block_format(size[3]) && has_block_rows(size[3], size[1], size[2]));
  layout_call call = {.to = {.rows = size[0], .columns = size[1], .bits = size[3]}, .out = args->buffer[0],
                      .source = args->buffer[1], .row_bytes = size[2], .format = size[3],
                      .from = format_of(size[3])};
  FB_REQUIRE(args->bytes[1] == (size_t)(size[0] * size[2]));
  FB_REQUIRE(derive_matrix(&call.to) && args->bytes[0] == laid_out_code_bytes(&call.to));
  call.chunk_blocks = fb_max(1, CHUNK_BYTES / fb_max(1, call.to.row_block_bytes));
  fb_parallel(team, fb_ceil_div(call.to.row_blocks, call.chunk_blocks), lay_out_row_blocks, &call);
  return NULL;
}
