/* Memory as array buffers: part of the addon, like addon.c. */
#ifndef FEWBIT_ADDON_MEMORY_H
#define FEWBIT_ADDON_MEMORY_H

#define NAPI_VERSION 8
#include <node_api.h>

/* allocate(bytes: number): ArrayBuffer, with undefined contents */
napi_value fb_addon_allocate(napi_env env, napi_callback_info info);
/* mapFile(file descriptor, bytes): ArrayBuffer, or null where files are not mapped */
napi_value fb_addon_map_file(napi_env env, napi_callback_info info);
/* lostFiles(): number of files that are mapped now and became shorter */
napi_value fb_addon_lost_files(napi_env env, napi_callback_info info);
/* isLostFile(buffer of mapFile): whether its file is one of them */
napi_value fb_addon_is_lost_file(napi_env env, napi_callback_info info);

#endif
