/* Fast products of weights in blocks with the dot-product instructions that every CPU of this level has. */
#include "packed_fast.h"

#define FB_BLOCK_DOTS FB_NAME(fb_block_dots)
#include "block_dots.h"
