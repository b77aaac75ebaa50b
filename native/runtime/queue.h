/*
 * The queue between the JavaScript thread, which appends jobs, and one executor thread, which runs them in
 * order with its team. A fence is a job that reports back when everything before it has run.
 */
#ifndef FEWBIT_QUEUE_H
#define FEWBIT_QUEUE_H

#include "../include/fewbit.h"
#include "profile.h"

#define FB_ERROR_BYTES 256

typedef struct fb_queue fb_queue;

/* Called on the executor thread; `error` is the first failure since the last fence, or "". */
typedef void (*fb_fence_reached)(void *owner, void *fence, const char *error);

/*
 * Opens a queue. `completed` (owned by the caller, NULL for none) receives the number of finished jobs,
 * modulo 2³². Returns NULL when no thread could be started.
 */
fb_queue *fb_queue_open(int threads, unsigned features, int32_t *completed, fb_fence_reached reached,
                        void *owner);
/* Appends a call; waits when the queue is full. */
void fb_queue_append(fb_queue *queue, const fb_op *op, const fb_args *args);
/* Appends a fence. */
void fb_queue_fence(fb_queue *queue, void *fence);
/* Waits until everything appended so far has run. */
void fb_queue_drain(fb_queue *queue);
/*
 * Waits as fb_queue_drain, then counts into `next` from here on (NULL: counts no more). Returns what was
 * counted into, which is the caller's now.
 */
fb_profile *fb_queue_profile(fb_queue *queue, fb_profile *next);
/* Whether a call that has not run to its end takes a buffer that begins within these bytes. */
int fb_queue_uses(fb_queue *queue, const void *memory, size_t bytes);
int fb_queue_threads(const fb_queue *queue);
/* Drops what has not started, cuts short what runs, ends the threads and frees the queue. */
void fb_queue_close(fb_queue *queue);

#endif
