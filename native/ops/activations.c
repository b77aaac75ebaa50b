/*
 * 8-bit activations: rows of float32 rounded to codes with a fixed scale or one a row, widened again, and the
 * range of each row. Bound by memory.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "exp.h"

#define ROWS_PER_CHUNK 4
#define TOKEN_ZERO_POINT 128

typedef struct {
  uint8_t *codes;
  float *scales;
  const float *x;
  int64_t rows, columns, zero_point;
  float scale; /* 0: one a row */
} quantize_call;

static float magnitude_scale(const float *x, int64_t n) {
  vf largest = vf_zero();
  for (int64_t i = 0; i < n; i += VF_WIDTH) {
    largest = vf_max(vf_abs(vf_load_n(x + i, (int)fb_min(VF_WIDTH, n - i))), largest);
  }
  float scale = vf_max_of(largest) / 127;
  return scale > 0 ? scale : 1;
}

static FB_BODY(quantize_tokens) {
  const quantize_call *call = context;
  int64_t first = chunk * ROWS_PER_CHUNK, last = fb_min(call->rows, first + ROWS_PER_CHUNK);
  (void)thread;
  for (int64_t row = first; row < last; row++) {
    const float *x = call->x + row * call->columns;
    float s = call->scale > 0 ? call->scale : magnitude_scale(x, call->columns);
    vf scale = vf_set1(s), zero = vf_set1(call->scale > 0 ? (float)call->zero_point : TOKEN_ZERO_POINT);
    vf least = vf_set1(call->scale > 0 ? 0 : 1), most = vf_set1(255);
    call->scales[row] = s;
    for (int64_t i = 0; i < call->columns; i += VF_WIDTH) {
      int count = (int)fb_min(VF_WIDTH, call->columns - i);
      vf code = vf_add(vf_rne(vf_div(vf_load_n(x + i, count), scale)), zero);
      code = vf_min(most, vf_max(least, code));
      vf_store_u8_n(call->codes + row * call->columns + i, code, count);
    }
  }
}

/* buffers: codes, scales, x; sizes: rows, columns, zero point; reals: scale, 0 for one a row */
FB_OP(quantize_activations) {
  quantize_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0],
                        args->size[1],   args->size[2],   (float)args->real[0]};
  size_t count = (size_t)(call.rows * call.columns);
  FB_REQUIRE(args->bytes[0] == count && args->bytes[2] == count * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)call.rows * 4 && call.scale >= 0);
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), quantize_tokens, &call);
  return NULL;
}

typedef struct {
  float *out;
  const uint8_t *codes;
  const float *scales;
  int64_t rows, columns, zero_point;
} dequantize_call;

static FB_BODY(dequantize_tokens) {
  const dequantize_call *call = context;
  int64_t first = chunk * ROWS_PER_CHUNK, last = fb_min(call->rows, first + ROWS_PER_CHUNK);
  (void)thread;
  for (int64_t row = first; row < last; row++) {
    float *out = call->out + row * call->columns, scale = call->scales[row];
    const uint8_t *codes = call->codes + row * call->columns;
    int32_t zero = (int32_t)call->zero_point;
    for (int64_t i = 0; i < call->columns; i++) out[i] = scale * (float)(codes[i] - zero);
  }
}

/* buffers: out, codes, scales; sizes: rows, columns, zero point */
FB_OP(dequantize_activations) {
  dequantize_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                          args->size[0],   args->size[1],   args->size[2]};
  size_t count = (size_t)(call.rows * call.columns);
  FB_REQUIRE(args->bytes[0] == count * 4 && args->bytes[1] == count);
  FB_REQUIRE(args->bytes[2] == (size_t)call.rows * 4);
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), dequantize_tokens, &call);
  return NULL;
}

typedef struct {
  float *out;
  const float *x;
  int64_t rows, columns;
} range_call;

static FB_BODY(measure_rows) {
  const range_call *call = context;
  int64_t first = chunk * ROWS_PER_CHUNK, last = fb_min(call->rows, first + ROWS_PER_CHUNK);
  (void)thread;
  for (int64_t row = first; row < last; row++) {
    const float *x = call->x + row * call->columns;
    float low = x[0], high = x[0];
    for (int64_t i = 1; i < call->columns; i++) {
      low = x[i] < low ? x[i] : low;
      high = x[i] > high ? x[i] : high;
    }
    call->out[2 * row] = low;
    call->out[2 * row + 1] = high;
  }
}

/* buffers: out, x; sizes: rows, columns */
FB_OP(row_ranges) {
  range_call call = {args->buffer[0], args->buffer[1], args->size[0], args->size[1]};
  FB_REQUIRE(call.columns > 0 && args->bytes[0] == (size_t)call.rows * 8);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, fb_ceil_div(call.rows, ROWS_PER_CHUNK), measure_rows, &call);
  return NULL;
}
