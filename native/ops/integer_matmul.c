/*
 * out [tokens, rows] = x [tokens, width] u8 · wᵀ, w [rows, width] s8, with sums in int32, plus an offset a row; then
 * requantized to 8 bits by a factor a row in fixed point, scaled to float32, or, with a bias, made int32 by a factor
 * a row and perhaps one a token ("wide"). Integer arithmetic is
 * exact: every level and number of threads gives the same bytes. Few tokens are bound by reading w, many by
 * the dot products.
 *
 * Tiles of 4 tokens x 4 rows; a chunk is ROWS_PER_CHUNK rows for all tokens, so that its weights stay in L2.
 */
#include <string.h>

#include "../include/vec.h"
#include "fixed_point.h"
#include "integer_dot.h"

#define ROWS_PER_CHUNK 16
#define LARGEST_WIDTH 65536 /* 65536 · 255 · 128 < 2^31 */

typedef void (*dot_tile)(int32_t *sums, const dot_operands *of);

typedef struct {
  void *out; /* uint8_t, float or int32_t */
  const uint8_t *x;
  const int8_t *w;
  const int32_t *offsets;
  const int32_t *multipliers, *shifts;     /* requantize and wide, or NULL */
  const float *row_scales, *token_scales; /* scale, or NULL */
  const int32_t *bias, *factors;           /* wide, or NULL; factors may be NULL: a multiplier and a shift a token */
  int64_t tokens, rows, width;
  int32_t zero_point;
  dot_tile dot;
} integer_call;

#if defined(__AVX2__)
static int32_t dot_row(const uint8_t *x, const int8_t *w, int64_t width) {
  __m256i sum = _mm256_setzero_si256();
  int64_t k = 0;
  for (; k + 16 <= width; k += 16) {
    __m256i token = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + k)));
    __m256i weight = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + k)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(token, weight));
  }
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  int32_t total = _mm_cvtsi128_si32(half);
  for (; k < width; k++) total += x[k] * w[k];
  return total;
}
#elif defined(__aarch64__) && !defined(FB_PORTABLE)
static int32_t dot_row(const uint8_t *x, const int8_t *w, int64_t width) {
  int32x4_t sum = vdupq_n_s32(0);
  int64_t k = 0;
  for (; k + 8 <= width; k += 8) {
    int16x8_t token = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(x + k))), weight = vmovl_s8(vld1_s8(w + k));
    sum = vmlal_s16(sum, vget_low_s16(token), vget_low_s16(weight));
    sum = vmlal_s16(sum, vget_high_s16(token), vget_high_s16(weight));
  }
  int32_t total = vaddvq_s32(sum);
  for (; k < width; k++) total += x[k] * w[k];
  return total;
}
#else
static int32_t dot_row(const uint8_t *x, const int8_t *w, int64_t width) {
  int32_t total = 0;
  for (int64_t k = 0; k < width; k++) total += x[k] * w[k];
  return total;
}
#endif

static void dot_plain(int32_t *sums, const dot_operands *of) {
  for (int64_t t = 0; t < of->tokens; t++) {
    for (int64_t r = 0; r < of->rows; r++) {
      sums[t * DOT_ROWS + r] = dot_row(of->x + t * of->width, of->w + r * of->width, of->width);
    }
  }
}

static void write_sum(const integer_call *call, int64_t token, int64_t row, int32_t sum) {
  int32_t total = saturate_int32((int64_t)sum + call->offsets[row]);
  int64_t at = token * call->rows + row;
  if (call->row_scales) {
    float scale = call->row_scales[row] * call->token_scales[token];
    ((float *)call->out)[at] = (float)total * scale;
    return;
  }
  fixed_factor factor = {call->multipliers[row], call->shifts[row]};
  if (call->bias) {
    const int32_t *own = call->factors ? call->factors + 2 * token : NULL;
    if (own) factor = multiply_factors((fixed_factor){own[0], own[1]}, factor);
    int64_t wide = multiply_fixed_point(total, factor.multiplier, factor.shift);
    ((int32_t *)call->out)[at] = saturate_int32(wide + call->bias[row]);
    return;
  }
  int64_t code = call->zero_point;
  code += multiply_fixed_point(total, factor.multiplier, factor.shift);
  ((uint8_t *)call->out)[at] = (uint8_t)(code < 0 ? 0 : code > 255 ? 255 : code);
}

static FB_BODY(multiply_rows) {
  const integer_call *call = context;
  int64_t first = chunk * ROWS_PER_CHUNK, last = fb_min(call->rows, first + ROWS_PER_CHUNK);
  int32_t sums[DOT_TOKENS * DOT_ROWS];
  (void)thread;
  for (int64_t token = 0; token < call->tokens; token += DOT_TOKENS) {
    for (int64_t row = first; row < last; row += DOT_ROWS) {
      dot_operands of = {call->x + token * call->width, call->w + row * call->width,
                         fb_min(DOT_TOKENS, call->tokens - token), fb_min(DOT_ROWS, last - row), call->width};
      call->dot(sums, &of);
      for (int64_t t = 0; t < of.tokens; t++) {
        for (int64_t r = 0; r < of.rows; r++) {
          write_sum(call, token + t, row + r, sums[t * DOT_ROWS + r]);
        }
      }
    }
  }
}

static dot_tile choose_dot(const fb_team *team) {
#if defined(__AVX512BW__)
  if (fb_features(team) & FB_HAS_AVX512_VNNI) return FB_NAME(fb_integer_dot_vnni);
#endif
  (void)team;
  return dot_plain;
}

/* buffers: out, x, w, offsets, multipliers, shifts, row scales, token scales (the first two or the last two
 * of these NULL), bias (NULL unless wide), factors (may be NULL); sizes: tokens, rows, width, zero point */
FB_OP(integer_matmul) {
  const int64_t *size = args->size;
  void *const *buffer = args->buffer;
  integer_call call = {buffer[0], buffer[1], buffer[2], buffer[3], buffer[4],        buffer[5],
                       buffer[6], buffer[7], buffer[8], buffer[9], size[0], size[1],
                       size[2], (int32_t)size[3], choose_dot(team)};
  size_t rows = (size_t)call.rows, tokens = (size_t)call.tokens;
  FB_REQUIRE(call.width <= LARGEST_WIDTH);
  FB_REQUIRE(args->bytes[0] == tokens * rows * (call.row_scales || call.bias ? 4 : 1));
  FB_REQUIRE(!call.bias || (args->bytes[8] == rows * 4 && call.multipliers));
  FB_REQUIRE(!call.factors || (args->bytes[9] == tokens * 8 && call.bias));
  FB_REQUIRE(args->bytes[1] == tokens * (size_t)call.width && args->bytes[2] == rows * (size_t)call.width);
  FB_REQUIRE(args->bytes[3] == rows * 4 && (!call.row_scales) != (!call.multipliers));
  FB_REQUIRE(!call.multipliers || (args->bytes[4] == rows * 4 && args->bytes[5] == rows * 4));
  FB_REQUIRE(!call.row_scales || (args->bytes[6] == rows * 4 && args->bytes[7] == tokens * 4));
  if (tokens == 0) return NULL;
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), multiply_rows, &call);
  return NULL;
}
