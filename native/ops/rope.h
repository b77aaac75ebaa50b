/* Rotation of the halves of each head by the angle of its position, forward (turn 1) or back (turn -1). */
#ifndef FEWBIT_ROPE_H
#define FEWBIT_ROPE_H

#include "../include/fewbit.h"
#include "../include/vec.h"
#include "holds.h"
#include "rows.h"

typedef struct {
  float *out;
  const float *x, *cosines, *sines;
  int64_t rows, length, heads, half, start;
  float turn;
} rope_call;

static inline void rotate_head(float *out, const float *x, const float *cosines, const float *sines,
                               int64_t half, float turn) {
  int64_t i = 0;
  for (; i + VF_WIDTH <= half; i += VF_WIDTH) {
    vf a = vf_load(x + i), b = vf_load(x + half + i), c = vf_load(cosines + i);
    vf s = vf_mul(vf_set1(turn), vf_load(sines + i));
    vf_store(out + i, vf_sub(vf_mul(a, c), vf_mul(b, s)));
    vf_store(out + half + i, vf_add(vf_mul(b, c), vf_mul(a, s)));
  }
  for (; i < half; i++) {
    float a = x[i], b = x[half + i], s = turn * sines[i];
    out[i] = a * cosines[i] - b * s;
    out[half + i] = b * cosines[i] + a * s;
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
      rotate_head(call->out + at, call->x + at, call->cosines + angle, call->sines + angle, half,
                  call->turn);
    }
  }
}

/* buffers: out, x, cos, sin; sizes: batch, length, heads, half of headDim, start */
static inline const char *rotate(const fb_args *args, fb_team *team, float turn) {
  const int64_t *size = args->size;
  rope_call call = {args->buffer[0],   args->buffer[1], args->buffer[2], args->buffer[3], size[0] * size[1],
                    size[1], size[2],  size[3],         size[4],         turn};
  size_t table_end = (size_t)((call.start + call.length) * call.half) * 4;
  FB_REQUIRE(holds(args->bytes[0], call.rows * call.heads, call.half * 8));
  FB_REQUIRE(args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(call.start >= 0 && args->bytes[2] >= table_end && args->bytes[3] >= table_end);
  fb_parallel(team, row_chunks(call.rows, call.heads * call.half * 2), rope_chunk, &call);
  return NULL;
}

#endif
