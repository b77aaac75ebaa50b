/*
 * How many threads of a team are worth using. On a machine that others use too, a worker may be put aside
 * while it holds a chunk, and then everyone waits for it for a slice of the scheduler: two threads
 * become slower than one. So each job measures how well it was shared:
 *
 *   ideal     processor time of all chunks                 what one undisturbed thread would take
 *   capacity  wall time · threads that could take part     what was spent
 *
 * Reading the processor time of a thread costs a system call. So it is read in long jobs only, whose chunks may differ
 * by far (the last queries of a causal attention see most keys). In short ones the chunks are alike, and ideal is
 * their number times what a typical one of the caller took.
 *
 * When ideal / capacity falls below FB_PACE_ENOUGH over a window of work, one thread fewer is used
 * for a while; then one more is tried for a window. Every failure doubles the while. All of this counts the
 * time of work, not of idling, so that tries stay a small share of the work.
 */
#ifndef FEWBIT_PACE_H
#define FEWBIT_PACE_H

#include <stdint.h>

#define FB_PACE_ENOUGH 0.55
#define FB_PACE_LONG 400000          /* ns: in less than this nobody is put aside for a slice */
#define FB_PACE_WINDOW 12000000      /* ns of work */
#define FB_PACE_LEAST_REST 100000000  /* ns */
#define FB_PACE_MOST_REST 1600000000 /* ns */

typedef struct {
  int threads; /* of the team */
  int active;  /* that take part now */
  int64_t worked; /* ns in jobs so far */
  int64_t rest, rest_ends;
  double ideal, capacity;
  int64_t wall;
} fb_pace;

/* What the caller saw of its own chunks of one job; times in ns. */
typedef struct {
  int64_t begin, last;
  int64_t count, time;           /* chunks run, and their time */
  int64_t long_count, long_time; /* those that may have been interrupted */
  int64_t least;
} fb_pace_job;

int64_t fb_pace_now(void);
/* Processor time of the calling thread in ns; where that cannot be read, the time. */
int64_t fb_pace_processor_now(void);

void fb_pace_start(fb_pace *pace, int threads);
/* The number of threads that may take part in the next job. */
int fb_pace_threads(fb_pace *pace);
/* Notes a job that the caller ran alone, though it could have been shared. */
void fb_pace_alone(fb_pace *pace, int64_t wall);
/* Notes a job of so many chunks that several threads could take part in, by its ideal and its wall time in ns. */
void fb_pace_note(fb_pace *pace, int64_t chunks, double ideal, int64_t wall);

void fb_pace_begin(fb_pace_job *job, int64_t now);
/* Notes that the caller has run a chunk. */
void fb_pace_chunk(fb_pace_job *job, int64_t now);
/* Time of a chunk that nothing interrupted, in ns. */
double fb_pace_typical(const fb_pace_job *job);

#endif
