/*
 * dTable[v] = Σ of the rows of dOut whose id is v, in the order of the tokens, in float64 where there are several;
 * with `adds` the sum begins with dTable[v]. The tokens of an id are chained first, so that each row of the table is
 * written once, or with `adds` at most once. Bound by memory.
 *
 *   first[v]: the first token of id v, or -1       next[t]: the next token of the same id, or -1
 */
#include <string.h>

#include "../include/fewbit.h"
#include "rows.h"

typedef struct {
  float *d_table;
  const float *d_out;
  const int32_t *ids;
  int32_t *first, *next;
  int64_t tokens, width, vocabulary;
  int adds;
  fb_team *team;
} embedding_call;

static void chain_tokens(const embedding_call *call) {
  for (int64_t v = 0; v < call->vocabulary; v++) call->first[v] = -1;
  for (int64_t t = call->tokens - 1; t >= 0; t--) {
    call->next[t] = call->first[call->ids[t]];
    call->first[call->ids[t]] = (int32_t)t;
  }
}

static void add_rows(const embedding_call *call, float *out, int32_t token, double *sums) {
  int64_t width = call->width;
  for (int64_t i = 0; i < width; i++) sums[i] = call->adds ? out[i] : 0;
  for (; token >= 0; token = call->next[token]) {
    const float *row = call->d_out + token * width;
    for (int64_t i = 0; i < width; i++) sums[i] += row[i];
  }
  for (int64_t i = 0; i < width; i++) out[i] = (float)sums[i];
}

static FB_BODY(embedding_chunk) {
  const embedding_call *call = context;
  int64_t width = call->width, rows = rows_per_chunk(width), end = fb_min(call->vocabulary, (chunk + 1) * rows);
  for (int64_t v = chunk * rows; v < end; v++) {
    float *out = call->d_table + v * width;
    int32_t token = call->first[v];
    if (token < 0 && call->adds) continue;
    if (token < 0) memset(out, 0, (size_t)width * 4);
    else if (call->next[token] < 0 && !call->adds) memcpy(out, call->d_out + token * width, (size_t)width * 4);
    else add_rows(call, out, token, fb_local(call->team, thread));
  }
}

/* buffers: dTable, dOut, ids; sizes: tokens, width, vocabulary, adds */
FB_OP(embedding_backward) {
  embedding_call call = {.d_table = args->buffer[0], .d_out = args->buffer[1], .ids = args->buffer[2],
                         .tokens = args->size[0], .width = args->size[1], .vocabulary = args->size[2],
                         .adds = args->size[3] != 0, .team = team};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.vocabulary * call.width) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(call.tokens * call.width) * 4);
  FB_REQUIRE(args->bytes[2] == (size_t)call.tokens * 4 && call.tokens <= INT32_MAX);
  for (int64_t t = 0; t < call.tokens; t++) {
    if (call.ids[t] < 0 || call.ids[t] >= call.vocabulary) return "embedding: an id is outside the table";
  }
  size_t chain = (size_t)(call.vocabulary + call.tokens) * 4;
  if (!fb_reserve(team, chain, (size_t)call.width * 8)) return "gradient of embedding: out of memory";
  call.first = fb_shared(team);
  call.next = call.first + call.vocabulary;
  chain_tokens(&call);
  fb_parallel(team, row_chunks(call.vocabulary, call.width), embedding_chunk, &call);
  return NULL;
}
