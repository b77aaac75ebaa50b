/* See pace.h. */
#include "pace.h"

#include <time.h>

#define FAR 8 /* a chunk so many times the least one was interrupted */

static int64_t read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t fb_pace_now(void) { return read_clock(CLOCK_MONOTONIC); }

int64_t fb_pace_processor_now(void) {
#if defined(_WIN32) /* counts in steps of 16 ms there */
  return fb_pace_now();
#else
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
#endif
}

static void start_window(fb_pace *pace) {
  pace->ideal = pace->capacity = 0;
  pace->wall = 0;
}

void fb_pace_start(fb_pace *pace, int threads) {
  *pace = (fb_pace){.threads = threads, .active = threads, .rest = FB_PACE_LEAST_REST};
}

void fb_pace_alone(fb_pace *pace, int64_t wall) { pace->worked += wall; }

int fb_pace_threads(fb_pace *pace) {
  if (pace->active < pace->threads && pace->worked >= pace->rest_ends) {
    pace->active++;
    pace->rest_ends = pace->worked + pace->rest;
    start_window(pace);
  }
  return pace->active;
}

void fb_pace_note(fb_pace *pace, int64_t chunks, double ideal, int64_t wall) {
  pace->ideal += ideal;
  pace->capacity += (double)wall * (double)(chunks < pace->active ? chunks : pace->active);
  pace->wall += wall;
  pace->worked += wall;
  if (pace->wall < FB_PACE_WINDOW) return;
  if (pace->ideal >= FB_PACE_ENOUGH * pace->capacity) {
    pace->rest = pace->rest / 2 > FB_PACE_LEAST_REST ? pace->rest / 2 : FB_PACE_LEAST_REST;
  } else if (pace->active > 1) {
    pace->active--;
    pace->rest_ends = pace->worked + pace->rest;
    pace->rest = pace->rest * 2 < FB_PACE_MOST_REST ? pace->rest * 2 : FB_PACE_MOST_REST;
  }
  start_window(pace);
}

void fb_pace_begin(fb_pace_job *job, int64_t now) {
  *job = (fb_pace_job){.begin = now, .last = now, .least = INT64_MAX};
}

void fb_pace_chunk(fb_pace_job *job, int64_t now) {
  int64_t time = now - job->last;
  job->last = now;
  job->count++;
  job->time += time;
  if (time < job->least) job->least = time;
  if (time < FB_PACE_LONG) return;
  job->long_count++;
  job->long_time += time;
}

double fb_pace_typical(const fb_pace_job *job) {
  if (!job->count) return 0;
  int interrupted = job->long_count && job->long_time > FAR * job->least * job->long_count;
  if (!interrupted) return (double)job->time / (double)job->count;
  if (job->long_count == job->count) return (double)job->least;
  return (double)(job->time - job->long_time) / (double)(job->count - job->long_count);
}
