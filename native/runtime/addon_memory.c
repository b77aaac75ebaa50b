/*
 * Memory that JavaScript sees as array buffers: memory for weights, aligned to cache lines and in huge pages where
 * the system offers them, since a product runs through all of it once a token; and files, mapped.
 */
#include "addon_memory.h"

#include <stdint.h>
#include <stdlib.h>

#include "map_file.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define LINE 64
#define HUGE_PAGE ((size_t)2 << 20)
#define MAX_INTEGER 9007199254740992.0

static napi_value refuse(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static void release(napi_env env, void *memory, void *bytes) {
  fb_addon_before_release(env, memory, (size_t)(uintptr_t)bytes);
  free(memory);
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

napi_value fb_addon_allocate(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, buffer;
  double bytes = -1;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count != 1 || napi_get_value_double(env, argument, &bytes) != napi_ok || !(bytes >= 0 && bytes <= MAX_INTEGER)) {
    return refuse(env, "allocate takes a number of bytes");
  }
  void *memory = take((size_t)bytes);
  if (!memory) return refuse(env, "out of memory");
  if (napi_create_external_arraybuffer(env, memory, (size_t)bytes, release, (void *)(uintptr_t)bytes,
                                      &buffer) == napi_ok) {
    return buffer;
  }
  free(memory); /* this JavaScript engine takes no memory from outside */
  if (napi_create_arraybuffer(env, (size_t)bytes, &memory, &buffer) != napi_ok) return NULL;
  return buffer;
}

static void unmap_file(napi_env env, void *memory, void *bytes) {
  fb_addon_before_release(env, memory, (size_t)(uintptr_t)bytes);
  fb_unmap_file(memory, (size_t)(uintptr_t)bytes);
}

napi_value fb_addon_map_file(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value argument[2], result;
  int32_t file;
  double bytes;
  napi_get_cb_info(env, info, &count, argument, NULL, NULL);
  if (count != 2 || napi_get_value_int32(env, argument[0], &file) != napi_ok ||
      napi_get_value_double(env, argument[1], &bytes) != napi_ok || !(bytes >= 0 && bytes <= MAX_INTEGER)) {
    return refuse(env, "mapFile takes a file descriptor and a number of bytes");
  }
  size_t size = (size_t)bytes;
  void *memory = fb_map_file(file, size);
  if (memory && napi_create_external_arraybuffer(env, memory, size, unmap_file, (void *)(uintptr_t)size,
                                                 &result) == napi_ok) {
    return result;
  }
  /* Some programs that embed Node do not allow memory of others in array buffers. */
  if (memory) fb_unmap_file(memory, size);
  napi_get_null(env, &result);
  return result;
}

napi_value fb_addon_lost_files(napi_env env, napi_callback_info info) {
  napi_value result;
  (void)info;
  napi_create_int32(env, fb_lost_files(), &result);
  return result;
}

napi_value fb_addon_is_lost_file(napi_env env, napi_callback_info info) {
  size_t count = 1, bytes;
  napi_value argument, result;
  void *memory;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count != 1 || napi_get_arraybuffer_info(env, argument, &memory, &bytes) != napi_ok) {
    return refuse(env, "isLostFile takes an array buffer");
  }
  napi_get_boolean(env, fb_is_lost_file(memory), &result);
  return result;
}
