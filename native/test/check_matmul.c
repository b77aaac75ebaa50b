/* matmul against three loops in float64: all transpositions and types, odd shapes, alpha and beta. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "../ops/dtype.h"
#include "check.h"

typedef struct {
  int64_t m, n, k;
  int a_type, b_type, turn_a, turn_b, beta;
  double alpha;
} shape;

/* Rounds x to the type in place, and returns the stored elements. */
static void *store_as(float *x, int64_t n, int type) {
  if (type == FB_F32) {
    float *same = take((size_t)n * 4);
    memcpy(same, x, (size_t)n * 4);
    return same;
  }
  uint16_t *bits = take((size_t)n * 2);
  for (int64_t i = 0; i < n; i++) {
    bits[i] = type == FB_F16 ? fb_to_f16(x[i]) : fb_to_bf16(x[i]);
    x[i] = type == FB_F16 ? fb_from_f16(bits[i]) : fb_from_bf16(bits[i]);
  }
  return bits;
}

static void multiply_naively(double *c, const float *a, const float *b, const shape *s) {
  for (int64_t i = 0; i < s->m; i++) {
    for (int64_t j = 0; j < s->n; j++) {
      double sum = 0;
      for (int64_t p = 0; p < s->k; p++) {
        double left = a[s->turn_a ? p * s->m + i : i * s->k + p];
        sum += left * b[s->turn_b ? j * s->k + p : p * s->n + j];
      }
      c[i * s->n + j] = (s->beta ? c[i * s->n + j] : 0) + s->alpha * sum;
    }
  }
}

static void check_shape(fb_check *check, const shape *s) {
  float *a = random_floats(check, s->m * s->k), *b = random_floats(check, s->k * s->n);
  float *c = random_floats(check, s->m * s->n);
  double *expected = take((size_t)(s->m * s->n) * 8);
  for (int64_t i = 0; i < s->m * s->n; i++) expected[i] = c[i];
  void *a_stored = store_as(a, s->m * s->k, s->a_type);
  void *b_stored = store_as(b, s->k * s->n, s->b_type);
  multiply_naively(expected, a, b, s);
  fb_args args = {.size = {s->m, s->n, s->k, s->a_type, s->b_type, s->turn_a, s->turn_b, s->beta},
                  .real = {s->alpha}};
  set_buffer(&args, 0, c, (size_t)(s->m * s->n) * 4);
  set_buffer(&args, 1, a_stored, (size_t)(s->m * s->k) * fb_dtype_bytes(s->a_type));
  set_buffer(&args, 2, b_stored, (size_t)(s->k * s->n) * fb_dtype_bytes(s->b_type));
  call_op(check, "matmul", &args);
  char what[96];
  snprintf(what, sizeof what, "m %d n %d k %d types %d %d turned %d %d beta %d", (int)s->m, (int)s->n,
           (int)s->k, s->a_type, s->b_type, s->turn_a, s->turn_b, s->beta);
  expect_floats(check, what, c, expected, s->m * s->n, 1e-7 * (double)(s->k + 4), 1e-6);
  free(a);
  free(b);
  free(c);
  free(expected);
  free(a_stored);
  free(b_stored);
}

void check_matmul(fb_check *check) {
  static const int64_t sizes[][3] = {
      {0, 3, 2},   {3, 0, 2},   {5, 7, 0},    {1, 1, 1},     {1, 37, 65},  {2, 130, 33}, {7, 66, 100},
      {8, 64, 64}, {9, 17, 31}, {14, 32, 16}, {15, 33, 257}, {29, 65, 19}, {64, 48, 80}, {131, 97, 300},
  };
  static const int types[][2] = {{FB_F32, FB_F32}, {FB_F32, FB_F16}, {FB_F32, FB_BF16},
                                 {FB_BF16, FB_F32}, {FB_BF16, FB_F16}, {FB_BF16, FB_BF16}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
      for (int form = 0; form < 8; form++) {
        shape s = {sizes[i][0], sizes[i][1], sizes[i][2], types[t][0], types[t][1], form & 1,
                   form >> 1 & 1, form >> 2, form >> 2 ? -0.5 : 1};
        check_shape(check, &s);
      }
    }
  }
  shape large = {260, 530, 520, FB_F32, FB_F32, 0, 1, 0, 1};
  check_shape(check, &large);
}
