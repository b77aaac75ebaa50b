/*
 * Attention of many queries a key head; included by attention.c. Keys are taken in blocks of KEYS, and each query
 * keeps the maximum m and the sum l of its softmax so far (online softmax, arXiv 1805.02867):
 *
 *   m' = max(m, max s),  p = e^(s - m'),  l = l·e^(m - m') + Σ p,  o = o·e^(m - m') + Σ p·v
 *
 * STRIP_LANES queries are worked on together, one in each vector lane, so that neither the scores nor the maxima
 * need sums across lanes:
 *
 *   scores [KEYS][lanes] = k [KEYS][d] · qᵀ [d][lanes],   oᵀ [d][lanes] += vᵀ · p [KEYS][lanes]
 *
 * A chunk is a run of STRIPS strips, which share the widened block of keys and values.
 */
#define KEYS 48
#define STRIPS 6

/* Scratch of a strip; every array has STRIP_LANES lanes side by side. */
typedef struct {
  int64_t u0, lanes;   /* queries */
  float *q, *o;        /* [d] */
  float *m, *l;        /* [1] */
  float *first, *last; /* [1]: visible keys */
} strip_state;

/* Scratch of a chunk. */
typedef struct {
  int64_t b, kv_head, strips;
  strip_state strip[STRIPS];
  float *p;      /* [KEYS][STRIP_LANES] */
  float *k, *v;  /* [KEYS][width] */
} strip_run;

static int64_t run_floats(const attention_call *call) {
  int64_t strip = (2 * call->head_dim + 4) * STRIP_LANES;
  return STRIPS * strip + KEYS * STRIP_LANES + 2 * KEYS * call->width;
}

static strip_run place_run(const attention_call *call, int64_t chunk, float *memory) {
  int64_t heads = chunk / call->parts, u = chunk % call->parts * STRIPS * STRIP_LANES;
  strip_run run = {.b = heads / call->kv_heads, .kv_head = heads % call->kv_heads};
  run.p = memory;
  run.k = run.p + KEYS * STRIP_LANES;
  run.v = run.k + KEYS * call->width;
  memory = run.v + KEYS * call->width;
  for (; run.strips < STRIPS && u < call->queries; u += STRIP_LANES, run.strips++) {
    strip_state *s = &run.strip[run.strips];
    *s = (strip_state){.u0 = u, .lanes = fb_min(STRIP_LANES, call->queries - u), .q = memory};
    s->o = s->q + call->head_dim * STRIP_LANES;
    s->m = s->o + call->head_dim * STRIP_LANES;
    s->l = s->m + STRIP_LANES;
    s->first = s->l + STRIP_LANES;
    s->last = s->first + STRIP_LANES;
    memory = s->last + STRIP_LANES;
  }
  return run;
}

static void load_queries(const attention_call *call, const strip_run *run, strip_state *s) {
  for (int64_t lane = 0; lane < STRIP_LANES; lane++) {
    int64_t u = s->u0 + fb_min(lane, s->lanes - 1); /* idle lanes repeat the last query */
    const float *q = call->q + query_offset(call, run->b, run->kv_head, u);
    for (int64_t d = 0; d < call->head_dim; d++) s->q[d * STRIP_LANES + lane] = q[d] * call->scale;
    s->first[lane] = (float)first_key(call, u);
    s->last[lane] = (float)last_key(call, u);
    s->m[lane] = NOTHING_SEEN;
    s->l[lane] = 0;
  }
  for (int64_t i = 0; i < call->head_dim * STRIP_LANES; i++) s->o[i] = 0;
}

/* Sets the scores of keys that a query must not see to -infinity. */
static void hide_keys(const strip_state *s, float *scores, int64_t key, int64_t count, int vectors) {
  vf hidden = vf_set1(-INFINITY);
  for (int v = 0; v < vectors; v++) {
    vf first = vf_load(s->first + v * VF_WIDTH), last = vf_load(s->last + v * VF_WIDTH);
    for (int64_t j = 0; j < count; j++) {
      float *p = scores + j * STRIP_LANES + v * VF_WIDTH;
      vf at = vf_set1((float)(key + j));
      vf_store(p, vf_select_ge(last, at, vf_select_ge(at, first, vf_load(p), hidden), hidden));
    }
  }
}

