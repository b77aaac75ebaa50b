/*
 * Converts between float64, float32, float16 and bfloat16, rounding once to the nearest, ties to even.
 * Bound by memory. A float64 goes to 16 bits by way of a float32 rounded to odd, which keeps what the
 * second rounding needs to know.
 */
#include <math.h>
#include <string.h>

#include "../include/fewbit.h"
#include "narrow.h"
#include "widen.h"

#define CHUNK 16384
#define BLOCK 512

typedef struct {
  char *out;
  const char *x;
  int64_t to, from, count;
} cast_call;

/* Rounds to the float32 neighbour with an odd last bit, unless x is one. */
static float round_to_odd(double x) {
  float nearest = (float)x;
  uint32_t bits = fb_float_to_bits(nearest);
  if (nearest == x || isnan(x) || (bits & 1)) return nearest;
  return fb_bits_to_float(fabs((double)nearest) > fabs(x) ? bits - 1 : bits + 1);
}

static void to_float32(float *out, const char *x, int64_t from, int64_t to, int64_t n) {
  if (from != FB_F64) {
    widen_floats(out, x, from, n);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    double value;
    memcpy(&value, x + i * 8, 8);
    out[i] = to == FB_F32 ? (float)value : round_to_odd(value);
  }
}

static void from_float32(char *out, const float *x, int64_t to, int64_t n) {
  double wide[BLOCK];
  if (to == FB_F32) {
    memcpy(out, x, (size_t)n * 4);
  } else if (to == FB_F64) {
    for (int64_t i = 0; i < n; i++) wide[i] = x[i];
    memcpy(out, wide, (size_t)n * 8);
  } else {
    narrow_floats((uint16_t *)(void *)out, x, to, n);
  }
}

static FB_BODY(cast_chunk) {
  const cast_call *call = context;
  int64_t in = (int64_t)fb_dtype_bytes(call->from), out = (int64_t)fb_dtype_bytes(call->to);
  int64_t end = fb_min(call->count, (chunk + 1) * CHUNK);
  float block[BLOCK];
  (void)thread;
  for (int64_t i = chunk * CHUNK; i < end; i += BLOCK) {
    int64_t n = fb_min(BLOCK, end - i);
    const float *floats = (const float *)(const void *)(call->x + i * in);
    if (call->from != FB_F32 || (uintptr_t)floats % sizeof *floats) {
      to_float32(block, call->x + i * in, call->from, call->to, n);
      floats = block;
    }
    from_float32(call->out + i * out, floats, call->to, n);
  }
}

/* buffers: out, x; sizes: elements, dtype of out, dtype of x */
FB_OP(cast) {
  cast_call call = {args->buffer[0], args->buffer[1], args->size[1], args->size[2], args->size[0]};
  FB_REQUIRE(fb_dtype_bytes(call.to) && fb_dtype_bytes(call.from));
  FB_REQUIRE(args->bytes[0] == (size_t)call.count * fb_dtype_bytes(call.to));
  FB_REQUIRE(args->bytes[1] == (size_t)call.count * fb_dtype_bytes(call.from));
  if (call.from == call.to) {
    if (args->bytes[0]) memmove(call.out, call.x, args->bytes[0]);
    return NULL;
  }
  fb_parallel(team, fb_ceil_div(call.count, CHUNK), cast_chunk, &call);
  return NULL;
}
