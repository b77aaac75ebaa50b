/* attention_backward and rope_backward against their formulas, at shapes around the sizes of strips. */
#include <math.h>
#include <stdlib.h>

#include "check.h"

typedef struct {
  int64_t batch, length, heads, kv_heads, head_dim, window, soft_cap; /* soft_cap in tenths; 0: none */
} attention_shape;

typedef struct {
  const float *d_out, *q, *k, *v;
  double *dq, *dk, *dv;
} attention_arrays;

static double dot(const float *a, const float *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}

static void back_query(const attention_shape *s, const attention_arrays *x, double scale, int64_t row, int64_t head) {
  int64_t n = s->head_dim, t = row % s->length, at = (row * s->heads + head) * n;
  int64_t first = s->window ? fb_max(0, t + 1 - s->window) : 0, stride = s->kv_heads * n;
  int64_t keys = (row - t) * stride + head / (s->heads / s->kv_heads) * n;
  double *p = take((size_t)(t + 1) * 8), *dp = take((size_t)(t + 1) * 8), top = -INFINITY, sum = 0, mean = 0;
  double *bend = take((size_t)(t + 1) * 8), cap = (double)s->soft_cap / 10;
  for (int64_t j = first; j <= t; j++) {
    p[j] = scale * dot(x->q + at, x->k + keys + j * stride, n);
    bend[j] = cap > 0 ? 1 - pow(tanh(p[j] / cap), 2) : 1;
    if (cap > 0) p[j] = cap * tanh(p[j] / cap);
    top = fmax(top, p[j]);
  }
  for (int64_t j = first; j <= t; j++) sum += p[j] = exp(p[j] - top);
  for (int64_t j = first; j <= t; j++) {
    dp[j] = dot(x->d_out + at, x->v + keys + j * stride, n);
    mean += (p[j] /= sum) * dp[j];
  }
  for (int64_t i = 0; i < n; i++) x->dq[at + i] = 0;
  for (int64_t j = first; j <= t; j++) {
    int64_t key = keys + j * stride;
    double slope = scale * p[j] * (dp[j] - mean) * bend[j];
    for (int64_t i = 0; i < n; i++) {
      x->dq[at + i] += slope * x->k[key + i];
      x->dk[key + i] += slope * x->q[at + i];
      x->dv[key + i] += p[j] * x->d_out[at + i];
    }
  }
  free(p);
  free(dp);
  free(bend);
}

static void check_shape(fb_check *check, attention_shape s) {
  int64_t queries = s.batch * s.length * s.heads * s.head_dim, keys = s.batch * s.length * s.kv_heads * s.head_dim;
  float *inputs[4], *outputs[3], scale = 2 / sqrtf((float)s.head_dim);
  double *expected[3];
  for (int i = 0; i < 4; i++) inputs[i] = random_floats(check, i < 2 ? queries : keys);
  for (int i = 0; i < 3; i++) outputs[i] = random_floats(check, i < 1 ? queries : keys);
  for (int i = 0; i < 3; i++) expected[i] = take((size_t)(i < 1 ? queries : keys) * 8);
  for (int64_t i = 0; i < keys; i++) expected[1][i] = expected[2][i] = 0;
  attention_arrays x = {inputs[0], inputs[1], inputs[2], inputs[3], expected[0], expected[1], expected[2]};
  for (int64_t row = 0; row < s.batch * s.length; row++) {
    for (int64_t head = 0; head < s.heads; head++) back_query(&s, &x, scale, row, head);
  }
  fb_args args = {.size = {s.batch, s.length, s.heads, s.kv_heads, s.head_dim, s.window}, .real = {scale, (double)s.soft_cap / 10}};
  for (int i = 0; i < 3; i++) set_buffer(&args, i, outputs[i], (size_t)(i < 1 ? queries : keys) * 4);
  for (int i = 0; i < 4; i++) set_buffer(&args, i + 3, inputs[i], (size_t)(i < 2 ? queries : keys) * 4);
  call_op(check, "attention_backward", &args);
  expect_floats(check, "attention_backward by q", outputs[0], expected[0], queries, 4e-6, 2e-6);
  expect_floats(check, "attention_backward by k", outputs[1], expected[1], keys, 8e-6, 2e-6);
  expect_floats(check, "attention_backward by v", outputs[2], expected[2], keys, 8e-6, 2e-6);
  args.size[1]++;
  call_refused(check, "attention_backward", &args);
  for (int i = 0; i < 4; i++) free(inputs[i]);
  for (int i = 0; i < 3; i++) free(outputs[i]);
  for (int i = 0; i < 3; i++) free(expected[i]);
}

/* Turning forward and back again leaves vectors as long as cos² + sin² says. */
static void check_rope(fb_check *check, int64_t rows, int64_t heads, int64_t half, int64_t start) {
  int64_t count = rows * heads * half * 2, table = (start + rows) * half;
  float *x = random_floats(check, count), *cosines = random_floats(check, table);
  float *sines = random_floats(check, table);
  double *expected = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) {
    int64_t angle = (start + i / (half * 2) / heads) * half + i % half;
    expected[i] = x[i] * ((double)cosines[angle] * cosines[angle] + (double)sines[angle] * sines[angle]);
  }
  fb_args args = {.size = {1, rows, heads, half, start}};
  set_buffer(&args, 0, x, (size_t)count * 4);
  set_buffer(&args, 1, x, (size_t)count * 4);
  set_buffer(&args, 2, cosines, (size_t)table * 4);
  set_buffer(&args, 3, sines, (size_t)table * 4);
  call_op(check, "rope", &args);
  call_op(check, "rope_backward", &args);
  expect_floats(check, "rope_backward after rope", x, expected, count, 1e-6, 0);
  args.size[4] = start + 1;
  call_refused(check, "rope_backward", &args);
  free(x);
  free(cosines);
  free(sines);
  free(expected);
}

void check_attention_backward(fb_check *check) {
  static const attention_shape shapes[] = {
      {1, 1, 1, 1, 1, 0, 0},   {2, 9, 4, 2, 8, 0, 0},  {1, 70, 6, 2, 20, 0, 0},  {2, 61, 3, 3, 33, 17, 0},
      {1, 49, 2, 1, 64, 1, 0}, {1, 90, 8, 1, 16, 0, 0}, {1, 33, 5, 1, 130, 9, 0}, {1, 5, 64, 1, 4, 2, 0},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(check, shapes[i]);
  check_rope(check, 1, 1, 1, 0);
  check_rope(check, 5, 3, 19, 4);
  check_rope(check, 40, 8, 32, 0);
}
