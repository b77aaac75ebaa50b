/* Rows of a cache that rows are written to, one by one. */
#ifndef FEWBIT_ROW_SLOTS_H
#define FEWBIT_ROW_SLOTS_H

#include "holds.h"

/* Whether there is a slot for each of `count` rows, all of them in a cache of `capacity` rows. */
static inline int are_slots(const int32_t *slots, size_t bytes, int64_t count, int64_t capacity) {
  if (!holds(bytes, count, 4)) return 0;
  for (int64_t i = 0; i < count; i++) {
    if (slots[i] < 0 || slots[i] >= capacity) return 0;
  }
  return 1;
}

#endif
