/* Fast products with the dot-product instructions that every CPU of this level has. */
#include "packed_fast.h"

#define FB_DOTS FB_NAME(fb_packed_dots)
#include "packed_dots.h"
