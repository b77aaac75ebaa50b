/*
 * out[t] = row ids[t] of a packed table, decoded to float32. The table stays as the file holds it
 * (unpack.h), because rows are wanted one by one and not in the order of products:
 *
 *   code c of column j, group g = j / group size:  scale[row, g] · (origin + step · (c − zero[row, g])),
 *                                                  or scale[row, g] · table[c]
 *
 * Bound by memory: a row is read and written for each token; few tokens are looked up at a time.
 */
#include "../include/fewbit.h"
#include "../include/half.h"
#include "unpack.h"

/* Kinds of zero points as files hold them: packed like codes, all rows as one run, or float16. */
enum { ZEROS_NONE, ZEROS_PACKED, ZEROS_HALVES };

typedef struct {
  float *out;
  const uint8_t *codes, *zeros;
  const uint16_t *scales;
  const float *table;
  const int32_t *ids;
  int64_t width, group_size, groups, row_bytes, packing, zero_kind;
  float origin, step;
  fb_team *team;
} lookup_call;

static float zero_of(const lookup_call *call, int64_t group) {
  if (call->zero_kind == ZEROS_NONE) return 0;
  if (call->zero_kind == ZEROS_PACKED) return (float)code_at(call->zeros, group, call->packing);
  return fb_from_f16(((const uint16_t *)(const void *)call->zeros)[group]);
}

static FB_BODY(look_up_row) {
  const lookup_call *call = context;
  int64_t row = call->ids[chunk], width = call->width;
  float *out = call->out + chunk * width;
  uint8_t *codes = fb_local(call->team, thread);
  unpack_row(codes, call->codes + row * call->row_bytes, width, call->packing);
  for (int64_t g = 0; g < call->groups; g++) {
    int64_t end = fb_min(width, (g + 1) * call->group_size), group = row * call->groups + g;
    float scale = fb_from_f16(call->scales[group]), zero = zero_of(call, group);
    for (int64_t j = g * call->group_size; j < end; j++) {
      float value = call->table ? call->table[codes[j]]
                                : call->origin + call->step * ((float)codes[j] - zero);
      out[j] = scale * value;
    }
  }
}

/*
 * buffers: out, codes, scales, zeros or NULL, table or NULL, ids;
 * sizes: tokens, width, vocabulary, group size, bytes of a row, packing, kind of zeros, levels;
 * reals: origin, step
 */
FB_OP(packed_embedding) {
  const int64_t *size = args->size;
  int64_t tokens = size[0], width = size[1], vocabulary = size[2], group_size = size[3];
  FB_REQUIRE(group_size > 0);
  lookup_call call = {args->buffer[0], args->buffer[1], args->buffer[3], args->buffer[2],
                      args->buffer[4], args->buffer[5], width,           group_size,
                      fb_ceil_div(width, group_size),   size[4],         size[5],
                      size[6],         (float)args->real[0], (float)args->real[1], team};
  int64_t packing = call.packing, groups = vocabulary * call.groups;
  FB_REQUIRE(packing >= 1 && packing <= 8 && packing != 6 && packing != 7);
  FB_REQUIRE(call.row_bytes % 4 == 0 && call.row_bytes >= packed_bytes(packing, width));
  FB_REQUIRE(args->bytes[0] == (size_t)(tokens * width) * 4);
  FB_REQUIRE(args->bytes[1] == (size_t)(vocabulary * call.row_bytes));
  FB_REQUIRE(args->bytes[2] == (size_t)groups * 2);
  FB_REQUIRE((call.zero_kind == ZEROS_NONE) == !call.zeros);
  FB_REQUIRE(call.zero_kind != ZEROS_PACKED || args->bytes[3] >= (size_t)packed_bytes(packing, groups));
  FB_REQUIRE(call.zero_kind != ZEROS_HALVES || args->bytes[3] == (size_t)groups * 2);
  int64_t codes = packing == FB_TRITS5 ? 3 : (int64_t)1 << packing;
  FB_REQUIRE(!call.table || (size[7] >= codes && args->bytes[4] == (size_t)size[7] * 4));
  FB_REQUIRE(args->bytes[5] == (size_t)tokens * 4);
  for (int64_t t = 0; t < tokens; t++) {
    if (call.ids[t] < 0 || call.ids[t] >= vocabulary) return "packed embedding: an id is outside the table";
  }
  if (!fb_reserve(team, 0, (size_t)width + UNPACK_SLACK)) return "packed embedding: out of memory";
  fb_parallel(team, tokens, look_up_row, &call);
  return NULL;
}
