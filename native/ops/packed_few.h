/* The product of a packed weight with up to FEW tokens; included by packed_matmul.c. */

#define FEW_ROWS 8

/* sums[t] += weights · x[t], with x[t] at x + t * stride. */
static inline __attribute__((always_inline)) void add_dots(vf *sums, const float *weights, const float *x,
                                                           int64_t stride, int64_t count, const int tokens) {
  vf sum[FEW];
  for (int t = 0; t < tokens; t++) sum[t] = sums[t];
  int64_t i = 0;
  for (; i + VF_WIDTH <= count; i += VF_WIDTH) {
    vf w = vf_load(weights + i);
#pragma GCC unroll 8
    for (int t = 0; t < tokens; t++) sum[t] = vf_fma(sum[t], w, vf_load(x + t * stride + i));
  }
  if (i < count) {
    int rest = (int)(count - i);
    vf w = vf_load_n(weights + i, rest);
    for (int t = 0; t < tokens; t++) sum[t] = vf_fma(sum[t], w, vf_load_n(x + t * stride + i, rest));
  }
  for (int t = 0; t < tokens; t++) sums[t] = sum[t];
}

static void add_dots_of(int64_t tokens, vf *sums, const float *weights, const float *x, int64_t stride,
                        int64_t count) {
  switch (tokens) {
    case 1: add_dots(sums, weights, x, stride, count, 1); break;
    case 2: add_dots(sums, weights, x, stride, count, 2); break;
    case 3: add_dots(sums, weights, x, stride, count, 3); break;
    case 4: add_dots(sums, weights, x, stride, count, 4); break;
    case 5: add_dots(sums, weights, x, stride, count, 5); break;
    case 6: add_dots(sums, weights, x, stride, count, 6); break;
    case 7: add_dots(sums, weights, x, stride, count, 7); break;
    default: add_dots(sums, weights, x, stride, count, 8); break;
  }
}

static FB_BODY(multiply_few) {
  const packed_call *call = context;
  const packed_weight *w = &call->weight;
  float weights[DECODE_COLUMNS];
  uint8_t codes[DECODE_CODES] = {0};
  (void)thread;
  for (int64_t row = chunk * FEW_ROWS; row < fb_min(w->rows, (chunk + 1) * FEW_ROWS); row++) {
    vf sums[FEW];
    for (int64_t t = 0; t < call->tokens; t++) sums[t] = vf_zero();
    for (int64_t column = 0; column < w->columns; column += DECODE_COLUMNS) {
      int64_t count = fb_min(DECODE_COLUMNS, w->columns - column);
      decode_row(weights, w, row, column, count, codes);
      add_dots_of(call->tokens, sums, weights, call->x + column, w->columns, count);
    }
    for (int64_t t = 0; t < call->tokens; t++) call->out[t * w->rows + row] = vf_sum(sums[t]);
  }
}
