/*
 * Attention of up to FEW queries a key head; included by attention.c. The visible keys are cut into ranges of at
 * most RANGE keys, by the shape alone, and a chunk is one range of up to HEADS key heads, which lie side by side.
 * Each gives the maximum m and the sum l of its scores' powers and the weighted sum of its values; then the
 * ranges are put together:
 *
 *   m = max mᵣ,   l = Σ lᵣ·e^(mᵣ - m),   o = Σ oᵣ·e^(mᵣ - m) / l
 *
 * Scores of VF_WIDTH keys are sums along d in as many registers, added up across lanes at once; weighted sums of
 * values are strips (strip.h) whose lanes are d.
 *
 *   a range's results   [rows][width] o   [rows] m   [rows] l      row = head · queries + u
 */
#define FEW 16
#define HEADS 8
#define RANGE 128
#define FEW_KEYS 16 /* keys that are widened at a time */

typedef struct {
  kv_rows k, v;
  int64_t b, head, heads;  /* key heads [head, head + heads) */
  int64_t key, end, range; /* keys [key, end), and which range this is */
  float *q, *p, *wide;     /* scratch: [rows][width], [rows][RANGE], [FEW_KEYS][heads][width] */
  float *o, *m, *l;        /* results */
} few_part;

static int64_t few_rows(const attention_call *call) { return fb_min(HEADS, call->kv_heads) * call->queries; }

static int64_t few_floats(const attention_call *call) {
  return few_rows(call) * (call->width + RANGE) + fb_min(HEADS, call->kv_heads) * FEW_KEYS * call->width;
}

static int64_t result_floats(const attention_call *call) { return few_rows(call) * (call->width + 2); }

static few_part few_part_of(const attention_call *call, int64_t chunk, int thread) {
  int64_t ranges = call->parts, blocks = fb_ceil_div(call->kv_heads, HEADS);
  int64_t start = first_key(call, 0), visible = call->key_length - start, rows = few_rows(call);
  int64_t length = fb_round_up(fb_ceil_div(visible, ranges), VF_WIDTH);
  few_part part = {.b = chunk / ranges / blocks, .head = chunk / ranges % blocks * HEADS, .range = chunk % ranges};
  part.k = entry_of(call, call->k, part.b);
  part.v = entry_of(call, call->v, part.b);
  part.heads = fb_min(HEADS, call->kv_heads - part.head);
  part.key = fb_min(call->key_length, start + part.range * length);
  part.end = fb_min(call->key_length, part.key + length);
  part.q = fb_local(call->team, thread);
  part.p = part.q + rows * call->width;
  part.wide = part.p + rows * RANGE;
  part.o = (float *)fb_shared(call->team) + chunk * result_floats(call);
  part.m = part.o + rows * call->width;
  part.l = part.m + rows;
  return part;
}

static void load_rows(const attention_call *call, const few_part *part) {
  int64_t d = call->head_dim, width = call->width;
  for (int64_t r = 0; r < part->heads * call->queries; r++) {
    const float *q = call->q + query_offset(call, part->b, part->head + r / call->queries, r % call->queries);
    float *row = part->q + r * width;
    for (int64_t i = 0; i < d; i++) row[i] = q[i] * call->scale;
    for (int64_t i = d; i < width; i++) row[i] = 0;
    for (int64_t i = 0; i < width; i++) part->o[r * width + i] = 0;
  }
}

/* Whether float32 rows can be used where they lie. */
static int used_in_place(const kv_rows *kv) { return kv->dtype == FB_F32 && kv->d == kv->width; }

/* The row of `key` of the h-th head of the part, in the cache or among those that were widened. */
static const float *wide_row(const kv_rows *kv, const few_part *part, int64_t h, int64_t key, int in_place) {
  if (!in_place) return part->wide + h * kv->width;
  return (const float *)kv->rows + (key * kv->heads + part->head + h) * kv->d;
}

/*
 * Asks for one of `shares` shares of the keys that are widened next, so that they come while these are worked on. A
 * hint only: behind the last key nothing is asked for.
 */
static inline void fetch_ahead(const kv_rows *kv, const few_part *part, int64_t key, int64_t share, int64_t shares) {
  int64_t row = kv_row_bytes(kv->dtype, kv->d), first = fb_min(part->end, key + FEW_KEYS);
  int64_t count = fb_min(FEW_KEYS, part->end - first), apart = kv->heads * row;
  int64_t bytes = (count - 1) * apart + part->heads * row;
  const char *from = (const char *)kv->rows + first * apart + part->head * row;
  if (count <= 0) return;
  int64_t piece = fb_round_up(fb_ceil_div(bytes, shares), 64);
  for (int64_t at = share * piece; at < fb_min(bytes, (share + 1) * piece); at += 64) __builtin_prefetch(from + at);
}

static void score_keys(const attention_call *call, const few_part *part) {
  int64_t queries = call->queries, width = call->width;
  for (int64_t key = part->key; key < part->end; key += FEW_KEYS) {
    int64_t count = fb_min(FEW_KEYS, part->end - key);
    int in_place = used_in_place(&part->k) && count % VF_WIDTH == 0;
    int64_t apart = (in_place ? call->kv_heads : part->heads) * width;
    if (!in_place) kv_widen(part->wide, &part->k, key, count, part->head, part->heads);
    for (int64_t r = 0; r < part->heads * queries; r++) {
      const float *k = wide_row(&part->k, part, r / queries, key, in_place);
      float *p = part->p + r * RANGE + (key - part->key);
      fetch_ahead(&part->k, part, key, r, part->heads * queries);
      for (int64_t j = 0; j < count; j += VF_WIDTH) {
        vf_store(p + j, score_group(part->q + r * width, k + j * apart, apart, width));
      }
    }
  }
}

