/*
 * The team: every chunk runs once and is done when fb_parallel returns, also when workers are put aside in the
 * middle of a chunk. The pace: threads that only cost time are left out, tried again, and taken back.
 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "../runtime/pace.h"
#include "check.h"

#define MOST_CHUNKS 64
#define JOBS 3000
#define MILLISECOND 1000000

typedef struct {
  atomic_int runs[MOST_CHUNKS];
  int threads, bad_thread;
  int64_t asleep; /* the worker that takes this chunk is put aside; -1 for none */
} team_call;

static void put_aside(void) {
  struct timespec slice = {.tv_nsec = 2 * MILLISECOND};
  nanosleep(&slice, NULL);
}

static FB_BODY(count_chunk) {
  team_call *call = context;
  if (thread < 0 || thread >= call->threads) call->bad_thread = 1;
  if (chunk == call->asleep && thread > 0) put_aside();
  atomic_fetch_add(&call->runs[chunk], 1);
}

static void check_jobs(fb_check *check) {
  for (int job = 0; job < JOBS && !check->failures; job++) {
    team_call call = {.threads = fb_threads(check->team), .asleep = -1};
    int64_t chunks = random_below(check, MOST_CHUNKS + 1);
    if (job % 100 == 0) call.asleep = random_below(check, MOST_CHUNKS);
    if (job % 500 == 0) put_aside(); /* long enough for the workers to fall asleep */
    fb_parallel(check->team, chunks, count_chunk, &call);
    for (int64_t i = 0; i < MOST_CHUNKS; i++) {
      int runs = atomic_load(&call.runs[i]);
      if (runs != (i < chunks)) {
        fail_check(check, "chunk %d of %d ran %d times", (int)i, (int)chunks, runs);
        return;
      }
    }
    if (call.bad_thread) fail_check(check, "a thread outside the team");
  }
}

/* Notes a job of 8 chunks of a millisecond; the caller runs `own` of them and waits until `wall`. */
static void note_job(fb_pace *pace, int64_t *now, int own, int64_t wall) {
  fb_pace_job job;
  fb_pace_begin(&job, *now);
  for (int i = 1; i <= own; i++) fb_pace_chunk(&job, *now + (int64_t)i * MILLISECOND);
  *now += wall;
  fb_pace_note(pace, 8, 8 * fb_pace_typical(&job), wall);
}

static void expect_active(fb_check *check, const char *when, fb_pace *pace, int expected) {
  int active = fb_pace_threads(pace);
  if (active != expected) fail_check(check, "%s: %d threads, expected %d", when, active, expected);
}

static void check_pace(fb_check *check) {
  int64_t now = 0;
  fb_pace pace;
  fb_pace_start(&pace, 2);
  for (int i = 0; i < 10; i++) note_job(&pace, &now, 4, 4 * MILLISECOND + 100000);
  expect_active(check, "work well shared", &pace, 2);
  note_job(&pace, &now, 4, 8 * MILLISECOND);
  for (int i = 0; i < 4; i++) note_job(&pace, &now, 4, 4 * MILLISECOND + 100000);
  expect_active(check, "after one stall", &pace, 2);
  for (int i = 0; i < 3; i++) note_job(&pace, &now, 4, 9 * MILLISECOND);
  expect_active(check, "after many stalls", &pace, 1);
  fb_pace_alone(&pace, FB_PACE_LEAST_REST / 2);
  expect_active(check, "at rest", &pace, 1);
  fb_pace_alone(&pace, FB_PACE_LEAST_REST / 2);
  expect_active(check, "after the rest", &pace, 2);
  for (int i = 0; i < 2; i++) note_job(&pace, &now, 4, 9 * MILLISECOND);
  fb_pace_alone(&pace, FB_PACE_LEAST_REST);
  expect_active(check, "stalled again", &pace, 1);
  fb_pace_alone(&pace, FB_PACE_LEAST_REST);
  expect_active(check, "after a longer rest", &pace, 2);
}

static void check_typical(fb_check *check) {
  fb_pace_job job;
  fb_pace_begin(&job, 0);
  fb_pace_chunk(&job, 50000);
  fb_pace_chunk(&job, 50000 + 4 * MILLISECOND); /* the caller itself was put aside */
  fb_pace_chunk(&job, 120000 + 4 * MILLISECOND);
  if (fb_pace_typical(&job) != 60000) fail_check(check, "a chunk takes %g ns", fb_pace_typical(&job));
  fb_pace_begin(&job, 0);
  for (int i = 1; i < 4; i++) fb_pace_chunk(&job, (int64_t)i * MILLISECOND);
  if (fb_pace_typical(&job) != MILLISECOND) fail_check(check, "a long chunk was left out");
}

void check_team(fb_check *check) {
  check_jobs(check);
  check_pace(check);
  check_typical(check);
}
