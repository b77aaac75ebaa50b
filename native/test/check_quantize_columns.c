/* quantize_columns against algorithm 1 of GPTQ in float64: codes, decoded weights and carried errors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct {
  int64_t rows, n, start, end, group_size;
  int levels, with_factor, with_offsets;
  double origin, step;
} shape;

typedef struct {
  float *weight, *factor, *scales, *zeros, *offsets;
  uint8_t *codes;
  int32_t *group_of;
  int64_t groups;
} arrays;

static arrays make_arrays(fb_check *check, const shape *s) {
  arrays a = {.groups = fb_ceil_div(s->n, s->group_size)};
  a.weight = random_floats(check, s->rows * s->n);
  a.factor = random_floats(check, s->n * s->n);
  a.scales = random_floats(check, s->rows * a.groups);
  a.zeros = random_floats(check, s->rows * a.groups);
  a.offsets = random_floats(check, s->rows * a.groups);
  a.codes = take((size_t)(s->rows * s->n));
  a.group_of = take((size_t)s->n * 4);
  memset(a.codes, 255, (size_t)(s->rows * s->n));
  for (int64_t i = 0; i < s->rows * a.groups; i++) {
    a.scales[i] = (float)(0.3 + random_unit(check) / 4);
    if (s->with_offsets && i % 3 == 0) a.scales[i] = -a.scales[i];
    a.offsets[i] *= s->with_offsets;
    a.zeros[i] = s->levels == 2 || s->with_offsets ? 0 : (float)random_below(check, s->levels);
  }
  if (s->rows > 1) a.scales[a.groups] = 0;
  for (int64_t i = 0; i < s->n; i++) {
    a.group_of[i] = (int32_t)(i / s->group_size);
    for (int64_t j = 0; j < s->n; j++) a.factor[i * s->n + j] *= j == i ? 0 : j < i ? 0 : 0.1f;
    a.factor[i * s->n + i] = 1 + (float)random_unit(check);
  }
  return a;
}

/* One row in float64. A weight too close to a rounding border takes the code that the op chose. */
static void quantize_row(const shape *s, const arrays *a, int64_t r, double *w, uint8_t *codes,
                         const uint8_t *chosen) {
  for (int64_t j = s->start; j < s->end; j++) {
    double scale = a->scales[r * a->groups + a->group_of[j]];
    double zero = a->zeros[r * a->groups + a->group_of[j]];
    double offset = a->offsets[r * a->groups + a->group_of[j]];
    double steps = ((scale == 0 ? 0 : (w[j] - offset) / scale) - s->origin) / s->step + (s->levels == 2 ? 0 : zero);
    double code = s->levels == 2 ? steps >= 0.5 : fmin(fmax(nearbyint(steps), 0), s->levels - 1);
    int border = fabs(steps - floor(steps) - 0.5) < 1e-4;
    if (border && fabs(chosen[j] - code) <= 1) code = chosen[j];
    codes[j] = (uint8_t)code;
    double value = scale * (s->origin + s->step * (code - zero)) + offset;
    double error = (w[j] - value) / a->factor[j * s->n + j];
    w[j] = value;
    if (!s->with_factor) continue;
    for (int64_t k = j + 1; k < s->n; k++) w[k] -= error * a->factor[j * s->n + k];
  }
}

static void check_shape(fb_check *check, const shape *s) {
  arrays a = make_arrays(check, s);
  int64_t size = s->rows * s->n;
  double *expected = take((size_t)size * 8);
  uint8_t *codes = take((size_t)size);
  for (int64_t i = 0; i < size; i++) expected[i] = a.weight[i];
  memset(codes, 255, (size_t)size);
  fb_args args = {.size = {s->rows, s->n, a.groups, s->start, s->end, s->levels},
                  .real = {s->origin, s->step}};
  set_buffer(&args, 0, a.codes, (size_t)size);
  set_buffer(&args, 1, a.weight, (size_t)size * 4);
  set_buffer(&args, 2, s->with_factor ? a.factor : NULL, s->with_factor ? (size_t)(s->n * s->n) * 4 : 0);
  set_buffer(&args, 3, a.scales, (size_t)(s->rows * a.groups) * 4);
  set_buffer(&args, 4, a.zeros, (size_t)(s->rows * a.groups) * 4);
  if (s->with_offsets) set_buffer(&args, 5, a.offsets, (size_t)(s->rows * a.groups) * 4);
  set_buffer(&args, 6, a.group_of, (size_t)s->n * 4);
  call_op(check, "quantize_columns", &args);
  for (int64_t r = 0; r < s->rows; r++) {
    quantize_row(s, &a, r, expected + r * s->n, codes + r * s->n, a.codes + r * s->n);
  }
  expect_bytes(check, "codes", a.codes, codes, (size_t)size);
  expect_floats(check, "weights", a.weight, expected, size, 1e-5, 1e-5);
  args.size[4] = s->n + 1;
  call_refused(check, "quantize_columns", &args);
  free(a.weight);
  free(a.factor);
  free(a.scales);
  free(a.zeros);
  free(a.offsets);
  free(a.codes);
  free(a.group_of);
  free(expected);
  free(codes);
}

void check_quantize_columns(fb_check *check) {
  static const shape shapes[] = {
      {1, 1, 0, 1, 1, 4, 1, 0, 0, 1},          {5, 7, 0, 7, 3, 16, 1, 0, 0, 1},
      {17, 40, 8, 24, 8, 4, 1, 0, 0, 1},       {16, 33, 0, 33, 64, 3, 0, 0, -1, 1},
      {37, 300, 0, 300, 32, 8, 1, 0, 0, 1},    {33, 64, 16, 64, 16, 2, 1, 0, -1, 2},
      {20, 50, 0, 50, 50, 4, 1, 0, -0.75, 0.5}, {48, 260, 130, 259, 64, 256, 1, 0, 0, 1},
      {37, 300, 0, 300, 16, 4, 1, 1, 0, 1},    {17, 40, 0, 40, 16, 8, 0, 1, -4, 1},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) check_shape(check, &shapes[i]);
}
