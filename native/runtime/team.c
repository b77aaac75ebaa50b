/*
 * A small thread team. One job at a time: the caller publishes it, works on it like everyone else, closes
 * it when no chunk is left, and waits only for workers that are inside. A worker that the operating
 * system has not woken, or has put aside, therefore delays nobody unless it holds a chunk.
 *
 *   state  63............32 31    30........0
 *          job number       open  workers inside
 */
#include "team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pace.h"
#include "spin.h"

#define OPEN ((uint64_t)1 << 31)
#define INSIDE (OPEN - 1)
#define JOB_SHIFT 32
#define TRIM_BYTES ((size_t)32 << 20)
#define ALIGNMENT 64
#define BODIES 64
#define WORTH_WAKING 30000 /* ns: what it costs to wake a thread and to have it arrive */

typedef struct {
  fb_team *team;
  int thread;
  pthread_t handle;
} worker;

struct fb_team {
  int threads;
  unsigned features;
  worker *workers; /* threads - 1 of them */
  fb_pace pace;
  float expected[BODIES]; /* ns of a chunk when its body last ran, 0 when not known */
  fb_body body;
  void *context;
  int64_t chunks;
  int timed; /* the open job is long: processor time of its chunks is read */
  _Alignas(64) _Atomic uint64_t state;
  _Alignas(64) _Atomic int64_t next;
  _Alignas(64) atomic_int sleepers;
  atomic_int active; /* threads that may take part in the open job */
  atomic_int waiting;
  atomic_int ending;
  atomic_int cancelled;
  _Atomic int64_t worked; /* ns of processor time in chunks of a timed job */
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  void *shared;
  size_t shared_bytes;
  void *local;
  size_t local_bytes, local_stride;
  void *workspace;
  size_t workspace_bytes;
};

/* Takes a chunk of the open job; -1 when none is left. */
static int64_t take_chunk(fb_team *team) {
  int64_t chunk = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
  if (chunk >= team->chunks || atomic_load_explicit(&team->cancelled, memory_order_relaxed)) return -1;
  return chunk;
}

/* Waits until there is a job other than `seen` to enter. Returns 0 when the team ends. */
static int wait_for_job(fb_team *team, uint64_t seen, uint64_t *state) {
  for (;;) {
    for (int spin = 0; spin < FB_SPINS; spin++) {
      *state = atomic_load(&team->state);
      if ((*state & OPEN) && (*state >> JOB_SHIFT) != seen) return 1;
      if (atomic_load_explicit(&team->ending, memory_order_relaxed)) return 0;
      fb_pause();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);
    for (;;) {
      *state = atomic_load(&team->state);
      if (((*state & OPEN) && (*state >> JOB_SHIFT) != seen) || atomic_load(&team->ending)) break;
      pthread_cond_wait(&team->work, &team->mutex);
    }
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
  }
}

static void *run_worker(void *argument) {
  worker *self = argument;
  fb_team *team = self->team;
  uint64_t seen = 0, state;
  while (wait_for_job(team, seen, &state)) {
    uint64_t job = state >> JOB_SHIFT;
    while ((state & OPEN) && (state >> JOB_SHIFT) == job && self->thread < atomic_load(&team->active)) {
      if (!atomic_compare_exchange_weak(&team->state, &state, state + 1)) continue;
      int64_t begin = team->timed ? fb_pace_processor_now() : 0;
      for (int64_t chunk; (chunk = take_chunk(team)) >= 0;) {
        team->body(team->context, chunk, self->thread);
      }
      if (team->timed) atomic_fetch_add(&team->worked, fb_pace_processor_now() - begin);
      uint64_t left = atomic_fetch_sub(&team->state, 1);
      if ((left & INSIDE) == 1 && atomic_load(&team->waiting)) {
        pthread_mutex_lock(&team->mutex);
        pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->mutex);
      }
      break;
    }
    seen = job;
  }
  return NULL;
}

static void wait_for_workers(fb_team *team) {
  for (int spin = 0; spin < FB_SPINS; spin++) {
    if (!(atomic_load(&team->state) & INSIDE)) return;
    fb_pause();
  }
  pthread_mutex_lock(&team->mutex);
  atomic_store(&team->waiting, 1);
  while (atomic_load(&team->state) & INSIDE) pthread_cond_wait(&team->done, &team->mutex);
  atomic_store(&team->waiting, 0);
  pthread_mutex_unlock(&team->mutex);
}

static void run_alone(fb_team *team, int64_t chunks, fb_body body, void *context) {
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    if (atomic_load_explicit(&team->cancelled, memory_order_relaxed)) return;
    body(context, chunk, 0);
  }
}

static void open_job(fb_team *team, int64_t chunks, fb_body body, void *context, int timed) {
  team->body = body;
  team->context = context;
  team->chunks = chunks;
  team->timed = timed;
  atomic_store_explicit(&team->worked, 0, memory_order_relaxed);
  atomic_store(&team->active, team->pace.active);
  atomic_store_explicit(&team->next, 0, memory_order_relaxed);
  uint64_t job = (atomic_load(&team->state) >> JOB_SHIFT) + 1;
  if ((uint32_t)job == 0) job = 1;
  atomic_store(&team->state, (uint64_t)(uint32_t)job << JOB_SHIFT | OPEN);
}

