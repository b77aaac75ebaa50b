/*
 * Writes rows of float32 into a cache of int8 with one scale a row of the last dimension d:
 *   scale = max|x| / 127,  code = round to nearest even of x / scale, within ±127  (0 where the scale is 0)
 * A row with a NaN or an infinity gets a scale that is not finite, so that what is read from it is NaN.
 * Bound by memory.
 */
#include <string.h>

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "holds.h"
#include "rows.h"

typedef struct {
  int8_t *cache;
  float *scales;
  const float *rows;
  int64_t count, length, capacity, heads, d, position;
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

static void quantize_row(int8_t *out, float *scale, const float *x, int64_t n) {
  float s = largest_magnitude(x, n) / 127, block[VF_WIDTH];
  int finite = (fb_float_to_bits(s) & 0x7f800000u) != 0x7f800000u;
  *scale = s;
  if (s == 0 || !finite) {
    memset(out, 0, (size_t)n);
    return;
  }
  for (int64_t i = 0; i < n; i += VF_WIDTH) {
    int count = (int)fb_min(VF_WIDTH, n - i);
    vf code = vf_rne(vf_div(vf_load_n(x + i, count), vf_set1(s)));
    vf_store(block, vf_min(vf_set1(127), vf_max(vf_set1(-127), code))); /* a subnormal scale is coarse */
    for (int j = 0; j < count; j++) out[i + j] = (int8_t)block[j];
  }
}

static FB_BODY(quantize_chunk) {
  const quantize_call *call = context;
  int64_t width = call->heads * call->d, rows = rows_per_chunk(width);
  int64_t end = fb_min(call->count, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    int64_t at = row / call->length * call->capacity + call->position + row % call->length;
    for (int64_t h = 0; h < call->heads; h++) {
      const float *x = call->rows + row * width + h * call->d;
      quantize_row(call->cache + at * width + h * call->d, call->scales + at * call->heads + h, x, call->d);
    }
  }
}

/* buffers: cache (int8), scales, rows; sizes: batch, capacity, length, heads, d, position */
FB_OP(quantize_rows) {
  const int64_t *size = args->size;
  quantize_call call = {args->buffer[0], args->buffer[1], args->buffer[2], size[0] * size[2], size[2], size[1],
                        size[3], size[4], size[5]};
  FB_REQUIRE(call.position >= 0 && call.position + call.length <= call.capacity);
  FB_REQUIRE(holds(args->bytes[0], size[0] * call.capacity * call.heads, call.d));
  FB_REQUIRE(args->bytes[1] == (size_t)(size[0] * call.capacity * call.heads) * 4);
  FB_REQUIRE(holds(args->bytes[2], call.count * call.heads, call.d * 4));
  fb_parallel(team, row_chunks(call.count, call.heads * call.d), quantize_chunk, &call);
  return NULL;
}
