/* attention, paged_attention and rope against their formulas, at shapes around the sizes of strips and key blocks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"

enum { F32 = 0, F16 = 1, I8 = 4, U8 = 5 };

typedef struct {
  int64_t batch, length, heads, head_dim, capacity, kv_heads, key_length, window, soft_cap; /* soft_cap in tenths; 0: none */
} attention_shape;

static void attend(const attention_shape *s, const float *q, const float *k, const float *v, double scale,
                   double *out, int64_t b, int64_t t, int64_t head) {
  int64_t position = s->key_length - s->length + t, n = s->head_dim;
  int64_t first = s->window ? fb_max(0, position + 1 - s->window) : 0;
  int64_t kv_head = head / (s->heads / s->kv_heads), at = ((b * s->length + t) * s->heads + head) * n;
  double *weight = take((size_t)(position + 1) * 8), top = -INFINITY, sum = 0;
  for (int64_t j = first; j <= position; j++) {
    const float *key = k + ((b * s->capacity + j) * s->kv_heads + kv_head) * n;
    weight[j] = 0;
    for (int64_t i = 0; i < n; i++) weight[j] += (double)q[at + i] * key[i];
    weight[j] *= scale;
    if (s->soft_cap) weight[j] = s->soft_cap / 10.0 * tanh(weight[j] * 10 / (double)s->soft_cap);
    top = fmax(top, weight[j]);
  }
  for (int64_t j = first; j <= position; j++) sum += weight[j] = exp(weight[j] - top);
  for (int64_t i = 0; i < n; i++) out[at + i] = 0;
  for (int64_t j = first; j <= position; j++) {
    const float *value = v + ((b * s->capacity + j) * s->kv_heads + kv_head) * n;
    for (int64_t i = 0; i < n; i++) out[at + i] += weight[j] / sum * value[i];
  }
  free(weight);
}

/* Keys or values of a cache in the dtype under test, and what they stand for. */
typedef struct {
  void *codes;
  float *scales, *floats;
  size_t code_bytes, scale_bytes;
} cache;

static cache random_cache(fb_check *check, const attention_shape *s, int dtype) {
  int64_t rows = s->batch * s->capacity * s->kv_heads, count = rows * s->head_dim;
  int scaled = dtype == I8 || dtype == U8;
  int64_t half = (s->head_dim + 1) / 2;
  cache c = {.floats = random_floats(check, count), .scale_bytes = scaled ? (size_t)rows * 4 : 0};
  c.code_bytes = dtype == U8 ? (size_t)(rows * half) : (size_t)count * (dtype == F32 ? 4 : dtype == F16 ? 2 : 1);
  c.codes = take(c.code_bytes);
  c.scales = take(c.scale_bytes);
  if (dtype == U8) memset(c.codes, 0x88, c.code_bytes);
  for (int64_t i = 0; i < rows && scaled; i++) c.scales[i] = (float)(random_unit(check) / (dtype == U8 ? 7 : 127));
  for (int64_t i = 0; i < count; i++) {
    float *x = c.floats + i, scale = scaled ? c.scales[i / s->head_dim] : 1;
    int64_t within = i % s->head_dim;
    uint8_t *byte = (uint8_t *)c.codes + i / s->head_dim * half + within % half;
    if (dtype == F32) ((float *)c.codes)[i] = *x;
    if (dtype == F16) *x = fb_from_f16(((uint16_t *)c.codes)[i] = fb_to_f16(*x));
    if (dtype == I8) *x = (float)(((int8_t *)c.codes)[i] = (int8_t)(*x * 127)) * scale;
    if (dtype == U8) {
      int code = (int)(*x * 7), shift = within < half ? 0 : 4;
      *byte = (uint8_t)((*byte & ~(15 << shift)) | (code + 8) << shift);
      *x = (float)code * scale;
    }
  }
  return c;
}

static void free_cache(cache c) {
  free(c.codes);
  free(c.scales);
  free(c.floats);
}

