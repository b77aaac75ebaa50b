/* Memory as array buffers: part of the addon, like addon.c. */
#ifndef FEWBIT_ADDON_MEMORY_H
#define FEWBIT_ADDON_MEMORY_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stddef.h>

/*
 * Called before memory of an array buffer is freed: ends queues that still work on it, which happens only where the
 * environment ends, because Node then frees such memory before it calls the hooks that would end the queues.
 */
void fb_addon_before_release(napi_env env, const void *memory, size_t bytes);

/* allocate(bytes: number): ArrayBuffer, with undefined contents */
napi_value fb_addon_allocate(napi_env env, napi_callback_info info);
/* mapFile(file descriptor, bytes): ArrayBuffer, or null where files are not mapped */
napi_value fb_addon_map_file(napi_env env, napi_callback_info info);
/* lostFiles(): number of files that are mapped now and became shorter */
napi_value fb_addon_lost_files(napi_env env, napi_callback_info info);
/* isLostFile(buffer of mapFile): whether its file is one of them */
napi_value fb_addon_is_lost_file(napi_env env, napi_callback_info info);

#endif
