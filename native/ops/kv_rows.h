/*
 * Keys or values of a cache, which lie as [capacity][heads][d] in float32, float16, int8 or four bits (the last
 * two with one float32 scale a key and head: value = scale · code), read as float32 rows of `width` floats: d and
 * zeros up to the next multiple of the vector width.
 */
#ifndef FEWBIT_KV_ROWS_H
#define FEWBIT_KV_ROWS_H

#include <stdint.h>

#include "../include/half.h"
#include "../include/vec.h"
#include "dtype.h"
#include "kv_layout.h"

typedef struct {
  const void *rows;    /* key 0 of a batch entry, its first head */
  const float *scales; /* of the same; int8 and four bits only */
  int64_t dtype;
  int64_t heads, d, width;
} kv_rows;

static inline __attribute__((always_inline)) vf kv_load(const void *row, int64_t i, int64_t dtype, vf scale) {
  if (dtype == FB_F32) return vf_load((const float *)row + i);
  if (dtype == FB_F16) return vf_load_f16((const uint16_t *)row + i);
  return vf_mul(vf_load_i8((const int8_t *)row + i), scale);
}

static inline float kv_load_one(const void *row, int64_t i, int64_t dtype, float scale) {
  if (dtype == FB_F32) return ((const float *)row)[i];
  if (dtype == FB_F16) return fb_from_f16(((const uint16_t *)row)[i]);
  return (float)((const int8_t *)row)[i] * scale;
}

#define KV_NIBBLES 64 /* bytes that are taken apart at a time */

/* to = scale · code for bytes [0, n) of a row: the codes below, or with shift 4 those above. */
static inline void kv_widen_nibbles(float *to, const uint8_t *from, int64_t n, int shift, float scale) {
  int8_t codes[KV_NIBBLES];
  vf factor = vf_set1(scale);
  for (int64_t start = 0; start < n; start += KV_NIBBLES) {
    int64_t count = n - start < KV_NIBBLES ? n - start : KV_NIBBLES, i = 0;
    for (int64_t j = 0; j < count; j++) codes[j] = (int8_t)((from[start + j] >> shift & 15) - 8);
    for (; i + VF_WIDTH <= count; i += VF_WIDTH) vf_store(to + start + i, vf_mul(vf_load_i8(codes + i), factor));
    for (; i < count; i++) to[start + i] = (float)codes[i] * scale;
  }
}

/* Widens `count` rows of four bits that follow each other. */
static void kv_widen_four(float *out, const kv_rows *kv, int64_t at, int64_t count) {
  int64_t d = kv->d, half = kv_row_bytes(FB_U8, d);
  for (int64_t j = 0; j < count; j++, out += kv->width) {
    const uint8_t *row = (const uint8_t *)kv->rows + (at + j) * half;
    kv_widen_nibbles(out, row, half, 0, kv->scales[at + j]);
    kv_widen_nibbles(out + half, row, d - half, 4, kv->scales[at + j]);
    for (int64_t i = d; i < kv->width; i++) out[i] = 0;
  }
}

/* Widens `count` rows of `d` that follow each other, to rows of `width`. */
static inline __attribute__((always_inline)) void kv_widen_rows(float *out, const kv_rows *kv, int64_t at,
                                                                int64_t count, const int64_t dtype) {
  if (dtype == FB_U8) {
    kv_widen_four(out, kv, at, count);
    return;
  }
  int64_t d = kv->d, width = kv->width;
  const char *rows = (const char *)kv->rows + kv_row_bytes(dtype, at * d);
  if (dtype != FB_I8 && d == width) { /* no seams */
    d = width = count * d;
    count = 1;
  }
  for (int64_t j = 0; j < count; j++) {
    const void *row = rows + kv_row_bytes(dtype, j * d);
    float *to = out + j * width, scale = dtype == FB_I8 ? kv->scales[at + j] : 1;
    vf factor = vf_set1(scale);
    int64_t i = 0;
#pragma GCC unroll 4
    for (; i + VF_WIDTH <= d; i += VF_WIDTH) vf_store(to + i, kv_load(row, i, dtype, factor));
    for (; i < d; i++) to[i] = kv_load_one(row, i, dtype, scale);
    for (; i < width; i++) to[i] = 0;
  }
}

static inline __attribute__((always_inline)) void kv_widen_as(float *out, const kv_rows *kv, int64_t key,
                                                              int64_t count, int64_t head, int64_t heads,
                                                              const int64_t dtype) {
  int64_t at = key * kv->heads + head;
  if (heads == kv->heads) { /* no seams between keys */
    heads *= count;
    count = 1;
  }
  for (int64_t j = 0; j < count; j++, at += kv->heads) {
    kv_widen_rows(out + j * heads * kv->width, kv, at, heads, dtype);
  }
}

/* Widens the heads [head, head + heads) of `count` keys from `key` on, to [count][heads][width]. */
static void kv_widen(float *out, const kv_rows *kv, int64_t key, int64_t count, int64_t head, int64_t heads) {
  if (kv->dtype == FB_F32) kv_widen_as(out, kv, key, count, head, heads, FB_F32);
  else if (kv->dtype == FB_F16) kv_widen_as(out, kv, key, count, head, heads, FB_F16);
  else if (kv->dtype == FB_I8) kv_widen_as(out, kv, key, count, head, heads, FB_I8);
  else kv_widen_as(out, kv, key, count, head, heads, FB_U8);
}

#endif
