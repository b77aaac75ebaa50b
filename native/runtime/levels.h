/* The instruction levels built into this binary, and which of them this CPU can run. */
#ifndef FEWBIT_LEVELS_H
#define FEWBIT_LEVELS_H

#include "../include/fewbit.h"

typedef struct {
  const char *name;
  const char *title;  /* for people: "AVX-512" */
  int lanes;          /* float32 of a vector: rows that packed weights hold side by side */
  const fb_op *ops;   /* in the order of ops/ops.def */
  unsigned (*supported)(void); /* 0 when the CPU lacks the level, else 1 | features << 1 */
} fb_level;

extern const fb_level fb_levels[]; /* worst first */
extern const int fb_level_count;
extern const int fb_op_count;

#endif
