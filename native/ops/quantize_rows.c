/*
 * Writes rows of float32 into a cache with one scale a row of the last dimension d, of int8 (top = 127) or of
 * four bits (top = 7), two codes a byte as kv_layout.h has them:
 *   scale = max|x| / top,  code = round to nearest even of x / scale, within ±top  (0 where the scale is 0)
 * A row with a NaN or an infinity gets a scale that is not finite, so that what is read from it is NaN.
 * Bound by memory.
 */
#include <string.h>

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "holds.h"
#include "kv_layout.h"
#include "row_slots.h"
#include "rows.h"

typedef struct {
  char *cache;
  float *scales;
  const float *rows;
  const int32_t *slots; /* or NULL */
  int64_t count, length, capacity, heads, d, position, dtype;
} quantize_call;

/* The largest magnitude; as bits, in whose order infinity and NaN come last. */
static float largest_magnitude(const float *x, int64_t n) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits = fb_float_to_bits(x[i]) & 0x7fffffffu;
    largest = bits > largest ? bits : largest;
  }
  return fb_bits_to_float(largest);
}

/* Codes of VF_WIDTH values, those behind `count` 0; a subnormal scale is coarse. */
static void round_values(float *codes, const float *x, int count, float scale, float top) {
  vf code = vf_rne(vf_div(vf_load_n(x, count), vf_set1(scale)));
  vf_store(codes, vf_min(vf_set1(top), vf_max(vf_set1(-top), code)));
}

static void write_bytes(int8_t *out, const float *x, int64_t n, float scale) {
  float codes[VF_WIDTH];
  for (int64_t i = 0; i < n; i += VF_WIDTH) {
    int count = (int)fb_min(VF_WIDTH, n - i);
    round_values(codes, x + i, count, scale, 127);
    for (int j = 0; j < count; j++) out[i + j] = (int8_t)codes[j];
  }
}

static void write_nibbles(uint8_t *out, const float *x, int64_t n, float scale) {
  int64_t half = kv_row_bytes(FB_U8, n);
  float low[VF_WIDTH], high[VF_WIDTH];
  for (int64_t i = 0; i < half; i += VF_WIDTH) {
    int count = (int)fb_min(VF_WIDTH, half - i), above = (int)fb_min(VF_WIDTH, n - half - i);
    round_values(low, x + i, count, scale, 7);
    memset(high, 0, sizeof high);
    if (above > 0) round_values(high, x + half + i, above, scale, 7);
    for (int j = 0; j < count; j++) out[i + j] = (uint8_t)(((int)low[j] + 8) | ((int)high[j] + 8) << 4);
  }
}

static void quantize_row(void *out, float *scale, const float *x, int64_t n, int64_t dtype) {
  float s = largest_magnitude(x, n) / (dtype == FB_U8 ? 7 : 127);
  int finite = (fb_float_to_bits(s) & 0x7f800000u) != 0x7f800000u;
  *scale = s;
  if (s == 0 || !finite) memset(out, dtype == FB_U8 ? 0x88 : 0, (size_t)kv_row_bytes(dtype, n));
  else if (dtype == FB_U8) write_nibbles(out, x, n, s);
  else write_bytes(out, x, n, s);
}

static FB_BODY(quantize_chunk) {
  const quantize_call *call = context;
  int64_t width = call->heads * call->d, rows = rows_per_chunk(width), bytes = kv_row_bytes(call->dtype, call->d);
  int64_t end = fb_min(call->count, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    int64_t at = call->slots ? call->slots[row] : row / call->length * call->capacity + call->position + row % call->length;
    for (int64_t h = 0; h < call->heads; h++) {
      const float *x = call->rows + row * width + h * call->d;
      int64_t to = at * call->heads + h;
      quantize_row(call->cache + to * bytes, call->scales + to, x, call->d, call->dtype);
    }
  }
}

/* buffers: cache, scales, rows, slots of the rows or NULL; sizes: batch, capacity, length, heads, d, position, dtype of
 * the cache */
FB_OP(quantize_rows) {
  const int64_t *size = args->size;
  quantize_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->buffer[3], size[0] * size[2], size[2], size[1],
                        size[3], size[4], size[5], size[6]};
  FB_REQUIRE(call.position >= 0 && call.position + call.length <= call.capacity);
  FB_REQUIRE(!call.slots || (size[0] == 1 && are_slots(call.slots, args->bytes[3], call.length, call.capacity)));
  FB_REQUIRE(call.dtype == FB_I8 || call.dtype == FB_U8);
  FB_REQUIRE(holds(args->bytes[0], size[0] * call.capacity * call.heads, kv_row_bytes(call.dtype, call.d)));
  FB_REQUIRE(args->bytes[1] == (size_t)(size[0] * call.capacity * call.heads) * 4);
  FB_REQUIRE(holds(args->bytes[2], call.count * call.heads, call.d * 4));
  fb_parallel(team, row_chunks(call.count, call.heads * call.d), quantize_chunk, &call);
  return NULL;
}
