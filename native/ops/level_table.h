/*
 * Levels that stand in a table, rising, in units of the scale, for ops that choose codes: the code of a value is the
 * number of midpoints of neighbouring levels, in float32, that are below it.
 */
#ifndef FEWBIT_LEVEL_TABLE_H
#define FEWBIT_LEVEL_TABLE_H

#include "../include/fewbit.h"
#include "../include/vec.h"

#define MOST_LEVELS 256

typedef struct {
  const float *values; /* or NULL, where levels are evenly spaced */
  int64_t levels;
  float midpoints[MOST_LEVELS];
} level_table;

/* Takes `levels` values of so many bytes, or none; returns 0 if there are not as many. */
static inline int read_levels(level_table *table, const float *values, size_t bytes, int64_t levels) {
  table->values = values;
  table->levels = levels;
  if (!values) return 1;
  if (levels < 2 || levels > MOST_LEVELS || bytes != (size_t)levels * sizeof(float)) return 0;
  for (int64_t c = 0; c + 1 < levels; c++) table->midpoints[c] = (float)(((double)values[c] + values[c + 1]) / 2);
  return 1;
}

/* The codes of values, and the levels that they stand for. */
static inline vf nearest_codes(const level_table *table, vf value, vf *level) {
  vf code = vf_zero(), one = vf_set1(1);
  *level = vf_set1(table->values[0]);
  for (int64_t c = 0; c + 1 < table->levels; c++) {
    vf midpoint = vf_set1(table->midpoints[c]);
    code = vf_add(code, vf_select_ge(midpoint, value, vf_zero(), one));
    *level = vf_select_ge(midpoint, value, *level, vf_set1(table->values[c + 1]));
  }
  return code;
}

#endif
