/*
 * Weights and activations as signs (BNN, arXiv 1602.02830; XNOR-Net, arXiv 1603.05279), sign(0) = +1: means of magnitudes
 * of rows, rows of scale · sign(x) and their gradients, and rows of weights that are centred and clipped. Bound by
 * memory.
 */
#include "../include/vec.h"
#include "exp.h"
#include "row_means.h"
#include "rows.h"

typedef struct {
  float *out;
  const float *x, *scales;
  int64_t rows, columns;
} sign_call;

static FB_BODY(mean_rows) {
  const sign_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    call->out[row] = (float)row_mean(call->x + row * n, n, OF_MAGNITUDES);
  }
}

/* buffers: means, x; sizes: rows, columns */
FB_OP(row_magnitudes) {
  sign_call call = {args->buffer[0], args->buffer[1], NULL, args->size[0], args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)call.rows * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, row_chunks(call.rows, call.columns), mean_rows, &call);
  return NULL;
}

static FB_BODY(take_signs) {
  const sign_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    const float *x = call->x + row * n;
    float *out = call->out + row * n;
    vf scale = vf_set1(call->scales[row]), minus = vf_sub(vf_zero(), scale);
    for (int64_t i = 0; i < n; i += VF_WIDTH) {
      int count = (int)fb_min(VF_WIDTH, n - i);
      vf_store_n(out + i, vf_select_ge(vf_load_n(x + i, count), vf_zero(), scale, minus), count);
    }
  }
}

/* buffers: out, x, scales; sizes: rows, columns */
FB_OP(sign_rows) {
  sign_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->size[0], args->size[1]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.columns) * 4 && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(args->bytes[2] == (size_t)call.rows * 4);
  fb_parallel(team, row_chunks(call.rows, call.columns), take_signs, &call);
  return NULL;
}

typedef struct {
  float *d_x, *d_scales;
  const float *d_out, *x, *scales;
  int64_t rows, columns;
  int by_scale, relative;
  double bound, base;
} slope_call;

/* dX of a row; returns Σ dOut · sign(x). */
static double back_row(const slope_call *call, int64_t row) {
  int64_t n = call->columns;
  const float *x = call->x + row * n, *d_out = call->d_out + row * n;
  float *d_x = call->d_x + row * n;
  double width = call->relative ? sqrt(row_mean(x, n, OF_SQUARES)) : 1;
  double peak = call->by_scale ? (double)call->scales[row] : 1;
  vf bound = vf_set1((float)(call->bound * width));
  vf inside = vf_set1((float)(call->base + peak)), outside = vf_set1((float)call->base);
  double total = 0;
  for (int64_t i = 0; i < n;) {
    int64_t end = fb_min(n, i + 2048); /* float32 lanes hold as many */
    vf sum = vf_zero();
    for (; i < end; i += VF_WIDTH) {
      int count = (int)fb_min(VF_WIDTH, end - i);
      vf value = vf_load_n(x + i, count), upstream = vf_load_n(d_out + i, count);
      sum = vf_add(sum, vf_select_ge(value, vf_zero(), upstream, vf_sub(vf_zero(), upstream)));
      vf_store_n(d_x + i, vf_mul(upstream, vf_select_ge(bound, vf_abs(value), inside, outside)), count);
    }
    i = end;
    total += vf_sum(sum);
  }
  return total;
}

static FB_BODY(back_rows) {
  const slope_call *call = context;
  int64_t rows = rows_per_chunk(call->columns), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    double sum = back_row(call, row);
    if (call->d_scales) call->d_scales[row] = (float)sum;
  }
}

/*
 * buffers: dX, dScales or NULL, dOut, x, scales; sizes: rows, columns, whether the slope within is the scale, whether
 * the bound is relative; reals: bound, base. dX may be dOut.
 */
FB_OP(sign_rows_backward) {
  void *const *buffer = args->buffer;
  const int64_t *size = args->size;
  slope_call call = {buffer[0], buffer[1], buffer[2],    buffer[3],    buffer[4],     size[0],
                     size[1],   size[2] != 0, size[3] != 0, args->real[0], args->real[1]};
  size_t count = (size_t)(call.rows * call.columns) * 4, rows = (size_t)call.rows * 4;
  FB_REQUIRE(args->bytes[0] == count && args->bytes[2] == count && args->bytes[3] == count);
  FB_REQUIRE((!call.d_scales || args->bytes[1] == rows) && args->bytes[4] == rows);
  fb_parallel(team, row_chunks(call.rows, call.columns), back_rows, &call);
  return NULL;
}

typedef struct {
  float *weight;
  int64_t rows, columns, centres;
  float bound;
} limit_call;

static FB_BODY(limit_chunk) {
  const limit_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    float *w = call->weight + row * n;
    vf centre = vf_set1(call->centres ? (float)row_mean(w, n, OF_VALUES) : 0);
    vf high = vf_set1(call->bound), low = vf_set1(-call->bound);
    for (int64_t i = 0; i < n; i += VF_WIDTH) {
      int count = (int)fb_min(VF_WIDTH, n - i);
      vf value = vf_sub(vf_load_n(w + i, count), centre);
      vf_store_n(w + i, vf_min(high, vf_max(low, value)), count); /* in this order NaN passes */
    }
  }
}

/* buffers: weight; sizes: rows, columns, whether rows are centred; reals: bound */
FB_OP(limit_rows) {
  const int64_t *size = args->size;
  limit_call call = {args->buffer[0], size[0], size[1], size[2], (float)args->real[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.columns) * 4 && call.bound > 0);
  fb_parallel(team, row_chunks(call.rows, call.columns), limit_chunk, &call);
  return NULL;
}
