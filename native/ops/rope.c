/*
 * Rotates the halves of each head by the angle of its position:
 *   out[i] = x[i]·cos - x[i + h]·sin,  out[i + h] = x[i + h]·cos + x[i]·sin,  h = headDim/2
 * with the row `start + t` of the tables. Bound by memory. out may be x.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"
#include "rows.h"

typedef struct {
  float *out;
  const float *x, *cosines, *sines;
  int64_t rows, length, heads, half, start;
} rope_call;

static void rotate_head(float *out, const float *x, const float *cosines, const float *sines,
                        int64_t half) {
  int64_t i = 0;
  for (; i + VF_WIDTH <= half; i += VF_WIDTH) {
    vf a = vf_load(x + i), b = vf_load(x + half + i), c = vf_load(cosines + i), s = vf_load(sines + i);
    vf_store(out + i, vf_sub(vf_mul(a, c), vf_mul(b, s)));
    vf_store(out + half + i, vf_add(vf_mul(b, c), vf_mul(a, s)));
  }
  for (; i < half; i++) {
    float a = x[i], b = x[half + i];
    out[i] = a * cosines[i] - b * sines[i];
    out[half + i] = b * cosines[i] + a * sines[i];
  }
}

static FB_BODY(rope_chunk) {
  const rope_call *call = context;
  int64_t half = call->half, width = call->heads * half * 2, rows = rows_per_chunk(width);
  int64_t end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    int64_t angle = (call->start + row % call->length) * half;
    for (int64_t head = 0; head < call->heads; head++) {
      int64_t at = row * width + head * half * 2;
      rotate_head(call->out + at, call->x + at, call->cosines + angle, call->sines + angle, half);
    }
  }
}

/* buffers: out, x, cos, sin; sizes: batch, length, heads, half of headDim, start */
FB_OP(rope) {
  int64_t batch = args->size[0];
  rope_call call = {args->buffer[0], args->buffer[1], args->buffer[2],          args->buffer[3],
                    batch * args->size[1], args->size[1], args->size[2], args->size[3], args->size[4]};
  size_t table_end = (size_t)((call.start + call.length) * call.half) * 4;
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.heads * call.half * 2) * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(call.start >= 0 && args->bytes[2] >= table_end && args->bytes[3] >= table_end);
  fb_parallel(team, row_chunks(call.rows, call.heads * call.half * 2), rope_chunk, &call);
  return NULL;
}
