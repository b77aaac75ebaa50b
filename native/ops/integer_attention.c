/*
 * Causal attention of 8-bit queries, keys and values, a factor each: scores and weighted sums of int8 products in
 * int32, exponentials of I-BERT. Every level gives the same bytes. Bound by the products: length · keys · headDim.
 *
 *   score = q·k · factors        Q14 nats
 *   e     = exp(score - largest)
 *   code  = e · |v| / largest    0 ... 255, of the row
 *   out   = Σ code · v / Σ e     in units of the values
 */
#include "../include/fewbit.h"
#include "integer_math.h"

#define WEIGHT_SHIFT 8
#define WEIGHT_BITS 24
#define TOTAL_BITS 22
#define MOST_KEYS 66311 /* 66311 · 255 · 127 < 2^31 */

typedef struct {
  int32_t *out;
  const int8_t *q, *k, *v;
  const int32_t *q_factors, *k_factors, *v_factors;
  int64_t batch, length, heads, width, capacity, kv_heads, key_length, window;
  fixed_factor score, code_product;
  fb_team *team;
} attention_call;

/* The keys of one query: rows of a head are `heads` apart. */
typedef struct {
  int64_t first, count, heads, head;
} seen_keys;

static inline int64_t key_row(const seen_keys *seen, int64_t j) { return (seen->first + j) * seen->heads + seen->head; }

static inline fixed_factor factor_at(const int32_t *factors, int64_t row) {
  return (fixed_factor){factors[2 * row], factors[2 * row + 1]};
}

static int32_t dot(const int8_t *a, const int8_t *b, int64_t width) {
  int32_t sum = 0;
  for (int64_t i = 0; i < width; i++) sum += a[i] * b[i];
  return sum;
}

/* Exponentials of the scores of query `row` less the largest. */
static void exponentials(const attention_call *call, int64_t row, const seen_keys *seen, int64_t *powers) {
  int64_t width = call->width, largest = INT32_MIN;
  fixed_factor unit = multiply_factors(factor_at(call->q_factors, row), call->score);
  for (int64_t j = 0; j < seen->count; j++) {
    int64_t key = key_row(seen, j);
    fixed_factor factor = multiply_factors(unit, factor_at(call->k_factors, key));
    int32_t sum = dot(call->q + row * width, call->k + key * width, width);
    powers[j] = multiply_fixed_point(sum, factor.multiplier, factor.shift);
    largest = powers[j] > largest ? powers[j] : largest;
  }
  for (int64_t j = 0; j < seen->count; j++) powers[j] = integer_exp(powers[j] - largest);
}

/* largest · 2^(cut + 8) / (255 · 127 · total), with 28 bits of the quotient. */
static fixed_factor mean_factor(const attention_call *call, int64_t largest, int cut, int64_t total) {
  int raised = WEIGHT_BITS - bit_length(largest), lowered = bit_length(total) - TOTAL_BITS;
  int64_t quotient = (largest << (raised + 28)) / (total >> lowered);
  fixed_factor factor = {(int32_t)quotient, raised + lowered - cut - WEIGHT_SHIFT - 3};
  return multiply_factors(factor, call->code_product);
}

static void mix_values(const attention_call *call, int32_t *out, const seen_keys *seen, int64_t *weights) {
  int64_t width = call->width, total = 0, most = 0;
  for (int64_t j = 0; j < seen->count; j++) {
    fixed_factor factor = factor_at(call->v_factors, key_row(seen, j));
    int64_t magnitude = factor.multiplier == 0 ? 0 : factor.multiplier >> (31 + factor.shift);
    total += weights[j];
    weights[j] = (weights[j] >> WEIGHT_SHIFT) * magnitude;
    most = weights[j] > most ? weights[j] : most;
  }
  int cut = bit_length(most) > WEIGHT_BITS ? bit_length(most) - WEIGHT_BITS : 0;
  int64_t largest = most >> cut;
  for (int64_t i = 0; i < width; i++) out[i] = 0;
  if (largest == 0) return;
  for (int64_t j = 0; j < seen->count; j++) {
    int32_t code = (int32_t)((510 * (weights[j] >> cut) + largest) / (2 * largest));
    if (code == 0) continue;
    const int8_t *value = call->v + key_row(seen, j) * width;
    for (int64_t i = 0; i < width; i++) out[i] += code * value[i];
  }
  fixed_factor factor = mean_factor(call, largest, cut, total);
  for (int64_t i = 0; i < width; i++) out[i] = multiply_fixed_point(out[i], factor.multiplier, factor.shift);
}

/* A chunk is one query of one head. */
static FB_BODY(attend_query) {
  const attention_call *call = context;
  int64_t token = chunk / call->heads, head = chunk % call->heads;
  int64_t place = call->key_length - call->length + token % call->length;
  int64_t first = call->window > 0 ? fb_max(0, place - call->window + 1) : 0;
  seen_keys seen = {token / call->length * call->capacity + first, place - first + 1, call->kv_heads,
                    head * call->kv_heads / call->heads};
  int64_t *powers = fb_local(call->team, thread);
  exponentials(call, chunk, &seen, powers);
  mix_values(call, call->out + chunk * call->width, &seen, powers);
}

/* buffers: out, q, q factors, k, k factors, v, v factors; sizes: batch, length, heads, headDim, capacity, kvHeads,
 * keyLength, window (0: none); reals, all integers: multiplier and shift of the scores, those of 1 / (255 · 127) */
FB_OP(integer_attention) {
  const int64_t *s = args->size;
  const double *r = args->real;
  void *const *b = args->buffer;
  attention_call call = {b[0], b[1], b[3], b[5], b[2], b[4], b[6], s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7],
                         {(int32_t)r[0], (int32_t)r[1]}, {(int32_t)r[2], (int32_t)r[3]}, team};
  size_t queries = (size_t)(call.batch * call.length * call.heads);
  size_t keys = (size_t)(call.batch * call.capacity * call.kv_heads), width = (size_t)call.width;
  FB_REQUIRE(args->bytes[0] == queries * width * 4 && args->bytes[1] == queries * width);
  FB_REQUIRE(args->bytes[2] == queries * 8 && args->bytes[4] == keys * 8 && args->bytes[6] == keys * 8);
  FB_REQUIRE(args->bytes[3] == keys * width && args->bytes[5] == keys * width);
  FB_REQUIRE(call.key_length <= call.capacity && call.length <= call.key_length && call.key_length <= MOST_KEYS);
  if (queries == 0) return NULL;
  FB_REQUIRE(call.kv_heads > 0);
  if (!fb_reserve(team, 0, (size_t)call.key_length * 8)) return "integer attention: out of memory";
  fb_parallel(team, (int64_t)queries, attend_query, &call);
  return NULL;
}
