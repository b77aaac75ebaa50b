/*
 * Gradients of causal grouped-query attention. The queries of all heads that share a key head are numbered
 * u = t · group + head and taken STRIP_LANES at a time, one in each vector lane; their shares of all keys that they
 * see are made again, so that the whole matrix of scores never exists:
 *
 *   p [keys][lanes] = softmax(scale · k · qᵀ)        dp [keys][lanes] = v · dOutᵀ
 *   ds = p · (dp - Σ_keys p·dp) · scale
 *   dQᵀ [d][lanes] = kᵀ · ds       dK [keys][d] += ds · q       dV [keys][d] += p · dOut
 *
 * Bound by compute: five products. A chunk of work is a key head, which alone adds to its dK and dV.
 */
#include <math.h>
#include <string.h>

#include "../include/fewbit.h"
#include "exp.h"
#include "holds.h"
#include "strip.h"

typedef struct {
  float *dq, *dk, *dv;
  const float *d_out, *q, *k, *v;
  int64_t batch, length, heads, kv_heads, head_dim, window;
  float scale, soft_cap; /* soft_cap 0: none */
  int64_t group, queries; /* heads a key head, queries a key head */
  int64_t width;          /* of a row in scratch memory: head_dim and zeros up to whole vectors */
  fb_team *team;
} attention_call;

/* Scratch of a chunk; rows are `width` floats, columns of lanes STRIP_LANES. */
typedef struct {
  int64_t b, kv_head;
  float *k, *v, *dk, *dv;         /* [length][width] */
  float *q, *d_out;               /* [lanes][width] */
  float *q_turned, *d_out_turned; /* [head_dim][lanes]; q times the scale */
  float *dq_turned;               /* [head_dim][lanes] */
  float *p, *ds;                  /* [length][lanes] */
  float *bends;                   /* [length][lanes]: slopes of capped scores; only with a cap */
  float *first, *last;            /* [lanes]: visible keys */
} head_scratch;

static int64_t scratch_floats(const attention_call *call) {
  int64_t rows = 4 * call->length + 2 * STRIP_LANES, shares = call->soft_cap > 0 ? 3 : 2;
  return rows * call->width + (3 * call->head_dim + shares * call->length + 2) * STRIP_LANES;
}

static head_scratch place_scratch(const attention_call *call, int64_t chunk, float *memory) {
  int64_t keys = call->length * call->width, lanes = STRIP_LANES * call->width;
  int64_t columns = call->head_dim * STRIP_LANES, shares = call->length * STRIP_LANES;
  head_scratch s = {.b = chunk / call->kv_heads, .kv_head = chunk % call->kv_heads, .k = memory};
  s.v = s.k + keys;
  s.dk = s.v + keys;
  s.dv = s.dk + keys;
  s.q = s.dv + keys;
  s.d_out = s.q + lanes;
  s.q_turned = s.d_out + lanes;
  s.d_out_turned = s.q_turned + columns;
  s.dq_turned = s.d_out_turned + columns;
  s.p = s.dq_turned + columns;
  s.ds = s.p + shares;
  s.first = s.ds + shares;
  s.last = s.first + STRIP_LANES;
  s.bends = s.last + STRIP_LANES;
  return s;
}

static int64_t first_key(const attention_call *call, int64_t u) {
  return call->window ? fb_max(0, u / call->group + 1 - call->window) : 0;
}

static int64_t query_offset(const attention_call *call, const head_scratch *s, int64_t u) {
  int64_t row = s->b * call->length + u / call->group, head = s->kv_head * call->group + u % call->group;
  return (row * call->heads + head) * call->head_dim;
}

/* Copies the rows of a key head, with zeros up to `width`, or back. */
static void load_head(const attention_call *call, const head_scratch *s, float *rows, const float *from) {
  int64_t d = call->head_dim, stride = call->kv_heads * d;
  from += s->b * call->length * stride + s->kv_head * d;
  for (int64_t j = 0; j < call->length; j++) {
    memcpy(rows + j * call->width, from + j * stride, (size_t)d * 4);
    for (int64_t i = d; i < call->width; i++) rows[j * call->width + i] = 0;
  }
}

static void store_head(const attention_call *call, const head_scratch *s, float *to, const float *rows) {
  int64_t d = call->head_dim, stride = call->kv_heads * d;
  to += s->b * call->length * stride + s->kv_head * d;
  for (int64_t j = 0; j < call->length; j++) memcpy(to + j * stride, rows + j * call->width, (size_t)d * 4);
}