static void wake_sleepers(fb_team *team) {
  if (!atomic_load(&team->sleepers)) return;
  /* Who is about to sleep has the mutex until it does. */
  pthread_mutex_lock(&team->mutex);
  pthread_mutex_unlock(&team->mutex);
  pthread_cond_broadcast(&team->work);
}

void fb_parallel(fb_team *team, int64_t chunks, fb_body body, void *context) {
  if (team->threads == 1 || chunks <= 1) return run_alone(team, chunks, body, context);
  fb_pace_job job;
  fb_pace_begin(&job, fb_pace_now());
  if (fb_pace_threads(&team->pace) == 1) {
    run_alone(team, chunks, body, context);
    fb_pace_alone(&team->pace, fb_pace_now() - job.begin);
    return;
  }
  float *expected = &team->expected[(uintptr_t)body / 16 % BODIES];
  float chunk_ns = *expected > 0 ? *expected : WORTH_WAKING;
  int woken = 0, timed = chunk_ns * (float)chunks >= FB_PACE_LONG;
  int64_t processor_begin = timed ? fb_pace_processor_now() : 0;
  open_job(team, chunks, body, context, timed);
  for (int64_t chunk; (chunk = take_chunk(team)) >= 0;) {
    if (!woken && chunk_ns * (float)(chunks - chunk - 1) >= WORTH_WAKING) {
      wake_sleepers(team);
      woken = 1;
    }
    body(context, chunk, 0);
    fb_pace_chunk(&job, fb_pace_now());
    if (!woken) chunk_ns = (float)fb_pace_typical(&job);
  }
  int64_t own = timed ? fb_pace_processor_now() - processor_begin : 0;
  atomic_fetch_and(&team->state, ~OPEN);
  wait_for_workers(team);
  double typical = fb_pace_typical(&job);
  double ideal = timed ? (double)(own + atomic_load(&team->worked)) : (double)chunks * typical;
  fb_pace_note(&team->pace, chunks, ideal, fb_pace_now() - job.begin);
  *expected = (float)typical;
}

int fb_threads(const fb_team *team) { return team->threads; }
unsigned fb_features(const fb_team *team) { return team->features; }

static int reserve(void **memory, size_t *have, size_t want) {
  if (want <= *have) return 1;
  free(*memory);
  *have = 0;
  *memory = aligned_alloc(ALIGNMENT, want);
  if (!*memory) return 0;
  *have = want;
  return 1;
}

static size_t align_up(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

int fb_reserve(fb_team *team, size_t shared, size_t local) {
  team->local_stride = align_up(local);
  return reserve(&team->shared, &team->shared_bytes, align_up(shared)) &&
         reserve(&team->local, &team->local_bytes, team->local_stride * (size_t)team->threads);
}

void *fb_shared(fb_team *team) { return team->shared; }

void *fb_local(fb_team *team, int thread) {
  return (char *)team->local + team->local_stride * (size_t)thread;
}

void *fb_workspace(fb_team *team, size_t bytes) {
  return reserve(&team->workspace, &team->workspace_bytes, align_up(bytes)) ? team->workspace : NULL;
}

static void trim(void **memory, size_t *have) {
  if (*have <= TRIM_BYTES) return;
  free(*memory);
  *memory = NULL;
  *have = 0;
}

void fb_team_trim(fb_team *team) {
  trim(&team->shared, &team->shared_bytes);
  trim(&team->local, &team->local_bytes);
  trim(&team->workspace, &team->workspace_bytes);
}

void fb_team_cancel(fb_team *team) { atomic_store(&team->cancelled, 1); }

fb_team *fb_team_open(int threads, unsigned features) {
  fb_team *team = aligned_alloc(ALIGNMENT, align_up(sizeof(fb_team)));
  if (!team) return NULL;
  *team = (fb_team){.threads = 1, .features = features};
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->work, NULL);
  pthread_cond_init(&team->done, NULL);
  if (threads > 1) team->workers = calloc((size_t)threads - 1, sizeof(worker));
  if (threads > 1 && !team->workers) threads = 1;
  for (int thread = 1; thread < threads; thread++) {
    worker *self = &team->workers[thread - 1];
    self->team = team;
    self->thread = thread;
    if (pthread_create(&self->handle, NULL, run_worker, self)) break;
    team->threads++;
  }
  fb_pace_start(&team->pace, team->threads);
  return team;
}

void fb_team_close(fb_team *team) {
  pthread_mutex_lock(&team->mutex);
  atomic_store(&team->ending, 1);
  pthread_cond_broadcast(&team->work);
  pthread_mutex_unlock(&team->mutex);
  for (int thread = 1; thread < team->threads; thread++) {
    pthread_join(team->workers[thread - 1].handle, NULL);
  }
  pthread_cond_destroy(&team->done);
  pthread_cond_destroy(&team->work);
  pthread_mutex_destroy(&team->mutex);
  free(team->workers);
  free(team->shared);
  free(team->local);
  free(team->workspace);
  free(team);
}
