/* What fast products make of their inputs: 8 bits and a scale for each group, of at most 128 columns. */
#ifndef FB_TEST_ROUND_INPUTS_H
#define FB_TEST_ROUND_INPUTS_H

#include <math.h>

#include "check.h"

/* x and rounded [tokens][columns] */
static inline void round_inputs(int64_t tokens, int64_t columns, int64_t group_size, const float *x, float *rounded) {
  int64_t width = group_size < 128 ? group_size : 128;
  for (int64_t at = 0; at < tokens * columns;) {
    int64_t column = at % columns, group_end = (column / group_size + 1) * group_size;
    int64_t end = at + fb_min(width, fb_min(group_end, columns) - column);
    float most = 0;
    for (int64_t i = at; i < end; i++) most = fmaxf(most, fabsf(x[i]));
    float inverse = most > 0 ? 127 / most : 0;
    for (int64_t i = at; i < end; i++) rounded[i] = most / 127 * rintf(x[i] * inverse);
    at = end;
  }
}

#endif
