/* Helpers of the checks: see check.h. */
#include "check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void set_buffer(fb_args *args, int i, const void *memory, size_t bytes) {
  args->buffer[i] = (void *)(uintptr_t)memory;
  args->bytes[i] = bytes;
}

static const char *run_op(fb_check *check, const char *op, const fb_args *args) {
  for (int i = 0; i < fb_op_count; i++) {
    const fb_op *entry = &check->level->ops[i];
    if (!strcmp(entry->name, op)) return entry->run(args, check->team);
  }
  return "no such op";
}

void call_op(fb_check *check, const char *op, const fb_args *args) {
  const char *message = run_op(check, op, args);
  if (message) fail_check(check, "%s: %s", op, message);
}

void call_refused(fb_check *check, const char *op, const fb_args *args) {
  if (!run_op(check, op, args)) fail_check(check, "%s took arguments that it must refuse", op);
}

/* splitmix64 */
static uint64_t next_random(fb_check *check) {
  uint64_t z = check->random += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

double random_unit(fb_check *check) { return (double)(next_random(check) >> 11) * 0x1p-53; }

int64_t random_below(fb_check *check, int64_t n) {
  return (int64_t)(random_unit(check) * (double)n);
}

void *take(size_t bytes) {
  void *memory = malloc(bytes ? bytes : 1);
  if (memory) return memory;
  fprintf(stderr, "out of memory (%zu bytes)\n", bytes);
  exit(2);
}

float *random_floats(fb_check *check, int64_t n) {
  float *x = take((size_t)n * sizeof(float));
  for (int64_t i = 0; i < n; i++) x[i] = (float)(2 * random_unit(check) - 1);
  return x;
}

void fail_check(fb_check *check, const char *format, ...) {
  va_list values;
  va_start(values, format);
  fprintf(stderr, "FAIL %s [%s, %d threads] ", check->name, check->level->name, fb_threads(check->team));
  vfprintf(stderr, format, values);
  fprintf(stderr, "\n");
  va_end(values);
  check->failures++;
}

static void expect_values(fb_check *check, const char *what, const float *floats, const double *doubles,
                          const double *expected, int64_t n, double absolute, double relative) {
  int64_t worst = -1;
  double most = 0;
  for (int64_t i = 0; i < n; i++) {
    double actual = floats ? (double)floats[i] : doubles[i];
    double excess = fabs(actual - expected[i]) / (absolute + relative * fabs(expected[i]));
    if (actual == expected[i] || (isnan(actual) && isnan(expected[i]))) continue;
    if (excess <= 1 || (worst >= 0 && !(excess > most) && !isnan(excess))) continue;
    most = excess;
    worst = i;
  }
  if (worst < 0) return;
  double actual = floats ? (double)floats[worst] : doubles[worst];
  fail_check(check, "%s: element %lld of %lld is %.9g, expected %.9g", what, (long long)worst,
             (long long)n, actual, expected[worst]);
}

void expect_floats(fb_check *check, const char *what, const float *actual, const double *expected,
                   int64_t n, double absolute, double relative) {
  expect_values(check, what, actual, NULL, expected, n, absolute, relative);
}

void expect_doubles(fb_check *check, const char *what, const double *actual, const double *expected,
                    int64_t n, double absolute, double relative) {
  expect_values(check, what, NULL, actual, expected, n, absolute, relative);
}

void expect_bytes(fb_check *check, const char *what, const void *actual, const void *expected,
                  size_t bytes) {
  const unsigned char *a = actual, *b = expected;
  for (size_t i = 0; i < bytes; i++) {
    if (a[i] == b[i]) continue;
    fail_check(check, "%s: byte %zu of %zu is %d, expected %d", what, i, bytes, a[i], b[i]);
    return;
  }
}
