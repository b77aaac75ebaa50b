/* inverse_cholesky: U A U^T = I and U upper, the lower triangle kept, and the pivot that is not positive. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct {
  int64_t n;
  double *h, *full, *diagonal;
  float *u;
  int32_t status;
} problem;

/* A = X^T X / n + I / 2, stored below the diagonal and in `diagonal`; above stands rubbish. */
static problem make_problem(fb_check *check, int64_t n) {
  problem p = {.n = n, .h = take((size_t)(n * n) * 8), .full = take((size_t)(n * n) * 8),
               .diagonal = take((size_t)n * 8), .u = take((size_t)(n * n) * 4)};
  float *x = random_floats(check, n * n);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j <= i; j++) {
      double sum = i == j ? 0.5 : 0;
      for (int64_t t = 0; t < n; t++) sum += (double)x[t * n + i] * x[t * n + j] / (double)n;
      p.full[i * n + j] = p.full[j * n + i] = sum;
    }
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) p.h[i * n + j] = j < i ? p.full[i * n + j] : NAN;
    p.diagonal[i] = p.full[i * n + i];
  }
  free(x);
  return p;
}

static void solve(fb_check *check, problem *p, const int32_t *order) {
  fb_args args = {.size = {p->n}};
  set_buffer(&args, 0, p->u, (size_t)(p->n * p->n) * 4);
  set_buffer(&args, 1, p->h, (size_t)(p->n * p->n) * 8);
  set_buffer(&args, 2, p->diagonal, (size_t)p->n * 8);
  set_buffer(&args, 3, &p->status, 4);
  set_buffer(&args, 4, (void *)(uintptr_t)order, order ? (size_t)p->n * 4 : 0);
  call_op(check, "inverse_cholesky", &args);
}

static void free_problem(problem *p) {
  free(p->h);
  free(p->full);
  free(p->diagonal);
  free(p->u);
}

/* max |U A U^T - I| */
static double distance_from_identity(const problem *p) {
  int64_t n = p->n;
  double worst = 0, *left = take((size_t)(n * n) * 8);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = i; k < n; k++) sum += p->u[i * n + k] * p->full[k * n + j];
      left[i * n + j] = sum;
    }
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = j; k < n; k++) sum += left[i * n + k] * p->u[j * n + k];
      worst = fmax(worst, fabs(sum - (i == j)));
    }
  }
  free(left);
  return worst;
}

static void check_size(fb_check *check, int64_t n) {
  problem p = make_problem(check, n);
  for (int repeat = 0; repeat < 2; repeat++) {
    solve(check, &p, NULL);
    double error = distance_from_identity(&p);
    if (p.status || !(error < 2e-6)) {
      fail_check(check, "n %d: status %d, U A U^T differs from I by %g", (int)n, p.status, error);
    }
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) {
      if (p.u[i * n + j] == 0 && p.h[i * n + j] == p.full[i * n + j]) continue;
      fail_check(check, "n %d: what is below the diagonal changed", (int)n);
      i = n;
      break;
    }
  }
  free_problem(&p);
}

/* With rows and columns in another order it is, to the bit, the factor of the matrix that stands in that order. */
static void check_order(fb_check *check, int64_t n) {
  problem p = make_problem(check, n), q = make_problem(check, n);
  int32_t *order = take((size_t)n * 4);
  for (int64_t i = 0; i < n; i++) order[i] = (int32_t)((i * 7 + 3) % n); /* n is no multiple of 7 */
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) q.h[i * n + j] = p.full[order[i] * n + order[j]];
    q.diagonal[i] = p.diagonal[i] = p.full[order[i] * n + order[i]];
  }
  solve(check, &p, order);
  solve(check, &q, NULL);
  if (p.status || memcmp(p.u, q.u, (size_t)(n * n) * 4)) fail_check(check, "n %d: another factor in order", (int)n);
  for (int64_t i = 0; i < n; i++) {
    if (memcmp(p.h + i * n, p.full + i * n, (size_t)i * 8)) fail_check(check, "n %d: row %d changed", (int)n, (int)i);
  }
  free(order);
  free_problem(&p);
  free_problem(&q);
}

/* A negative diagonal element far from the end is found when its turn comes. */
static void check_failure(fb_check *check, int64_t n, int64_t pivot) {
  problem p = make_problem(check, n);
  p.diagonal[pivot] = -1;
  solve(check, &p, NULL);
  if (p.status != pivot + 1) fail_check(check, "n %d: status %d, expected %d", (int)n, p.status, (int)pivot + 1);
  p.diagonal[pivot] = NAN;
  solve(check, &p, NULL);
  if (p.status != pivot + 1) fail_check(check, "n %d: NaN gave status %d", (int)n, p.status);
  free_problem(&p);
}

void check_inverse_cholesky(fb_check *check) {
  static const int64_t sizes[] = {1, 2, 7, 64, 113, 224, 225, 300, 460};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) check_size(check, sizes[i]);
  check_order(check, 5);
  check_order(check, 300);
  check_failure(check, 5, 2);
  check_failure(check, 240, 30);
  check_failure(check, 240, 239);
}
