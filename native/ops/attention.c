/*
 * Causal grouped-query attention without a matrix of scores: keys are taken in blocks of KEYS, and each
 * query keeps the maximum m and the sum l of its softmax so far (online softmax):
 *
 *   m' = max(m, max s),  p = e^(s - m'),  l = l·e^(m - m') + Σ p,  o = o·e^(m - m') + Σ p·v
 *
 * The queries of all heads that share a key head are numbered u = t · group + head. STRIP_LANES of them
 * are worked on together, one in each vector lane, so that neither the scores nor the maxima need sums
 * across lanes and k and v are read where they lie:
 *
 *   scores [KEYS][lanes] = k [KEYS][d] · qᵀ [d][lanes],   oᵀ [d][lanes] += vᵀ · p [KEYS][lanes]
 *
 * Few queries (decode) have the vectors along d (attention_few.h).
 * Bound by compute in prefill, by reading k and v in decode.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "exp.h"
#include "strip.h"

#define KEYS 48
#define FEW 4   /* queries a key head up to which the vectors lie along d */
#define HEADS 8 /* key heads that are then worked on together, since they lie side by side */
#define NOTHING_SEEN -1e30f /* a finite start for m, below every score */

typedef struct {
  float *out;
  const float *q, *k, *v;
  int64_t batch, length, heads, head_dim, capacity, kv_heads, key_length, window;
  float scale;
  int64_t group, queries, strips; /* heads a key head, queries a key head, strips of them */
  fb_team *team;
} attention_call;

/* The part of a call that one chunk works on. */
typedef struct {
  const float *k, *v; /* of this batch entry and key head */
  int64_t stride;     /* from one key to the next */
  int64_t u0, lanes;  /* queries */
  int64_t q_base;     /* offset of query u = 0 of this key head */
} attention_part;

static int64_t query_offset(const attention_call *call, const attention_part *part, int64_t u) {
  return part->q_base + (u / call->group) * call->heads * call->head_dim + (u % call->group) * call->head_dim;
}

static int64_t last_key(const attention_call *call, int64_t u) {
  return call->key_length - call->length + u / call->group;
}

static int64_t first_key(const attention_call *call, int64_t u) {
  return call->window ? fb_max(0, last_key(call, u) + 1 - call->window) : 0;
}

static attention_part part_of(const attention_call *call, int64_t b, int64_t kv_head) {
  int64_t width = call->kv_heads * call->head_dim;
  int64_t offset = b * call->capacity * width + kv_head * call->head_dim;
  attention_part part = {.k = call->k + offset, .v = call->v + offset, .stride = width};
  part.q_base = (b * call->length * call->heads + kv_head * call->group) * call->head_dim;
  return part;
}

#include "attention_few.h"

/* Scratch of a strip; every array has STRIP_LANES lanes side by side. */
typedef struct {
  float *q, *o;      /* [d] */
  float *p;          /* [KEYS] */
  float *m, *l;      /* [1] */
  float *first, *last; /* [1]: visible keys */
} strip_state;

static int64_t strip_floats(int64_t head_dim) { return (2 * head_dim + KEYS + 4) * STRIP_LANES; }

static strip_state place_strip(float *memory, int64_t head_dim) {
  strip_state s = {.q = memory};
  s.o = s.q + head_dim * STRIP_LANES;
  s.p = s.o + head_dim * STRIP_LANES;
  s.m = s.p + KEYS * STRIP_LANES;
  s.l = s.m + STRIP_LANES;
  s.first = s.l + STRIP_LANES;
  s.last = s.first + STRIP_LANES;
  return s;
}

static void load_queries(const attention_call *call, const attention_part *part, strip_state *s) {
  for (int64_t lane = 0; lane < STRIP_LANES; lane++) {
    int64_t u = part->u0 + fb_min(lane, part->lanes - 1); /* idle lanes repeat the last query */
    const float *q = call->q + query_offset(call, part, u);
    for (int64_t d = 0; d < call->head_dim; d++) s->q[d * STRIP_LANES + lane] = q[d] * call->scale;
    s->first[lane] = (float)first_key(call, u);
    s->last[lane] = (float)last_key(call, u);
    s->m[lane] = NOTHING_SEEN;
    s->l[lane] = 0;
  }
  for (int64_t i = 0; i < call->head_dim * STRIP_LANES; i++) s->o[i] = 0;
}

/* Sets the scores of keys that a query must not see to -infinity. */
static void hide_keys(strip_state *s, int64_t key, int64_t count, int vectors) {
  vf hidden = vf_set1(-INFINITY);
  for (int v = 0; v < vectors; v++) {
    vf first = vf_load(s->first + v * VF_WIDTH), last = vf_load(s->last + v * VF_WIDTH);
    for (int64_t j = 0; j < count; j++) {
      float *p = s->p + j * STRIP_LANES + v * VF_WIDTH;
      vf at = vf_set1((float)(key + j));
      vf_store(p, vf_select_ge(last, at, vf_select_ge(at, first, vf_load(p), hidden), hidden));
    }
  }
}

