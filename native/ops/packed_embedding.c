/*
 * out[t] = row ids[t] of a packed table, decoded to float32. The table stays as the file holds it
 * (decode_codes.h), because rows are wanted one by one and not in the order of products.
 *
 * Bound by memory: a row is read and written for each token; few tokens are looked up at a time.
 */
#include "decode_codes.h"

typedef struct {
  packed_rows table;
  float *out;
  const uint16_t *scales;
  const int32_t *ids;
  fb_team *team;
} lookup_call;

static void look_up_blocks(const packed_rows *table, float *out, int64_t row) {
  const uint8_t *block = table->codes + row * table->row_bytes;
  const block_format *f = table->format;
  for (int64_t c = 0; c < table->columns; c += f->columns, block += f->bytes) {
    block_row read;
    read_block(&read, block, table->packing);
    block_values(out + c, &read, f, read.d, read.m);
  }
}

static FB_BODY(look_up_row) {
  const lookup_call *call = context;
  const packed_rows *table = &call->table;
  int64_t row = call->ids[chunk], width = table->columns;
  float *out = call->out + chunk * width;
  uint8_t *codes = fb_local(call->team, thread);
  if (table->format) {
    look_up_blocks(table, out, row);
    return;
  }
  unpack_row(codes, table->codes + row * table->row_bytes, width, table->packing);
  for (int64_t g = 0; g < table->groups; g++) {
    int64_t first = g * table->group_size, n = fb_min(table->group_size, width - first);
    int64_t group = row * table->groups + g;
    float scale = fb_from_f16(call->scales[group]);
    decode_group(table, out + first, codes + first, group, n);
    for (int64_t i = first; i < first + n; i++) out[i] *= scale;
  }
}

/*
 * buffers: out, scales (NULL of blocks), ids, then as read_packed_rows; sizes: as there (rows: vocabulary), then
 * tokens; reals: as there
 */
FB_OP(packed_embedding) {
  lookup_call call = {.out = args->buffer[0], .scales = args->buffer[1], .ids = args->buffer[2], .team = team};
  const char *wrong = read_packed_rows(&call.table, args, 3);
  if (wrong) return wrong;
  int64_t tokens = args->size[6];
  FB_REQUIRE(args->bytes[0] == (size_t)(tokens * call.table.columns) * 4);
  int64_t scales = call.table.format ? 0 : call.table.rows * call.table.groups;
  FB_REQUIRE(args->bytes[1] == (size_t)scales * 2);
  FB_REQUIRE(args->bytes[2] == (size_t)tokens * 4);
  for (int64_t t = 0; t < tokens; t++) {
    if (call.ids[t] < 0 || call.ids[t] >= call.table.rows) {
      return "packed embedding: an id is outside the table";
    }
  }
  if (!fb_reserve(team, 0, code_bytes(&call.table))) return "packed embedding: out of memory";
  fb_parallel(team, tokens, look_up_row, &call);
  return NULL;
}
