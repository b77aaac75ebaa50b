/* cache[b, position + t] = rows[b, t], byte by byte. Bound by memory. */
#include <string.h>

#include "../include/fewbit.h"

/* buffers: cache, rows; sizes: batch, capacity, length, bytes of a row, position */
FB_OP(write_rows) {
  int64_t batch = args->size[0], capacity = args->size[1], length = args->size[2];
  int64_t row_bytes = args->size[3], position = args->size[4];
  (void)team;
  FB_REQUIRE(position >= 0 && position + length <= capacity);
  FB_REQUIRE(args->bytes[0] == (size_t)(batch * capacity * row_bytes));
  FB_REQUIRE(args->bytes[1] == (size_t)(batch * length * row_bytes));
  for (int64_t b = 0; b < batch; b++) {
    char *to = (char *)args->buffer[0] + (b * capacity + position) * row_bytes;
    const char *from = (const char *)args->buffer[1] + b * length * row_bytes;
    memcpy(to, from, (size_t)(length * row_bytes));
  }
  return NULL;
}