/* Turns the scores of row r into powers; keys that the query does not see count nothing. */
static void weigh_row(const attention_call *call, const few_part *part, int64_t r) {
  int64_t u = r % call->queries, count = part->end - part->key;
  int64_t first = fb_min(count, fb_max(0, first_key(call, u) - part->key));
  int64_t behind = fb_max(first, fb_min(count, last_key(call, u) + 1 - part->key));
  int64_t padded = fb_round_up(count, VF_WIDTH);
  float *p = part->p + r * RANGE;
  for (int64_t j = 0; call->soft_cap > 0 && j < padded; j += VF_WIDTH) {
    vf_store(p + j, cap_scores(vf_load(p + j), call->soft_cap));
  }
  for (int64_t j = 0; j < first; j++) p[j] = -INFINITY;
  for (int64_t j = behind; j < padded; j++) p[j] = -INFINITY;
  vf top = vf_set1(NOTHING_SEEN), sum = vf_zero();
  for (int64_t j = 0; j < padded; j += VF_WIDTH) top = vf_max(top, vf_load(p + j));
  float m = vf_max_of(top);
  for (int64_t j = 0; j < padded; j += VF_WIDTH) {
    vf power = vf_exp_share(vf_sub(vf_load(p + j), vf_set1(m)));
    vf_store(p + j, power);
    sum = vf_add(sum, power);
  }
  part->m[r] = m;
  part->l[r] = vf_sum(sum);
}

static void sum_values(const attention_call *call, const few_part *part) {
  int64_t queries = call->queries, width = call->width;
  int in_place = used_in_place(&part->v);
  int64_t apart = (in_place ? call->kv_heads : part->heads) * width;
  for (int64_t key = part->key; key < part->end; key += FEW_KEYS) {
    int64_t count = fb_min(FEW_KEYS, part->end - key);
    if (!in_place) kv_widen(part->wide, &part->v, key, count, part->head, part->heads);
    for (int64_t h = 0; h < part->heads; h++) {
      const float *v = wide_row(&part->v, part, h, key, in_place);
      const float *p = part->p + h * queries * RANGE + (key - part->key);
      float *o = part->o + h * queries * width;
      for (int64_t i = 0; i < width; i += STRIP_LANES) {
        fetch_ahead(&part->v, part, key, (h * width + i) / STRIP_LANES, part->heads * width / STRIP_LANES);
        strip_product sums = {o + i, width, p, RANGE, 1, v + i, apart};
        multiply_strip(&sums, queries, count, (int)(fb_min(STRIP_LANES, width - i) / VF_WIDTH));
      }
    }
  }
}

static FB_BODY(few_chunk) {
  const attention_call *call = context;
  few_part part = few_part_of(call, chunk, thread);
  load_rows(call, &part);
  score_keys(call, &part);
  for (int64_t r = 0; r < part.heads * call->queries; r++) weigh_row(call, &part, r);
  sum_values(call, &part);
}

/* Puts the ranges of row r together; `first` is the results of its first range. */
static void merge_row(const attention_call *call, const float *first, int64_t r, float *out) {
  int64_t rows = few_rows(call), width = call->width, apart = result_floats(call);
  const float *m = first + rows * width + r, *l = m + rows, *o = first + r * width;
  float top = NOTHING_SEEN, total = 0;
  for (int64_t i = 0; i < call->head_dim; i++) out[i] = 0;
  for (int64_t range = 0; range < call->parts; range++) top = m[range * apart] < top ? top : m[range * apart];
  for (int64_t range = 0; range < call->parts; range++) {
    float factor = expf(m[range * apart] - top);
    total += l[range * apart] * factor;
    for (int64_t i = 0; i < call->head_dim; i++) out[i] += o[range * apart + i] * factor;
  }
  for (int64_t i = 0; i < call->head_dim; i++) out[i] /= total;
}

#define MERGED 512 /* results of a range and row that are put together in a chunk */

static int64_t rows_merged(const attention_call *call) { return fb_max(1, MERGED / call->parts); }

static FB_BODY(merge_chunk) {
  const attention_call *call = context;
  int64_t per_entry = call->kv_heads * call->queries, rows = rows_merged(call);
  int64_t end = fb_min(call->batch * per_entry, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    int64_t b = row / per_entry, kv_head = row % per_entry / call->queries, u = row % call->queries;
    int64_t block = b * fb_ceil_div(call->kv_heads, HEADS) + kv_head / HEADS;
    const float *first = (float *)fb_shared(call->team) + block * call->parts * result_floats(call);
    float *out = call->out + query_offset(call, b, kv_head, u);
    merge_row(call, first, kv_head % HEADS * call->queries + u, out);
  }
}

/* Returns 0 when there is no memory. */
static int attend_few_queries(attention_call *call) {
  int64_t blocks = call->batch * fb_ceil_div(call->kv_heads, HEADS), rows = call->batch * call->heads * call->length;
  call->parts = fb_ceil_div(call->key_length - first_key(call, 0), RANGE);
  size_t results = (size_t)(blocks * call->parts * result_floats(call)) * 4;
  if (!fb_reserve(call->team, results, (size_t)few_floats(call) * 4)) return 0;
  fb_parallel(call->team, blocks * call->parts, few_chunk, call);
  fb_parallel(call->team, fb_ceil_div(rows, rows_merged(call)), merge_chunk, call);
  return 1;
}
