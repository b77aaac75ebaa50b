/*
 * A ring with one writer (the JavaScript thread) and one reader (the executor). Both sides wait on the
 * same condition; the executor spins for some microseconds before it sleeps, because the next op of a
 * layer usually comes at once.
 *
 *   ring   [ ran | ran | running | waiting | waiting | free | ... ]
 *                          ^ head                       ^ tail       (counts, index = count mod RING)
 */
#include "queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spin.h"
#include "team.h"

#define RING 512

typedef struct {
  const fb_op *op; /* NULL for a fence, then buffer[0] is the fence */
  fb_args args;
} job;

struct fb_queue {
  job *ring;
  fb_team *team;
  pthread_t executor;
  fb_fence_reached reached;
  void *owner;
  fb_profile *profile; /* changed only while the executor has nothing to do */
  int32_t *completed;
  char error[FB_ERROR_BYTES];
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  _Alignas(64) _Atomic uint32_t head;
  _Alignas(64) _Atomic uint32_t tail;
  atomic_int executor_sleeps, writer_sleeps, ending;
};

static void wake(fb_queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  pthread_cond_broadcast(&queue->changed);
  pthread_mutex_unlock(&queue->mutex);
}

static int has_work(fb_queue *queue) {
  return atomic_load(&queue->head) != atomic_load(&queue->tail) || atomic_load(&queue->ending);
}

static void wait_for_work(fb_queue *queue) {
  for (int spin = 0; spin < FB_SPINS; spin++) {
    if (has_work(queue)) return;
    fb_pause();
  }
  pthread_mutex_lock(&queue->mutex);
  atomic_store(&queue->executor_sleeps, 1);
  while (!has_work(queue)) pthread_cond_wait(&queue->changed, &queue->mutex);
  atomic_store(&queue->executor_sleeps, 0);
  pthread_mutex_unlock(&queue->mutex);
}

/* Whether a call has anything to read or write; one whose buffers are all empty has nothing to do. */
static int has_bytes(const job *next) {
  for (int i = 0; i < next->op->buffers; i++) {
    if (next->args.bytes[i]) return 1;
  }
  return 0;
}

static void run_job(fb_queue *queue, job *next) {
  if (!next->op) {
    queue->reached(queue->owner, next->args.buffer[0], queue->error);
    queue->error[0] = 0;
    if (queue->profile) fb_profile_fence(queue->profile);
    return;
  }
  if (queue->profile) fb_profile_begin(queue->profile);
  const char *failure = has_bytes(next) ? next->op->run(&next->args, queue->team) : NULL;
  if (queue->profile) fb_profile_end(queue->profile, next->op);
  fb_team_trim(queue->team);
  if (failure && !queue->error[0]) {
    snprintf(queue->error, sizeof queue->error, "%s: %s", next->op->name, failure);
  }
}

static void *execute(void *argument) {
  fb_queue *queue = argument;
  for (;;) {
    wait_for_work(queue);
    if (atomic_load(&queue->ending)) return NULL;
    uint32_t head = atomic_load(&queue->head);
    run_job(queue, &queue->ring[head % RING]);
    atomic_store(&queue->head, head + 1);
    if (queue->completed) __atomic_store_n(queue->completed, (int32_t)(head + 1), __ATOMIC_SEQ_CST);
    if (atomic_load(&queue->writer_sleeps)) wake(queue);
  }
}

static void wait_until(fb_queue *queue, uint32_t pending_at_most) {
  if (atomic_load(&queue->tail) - atomic_load(&queue->head) <= pending_at_most) return;
  pthread_mutex_lock(&queue->mutex);
  atomic_store(&queue->writer_sleeps, 1);
  while (atomic_load(&queue->tail) - atomic_load(&queue->head) > pending_at_most) {
    pthread_cond_wait(&queue->changed, &queue->mutex);
  }
  atomic_store(&queue->writer_sleeps, 0);
  pthread_mutex_unlock(&queue->mutex);
}

static job *next_free(fb_queue *queue) {
  wait_until(queue, RING - 1);
  return &queue->ring[atomic_load(&queue->tail) % RING];
}

static void publish(fb_queue *queue) {
  atomic_fetch_add(&queue->tail, 1);
  if (atomic_load(&queue->executor_sleeps)) wake(queue);
}

void fb_queue_append(fb_queue *queue, const fb_op *op, const fb_args *args) {
  job *slot = next_free(queue);
  slot->op = op;
  slot->args = *args;
  publish(queue);
}

void fb_queue_fence(fb_queue *queue, void *fence) {
  job *slot = next_free(queue);
  slot->op = NULL;
  slot->args.buffer[0] = fence;
  publish(queue);
}

void fb_queue_drain(fb_queue *queue) { wait_until(queue, 0); }

fb_profile *fb_queue_profile(fb_queue *queue, fb_profile *next) {
  fb_queue_drain(queue);
  fb_profile *previous = queue->profile;
  queue->profile = next;
  return previous;
}

int fb_queue_threads(const fb_queue *queue) { return fb_threads(queue->team); }

static void free_queue(fb_queue *queue) {
  if (queue->team) fb_team_close(queue->team);
  pthread_cond_destroy(&queue->changed);
  pthread_mutex_destroy(&queue->mutex);
  fb_profile_close(queue->profile);
  free(queue->ring);
  free(queue);
}

fb_queue *fb_queue_open(int threads, unsigned features, int32_t *completed, fb_fence_reached reached,
                        void *owner) {
  size_t bytes = (sizeof(fb_queue) + 63) / 64 * 64;
  fb_queue *queue = aligned_alloc(64, bytes);
  if (!queue) return NULL;
  memset(queue, 0, bytes);
  pthread_mutex_init(&queue->mutex, NULL);
  pthread_cond_init(&queue->changed, NULL);
  queue->completed = completed;
  queue->reached = reached;
  queue->owner = owner;
  queue->ring = calloc(RING, sizeof(job));
  queue->team = fb_team_open(threads, features);
  if (!queue->ring || !queue->team || pthread_create(&queue->executor, NULL, execute, queue)) {
    free_queue(queue);
    return NULL;
  }
  return queue;
}

int fb_queue_uses(fb_queue *queue, const void *memory, size_t bytes) {
  uintptr_t begin = (uintptr_t)memory;
  for (uint32_t i = atomic_load(&queue->head); i != atomic_load(&queue->tail); i++) {
    const job *waiting = &queue->ring[i % RING];
    for (int b = 0; waiting->op && b < waiting->op->buffers; b++) {
      uintptr_t at = (uintptr_t)waiting->args.buffer[b];
      if (at >= begin && at - begin < bytes) return 1;
    }
  }
  return 0;
}

void fb_queue_close(fb_queue *queue) {
  fb_team_cancel(queue->team);
  atomic_store(&queue->ending, 1);
  wake(queue);
  pthread_join(queue->executor, NULL);
  free_queue(queue);
}
