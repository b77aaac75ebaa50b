/* gram against loops in float64, added to what was there; exactly symmetric; with x rounded as well. */
#include <stdlib.h>

#include "check.h"

static void check_shape(fb_check *check, int64_t rows, int64_t n, int rounded) {
  float *x = random_floats(check, rows * n);
  double *gram = take((size_t)(n * n) * 8), *expected = take((size_t)(n * n) * 8);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) {
      gram[i * n + j] = expected[i * n + j] = (double)(i + j);
      for (int64_t t = 0; t < rows; t++) expected[i * n + j] += (double)x[t * n + i] * x[t * n + j];
    }
  }
  fb_args args = {.size = {rows, n, rounded}};
  set_buffer(&args, 0, gram, (size_t)(n * n) * 8);
  set_buffer(&args, 1, x, (size_t)(rows * n) * 4);
  call_op(check, "gram", &args);
  double unit = rounded ? 0x1p-7 : 3e-7; /* two roundings to bf16, of at most 2^-8 each */
  expect_doubles(check, rounded ? "gram, bf16" : "gram", gram, expected, n * n,
                 unit * (double)(rows + 1), 0);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) {
      if (gram[i * n + j] == gram[j * n + i]) continue;
      fail_check(check, "gram [%d, %d] is not symmetric", (int)rows, (int)n);
      i = n;
      break;
    }
  }
  free(x);
  free(gram);
  free(expected);
}

void check_gram(fb_check *check) {
  static const int64_t shapes[][2] = {{0, 5},  {1, 1},   {3, 17},   {5, 64},  {300, 33},
                                      {70, 90}, {600, 31}, {33, 257}, {20, 700}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    check_shape(check, shapes[i][0], shapes[i][1], 0);
    check_shape(check, shapes[i][0], shapes[i][1], 1);
  }
}
