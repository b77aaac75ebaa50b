/*
 * What checks use: calling an op of the level under test, random data in exactly sized memory (so that the
 * sanitizers see every overrun), and comparing with a naive double-precision result.
 */
#ifndef FEWBIT_CHECK_H
#define FEWBIT_CHECK_H

#include <stdint.h>

#include "../include/fewbit.h"
#include "../runtime/levels.h"

typedef struct {
  const fb_level *level;
  fb_team *team;
  const char *name; /* of the running check */
  uint64_t random;
  int failures;
} fb_check;

/* Sets buffer i of a call. */
void set_buffer(fb_args *args, int i, const void *memory, size_t bytes);
/* Runs an op; a message from it is a failure of the check. */
void call_op(fb_check *check, const char *op, const fb_args *args);
/* Runs an op that must refuse its arguments. */
void call_refused(fb_check *check, const char *op, const fb_args *args);

/* A number in [0, 1), an integer in [0, n). */
double random_unit(fb_check *check);
int64_t random_below(fb_check *check, int64_t n);
/* malloc that ends the program when there is no memory; n may be 0. Free with free(). */
void *take(size_t bytes);
/* n float32 in [-1, 1). */
float *random_floats(fb_check *check, int64_t n);

void fail_check(fb_check *check, const char *format, ...);
/* |actual - expected| <= absolute + relative * |expected| for all, else one failure with the worst. */
void expect_floats(fb_check *check, const char *what, const float *actual, const double *expected,
                   int64_t n, double absolute, double relative);
void expect_doubles(fb_check *check, const char *what, const double *actual, const double *expected,
                    int64_t n, double absolute, double relative);
void expect_bytes(fb_check *check, const char *what, const void *actual, const void *expected,
                  size_t bytes);

#endif
