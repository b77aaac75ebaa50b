/* refine_zeros against its formula in float64. */
#include <math.h>
#include <stdlib.h>

#include "check.h"

typedef struct {
  int64_t rows, columns, group_size;
  int levels;
  double norm, beta, spread;
} shape;

/* One group in float64; a weight at a rounding border makes the group worthless: returns 0. */
static int refine(const shape *s, const float *w, int64_t n, double scale, double *zero, double *error) {
  double sum = 0, offset = 0;
  for (int64_t i = 0; i < n; i++) {
    double steps = w[i] / scale + *zero;
    if (fabs(steps - floor(steps) - 0.5) < 1e-4) return 0;
    double code = fmin(fmax(nearbyint(steps), 0), s->levels - 1), d = w[i] - scale * (code - *zero);
    sum += fabs(d);
    if (d != 0) offset += copysign(fmin(fabs(d), pow(fabs(d), s->norm - 1) / s->beta), d);
  }
  *zero -= offset / (double)n / scale;
  *error = sum / (double)n;
  return 1;
}

static void check_shape(fb_check *check, const shape *s) {
  int64_t groups = fb_ceil_div(s->columns, s->group_size), count = s->rows * groups;
  float *weight = random_floats(check, s->rows * s->columns), *scales = random_floats(check, count);
  float *zeros = random_floats(check, count), *errors = random_floats(check, count);
  double *new_zeros = take((size_t)count * 8), *new_errors = take((size_t)count * 8);
  for (int64_t i = 0; i < s->rows * s->columns; i++) weight[i] *= (float)s->spread;
  for (int64_t i = 0; i < count; i++) {
    int64_t column = i % groups * s->group_size, n = fb_min(s->group_size, s->columns - column);
    scales[i] = (float)(s->spread * (0.5 + random_unit(check)) / s->levels);
    zeros[i] = (float)(zeros[i] + s->levels / 2.0);
    new_zeros[i] = zeros[i];
    if (refine(s, weight + i / groups * s->columns + column, n, scales[i], &new_zeros[i], &new_errors[i])) {
      continue;
    }
    for (int64_t j = 0; j < n; j++) weight[i / groups * s->columns + column + j] = 0;
    zeros[i] = 1.25f, new_zeros[i] = zeros[i];
    refine(s, weight + i / groups * s->columns + column, n, scales[i], &new_zeros[i], &new_errors[i]);
  }
  fb_args args = {.size = {s->rows, s->columns, s->group_size, s->levels}, .real = {s->norm, s->beta}};
  set_buffer(&args, 0, zeros, (size_t)count * 4);
  set_buffer(&args, 1, errors, (size_t)count * 4);
  set_buffer(&args, 2, weight, (size_t)(s->rows * s->columns) * 4);
  set_buffer(&args, 3, scales, (size_t)count * 4);
  call_op(check, "refine_zeros", &args);
  expect_floats(check, "zeros", zeros, new_zeros, count, 1e-5, 1e-5);
  expect_floats(check, "errors", errors, new_errors, count, 1e-7, 1e-5);
  args.size[0] = s->rows + 1;
  call_refused(check, "refine_zeros", &args);
  free(weight), free(scales), free(zeros), free(errors), free(new_zeros), free(new_errors);
}

void check_refine_zeros(fb_check *check) {
  static const shape shapes[] = {
      {1, 1, 1, 4, 0.7, 10, 1},   {5, 7, 3, 16, 0.7, 10, 0.02},  {9, 172, 64, 4, 0.7, 10, 2},
      {3, 333, 333, 8, 1, 10, 1}, {17, 130, 32, 256, 0.5, 1, 1}, {8, 64, 16, 4, 0.7, 1000, 1},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) check_shape(check, &shapes[i]);
}
