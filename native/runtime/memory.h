/* Memory for weights. */
#ifndef FEWBIT_MEMORY_H
#define FEWBIT_MEMORY_H

#define NAPI_VERSION 8
#include <node_api.h>

/* allocate(bytes: number): ArrayBuffer, with undefined contents */
napi_value fb_allocate(napi_env env, napi_callback_info info);

#endif