/* Idle lanes are queries and gradients of zeros, which add nothing. */
static void load_strip(const attention_call *call, const head_scratch *s, int64_t u0, int64_t lanes) {
  int64_t d = call->head_dim;
  for (int64_t lane = 0; lane < STRIP_LANES; lane++) {
    int64_t u = u0 + fb_min(lane, lanes - 1), at = query_offset(call, s, u);
    float *q = s->q + lane * call->width, *d_out = s->d_out + lane * call->width;
    memset(q, 0, (size_t)call->width * 4);
    memset(d_out, 0, (size_t)call->width * 4);
    if (lane < lanes) {
      memcpy(q, call->q + at, (size_t)d * 4);
      memcpy(d_out, call->d_out + at, (size_t)d * 4);
    }
    for (int64_t i = 0; i < d; i++) {
      s->q_turned[i * STRIP_LANES + lane] = q[i] * call->scale;
      s->d_out_turned[i * STRIP_LANES + lane] = d_out[i];
    }
    s->first[lane] = (float)first_key(call, u);
    s->last[lane] = (float)(u / call->group);
  }
}

static void hide_keys(const head_scratch *s, float *scores, int64_t key, int64_t end) {
  vf hidden = vf_set1(-INFINITY);
  for (int64_t j = key; j < end; j++, scores += STRIP_LANES) {
    for (int v = 0; v < STRIP_LANES; v += VF_WIDTH) {
      vf at = vf_set1((float)j), seen = vf_select_ge(at, vf_load(s->first + v), vf_load(scores + v), hidden);
      vf_store(scores + v, vf_select_ge(vf_load(s->last + v), at, seen, hidden));
    }
  }
}

/* Caps the scores of `count` keys, and notes the slopes of that: 1 - tanh². */
static void cap_scores(const head_scratch *s, int64_t count, float cap) {
  for (int64_t i = 0; i < count * STRIP_LANES; i += VF_WIDTH) {
    vf share = vf_tanh(vf_mul(vf_load(s->p + i), vf_set1(1 / cap))), one = vf_set1(1);
    vf_store(s->p + i, vf_mul(vf_set1(cap), share));
    vf_store(s->bends + i, vf_mul(vf_sub(one, share), vf_add(one, share)));
  }
}

/* Scores to p, dp to ds, over `count` keys. */
static void back_softmax(const head_scratch *s, int64_t count, float scale) {
  for (int v = 0; v < STRIP_LANES; v += VF_WIDTH) {
    float *p = s->p + v, *ds = s->ds + v;
    vf top = vf_load(p), sum = vf_zero(), mean = vf_zero();
    for (int64_t j = 1; j < count; j++) top = vf_max(top, vf_load(p + j * STRIP_LANES));
    for (int64_t j = 0; j < count; j++) {
      vf power = vf_exp_share(vf_sub(vf_load(p + j * STRIP_LANES), top));
      vf_store(p + j * STRIP_LANES, power);
      sum = vf_add(sum, power);
      mean = vf_fma(mean, power, vf_load(ds + j * STRIP_LANES));
    }
    vf factor = vf_div(vf_set1(1), sum), slope = vf_mul(factor, vf_set1(scale));
    mean = vf_mul(mean, factor);
    for (int64_t j = 0; j < count; j++) {
      vf power = vf_load(p + j * STRIP_LANES), gap = vf_sub(vf_load(ds + j * STRIP_LANES), mean);
      vf_store(p + j * STRIP_LANES, vf_mul(power, factor));
      vf_store(ds + j * STRIP_LANES, vf_mul(vf_mul(power, slope), gap));
    }
  }
}

/* rows [keys][width] += shares [keys][lanes] · lanes [lanes][width] */
static void add_to_keys(const attention_call *call, float *rows, const float *shares, const float *lanes,
                        int64_t count, int64_t used) {
  for (int64_t i = 0; i < call->width; i += STRIP_LANES) {
    int vectors = (int)(fb_min(STRIP_LANES, call->width - i) / VF_WIDTH);
    strip_product product = {rows + i, call->width, shares, STRIP_LANES, 1, lanes + i, call->width};
    multiply_strip(&product, count, used, vectors);
  }
}

