/* scale_rows against a loop, in place. */
#include <stdlib.h>

#include "check.h"

static void check_shape(fb_check *check, int64_t rows, int64_t columns) {
  int64_t count = rows * columns;
  float *x = random_floats(check, count), *factors = random_floats(check, rows);
  double *expected = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) expected[i] = (double)(x[i] * factors[i / columns]);
  fb_args args = {.size = {rows, columns}};
  set_buffer(&args, 0, x, (size_t)count * 4);
  set_buffer(&args, 1, x, (size_t)count * 4);
  set_buffer(&args, 2, factors, (size_t)rows * 4);
  call_op(check, "scale_rows", &args);
  expect_floats(check, "x[t] *= factors[t]", x, expected, count, 0, 0);
  args.size[0] = rows + 1;
  call_refused(check, "scale_rows", &args);
  free(x);
  free(factors);
  free(expected);
}

void check_scale_rows(fb_check *check) {
  check_shape(check, 1, 1);
  check_shape(check, 5, 77);
  check_shape(check, 300, 64);
  check_shape(check, 3, 1003);
}
