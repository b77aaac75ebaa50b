/* multiply against a loop, with a row and with a whole matrix as b, in place as well. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void check_shape(fb_check *check, int64_t count, int64_t period) {
  float *a = random_floats(check, count), *b = random_floats(check, period);
  double *expected = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) expected[i] = (double)(a[i] * b[i % period]);
  fb_args args = {.size = {count, period}};
  set_buffer(&args, 0, a, (size_t)count * 4);
  set_buffer(&args, 1, a, (size_t)count * 4);
  set_buffer(&args, 2, b, (size_t)period * 4);
  call_op(check, "multiply", &args);
  expect_floats(check, "a *= b", a, expected, count, 0, 0);
  args.size[1] = period + 1;
  call_refused(check, "multiply", &args);
  free(a);
  free(b);
  free(expected);
}

void check_multiply(fb_check *check) {
  check_shape(check, 1, 1);
  check_shape(check, 3 * 77, 77);
  check_shape(check, 40000, 40000);
  check_shape(check, 41 * 1003, 1003);
}
