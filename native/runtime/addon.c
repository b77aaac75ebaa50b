/*
 * The Node-API side: opens queues, appends calls with their arguments taken from typed arrays and numbers,
 * and turns fences into promises. All state belongs to a queue object, so that the addon may be
 * loaded by several threads of one process.
 *
 * Lifetime of memory: the caller keeps typed arrays reachable until the job counter has passed their job.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

#include "addon_memory.h"
#include "levels.h"
#include "measure.h"
#include "queue.h"

#define MAX_ARGUMENTS (2 + FB_MAX_BUFFERS + FB_MAX_SIZES + FB_MAX_REALS)
#define MAX_INTEGER 9007199254740992.0
#define MOST_THREADS 1024

typedef struct handle {
  napi_env env;
  fb_queue *queue;
  const fb_level *level;
  napi_threadsafe_function notify;
  napi_ref completed;
  int fences;
  struct handle *next; /* of those of this environment that are open */
} handle;

typedef struct {
  handle *owner;
  napi_deferred deferred;
  char error[FB_ERROR_BYTES];
} fence;

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static napi_value undefined(napi_env env) {
  napi_value value = NULL;
  napi_get_undefined(env, &value);
  return value;
}

static void set_string(napi_env env, napi_value object, const char *key, const char *text) {
  napi_value value;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, key, value);
}

static void set_number(napi_env env, napi_value object, const char *key, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, key, value);
}

/* Fences: executor thread -> JavaScript thread. */

static void fence_reached(void *owner, void *data, const char *error) {
  handle *self = owner;
  fence *reached = data;
  strncpy(reached->error, error, FB_ERROR_BYTES - 1);
  napi_call_threadsafe_function(self->notify, reached, napi_tsfn_nonblocking);
}

static void settle_fence(napi_env env, napi_value callback, void *context, void *data) {
  fence *reached = data;
  (void)callback;
  (void)context;
  if (env) {
    handle *self = reached->owner;
    napi_value result = undefined(env);
    if (reached->error[0]) napi_create_string_utf8(env, reached->error, NAPI_AUTO_LENGTH, &result);
    napi_resolve_deferred(env, reached->deferred, result);
    if (--self->fences == 0) napi_unref_threadsafe_function(env, self->notify);
  }
  free(reached);
}

/* Queue objects. */

static void stop_queue(void *data) {
  handle *self = data;
  if (self->queue) fb_queue_close(self->queue);
  self->queue = NULL;
}

/* Where the list of an environment's open queues begins; NULL when there never was one. */
static handle **open_handles(napi_env env) {
  void *first = NULL;
  return napi_get_instance_data(env, &first) == napi_ok ? first : NULL;
}

static void free_list(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

static napi_status note_handle(napi_env env, handle *self) {
  handle **first = open_handles(env);
  if (!first) {
    first = calloc(1, sizeof *first);
    if (!first) return napi_generic_failure;
    napi_status status = napi_set_instance_data(env, first, free_list, NULL);
    if (status != napi_ok) {
      free(first);
      return status;
    }
  }
  self->next = *first;
  *first = self;
  return napi_ok;
}

static void forget_handle(handle *self) {
  handle **place = open_handles(self->env);
  while (place && *place && *place != self) place = &(*place)->next;
  if (place && *place) *place = self->next;
}

void fb_addon_before_release(napi_env env, const void *memory, size_t bytes) {
  handle **first = open_handles(env);
  for (handle *each = first ? *first : NULL; each; each = each->next) {
    if (each->queue && fb_queue_uses(each->queue, memory, bytes)) stop_queue(each);
  }
}

static void close_handle(handle *self) {
  forget_handle(self);
  if (!self->queue) return;
  napi_remove_env_cleanup_hook(self->env, stop_queue, self);
  stop_queue(self);
  napi_delete_reference(self->env, self->completed);
  napi_release_threadsafe_function(self->notify, napi_tsfn_abort);
}

static void finalize_handle(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  close_handle(data);
  free(data);
}

static handle *get_handle(napi_env env, napi_value value) {
  handle *self = NULL;
  if (napi_get_value_external(env, value, (void **)&self) != napi_ok || !self->queue) {
    fail(env, "expected an open queue");
    return NULL;
  }
  return self;
}

static const fb_level *find_level(const char *name, unsigned *features) {
  for (int i = 0; i < fb_level_count; i++) {
    if (strcmp(fb_levels[i].name, name)) continue;
    unsigned support = fb_levels[i].supported();
    *features = support >> 1;
    return support ? &fb_levels[i] : NULL;
  }
  return NULL;
}

static napi_status create_notify(napi_env env, handle *self) {
  napi_value name;
  napi_create_string_utf8(env, "fewbit queue", NAPI_AUTO_LENGTH, &name);
  napi_status status = napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, self,
                                                       settle_fence, &self->notify);
  if (status == napi_ok) napi_unref_threadsafe_function(env, self->notify);
  return status;
}

