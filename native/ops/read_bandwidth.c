/* Adds up a buffer, as fast as memory gives it: the yardstick for ops that are bound by memory. */
#include "../include/fewbit.h"
#include "../include/vec.h"

#define CHUNK (1 << 18)
#define STREAMS 4

typedef struct {
  const float *x;
  float *sums;
} read_call;

static FB_BODY(read_chunk) {
  const read_call *call = context;
  const float *x = call->x + chunk * CHUNK;
  vf sum[STREAMS];
  (void)thread;
  for (int s = 0; s < STREAMS; s++) sum[s] = vf_zero();
  for (int64_t i = 0; i < CHUNK; i += STREAMS * VF_WIDTH) {
    for (int s = 0; s < STREAMS; s++) sum[s] = vf_add(sum[s], vf_load(x + i + s * VF_WIDTH));
  }
  call->sums[chunk] = vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
}

/* buffers: sums (one f32 a chunk of 1 MiB), x (f32, whole chunks) */
FB_OP(read_bandwidth) {
  int64_t chunks = (int64_t)(args->bytes[0] / 4);
  FB_REQUIRE(args->bytes[1] == (size_t)chunks * CHUNK * 4);
  read_call call = {args->buffer[1], args->buffer[0]};
  fb_parallel(team, chunks, read_chunk, &call);
  return NULL;
}
