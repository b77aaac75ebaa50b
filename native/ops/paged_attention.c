/*
 * Causal grouped-query attention of rows of several texts, whose keys and values lie in blocks of one pool:
 *
 *   pool    [slots][kvHeads][d], slot = tables[sequence][key / block] · block + key % block
 *   spans   [sequences] { rows, position of the first one }, rows of q one text after the other
 *
 * The numbers of a row depend on its own query and keys alone, whatever other rows there are and however a text
 * is cut into calls: each query takes its blocks of keys one after the other, from its first one on, with the
 * maximum m and the sum l of its softmax so far (online softmax, arXiv 1805.02867):
 *
 *   m' = max(m, max s),  p = e^(s - m'),  l = l·e^(m - m') + Σ p,  o = o·e^(m - m') + Σ p·v
 *
 * Keys that it must not see count p = 0, which changes nothing. A chunk is up to TILE queries of one text and key
 * head, numbered u = t · group + head, which share the widened block. Bound by reading keys and values when there
 * is one query a key head, by compute when there are several.
 */
#include <math.h>

#include "../include/fewbit.h"
#include "attention_scores.h"
#include "holds.h"
#include "kv_rows.h"
#include "strip.h"

#define TILE 32
#define LONGEST_BLOCK 256

typedef struct {
  float *out;
  const float *q;
  kv_rows k, v;
  const int32_t *spans, *tables;
  int64_t rows, heads, head_dim, slots, kv_heads, sequences, table_width, block, window;
  float scale, soft_cap; /* soft_cap 0: none */
  int64_t group, width, padded; /* heads a key head; d and keys of a block up to whole vectors */
  fb_team *team;
} paged_call;

typedef struct {
  int64_t row, position;    /* of the text's first row: in q, and in its text */
  int64_t u0, count;        /* queries */
  int64_t kv_head;
  const int32_t *table;
  float *q, *o, *p, *wide;  /* scratch: [TILE][width], the same, [TILE][padded], [padded][width] */
  float *m, *l;             /* [TILE] */
} paged_tile;

static int64_t tiles_of(const paged_call *call, int64_t s) {
  return fb_ceil_div(call->spans[2 * s] * call->group, TILE);
}

static paged_tile find_tile(const paged_call *call, int64_t chunk, float *memory) {
  int64_t tile = chunk / call->kv_heads, s = 0, row = 0;
  while (tile >= tiles_of(call, s)) {
    tile -= tiles_of(call, s);
    row += call->spans[2 * s++];
  }
  paged_tile t = {.row = row, .position = call->spans[2 * s + 1], .u0 = tile * TILE, .kv_head = chunk % call->kv_heads};
  t.count = fb_min(TILE, call->spans[2 * s] * call->group - t.u0);
  t.table = call->tables + s * call->table_width;
  t.q = memory;
  t.o = t.q + TILE * call->width;
  t.p = t.o + TILE * call->width;
  t.wide = t.p + TILE * call->padded;
  t.m = t.wide + call->padded * call->width;
  t.l = t.m + TILE;
  return t;
}

static int64_t tile_floats(const paged_call *call) {
  return TILE * (2 * call->width + call->padded + 2) + call->padded * call->width;
}

/* Element of q and out where query r of a tile begins. */
static int64_t query_at(const paged_call *call, const paged_tile *t, int64_t r) {
  int64_t u = t->u0 + r, row = t->row + u / call->group;
  return (row * call->heads + t->kv_head * call->group + u % call->group) * call->head_dim;
}

static int64_t last_seen(const paged_call *call, const paged_tile *t, int64_t r) {
  return t->position + (t->u0 + r) / call->group;
}

static int64_t first_seen(const paged_call *call, const paged_tile *t, int64_t r) {
  return call->window ? fb_max(0, last_seen(call, t, r) + 1 - call->window) : 0;
}

static void load_tile(const paged_call *call, const paged_tile *t) {
  int64_t d = call->head_dim, width = call->width;
  for (int64_t r = 0; r < t->count; r++) {
    const float *q = call->q + query_at(call, t, r);
    float *row = t->q + r * width;
    for (int64_t i = 0; i < d; i++) row[i] = q[i] * call->scale;
    for (int64_t i = d; i < width; i++) row[i] = 0;
    for (int64_t i = 0; i < width; i++) t->o[r * width + i] = 0;
    t->m[r] = NOTHING_SEEN;
    t->l[r] = 0;
  }
}

/* Scores of query r with the `count` keys from `key` on become powers; what was summed so far is scaled to them. */
static void weigh_query(const paged_call *call, const paged_tile *t, int64_t r, int64_t key, int64_t count) {
  int64_t padded = fb_round_up(count, VF_WIDTH), width = call->width;
  int64_t first = fb_min(count, fb_max(0, first_seen(call, t, r) - key));
  int64_t behind = fb_max(first, fb_min(count, last_seen(call, t, r) + 1 - key));
  float *p = t->p + r * call->padded, *o = t->o + r * width;
  for (int64_t j = 0; j < padded; j += VF_WIDTH) {
    vf scores = score_group(t->q + r * width, t->wide + j * width, width, width);
    vf_store(p + j, call->soft_cap > 0 ? cap_scores(scores, call->soft_cap) : scores);
  }
  for (int64_t j = 0; j < first; j++) p[j] = -INFINITY;
  for (int64_t j = behind; j < padded; j++) p[j] = -INFINITY;
  vf top = vf_set1(t->m[r]), sum = vf_zero();
  for (int64_t j = 0; j < padded; j += VF_WIDTH) top = vf_max(top, vf_load(p + j));
  float m = vf_max_of(top), factor = expf(t->m[r] - m);
  for (int64_t j = 0; j < padded; j += VF_WIDTH) {
    vf power = vf_exp_share(vf_sub(vf_load(p + j), vf_set1(m)));
    vf_store(p + j, power);
    sum = vf_add(sum, power);
  }
  t->m[r] = m;
  t->l[r] = fmaf(t->l[r], factor, vf_sum(sum));
  if (factor == 1) return;
  for (int64_t i = 0; i < width; i += VF_WIDTH) vf_store(o + i, vf_mul(vf_load(o + i), vf_set1(factor)));
}