/* openQueue(level: string, threads: number, completed: Int32Array of 1): queue */
static napi_value open_queue(napi_env env, napi_callback_info info) {
  size_t count = 3, length = 0;
  napi_value argument[3], result;
  char name[16];
  int32_t threads = 1;
  unsigned features = 0;
  napi_typedarray_type type;
  void *completed = NULL;
  napi_get_cb_info(env, info, &count, argument, NULL, NULL);
  if (count != 3 || napi_get_value_string_utf8(env, argument[0], name, sizeof name, NULL) != napi_ok ||
      napi_get_value_int32(env, argument[1], &threads) != napi_ok || threads < 1 || threads > MOST_THREADS ||
      napi_get_typedarray_info(env, argument[2], &type, &length, &completed, NULL, NULL) != napi_ok ||
      type != napi_int32_array || length < 1) {
    return fail(env, "openQueue takes a level, a number of threads and an Int32Array");
  }
  const fb_level *level = find_level(name, &features);
  if (!level) return fail(env, "this instruction level is not available");
  handle *self = calloc(1, sizeof(handle));
  if (!self) return fail(env, "out of memory");
  self->env = env;
  self->level = level;
  if (create_notify(env, self) != napi_ok) {
    free(self);
    return fail(env, "cannot create a thread-safe function");
  }
  self->queue = fb_queue_open(threads, features, completed, fence_reached, self);
  if (self->queue && note_handle(env, self) != napi_ok) {
    fb_queue_close(self->queue);
    self->queue = NULL;
  }
  if (!self->queue) {
    napi_release_threadsafe_function(self->notify, napi_tsfn_abort);
    free(self);
    return fail(env, "cannot start the executor thread");
  }
  napi_create_reference(env, argument[2], 1, &self->completed);
  napi_add_env_cleanup_hook(env, stop_queue, self);
  napi_create_external(env, self, finalize_handle, NULL, &result);
  return result;
}