static void check_shape(fb_check *check, attention_shape s, int dtype) {
  int64_t queries = s.batch * s.length * s.heads * s.head_dim;
  cache k = random_cache(check, &s, dtype), v = random_cache(check, &s, dtype);
  float *q = random_floats(check, queries), *out = random_floats(check, queries);
  double *expected = take((size_t)queries * 8), scale = 2 / sqrt((double)s.head_dim);
  for (int64_t b = 0; b < s.batch; b++) {
    for (int64_t t = 0; t < s.length; t++) {
      for (int64_t head = 0; head < s.heads; head++) {
        attend(&s, q, k.floats, v.floats, scale, expected, b, t, head);
      }
    }
  }
  fb_args args = {.size = {s.batch, s.length, s.heads, s.head_dim, s.capacity, s.kv_heads, s.key_length,
                           s.window, dtype},
                  .real = {scale, (double)s.soft_cap / 10}};
  set_buffer(&args, 0, out, (size_t)queries * 4);
  set_buffer(&args, 1, q, (size_t)queries * 4);
  set_buffer(&args, 2, k.codes, k.code_bytes);
  set_buffer(&args, 3, v.codes, v.code_bytes);
  set_buffer(&args, 4, k.scales, k.scale_bytes);
  set_buffer(&args, 5, v.scales, v.scale_bytes);
  call_op(check, "attention", &args);
  expect_floats(check, "attention", out, expected, queries, 2e-6, 2e-6);
  args.size[6] = s.capacity + 1;
  call_refused(check, "attention", &args);
  free_cache(k);
  free_cache(v);
  free(q);
  free(out);
  free(expected);
}

typedef struct {
  int64_t rows, heads, head_dim, kv_heads, block, window, soft_cap, position; /* of a text behind two that are decoded */
} paged_shape;

/* Two texts of one row and one of several, whose blocks lie backwards; each is attention over its own keys. */
static void check_paged(fb_check *check, paged_shape p, int dtype) {
  enum { TEXTS = 3 };
  int64_t rows[TEXTS] = {1, 1, p.rows}, position[TEXTS] = {p.position + 3, 0, p.position};
  int64_t most = fb_max(p.position + 4, p.position + p.rows), width = fb_ceil_div(most, p.block) + 1;
  int64_t slots = TEXTS * width * p.block, all = 2 + p.rows, n = p.heads * p.head_dim, wide = p.kv_heads * p.head_dim;
  attention_shape pool = {.batch = 1, .capacity = slots, .kv_heads = p.kv_heads, .head_dim = p.head_dim};
  cache k = random_cache(check, &pool, dtype), v = random_cache(check, &pool, dtype);
  int32_t *spans = take(TEXTS * 8), *tables = take((size_t)(TEXTS * width) * 4);
  float *q = random_floats(check, all * n), *out = random_floats(check, all * n);
  float *keys = take((size_t)(slots * wide) * 4), *values = take((size_t)(slots * wide) * 4);
  double *expected = take((size_t)(all * n) * 8), scale = 2 / sqrt((double)p.head_dim);
  for (int64_t t = 0, row = 0; t < TEXTS; row += rows[t++]) {
    attention_shape s = {1, rows[t], p.heads, p.head_dim, slots, p.kv_heads, position[t] + rows[t], p.window, p.soft_cap};
    spans[2 * t] = (int32_t)rows[t], spans[2 * t + 1] = (int32_t)position[t];
    for (int64_t b = 0; b < width; b++) tables[t * width + b] = (int32_t)(TEXTS * width - 1 - (t * width + b));
    for (int64_t j = 0; j < s.key_length; j++) {
      int64_t slot = tables[t * width + j / p.block] * p.block + j % p.block;
      memcpy(keys + j * wide, k.floats + slot * wide, (size_t)wide * 4);
      memcpy(values + j * wide, v.floats + slot * wide, (size_t)wide * 4);
    }
    for (int64_t i = 0; i < rows[t]; i++) {
      for (int64_t head = 0; head < p.heads; head++) {
        attend(&s, q + row * n, keys, values, scale, expected + row * n, 0, i, head);
      }
    }
  }
  fb_args args = {.size = {all, p.heads, p.head_dim, slots, p.kv_heads, TEXTS, width, p.block, p.window, dtype},
                  .real = {scale, (double)p.soft_cap / 10}};
  set_buffer(&args, 0, out, (size_t)(all * n) * 4);
  set_buffer(&args, 1, q, (size_t)(all * n) * 4);
  set_buffer(&args, 2, k.codes, k.code_bytes);
  set_buffer(&args, 3, v.codes, v.code_bytes);
  set_buffer(&args, 4, k.scales, k.scale_bytes);
  set_buffer(&args, 5, v.scales, v.scale_bytes);
  set_buffer(&args, 6, spans, TEXTS * 8);
  set_buffer(&args, 7, tables, (size_t)(TEXTS * width) * 4);
  call_op(check, "paged_attention", &args);
  expect_floats(check, "paged_attention", out, expected, all * n, 2e-6, 2e-6);
  tables[0] = (int32_t)(TEXTS * width);
  call_refused(check, "paged_attention", &args);
  tables[0] = 0, spans[0] = 2;
  call_refused(check, "paged_attention", &args);
  free_cache(k);
  free_cache(v);
  void *all_memory[] = {spans, tables, q, out, keys, values, expected};
  for (size_t i = 0; i < sizeof all_memory / sizeof *all_memory; i++) free(all_memory[i]);
}

