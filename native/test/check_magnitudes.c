/* magnitudes against a loop, added to what was there already. */
#include <math.h>
#include <stdlib.h>

#include "check.h"

static void check_shape(fb_check *check, int64_t rows, int64_t columns) {
  float *x = random_floats(check, rows * columns);
  float *peaks = random_floats(check, columns);
  double *sums = take((size_t)columns * 8);
  double *expected = take((size_t)columns * 8), *largest = take((size_t)columns * 8);
  for (int64_t j = 0; j < columns; j++) {
    peaks[j] = fabsf(peaks[j]) / 4;
    expected[j] = sums[j] = 1.5;
    largest[j] = peaks[j];
    for (int64_t t = 0; t < rows; t++) {
      double magnitude = fabs((double)x[t * columns + j]);
      expected[j] += magnitude;
      if (magnitude > largest[j]) largest[j] = magnitude;
    }
  }
  fb_args args = {.size = {rows, columns}};
  set_buffer(&args, 0, sums, (size_t)columns * 8);
  set_buffer(&args, 1, peaks, (size_t)columns * 4);
  set_buffer(&args, 2, x, (size_t)(rows * columns) * 4);
  call_op(check, "magnitudes", &args);
  expect_floats(check, "magnitudes: peaks", peaks, largest, columns, 0, 0);
  expect_doubles(check, "magnitudes: sums", sums, expected, columns, 0, 0);
  args.size[1] = columns + 1;
  call_refused(check, "magnitudes", &args);
  free(x);
  free(peaks);
  free(sums);
  free(expected);
  free(largest);
}

void check_magnitudes(fb_check *check) {
  check_shape(check, 1, 1);
  check_shape(check, 0, 5);
  check_shape(check, 33, 64);
  check_shape(check, 7, 172);
}
