/* energies against a loop, added to what was there already. */
#include <stdlib.h>

#include "check.h"

static void check_shape(fb_check *check, int64_t rows, int64_t columns) {
  float *x = random_floats(check, rows * columns);
  double *sums = take((size_t)columns * 8), *expected = take((size_t)columns * 8);
  for (int64_t j = 0; j < columns; j++) {
    expected[j] = sums[j] = 1.5;
    for (int64_t t = 0; t < rows; t++) expected[j] += (double)x[t * columns + j] * x[t * columns + j];
  }
  fb_args args = {.size = {rows, columns}};
  set_buffer(&args, 0, sums, (size_t)columns * 8);
  set_buffer(&args, 1, x, (size_t)(rows * columns) * 4);
  call_op(check, "energies", &args);
  expect_doubles(check, "energies", sums, expected, columns, 0, 0);
  args.size[1] = columns + 1;
  call_refused(check, "energies", &args);
  free(x);
  free(sums);
  free(expected);
}

void check_energies(fb_check *check) {
  check_shape(check, 1, 1);
  check_shape(check, 0, 5);
  check_shape(check, 33, 64);
  check_shape(check, 7, 172);
}
