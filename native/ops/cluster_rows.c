/*
 * Exact weighted k-means of the values of every row (SqueezeLLM): centroids in rising order, rounded to float16,
 * and for each value the code of the nearest. Values in order, and prefix sums of w, w·x and w·x² in float64, give
 * the cost of a run of neighbours as Σwx² - (Σwx)²/Σw; a dynamic program over the ends of clusters finds the best
 * runs. The first value of the last cluster never moves down as its end moves up, so that each of its k steps takes
 * n·log n costs by halving. Bound by the divisions of the costs. Rows are independent.
 */
#include <stdlib.h>
#include <string.h>

#include "../include/fewbit.h"
#include "../include/half.h"

#define MOST_LEVELS 256

typedef struct {
  uint16_t *table;
  uint8_t *codes;
  const float *values, *weights;
  int64_t rows, columns, levels;
  fb_team *team;
} cluster_call;

typedef struct {
  float value, weight;
} point;

/* What a row works on: its points in order, prefix sums of one more element, least costs, and first points. */
typedef struct {
  point *points;
  double *w, *wx, *wxx, *before, *now;
  int32_t *first;
} workspace;

static size_t workspace_bytes(int64_t columns, int64_t levels) {
  size_t n = (size_t)columns;
  return 3 * (n + 1) * 8 + 2 * n * 8 + n * sizeof(point) + (size_t)levels * n * 4;
}

static workspace workspace_at(char *memory, int64_t columns) {
  size_t n = (size_t)columns;
  workspace at;
  at.w = (double *)memory;
  at.wx = at.w + n + 1;
  at.wxx = at.wx + n + 1;
  at.before = at.wxx + n + 1;
  at.now = at.before + n;
  at.points = (point *)(at.now + n);
  at.first = (int32_t *)(at.points + n);
  return at;
}

static int by_value(const void *a, const void *b) {
  const point *left = a, *right = b;
  if (left->value != right->value) return left->value < right->value ? -1 : 1;
  return (left->weight > right->weight) - (left->weight < right->weight);
}

/* Cost of the points from i to j, both included. */
static double cost(const workspace *at, int64_t i, int64_t j) {
  double w = at->w[j + 1] - at->w[i], wx = at->wx[j + 1] - at->wx[i];
  if (!(w > 0)) return 0;
  double sum = at->wxx[j + 1] - at->wxx[i] - wx * wx / w;
  return sum > 0 ? sum : 0;
}

/* Least costs of the points up to each of [low, high], whose last cluster begins within [from, to]. */
static void halve(const workspace *at, int32_t *first, int64_t low, int64_t high, int64_t from, int64_t to) {
  while (low <= high) {
    int64_t middle = (low + high) / 2, last = fb_min(middle, to), best = from;
    double least = at->before[from - 1] + cost(at, from, middle);
    for (int64_t i = from + 1; i <= last; i++) {
      double sum = at->before[i - 1] + cost(at, i, middle);
      if (sum < least) least = sum, best = i;
    }
    at->now[middle] = least;
    first[middle] = (int32_t)best;
    halve(at, first, low, middle - 1, from, best);
    low = middle + 1;
    from = best;
  }
}

static int64_t take_points(const cluster_call *call, int64_t row, const workspace *at) {
  const float *x = call->values + row * call->columns, *w = call->weights + row * call->columns;
  int64_t n = 0;
  for (int64_t i = 0; i < call->columns; i++) {
    if (w[i] > 0) at->points[n++] = (point){x[i], w[i]};
  }
  if (n == 0) {
    for (int64_t i = 0; i < call->columns; i++) at->points[n++] = (point){x[i], 1};
  }
  qsort(at->points, (size_t)n, sizeof(point), by_value);
  at->w[0] = at->wx[0] = at->wxx[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    double value = at->points[i].value, weight = at->points[i].weight;
    at->w[i + 1] = at->w[i] + weight;
    at->wx[i + 1] = at->wx[i] + weight * value;
    at->wxx[i + 1] = at->wxx[i] + weight * value * value;
  }
  return n;
}

static float centroid(const workspace *at, int64_t i, int64_t j) {
  double w = 0, wx = 0;
  for (; i <= j; i++) {
    w += at->points[i].weight;
    wx += (double)at->points[i].weight * at->points[i].value;
  }
  return (float)(wx / w);
}

static void choose_table(const cluster_call *call, uint16_t *table, const workspace *at, int64_t n) {
  int64_t clusters = fb_min(call->levels, n), end = n - 1;
  for (int64_t j = 0; j < n; j++) at->before[j] = cost(at, 0, j);
  for (int64_t cluster = 1; cluster < clusters; cluster++) {
    halve(at, at->first + cluster * n, cluster, n - 1, cluster, n - 1);
    memcpy(at->before + cluster, at->now + cluster, (size_t)(n - cluster) * 8);
  }
  for (int64_t cluster = clusters - 1; cluster >= 0; cluster--) {
    int64_t begin = cluster == 0 ? 0 : at->first[cluster * n + end];
    table[cluster] = fb_to_f16(centroid(at, begin, end));
    end = begin - 1;
  }
  for (int64_t i = clusters; i < call->levels; i++) table[i] = table[clusters - 1];
}

static FB_BODY(cluster_chunk) {
  const cluster_call *call = context;
  workspace at = workspace_at(fb_local(call->team, thread), call->columns);
  uint16_t *table = call->table + chunk * call->levels;
  choose_table(call, table, &at, take_points(call, chunk, &at));
  double middle[MOST_LEVELS];
  for (int64_t i = 0; i + 1 < call->levels; i++) {
    middle[i] = ((double)fb_from_f16(table[i]) + (double)fb_from_f16(table[i + 1])) / 2;
  }
  for (int64_t i = chunk * call->columns; i < (chunk + 1) * call->columns; i++) {
    int code = 0;
    while (code + 1 < call->levels && call->values[i] > middle[code]) code++;
    call->codes[i] = (uint8_t)code;
  }
}

/* buffers: table f16, codes u8, values, weights; sizes: rows, columns, levels */
FB_OP(cluster_rows) {
  const int64_t *size = args->size;
  cluster_call call = {.team = team,
                       .table = args->buffer[0],
                       .codes = args->buffer[1],
                       .values = args->buffer[2],
                       .weights = args->buffer[3],
                       .rows = size[0],
                       .columns = size[1],
                       .levels = size[2]};
  FB_REQUIRE(call.levels >= 1 && call.levels <= MOST_LEVELS && call.columns <= INT32_MAX);
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.levels) * 2);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.rows * call.columns));
  FB_REQUIRE(args->bytes[2] == args->bytes[1] * 4 && args->bytes[3] == args->bytes[2]);
  if (!fb_reserve(team, 0, workspace_bytes(call.columns, call.levels))) return "no memory to cluster rows";
  fb_parallel(team, call.rows, cluster_chunk, &call);
  return NULL;
}