static void check_rope(fb_check *check, int64_t rows, int64_t heads, int64_t half, int64_t start) {
  int64_t count = rows * heads * half * 2, table = (start + rows) * half;
  float *x = random_floats(check, count), *cosines = random_floats(check, table);
  float *sines = random_floats(check, table);
  double *expected = take((size_t)count * 8);
  for (int64_t i = 0; i < count; i++) {
    int64_t d = i % (half * 2), angle = (start + i / (half * 2) / heads) * half + d % half;
    double other = d < half ? -(double)x[i + half] : (double)x[i - half];
    expected[i] = (double)x[i] * cosines[angle] + other * sines[angle];
  }
  fb_args args = {.size = {1, rows, heads, half, start}};
  set_buffer(&args, 0, x, (size_t)count * 4);
  set_buffer(&args, 1, x, (size_t)count * 4);
  set_buffer(&args, 2, cosines, (size_t)table * 4);
  set_buffer(&args, 3, sines, (size_t)table * 4);
  call_op(check, "rope", &args);
  expect_floats(check, "rope", x, expected, count, 1e-6, 0);
  args.size[4] = start + 1;
  call_refused(check, "rope", &args);
  free(x);
  free(cosines);
  free(sines);
  free(expected);
}

void check_attention(fb_check *check) {
  static const attention_shape shapes[] = {
      {1, 1, 1, 1, 1, 1, 1, 0, 0},       {2, 1, 9, 20, 60, 9, 57, 0, 0},   {1, 2, 6, 64, 130, 3, 120, 0, 0},
      {1, 1, 32, 33, 50, 1, 49, 0, 0},   {2, 19, 4, 5, 23, 2, 19, 0, 0},   {1, 70, 2, 16, 150, 1, 140, 0, 0},
      {1, 3, 10, 7, 99, 10, 98, 30, 0},  {1, 60, 4, 24, 110, 4, 110, 17, 0}, {1, 49, 3, 8, 49, 3, 49, 1, 0},
      {2, 1, 22, 16, 300, 11, 290, 0, 0}, {1, 1, 16, 64, 700, 2, 643, 0, 0}, {1, 4, 8, 48, 400, 2, 390, 150, 0},
      {1, 60, 4, 24, 110, 4, 110, 17, 4}, {1, 1, 6, 20, 90, 2, 81, 0, 7},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    check_shape(check, shapes[i], F32);
    check_shape(check, shapes[i], F16);
    check_shape(check, shapes[i], I8);
    check_shape(check, shapes[i], U8);
  }
  static const paged_shape paged[] = {{1, 1, 1, 1, 1, 0, 0, 0}, {33, 8, 20, 2, 16, 0, 0, 5}, {7, 6, 64, 3, 32, 9, 0, 40},
                                      {20, 4, 33, 1, 7, 0, 4, 30}, {3, 9, 16, 9, 13, 1, 7, 77}};
  for (size_t i = 0; i < sizeof paged / sizeof *paged; i++) {
    check_paged(check, paged[i], F32);
    check_paged(check, paged[i], F16);
    check_paged(check, paged[i], I8);
    check_paged(check, paged[i], U8);
  }
  check_rope(check, 1, 1, 1, 0);
  check_rope(check, 5, 3, 19, 4);
  check_rope(check, 40, 8, 32, 0);
}
