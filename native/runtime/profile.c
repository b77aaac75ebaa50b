/* Two readings of the clock an op, about 50 ns: little beside the shortest op. */
#include "profile.h"

#include <stdlib.h>
#include <time.h>

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void count(fb_tally *tally, int64_t nanoseconds) {
  tally->calls++;
  tally->nanoseconds += nanoseconds;
}

fb_profile *fb_profile_open(const fb_op *ops, int op_count) {
  fb_profile *profile = calloc(1, sizeof(fb_profile));
  if (!profile) return NULL;
  profile->ops = ops;
  profile->op = calloc((size_t)op_count, sizeof(fb_tally));
  if (profile->op) return profile;
  free(profile);
  return NULL;
}

void fb_profile_begin(fb_profile *profile) {
  profile->started = now();
  if (profile->free_since) {
    count(&profile->waiting[profile->behind_fence], profile->started - profile->free_since);
  }
  profile->behind_fence = 0;
}

void fb_profile_end(fb_profile *profile, const fb_op *op) {
  profile->free_since = now();
  count(&profile->op[op - profile->ops], profile->free_since - profile->started);
}

void fb_profile_fence(fb_profile *profile) { profile->behind_fence = 1; }

void fb_profile_close(fb_profile *profile) {
  if (!profile) return;
  free(profile->op);
  free(profile);
}
