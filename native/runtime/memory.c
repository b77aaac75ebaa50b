/*
 * Memory for weights, handed to JavaScript as array buffers: aligned to cache lines, and in huge pages where the
 * system offers them, since a product runs through all of it once a token.
 */
#include "memory.h"

#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define LINE 64
#define HUGE_PAGE ((size_t)2 << 20)

static void release(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

static void *take(size_t bytes) {
  size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
  size_t whole = (bytes + alignment - 1) / alignment * alignment;
  void *memory = aligned_alloc(alignment, whole ? whole : alignment);
#if defined(__linux__)
  if (memory && alignment == HUGE_PAGE) madvise(memory, whole, MADV_HUGEPAGE);
#endif
  return memory;
}

napi_value fb_allocate(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, buffer;
  double bytes = -1;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count != 1 || napi_get_value_double(env, argument, &bytes) != napi_ok || !(bytes >= 0)) {
    napi_throw_error(env, NULL, "allocate takes a number of bytes");
    return NULL;
  }
  void *memory = take((size_t)bytes);
  if (!memory) {
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  if (napi_create_external_arraybuffer(env, memory, (size_t)bytes, release, NULL, &buffer) == napi_ok) {
    return buffer;
  }
  free(memory); /* this JavaScript engine takes no memory from outside */
  if (napi_create_arraybuffer(env, (size_t)bytes, &memory, &buffer) != napi_ok) return NULL;
  return buffer;
}