/* Turns scores into weights and rescales what was summed so far. */
static void update_softmax(strip_state *s, int64_t count, int64_t head_dim, int vectors) {
  for (int v = 0; v < vectors; v++) {
    int at = v * VF_WIDTH;
    vf before = vf_load(s->m + at), m = before, l = vf_zero();
    for (int64_t j = 0; j < count; j++) m = vf_max(m, vf_load(s->p + j * STRIP_LANES + at));
    for (int64_t j = 0; j < count; j++) {
      vf p = vf_exp(vf_sub(vf_load(s->p + j * STRIP_LANES + at), m));
      vf_store(s->p + j * STRIP_LANES + at, p);
      l = vf_add(l, p);
    }
    vf factor = vf_exp(vf_sub(before, m));
    vf_store(s->m + at, m);
    vf_store(s->l + at, vf_fma(l, factor, vf_load(s->l + at)));
    for (int64_t d = 0; d < head_dim; d++) {
      float *o = s->o + d * STRIP_LANES + at;
      vf_store(o, vf_mul(vf_load(o), factor));
    }
  }
}

static void attend_block(const attention_call *call, const attention_part *part, strip_state *s,
                         int64_t key, int64_t count, int masked, int vectors) {
  int64_t d = call->head_dim;
  for (int64_t i = 0; i < count * STRIP_LANES; i++) s->p[i] = 0;
  strip_product scores = {s->p, STRIP_LANES, part->k + key * part->stride, part->stride, 1, s->q, STRIP_LANES};
  multiply_strip(&scores, count, d, vectors);
  if (masked) hide_keys(s, key, count, vectors);
  update_softmax(s, count, d, vectors);
  strip_product values = {s->o, STRIP_LANES, part->v + key * part->stride, 1, part->stride, s->p, STRIP_LANES};
  multiply_strip(&values, d, count, vectors);
}

static void attend_strip(const attention_call *call, const attention_part *part, float *memory) {
  strip_state s = place_strip(memory, call->head_dim);
  int64_t final = part->u0 + part->lanes - 1;
  int64_t end = last_key(call, final) + 1;
  int vectors = (int)fb_ceil_div(part->lanes, VF_WIDTH);
  load_queries(call, part, &s);
  for (int64_t key = first_key(call, part->u0); key < end; key += KEYS) {
    int64_t count = fb_min(KEYS, end - key);
    int masked = key < first_key(call, final) || key + count - 1 > last_key(call, part->u0);
    attend_block(call, part, &s, key, count, masked, vectors);
  }
  for (int64_t lane = 0; lane < part->lanes; lane++) {
    float *out = call->out + query_offset(call, part, part->u0 + lane);
    float factor = 1 / s.l[lane];
    for (int64_t d = 0; d < call->head_dim; d++) out[d] = s.o[d * STRIP_LANES + lane] * factor;
  }
}

static FB_BODY(attention_chunk) {
  const attention_call *call = context;
  float *memory = fb_local(call->team, thread);
  if (call->queries <= FEW) {
    int64_t blocks = fb_ceil_div(call->kv_heads, HEADS);
    int64_t kv_head = chunk % blocks * HEADS;
    attention_part part = part_of(call, chunk / blocks, kv_head);
    attend_few(call, &part, fb_min(HEADS, call->kv_heads - kv_head), memory);
    return;
  }
  int64_t heads = chunk / call->strips;
  attention_part part = part_of(call, heads / call->kv_heads, heads % call->kv_heads);
  part.u0 = chunk % call->strips * STRIP_LANES;
  part.lanes = fb_min(STRIP_LANES, call->queries - part.u0);
  attend_strip(call, &part, memory);
}

/*
 * buffers: out, q, k, v; sizes: batch, length, heads, headDim, capacity, kvHeads, keyLength, window (0: none);
 * reals: scale
 */
FB_OP(attention) {
  const int64_t *size = args->size;
  attention_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->buffer[3],
                         size[0], size[1], size[2], size[3], size[4], size[5], size[6], size[7],
                         (float)args->real[0], 0, 0, 0, team};
  FB_REQUIRE(call.kv_heads > 0 && call.heads % call.kv_heads == 0);
  FB_REQUIRE(call.length <= call.key_length && call.key_length <= call.capacity && call.window >= 0);
  FB_REQUIRE(args->bytes[0] == (size_t)(call.batch * call.length * call.heads * call.head_dim) * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0] && args->bytes[3] == args->bytes[2]);
  FB_REQUIRE(args->bytes[2] == (size_t)(call.batch * call.capacity * call.kv_heads * call.head_dim) * 4);
  call.group = call.heads / call.kv_heads;
  call.queries = call.length * call.group;
  call.strips = fb_ceil_div(call.queries, STRIP_LANES);
  int few = call.queries <= FEW;
  int64_t floats = few ? few_floats(call.head_dim) : strip_floats(call.head_dim);
  int64_t chunks = few ? fb_ceil_div(call.kv_heads, HEADS) : call.kv_heads * call.strips;
  if (!fb_reserve(team, 0, (size_t)floats * 4)) return "attention: out of memory";
  fb_parallel(team, call.batch * chunks, attention_chunk, &call);
  return NULL;
}
