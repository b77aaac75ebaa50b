/*
 * Causal grouped-query attention without a matrix of scores. The queries of all heads that share a key head are
 * numbered u = t · group + head and worked on together, so that what is read of a key serves all of them:
 *
 *   many queries (prefill)   attention_strip.h   bound by compute
 *   few queries (decode)     attention_few.h     bound by reading keys and values, or by compute when eight
 *                                                or more heads share a key head
 *
 * Keys and values are float32, float16, int8 or four bits (kv_rows.h), widened a block at a time.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "attention_scores.h"
#include "holds.h"
#include "kv_rows.h"
#include "strip.h"

typedef struct {
  float *out;
  const float *q;
  kv_rows k, v;
  int64_t batch, length, heads, head_dim, capacity, kv_heads, key_length, window;
  float scale, soft_cap; /* soft_cap 0: none */
  int64_t group, queries; /* heads a key head, queries a key head */
  int64_t width;          /* of a row in scratch memory: head_dim and zeros up to whole vectors */
  int64_t parts;          /* few: ranges of keys; many: runs of queries */
  fb_team *team;
} attention_call;

/* Element of q and out where query u of a key head begins. */
static int64_t query_offset(const attention_call *call, int64_t b, int64_t kv_head, int64_t u) {
  int64_t row = b * call->length + u / call->group, head = kv_head * call->group + u % call->group;
  return (row * call->heads + head) * call->head_dim;
}

static int64_t last_key(const attention_call *call, int64_t u) {
  return call->key_length - call->length + u / call->group;
}

static int64_t first_key(const attention_call *call, int64_t u) {
  return call->window ? fb_max(0, last_key(call, u) + 1 - call->window) : 0;
}

/* The keys or values of batch entry b. */
static kv_rows entry_of(const attention_call *call, kv_rows kv, int64_t b) {
  int64_t rows = b * call->capacity * call->kv_heads;
  kv.rows = (const char *)kv.rows + rows * kv_row_bytes(kv.dtype, kv.d);
  if (kv.scales) kv.scales += rows;
  return kv;
}

#include "attention_few.h"
#include "attention_strip.h"

static const char *check_sizes(const attention_call *call, const fb_args *args) {
  int64_t rows = call->batch * call->capacity * call->kv_heads;
  FB_REQUIRE(call->kv_heads > 0 && call->heads % call->kv_heads == 0);
  FB_REQUIRE(kv_row_bytes(call->k.dtype, 1));
  FB_REQUIRE(call->length <= call->key_length && call->key_length <= call->capacity && call->window >= 0);
  FB_REQUIRE(call->soft_cap >= 0);
  FB_REQUIRE(holds(args->bytes[0], call->batch * call->length * call->heads, call->head_dim * 4));
  FB_REQUIRE(args->bytes[1] == args->bytes[0] && args->bytes[3] == args->bytes[2]);
  FB_REQUIRE(holds(args->bytes[2], rows, kv_row_bytes(call->k.dtype, call->head_dim)));
  if (!kv_has_scales(call->k.dtype)) return NULL;
  FB_REQUIRE(args->bytes[4] == (size_t)rows * 4 && args->bytes[5] == (size_t)rows * 4);
  return NULL;
}

/*
 * buffers: out, q, k, v, scales of k, scales of v (both null for floats); sizes: batch, length, heads, headDim,
 * capacity, kvHeads, keyLength, window (0: none), dtype of k and v; reals: scale, soft cap (0: none)
 */
FB_OP(attention) {
  const int64_t *size = args->size;
  int64_t width = fb_round_up(size[3], VF_WIDTH);
  kv_rows k = {args->buffer[2], args->buffer[4], size[8], size[5], size[3], width};
  kv_rows v = {args->buffer[3], args->buffer[5], size[8], size[5], size[3], width};
  attention_call call = {args->buffer[0], args->buffer[1], k, v, size[0], size[1], size[2], size[3],
                         size[4], size[5], size[6], size[7], (float)args->real[0], (float)args->real[1], 0, 0, width,
                         0, team};
  const char *wrong = check_sizes(&call, args);
  if (wrong || args->bytes[0] == 0) return wrong;
  call.group = call.heads / call.kv_heads;
  call.queries = call.length * call.group;
  int done = call.queries <= FEW ? attend_few_queries(&call) : attend_strips(&call);
  return done ? NULL : "attention: out of memory";
}
