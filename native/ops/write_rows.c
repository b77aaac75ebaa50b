/* cache[b, position + t] = rows[b, t], or cache[0, slots[t]] = rows[0, t]: copied, or float32 rounded to float16. Bound by memory. */
#include <string.h>

#include "../include/fewbit.h"
#include "../include/half.h"
#include "../include/vec.h"
#include "holds.h"
#include "row_slots.h"
#include "rows.h"

typedef struct {
  char *cache;
  const char *rows;
  const int32_t *slots; /* or NULL */
  int64_t count, length, capacity, width, position, from, to; /* from, to: bytes of an element */
} write_call;

static void round_row(uint16_t *out, const float *x, int64_t n) {
  int64_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) vf_store_f16(out + i, vf_load(x + i));
  for (; i < n; i++) out[i] = fb_to_f16(x[i]);
}

static FB_BODY(write_chunk) {
  const write_call *call = context;
  int64_t rows = rows_per_chunk(call->width), end = fb_min(call->count, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    int64_t at = call->slots ? call->slots[row] : row / call->length * call->capacity + call->position + row % call->length;
    char *out = call->cache + at * call->width * call->to;
    const char *x = call->rows + row * call->width * call->from;
    if (call->from == call->to) memcpy(out, x, (size_t)(call->width * call->to));
    else round_row((uint16_t *)out, (const float *)x, call->width);
  }
}

/*
 * buffers: cache, rows, slots of the rows or NULL; sizes: batch, capacity, length, elements of a row, position, bytes of an element of rows
 * and of the cache (the same, or 4 and 2)
 */
FB_OP(write_rows) {
  const int64_t *size = args->size;
  write_call call = {args->buffer[0], args->buffer[1], args->buffer[2], size[0] * size[2], size[2], size[1], size[3],
                     size[4], size[5], size[6]};
  FB_REQUIRE(call.from == call.to || (call.from == 4 && call.to == 2));
  FB_REQUIRE(call.position >= 0 && call.position + call.length <= call.capacity);
  FB_REQUIRE(!call.slots || (size[0] == 1 && are_slots(call.slots, args->bytes[2], call.length, call.capacity)));
  FB_REQUIRE(holds(args->bytes[0], size[0] * call.capacity * call.width, call.to));
  FB_REQUIRE(holds(args->bytes[1], call.count * call.width, call.from));
  fb_parallel(team, row_chunks(call.count, call.width), write_chunk, &call);
  return NULL;
}
