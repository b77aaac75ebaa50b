/* Fast products of weights in blocks with AVX-512-VNNI: 64 products of bytes an instruction. */
#include "packed_fast.h"

#ifdef __AVX512VNNI__
#define FB_BLOCK_DOTS FB_NAME(fb_block_dots_vnni)
#include "block_dots.h"
#endif
