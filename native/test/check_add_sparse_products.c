/* add_sparse_products against products in float64. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct {
  int64_t tokens, rows, width;
  int share; /* of 64 weights, how many are there */
} shape;

static void check_shape(fb_check *check, const shape *s) {
  int64_t most = s->rows * s->width, count = 0;
  float *x = random_floats(check, s->tokens * s->width), *out = random_floats(check, s->tokens * s->rows);
  float *all = random_floats(check, most), *values = take((size_t)most * 4);
  int32_t *starts = take((size_t)(s->rows + 1) * 4), *columns = take((size_t)most * 4);
  double *expected = take((size_t)(s->tokens * s->rows) * 8);
  starts[0] = 0;
  for (int64_t row = 0; row < s->rows; row++) {
    for (int64_t column = 0; column < s->width; column++) {
      if (random_below(check, 64) >= s->share) continue;
      values[count] = all[row * s->width + column];
      columns[count++] = (int32_t)column;
    }
    starts[row + 1] = (int32_t)count;
  }
  for (int64_t i = 0; i < s->tokens * s->rows; i++) {
    int64_t token = i / s->rows, row = i % s->rows;
    expected[i] = out[i];
    for (int32_t k = starts[row]; k < starts[row + 1]; k++) {
      expected[i] += (double)values[k] * x[token * s->width + columns[k]];
    }
  }
  float *held = take((size_t)count * 4);
  int32_t *places = take((size_t)count * 4);
  memcpy(held, values, (size_t)count * 4), memcpy(places, columns, (size_t)count * 4);
  fb_args args = {.size = {s->tokens, s->rows, s->width, count}};
  set_buffer(&args, 0, out, (size_t)(s->tokens * s->rows) * 4);
  set_buffer(&args, 1, x, (size_t)(s->tokens * s->width) * 4);
  set_buffer(&args, 2, starts, (size_t)(s->rows + 1) * 4);
  set_buffer(&args, 3, places, (size_t)count * 4);
  set_buffer(&args, 4, held, (size_t)count * 4);
  call_op(check, "add_sparse_products", &args);
  expect_floats(check, "out", out, expected, s->tokens * s->rows, 1e-5, 1e-5);
  if (count > 0) {
    places[count - 1] = (int32_t)s->width;
    call_refused(check, "add_sparse_products", &args);
  }
  free(x), free(out), free(all), free(values), free(starts), free(columns), free(expected), free(held), free(places);
}

void check_add_sparse_products(fb_check *check) {
  static const shape shapes[] = {
      {1, 1, 1, 64}, {1, 300, 70, 3}, {8, 5, 9, 20}, {19, 257, 40, 1}, {3, 4, 16, 0},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) check_shape(check, &shapes[i]);
}