static int read_buffers(napi_env env, const fb_op *op, const napi_value *argument, fb_args *args) {
  for (int i = 0; i < op->buffers; i++) {
    static const unsigned char width[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    napi_typedarray_type type;
    size_t length;
    if (napi_get_typedarray_info(env, argument[i], &type, &length, &args->buffer[i], NULL, NULL) ==
        napi_ok) {
      if ((size_t)type >= sizeof width) return 0;
      args->bytes[i] = length * width[type];
      continue;
    }
    napi_valuetype kind;
    napi_typeof(env, argument[i], &kind);
    if (kind != napi_null) return 0;
    args->buffer[i] = NULL;
    args->bytes[i] = 0;
  }
  return 1;
}

/* Sizes up to this one need no buffer that has them: flags, steps, lengths beside an empty axis. */
#define SMALL_SIZE INT32_MAX

/*
 * Whether the sizes of a call can be those of its buffers: none is negative, or larger than the bits of all
 * of them, and the product of three is no overflow, so that ops need look at products of four only. An op
 * checks that they are.
 */
static int sizes_fit(const fb_op *op, const fb_args *args) {
  double largest[3] = {1, 1, 1}, bits = 0;
  for (int i = 0; i < op->buffers; i++) bits += 8.0 * (double)args->bytes[i];
  for (int i = 0; i < op->sizes; i++) {
    double size = (double)args->size[i];
    if (size < 0 || (size > SMALL_SIZE && size > bits)) return 0;
    for (int j = 0; j < 3; j++) {
      if (size <= largest[j]) continue;
      double smaller = largest[j];
      largest[j] = size;
      size = smaller;
    }
  }
  return largest[0] * largest[1] * largest[2] <= 0x1p60;
}

/* enqueue(queue, op: number, ...buffers, ...sizes, ...reals) */
static napi_value enqueue(napi_env env, napi_callback_info info) {
  size_t count = MAX_ARGUMENTS;
  napi_value argument[MAX_ARGUMENTS];
  int32_t id;
  fb_args args;
  napi_get_cb_info(env, info, &count, argument, NULL, NULL);
  if (count < 2) return fail(env, "enqueue takes a queue, an op and its arguments");
  handle *self = get_handle(env, argument[0]);
  if (!self) return NULL;
  if (napi_get_value_int32(env, argument[1], &id) != napi_ok || id < 0 || id >= fb_op_count) {
    return fail(env, "no such op");
  }
  const fb_op *op = &self->level->ops[id];
  if (count != (size_t)(2 + op->buffers + op->sizes + op->reals)) {
    return fail(env, "wrong number of arguments for this op");
  }
  const napi_value *next = argument + 2;
  if (!read_buffers(env, op, next, &args)) return fail(env, "expected a typed array or null");
  next += op->buffers;
  for (int i = 0; i < op->sizes; i++) {
    double number;
    if (napi_get_value_double(env, *next++, &number) != napi_ok ||
        !(number >= -MAX_INTEGER && number <= MAX_INTEGER) || number != (double)(int64_t)number) {
      return fail(env, "expected an integer");
    }
    args.size[i] = (int64_t)number;
  }
  if (!sizes_fit(op, &args)) return fail(env, "a size is negative, or larger than the buffers can be");
  for (int i = 0; i < op->reals; i++) {
    if (napi_get_value_double(env, *next++, &args.real[i]) != napi_ok) {
      return fail(env, "expected a number");
    }
  }
  fb_queue_append(self->queue, op, &args);
  return NULL;
}

/* synchronize(queue): Promise<string | undefined>, the error of the first op that failed */
static napi_value synchronize(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, promise;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  handle *self = count == 1 ? get_handle(env, argument) : NULL;
  if (!self) return NULL;
  fence *next = calloc(1, sizeof(fence));
  if (!next) return fail(env, "out of memory");
  next->owner = self;
  napi_create_promise(env, &next->deferred, &promise);
  if (self->fences++ == 0) napi_ref_threadsafe_function(env, self->notify);
  fb_queue_fence(self->queue, next);
  return promise;
}

/* drain(queue): blocks until everything enqueued has run */
static napi_value drain(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  handle *self = count == 1 ? get_handle(env, argument) : NULL;
  if (self) fb_queue_drain(self->queue);
  return NULL;
}

/* closeQueue(queue): drops waiting work and ends the threads */
static napi_value close_queue(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  handle *self = count == 1 ? get_handle(env, argument) : NULL;
  if (self) close_handle(self);
  return NULL;
}

static napi_value list_tallies(napi_env env, const fb_profile *profile) {
  static const char *const waiting[] = {"(between ops)", "(behind a read)"};
  napi_value list;
  uint32_t next = 0;
  napi_create_array(env, &list);
  for (int i = -2; i < fb_op_count; i++) {
    const fb_tally *tally = i < 0 ? &profile->waiting[i + 2] : &profile->op[i];
    if (!tally->calls) continue;
    napi_value entry;
    napi_create_object(env, &entry);
    set_string(env, entry, "op", i < 0 ? waiting[i + 2] : profile->ops[i].name);
    set_number(env, entry, "calls", (double)tally->calls);
    set_number(env, entry, "nanoseconds", (double)tally->nanoseconds);
    napi_set_element(env, list, next++, entry);
  }
  return list;
}

/* profile(queue): drains, returns what was counted since the last call, and counts from here on */
static napi_value profile(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, list;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  handle *self = count == 1 ? get_handle(env, argument) : NULL;
  if (!self) return NULL;
  fb_profile *next = fb_profile_open(self->level->ops, fb_op_count);
  if (!next) return fail(env, "out of memory");
  fb_profile *counted = fb_queue_profile(self->queue, next);
  list = list_tallies(env, counted ? counted : next);
  fb_profile_close(counted);
  return list;
}

static napi_value list_levels(napi_env env) {
  napi_value list;
  uint32_t next = 0;
  napi_create_array(env, &list);
  for (int i = 0; i < fb_level_count; i++) {
    if (!fb_levels[i].supported()) continue;
    napi_value level;
    napi_create_object(env, &level);
    set_string(env, level, "name", fb_levels[i].name);
    set_string(env, level, "title", fb_levels[i].title);
    set_number(env, level, "lanes", fb_levels[i].lanes);
    napi_set_element(env, list, next++, level);
  }
  return list;
}

static napi_value list_ops(napi_env env) {
  napi_value list;
  napi_create_array(env, &list);
  for (int i = 0; i < fb_op_count; i++) {
    const fb_op *op = &fb_levels[0].ops[i];
    napi_value entry;
    napi_create_object(env, &entry);
    set_string(env, entry, "name", op->name);
    set_number(env, entry, "buffers", op->buffers);
    set_number(env, entry, "sizes", op->sizes);
    set_number(env, entry, "reals", op->reals);
    napi_set_element(env, list, (uint32_t)i, entry);
  }
  return list;
}

/* measureThreads(most): number */
static napi_value measure_threads(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, result;
  int32_t most;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count != 1 || napi_get_value_int32(env, argument, &most) != napi_ok) {
    return fail(env, "measureThreads takes a number of threads");
  }
  napi_create_int32(env, fb_measure_threads(most), &result);
  return result;
}

static void set_function(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
  napi_set_named_property(env, exports, name, function);
}

NAPI_MODULE_INIT() {
  set_function(env, exports, "allocate", fb_addon_allocate);
  set_function(env, exports, "openQueue", open_queue);
  set_function(env, exports, "enqueue", enqueue);
  set_function(env, exports, "synchronize", synchronize);
  set_function(env, exports, "drain", drain);
  set_function(env, exports, "closeQueue", close_queue);
  set_function(env, exports, "profile", profile);
  set_function(env, exports, "mapFile", fb_addon_map_file);
  set_function(env, exports, "lostFiles", fb_addon_lost_files);
  set_function(env, exports, "isLostFile", fb_addon_is_lost_file);
  set_function(env, exports, "measureThreads", measure_threads);
  napi_set_named_property(env, exports, "levels", list_levels(env));
  napi_set_named_property(env, exports, "ops", list_ops(env));
  return exports;
}
