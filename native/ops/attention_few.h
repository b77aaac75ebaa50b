/* One query of attention, with the vectors along the head dimension; included by attention.c. */

static inline float dot(const float *a, const float *b, int64_t n) {
  vf sum = vf_zero();
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) sum = vf_fma(sum, vf_load(a + i), vf_load(b + i));
  float total = vf_sum(sum);
  for (; i < n; i++) total += a[i] * b[i];
  return total;
}

/* o = o · factor + Σj p[j] · v[j], `count` rows of v */
static void add_values(float *o, float factor, const float *p, const float *v, int64_t stride,
                       int64_t count, int64_t n) {
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) {
    vf even = vf_mul(vf_load(o + i), vf_set1(factor)), odd = vf_zero();
    int64_t j = 0;
    for (; j + 2 <= count; j += 2) {
      even = vf_fma(even, vf_set1(p[j]), vf_load(v + j * stride + i));
      odd = vf_fma(odd, vf_set1(p[j + 1]), vf_load(v + (j + 1) * stride + i));
    }
    if (j < count) even = vf_fma(even, vf_set1(p[j]), vf_load(v + j * stride + i));
    vf_store(o + i, vf_add(even, odd));
  }
  for (; i < n; i++) {
    float sum = o[i] * factor;
    for (int64_t j = 0; j < count; j++) sum += p[j] * v[j * stride + i];
    o[i] = sum;
  }
}

/* Replaces scores by e^(score - m) and returns their sum; the scores end on a whole vector of -infinity. */
static float weigh_keys(float *p, float m, int64_t count) {
  vf sum = vf_zero();
  for (int64_t j = 0; j < count; j += VF_WIDTH) {
    vf power = vf_exp(vf_sub(vf_load(p + j), vf_set1(m)));
    vf_store(p + j, power);
    sum = vf_add(sum, power);
  }
  return vf_sum(sum);
}

static void attend_one(const attention_call *call, const attention_part *part, int64_t u, float *memory) {
  int64_t n = call->head_dim, end = last_key(call, u) + 1;
  const float *query = call->q + query_offset(call, part, u);
  float *out = call->out + query_offset(call, part, u);
  float *p = memory, *q = memory + fb_round_up(KEYS, VF_WIDTH), *o = q + n;
  float m = NOTHING_SEEN, l = 0;
  for (int64_t i = 0; i < n; i++) {
    q[i] = query[i] * call->scale;
    o[i] = 0;
  }
  for (int64_t key = first_key(call, u); key < end; key += KEYS) {
    int64_t count = fb_min(KEYS, end - key);
    float before = m;
    for (int64_t j = 0; j < count; j++) {
      p[j] = dot(q, part->k + (key + j) * part->stride, n);
      m = p[j] < m ? m : p[j]; /* NaN becomes the maximum and so reaches the output */
    }
    for (int64_t j = count; j < fb_round_up(count, VF_WIDTH); j++) p[j] = -INFINITY;
    float factor = expf(before - m);
    l = l * factor + weigh_keys(p, m, count);
    add_values(o, factor, p, part->v + key * part->stride, part->stride, count, n);
  }
  for (int64_t i = 0; i < n; i++) out[i] = o[i] / l;
}