/* Turns scores into weights and rescales what was summed so far. */
static void update_softmax(const strip_state *s, float *p, int64_t count, int64_t head_dim, int vectors) {
  for (int v = 0; v < vectors; v++) {
    int at = v * VF_WIDTH;
    vf before = vf_load(s->m + at), m = before, l = vf_zero();
    for (int64_t j = 0; j < count; j++) m = vf_max(m, vf_load(p + j * STRIP_LANES + at));
    for (int64_t j = 0; j < count; j++) {
      vf power = vf_exp_share(vf_sub(vf_load(p + j * STRIP_LANES + at), m));
      vf_store(p + j * STRIP_LANES + at, power);
      l = vf_add(l, power);
    }
    vf factor = vf_exp_share(vf_sub(before, m));
    vf_store(s->m + at, m);
    vf_store(s->l + at, vf_fma(l, factor, vf_load(s->l + at)));
    for (int64_t d = 0; d < head_dim; d++) {
      float *o = s->o + d * STRIP_LANES + at;
      vf_store(o, vf_mul(vf_load(o), factor));
    }
  }
}

/* Adds the keys of a block to a strip, as far as its queries see them. */
static void attend_block(const attention_call *call, const strip_run *run, const strip_state *s, int64_t key,
                         int64_t count) {
  int64_t d = call->head_dim, final = s->u0 + s->lanes - 1;
  int vectors = (int)fb_ceil_div(s->lanes, VF_WIDTH);
  int masked = key < first_key(call, final) || key + count - 1 > last_key(call, s->u0);
  count = fb_min(count, last_key(call, final) + 1 - key);
  if (count <= 0 || key + count <= first_key(call, s->u0)) return;
  for (int64_t i = 0; i < count * STRIP_LANES; i++) run->p[i] = 0;
  strip_product scores = {run->p, STRIP_LANES, run->k, call->width, 1, s->q, STRIP_LANES};
  multiply_strip(&scores, count, d, vectors);
  for (int64_t i = 0; call->soft_cap > 0 && i < count * STRIP_LANES; i += VF_WIDTH) {
    vf_store(run->p + i, cap_scores(vf_load(run->p + i), call->soft_cap));
  }
  if (masked) hide_keys(s, run->p, key, count, vectors);
  update_softmax(s, run->p, count, d, vectors);
  strip_product values = {s->o, STRIP_LANES, run->v, 1, call->width, run->p, STRIP_LANES};
  multiply_strip(&values, d, count, vectors);
}

static void write_strip(const attention_call *call, const strip_run *run, const strip_state *s) {
  for (int64_t lane = 0; lane < s->lanes; lane++) {
    float *out = call->out + query_offset(call, run->b, run->kv_head, s->u0 + lane);
    float factor = 1 / s->l[lane];
    for (int64_t d = 0; d < call->head_dim; d++) out[d] = s->o[d * STRIP_LANES + lane] * factor;
  }
}

static FB_BODY(strip_chunk) {
  const attention_call *call = context;
  strip_run run = place_run(call, chunk, fb_local(call->team, thread));
  const strip_state *final = &run.strip[run.strips - 1];
  kv_rows k = entry_of(call, call->k, run.b), v = entry_of(call, call->v, run.b);
  int64_t end = last_key(call, final->u0 + final->lanes - 1) + 1;
  for (int64_t i = 0; i < run.strips; i++) load_queries(call, &run, &run.strip[i]);
  for (int64_t key = first_key(call, run.strip[0].u0); key < end; key += KEYS) {
    int64_t count = fb_min(KEYS, end - key);
    kv_widen(run.k, &k, key, count, run.kv_head, 1);
    kv_widen(run.v, &v, key, count, run.kv_head, 1);
    for (int64_t i = 0; i < run.strips; i++) attend_block(call, &run, &run.strip[i], key, count);
  }
  for (int64_t i = 0; i < run.strips; i++) write_strip(call, &run, &run.strip[i]);
}

/* Returns 0 when there is no memory. */
static int attend_strips(attention_call *call) {
  call->parts = fb_ceil_div(call->queries, STRIPS * STRIP_LANES);
  if (!fb_reserve(call->team, 0, (size_t)run_floats(call) * 4)) return 0;
  fb_parallel(call->team, call->batch * call->kv_heads * call->parts, strip_chunk, call);
  return 1;
}
