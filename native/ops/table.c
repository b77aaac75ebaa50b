/* The table of one level's ops, in the order of ops.def. */
#include "../include/fewbit.h"

#define FB_OP_ENTRY(op, buffers, sizes, reals) const char *FB_NAME(fb_##op)(const fb_args *, fb_team *);
#include "ops.def"
#undef FB_OP_ENTRY

const fb_op FB_NAME(fb_ops)[] = {
#define FB_OP_ENTRY(op, buffers, sizes, reals) {#op, buffers, sizes, reals, FB_NAME(fb_##op)},
#include "ops.def"
#undef FB_OP_ENTRY
};
