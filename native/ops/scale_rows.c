/*
 * out[t, d] = x[t, d] · factors[t]. All float32; out may be x. Bound by memory: a read and a write an element.
 */
#include "../include/fewbit.h"
#include "../include/vec.h"

typedef struct {
  float *out;
  const float *x, *factors;
  int64_t columns;
} scale_rows_call;

static FB_BODY(scale_row) {
  const scale_rows_call *call = context;
  const float *x = call->x + chunk * call->columns;
  float *out = call->out + chunk * call->columns, factor = call->factors[chunk];
  vf factors = vf_set1(factor);
  int64_t i = 0;
  (void)thread;
  for (; i + VF_WIDTH <= call->columns; i += VF_WIDTH) vf_store(out + i, vf_mul(vf_load(x + i), factors));
  for (; i < call->columns; i++) out[i] = x[i] * factor;
}

/* buffers: out, x, factors; sizes: rows, columns */
FB_OP(scale_rows) {
  int64_t rows = args->size[0];
  scale_rows_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)(rows * call.columns) * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)rows * 4);
  fb_parallel(team, rows, scale_row, &call);
  return NULL;
}