static void back_strip(const attention_call *call, const head_scratch *s, int64_t u0) {
  int64_t d = call->head_dim, width = call->width, lanes = fb_min(STRIP_LANES, call->queries - u0);
  int64_t final = u0 + lanes - 1, begin = first_key(call, u0), end = final / call->group + 1;
  int64_t count = end - begin, at = begin * width;
  load_strip(call, s, u0, lanes);
  memset(s->p, 0, (size_t)(count * STRIP_LANES) * 4);
  memset(s->ds, 0, (size_t)(count * STRIP_LANES) * 4);
  memset(s->dq_turned, 0, (size_t)(d * STRIP_LANES) * 4);
  strip_product scores = {s->p, STRIP_LANES, s->k + at, width, 1, s->q_turned, STRIP_LANES};
  multiply_strip(&scores, count, d, STRIP_VECTORS);
  strip_product slopes = {s->ds, STRIP_LANES, s->v + at, width, 1, s->d_out_turned, STRIP_LANES};
  multiply_strip(&slopes, count, d, STRIP_VECTORS);
  if (call->soft_cap > 0) cap_scores(s, count, call->soft_cap);
  int64_t left = fb_min(first_key(call, final), end), right = fb_max(left, u0 / call->group + 1);
  hide_keys(s, s->p, begin, left);
  hide_keys(s, s->p + (right - begin) * STRIP_LANES, right, end);
  back_softmax(s, count, call->scale);
  for (int64_t i = 0; call->soft_cap > 0 && i < count * STRIP_LANES; i += VF_WIDTH) {
    vf_store(s->ds + i, vf_mul(vf_load(s->ds + i), vf_load(s->bends + i)));
  }
  strip_product queries = {s->dq_turned, STRIP_LANES, s->k + at, 1, width, s->ds, STRIP_LANES};
  multiply_strip(&queries, d, count, STRIP_VECTORS);
  add_to_keys(call, s->dk + at, s->ds, s->q, count, lanes);
  add_to_keys(call, s->dv + at, s->p, s->d_out, count, lanes);
  for (int64_t lane = 0; lane < lanes; lane++) {
    float *out = call->dq + query_offset(call, s, u0 + lane);
    for (int64_t i = 0; i < d; i++) out[i] = s->dq_turned[i * STRIP_LANES + lane];
  }
}

static FB_BODY(head_chunk) {
  const attention_call *call = context;
  head_scratch s = place_scratch(call, chunk, fb_local(call->team, thread));
  load_head(call, &s, s.k, call->k);
  load_head(call, &s, s.v, call->v);
  memset(s.dk, 0, (size_t)(2 * call->length * call->width) * 4);
  for (int64_t u = 0; u < call->queries; u += STRIP_LANES) back_strip(call, &s, u);
  store_head(call, &s, call->dk, s.dk);
  store_head(call, &s, call->dv, s.dv);
}

/*
 * buffers: dQ, dK, dV, dOut, q, k, v; sizes: batch, length, heads, kvHeads, headDim, window (0: none); reals: scale,
 * soft cap (0: none)
 */
FB_OP(attention_backward) {
  const int64_t *size = args->size;
  void *const *buffer = args->buffer;
  FB_REQUIRE(size[3] > 0 && size[2] % size[3] == 0 && size[5] >= 0 && args->real[1] >= 0);
  attention_call call = {buffer[0], buffer[1], buffer[2], buffer[3], buffer[4], buffer[5], buffer[6],
                         size[0], size[1], size[2], size[3], size[4], size[5], (float)args->real[0], (float)args->real[1],
                         size[2] / size[3], size[1] * (size[2] / size[3]), fb_round_up(size[4], VF_WIDTH), team};
  size_t queries = args->bytes[0], keys = args->bytes[1];
  FB_REQUIRE(holds(queries, call.batch * call.length * call.heads, call.head_dim * 4));
  FB_REQUIRE(holds(keys, call.batch * call.length * call.kv_heads, call.head_dim * 4));
  FB_REQUIRE(args->bytes[3] == queries && args->bytes[4] == queries);
  FB_REQUIRE(args->bytes[2] == keys);
  FB_REQUIRE(args->bytes[5] == keys && args->bytes[6] == keys);
  if (queries == 0) return NULL;
  if (!fb_reserve(team, 0, (size_t)scratch_floats(&call) * 4)) return "gradient of attention: out of memory";
  fb_parallel(team, call.batch * call.kv_heads, head_chunk, &call);
  return NULL;
}
