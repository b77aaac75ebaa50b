/* cluster_rows against a dynamic program whose costs are sums over each run of neighbours. */
#include <math.h>
#include <stdlib.h>

#include "../include/half.h"
#include "check.h"

typedef struct {
  int64_t rows, columns, levels;
  int zeros; /* of 8 weights, how many are 0 */
} shape;

typedef struct {
  double value, weight;
} point;

static int by_value(const void *a, const void *b) {
  double left = ((const point *)a)->value, right = ((const point *)b)->value;
  return (left > right) - (left < right);
}

static double run_cost(const point *points, int64_t i, int64_t j) {
  double w = 0, wx = 0, sum = 0;
  for (int64_t at = i; at <= j; at++) w += points[at].weight, wx += points[at].weight * points[at].value;
  for (int64_t at = i; at <= j; at++) sum += points[at].weight * pow(points[at].value - wx / w, 2);
  return sum;
}

/* The least cost of n points in so many clusters. */
static double least_cost(const point *points, int64_t n, int64_t clusters) {
  double *costs = take((size_t)(clusters * n) * 8);
  for (int64_t j = 0; j < n; j++) costs[j] = run_cost(points, 0, j);
  for (int64_t c = 1; c < clusters; c++) {
    for (int64_t j = 0; j < n; j++) {
      double least = costs[(c - 1) * n + j];
      for (int64_t i = 1; i <= j; i++) {
        least = fmin(least, costs[(c - 1) * n + i - 1] + run_cost(points, i, j));
      }
      costs[c * n + j] = least;
    }
  }
  double least = costs[clusters * n - 1];
  free(costs);
  return least;
}

static void check_row(fb_check *check, const shape *s, const uint16_t *table, const uint8_t *codes, const float *x,
                      const float *w) {
  int64_t n = s->columns, m = 0;
  point *points = take((size_t)n * sizeof(point));
  double found = 0, moved = 0;
  for (int64_t i = 0; i < n; i++) {
    double own = fabs(x[i] - (double)fb_from_f16(table[codes[i]]));
    for (int64_t code = 0; code < s->levels; code++) {
      if (fabs(x[i] - (double)fb_from_f16(table[code])) < own) fail_check(check, "a value has not the nearest code");
    }
    if (w[i] > 0) points[m++] = (point){x[i], w[i]};
    found += w[i] * own * own;
    moved += w[i] * pow(fabs(x[i]) * 0x1p-11 + 0x1p-25, 2);
  }
  for (int64_t code = 1; code < s->levels; code++) {
    if (fb_from_f16(table[code]) < fb_from_f16(table[code - 1])) fail_check(check, "the table is not in order");
  }
  qsort(points, (size_t)m, sizeof(point), by_value);
  if (m > 0) {
    double least = least_cost(points, m, s->levels);
    /* Rounding the centroids adds at most what it moves them by, squared: they are means. */
    if (found > least * 1.000001 + moved * 4) fail_check(check, "cost %g, and %g is possible", found, least);
  }
  free(points);
}

static void check_shape(fb_check *check, const shape *s) {
  int64_t n = s->rows * s->columns;
  float *x = random_floats(check, n), *w = random_floats(check, n);
  uint16_t *table = take((size_t)(s->rows * s->levels) * 2);
  uint8_t *codes = take((size_t)n);
  for (int64_t i = 0; i < n; i++) {
    w[i] = random_below(check, 8) < s->zeros ? 0 : (float)exp(8 * w[i]);
    x[i] *= fabsf(x[i]);
  }
  fb_args args = {.size = {s->rows, s->columns, s->levels}};
  set_buffer(&args, 0, table, (size_t)(s->rows * s->levels) * 2);
  set_buffer(&args, 1, codes, (size_t)n);
  set_buffer(&args, 2, x, (size_t)n * 4);
  set_buffer(&args, 3, w, (size_t)n * 4);
  call_op(check, "cluster_rows", &args);
  for (int64_t row = 0; row < s->rows; row++) {
    const int64_t at = row * s->columns;
    check_row(check, s, table + row * s->levels, codes + at, x + at, w + at);
  }
  args.size[2] = s->levels + 1;
  call_refused(check, "cluster_rows", &args);
  free(x), free(w), free(table), free(codes);
}

void check_cluster_rows(fb_check *check) {
  static const shape shapes[] = {
      {1, 1, 4, 0}, {2, 3, 8, 0}, {3, 9, 2, 1}, {2, 40, 4, 0}, {4, 61, 16, 3}, {3, 24, 8, 7}, {2, 12, 4, 8},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) check_shape(check, &shapes[i]);
}
