/*
 * The most float32 multiply-adds that this level can do on one thread: twelve independent chains that
 * stay in registers. A yardstick for benchmarks. Writes the number of floating-point operations.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"

#define CHAINS 12

/* buffers: flops (one f64), sink (CHAINS * VF_WIDTH f32 at most 192); sizes: rounds */
FB_OP(fma_peak) {
  (void)team;
  FB_REQUIRE(args->bytes[0] == 8 && args->bytes[1] >= CHAINS * VF_WIDTH * sizeof(float));
  vf acc[CHAINS], x = vf_set1(0.999f), y = vf_set1(1e-3f);
  for (int i = 0; i < CHAINS; i++) acc[i] = vf_set1((float)i);
  for (int64_t round = 0; round < args->size[0]; round++) {
    for (int i = 0; i < CHAINS; i++) acc[i] = vf_fma(acc[i], x, y);
  }
  float *sink = args->buffer[1];
  for (int i = 0; i < CHAINS; i++) vf_store(sink + i * VF_WIDTH, acc[i]);
  *(double *)args->buffer[0] = 2.0 * CHAINS * VF_WIDTH * (double)args->size[0];
  return NULL;
}
