/* Fast products of weights in blocks with AVX-VNNI: 32 products of bytes an instruction. */
#include "packed_fast.h"

#ifdef __AVXVNNI__
#define FB_BLOCK_DOTS FB_NAME(fb_block_dots_avxvnni)
#include "block_dots.h"
#endif
