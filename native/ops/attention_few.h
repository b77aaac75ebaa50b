/*
 * Attention of up to FEW queries a key head, with the vectors along the head dimension; included by
 * attention.c. Up to HEADS key heads are taken together, so that k and v are read in the order in which
 * they lie. Row r of the scratch is query r % queries of key head r / queries.
 */

static inline float dot(const float *a, const float *b, int64_t n) {
  vf sum = vf_zero();
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) sum = vf_fma(sum, vf_load(a + i), vf_load(b + i));
  float total = vf_sum(sum);
  for (; i < n; i++) total += a[i] * b[i];
  return total;
}

/* o += p · v */
static inline void add_value(float *o, float p, const float *v, int64_t n) {
  vf weight = vf_set1(p);
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) vf_store(o + i, vf_fma(vf_load(o + i), weight, vf_load(v + i)));
  for (; i < n; i++) o[i] += p * v[i];
}

typedef struct {
  int64_t rows;
  float *q, *o;                    /* [rows][d] */
  float *p;                        /* [rows][KEYS] */
  float m[HEADS * FEW], l[HEADS * FEW];
  int64_t kv[HEADS * FEW];                        /* offset of the row's key head within a key */
  int64_t first[HEADS * FEW], last[HEADS * FEW]; /* visible keys */
} few_state;

static int64_t few_floats(int64_t head_dim) { return HEADS * FEW * (2 * head_dim + KEYS); }

static int64_t few_offset(const attention_call *call, const attention_part *part, int64_t r) {
  int64_t head = r / call->queries * call->group * call->head_dim;
  return query_offset(call, part, r % call->queries) + head;
}

static void load_rows(const attention_call *call, const attention_part *part, few_state *s) {
  int64_t n = call->head_dim;
  for (int64_t r = 0; r < s->rows; r++) {
    const float *q = call->q + few_offset(call, part, r);
    for (int64_t i = 0; i < n; i++) s->q[r * n + i] = q[i] * call->scale;
    for (int64_t i = 0; i < n; i++) s->o[r * n + i] = 0;
    s->m[r] = NOTHING_SEEN;
    s->l[r] = 0;
    s->kv[r] = r / call->queries * n;
    s->first[r] = first_key(call, r % call->queries);
    s->last[r] = last_key(call, r % call->queries);
  }
}

static void score_keys(const attention_part *part, few_state *s, int64_t key, int64_t count, int64_t n) {
  for (int64_t j = 0; j < count; j++) {
    const float *k = part->k + (key + j) * part->stride;
    for (int64_t r = 0; r < s->rows; r++) {
      int visible = key + j >= s->first[r] && key + j <= s->last[r];
      s->p[r * KEYS + j] = visible ? dot(s->q + r * n, k + s->kv[r], n) : -INFINITY;
    }
  }
}

/* Turns the scores of row r into weights and rescales what was summed so far. */
static void weigh_keys(few_state *s, int64_t r, int64_t count, int64_t n) {
  float *p = s->p + r * KEYS, m = s->m[r];
  for (int64_t j = 0; j < count; j++) m = p[j] < m ? m : p[j]; /* NaN becomes the maximum */
  for (int64_t j = count; j < KEYS; j++) p[j] = -INFINITY;
  vf sum = vf_zero();
  for (int64_t j = 0; j < KEYS; j += VF_WIDTH) {
    vf power = vf_exp(vf_sub(vf_load(p + j), vf_set1(m)));
    vf_store(p + j, power);
    sum = vf_add(sum, power);
  }
  float factor = expf(s->m[r] - m);
  s->l[r] = s->l[r] * factor + vf_sum(sum);
  s->m[r] = m;
  for (int64_t i = 0; i < n; i++) s->o[r * n + i] *= factor;
}

static void attend_few(const attention_call *call, const attention_part *part, int64_t kv_heads,
                       float *memory) {
  int64_t n = call->head_dim, end = call->key_length;
  few_state s;
  s.rows = kv_heads * call->queries;
  s.q = memory;
  s.o = s.q + s.rows * n;
  s.p = s.o + s.rows * n;
  load_rows(call, part, &s);
  for (int64_t key = first_key(call, 0); key < end; key += KEYS) {
    int64_t count = fb_min(KEYS, end - key);
    score_keys(part, &s, key, count, n);
    for (int64_t r = 0; r < s.rows; r++) weigh_keys(&s, r, count, n);
    for (int64_t j = 0; j < count; j++) {
      const float *v = part->v + (key + j) * part->stride;
      for (int64_t r = 0; r < s.rows; r++) {
        add_value(s.o + r * n, s.p[r * KEYS + j], v + s.kv[r], n);
      }
    }
  }
  for (int64_t r = 0; r < s.rows; r++) {
    float *out = call->out + few_offset(call, part, r);
    for (int64_t i = 0; i < n; i++) out[i] = s.o[r * n + i] / s.l[r];
  }
}
