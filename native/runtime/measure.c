/*
 * Times the same arithmetic on 1, 2, 4, ... threads at once, and keeps the smallest number from which
 * doubling brings little. Each number gets several rounds and counts by its best, since other programs only
 * ever slow a round down. What remains of their load is met at run time (pace.h).
 */
#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pace.h"
#include "spin.h"

#define ROUNDS 4
#define STEPS 20000 /* about 0.2 ms */
#define CHAINS 16   /* independent sums: enough to keep all units of a core busy */
#define WORTH 1.15  /* more throughput that makes more threads worth it */
#define MOST 256

typedef struct {
  atomic_int ready;
  atomic_int go;
} round_state;

typedef struct {
  round_state *round;
  pthread_t handle;
  int64_t end;
  double sum;
} runner;

static double compute(void) {
  volatile double factor = 0.999, term = 0.001;
  double a = factor, b = term, sum[CHAINS];
  for (int i = 0; i < CHAINS; i++) sum[i] = i;
  for (int step = 0; step < STEPS; step++) {
    for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * a + b;
  }
  for (int i = 1; i < CHAINS; i++) sum[0] += sum[i];
  return sum[0];
}

static void *run(void *argument) {
  runner *self = argument;
  atomic_fetch_add(&self->round->ready, 1);
  while (!atomic_load(&self->round->go)) fb_pause();
  self->sum = compute();
  self->end = fb_pace_now();
  return NULL;
}

/* Returns how often `threads` threads compute in a nanosecond; 0 when they cannot be started. */
static double measure_round(runner *runners, int threads) {
  round_state round = {0};
  int started = 1;
  runners[0] = (runner){.round = &round};
  for (; started < threads; started++) {
    runners[started] = (runner){.round = &round};
    if (pthread_create(&runners[started].handle, NULL, run, &runners[started])) break;
  }
  while (atomic_load(&round.ready) < started - 1) fb_pause();
  int64_t begin = fb_pace_now();
  atomic_store(&round.go, 1);
  runners[0].sum = compute();
  int64_t last = fb_pace_now();
  for (int i = 1; i < started; i++) {
    pthread_join(runners[i].handle, NULL);
    if (runners[i].end > last) last = runners[i].end;
  }
  return started < threads ? 0 : (double)threads / (double)(last - begin);
}

static double measure_best(runner *runners, int threads) {
  double best = 0;
  for (int i = 0; i < ROUNDS; i++) {
    double rate = measure_round(runners, threads);
    if (rate > best) best = rate;
  }
  return best;
}

/* The next number to try: powers of two, and half of all, in case each core stands there twice. */
static int next_count(int count, int most) {
  int next = count * 2;
  if (count < most / 2 && next > most / 2) next = most / 2;
  return next < most ? next : most;
}

int fb_measure_threads(int most) {
  if (most > MOST) most = MOST;
  if (most < 2) return 1;
  runner *runners = calloc((size_t)most, sizeof(runner));
  if (!runners) return 1;
  int chosen = 1;
  double rate = measure_best(runners, 1);
  for (int count = 1; count < most;) {
    count = next_count(count, most);
    double other = measure_best(runners, count);
    if (other < WORTH * rate) continue;
    chosen = count;
    rate = other;
  }
  free(runners);
  return chosen;
}