static void attend_keys(const paged_call *call, const paged_tile *t, int64_t key, int64_t count) {
  int64_t slot = t->table[key / call->block] * call->block + key % call->block, width = call->width;
  kv_widen(t->wide, &call->k, slot, count, t->kv_head, 1);
  for (int64_t r = 0; r < t->count; r++) weigh_query(call, t, r, key, count);
  kv_widen(t->wide, &call->v, slot, count, t->kv_head, 1);
  for (int64_t i = 0; i < width; i += STRIP_LANES) {
    strip_product sums = {t->o + i, width, t->p, call->padded, 1, t->wide + i, width};
    multiply_strip(&sums, t->count, count, (int)(fb_min(STRIP_LANES, width - i) / VF_WIDTH));
  }
}

static FB_BODY(attend_tile) {
  const paged_call *call = context;
  paged_tile t = find_tile(call, chunk, fb_local(call->team, thread));
  int64_t end = last_seen(call, &t, t.count - 1) + 1, block = call->block;
  load_tile(call, &t);
  for (int64_t key = first_seen(call, &t, 0) / block * block; key < end; key += block) {
    attend_keys(call, &t, key, fb_min(block, end - key));
  }
  for (int64_t r = 0; r < t.count; r++) {
    float *out = call->out + query_at(call, &t, r), factor = 1 / t.l[r];
    for (int64_t i = 0; i < call->head_dim; i++) out[i] = t.o[r * call->width + i] * factor;
  }
}

static const char *check_buffers(const paged_call *call, const fb_args *args) {
  int64_t rows = call->slots * call->kv_heads;
  FB_REQUIRE(call->kv_heads > 0 && call->heads % call->kv_heads == 0 && call->head_dim > 0);
  FB_REQUIRE(call->block > 0 && call->block <= LONGEST_BLOCK && call->window >= 0 && call->soft_cap >= 0);
  FB_REQUIRE(kv_row_bytes(call->k.dtype, 1));
  FB_REQUIRE(holds(args->bytes[0], call->rows * call->heads, call->head_dim * 4) && args->bytes[1] == args->bytes[0]);
  FB_REQUIRE(holds(args->bytes[2], rows, kv_row_bytes(call->k.dtype, call->head_dim)));
  FB_REQUIRE(args->bytes[3] == args->bytes[2]);
  FB_REQUIRE(holds(args->bytes[6], call->sequences, 8));
  FB_REQUIRE(holds(args->bytes[7], call->sequences * call->table_width, 4));
  if (!kv_has_scales(call->k.dtype)) return NULL;
  FB_REQUIRE(holds(args->bytes[4], rows, 4) && args->bytes[5] == args->bytes[4]);
  return NULL;
}

/* Whether spans make up the rows and tables lead to blocks of the pool; counts the tiles. */
static const char *check_places(const paged_call *call, int64_t *tiles) {
  int64_t row = 0, blocks = call->slots / call->block;
  for (int64_t s = 0; s < call->sequences; s++) {
    int64_t rows = call->spans[2 * s], position = call->spans[2 * s + 1];
    FB_REQUIRE(rows >= 0 && position >= 0 && position + rows <= call->table_width * call->block);
    for (int64_t b = 0; rows && b <= (position + rows - 1) / call->block; b++) {
      int64_t at = call->tables[s * call->table_width + b];
      FB_REQUIRE(at >= 0 && at < blocks);
    }
    row += rows;
    *tiles += tiles_of(call, s);
  }
  FB_REQUIRE(row == call->rows);
  return NULL;
}

/*
 * buffers: out, q, k, v, scales of k, scales of v (both null for floats), spans, tables; sizes: rows, heads, headDim,
 * slots, kvHeads, sequences, table width, block, window (0: none), dtype of k and v; reals: scale, soft cap (0: none)
 */
FB_OP(paged_attention) {
  const int64_t *size = args->size;
  void *const *b = args->buffer;
  int64_t width = fb_round_up(size[2], VF_WIDTH), tiles = 0;
  paged_call call = {.out = b[0], .q = b[1],
                     .k = {b[2], b[4], size[9], size[4], size[2], width},
                     .v = {b[3], b[5], size[9], size[4], size[2], width},
                     .spans = b[6], .tables = b[7], .rows = size[0], .heads = size[1], .head_dim = size[2],
                     .slots = size[3], .kv_heads = size[4], .sequences = size[5], .table_width = size[6],
                     .block = size[7], .window = size[8], .scale = (float)args->real[0],
                     .soft_cap = (float)args->real[1], .width = width, .team = team};
  const char *wrong = check_buffers(&call, args);
  if (wrong) return wrong;
  call.group = call.heads / call.kv_heads;
  call.padded = fb_round_up(call.block, VF_WIDTH);
  wrong = check_places(&call, &tiles);
  if (wrong || args->bytes[0] == 0) return wrong;
  if (!fb_reserve(team, 0, (size_t)tile_floats(&call) * 4)) return "paged attention: out of memory";
  fb_parallel(team, tiles * call.kv_heads, attend_tile, &call);
  return NULL;
}
