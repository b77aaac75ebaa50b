/*
 * Where the executor's time goes: the calls and the time of each op, and the time between ops, in which
 * the executor waited for JavaScript: for the next op, or behind a fence for the reader of a result. Written on
 * the executor thread only; read it when the queue is drained.
 */
#ifndef FEWBIT_PROFILE_H
#define FEWBIT_PROFILE_H

#include "../include/fewbit.h"

typedef struct {
  int64_t calls, nanoseconds;
} fb_tally;

typedef struct {
  const fb_op *ops; /* the level's table, which gives an op its index */
  int64_t free_since, started; /* 0 in free_since: nothing has run yet */
  int behind_fence;
  fb_tally waiting[2]; /* between ops, behind a fence */
  fb_tally *op;
} fb_profile;

/* Returns a profile of `count` ops, or NULL when there is no memory. */
fb_profile *fb_profile_open(const fb_op *ops, int count);
void fb_profile_begin(fb_profile *profile);
void fb_profile_end(fb_profile *profile, const fb_op *op);
void fb_profile_fence(fb_profile *profile);
void fb_profile_close(fb_profile *profile);

#endif
